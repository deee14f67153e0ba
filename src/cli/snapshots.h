/* snapshots.h - what the files of glovebox snapshots share.
 *
 * Threads: one.
 */
#ifndef CLI_SNAPSHOTS_H
#define CLI_SNAPSHOTS_H

#include "cli/cli.h"

#include <glovebox/store.h>

struct snapshots_options {
    bool json;
    const char *store, *label;
    uint64_t keep, max_age_us, max_bytes;
};

/* An outcome, and says why: what a function of a store's answered. */
int snapshots_failed(const gbx_error *error);

/* --- snapshots_show.c ------------------------------------------------------------------- */

int snapshots_list(gbx_store *store, const gbx_store_entry *entries, uint32_t count, bool json);
int snapshots_show(gbx_store *store, const gbx_store_entry *entry, bool json);

#endif
