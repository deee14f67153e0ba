/* store.h - what the files of libglovebox-store share.
 *
 * Runs in:  the host's process, and the command's.
 * Trusts:   nothing in the directory: names, files and the index may be anybody's, and what is in a
 *           snapshot is a cell's. Not in what order other processes work there.
 * Threads:  one at a time for each store.
 *
 * Files are the truth, the index follows them. Whoever changes either holds the directory's lock,
 * flock(2) on its descriptor, for all of the change: a file gets its name inside the transaction
 * that enters it, and loses it inside the one that deletes its row, before the commit. What a kill
 * leaves undone between the two store_scan() mends: a file without a row gets one, a row without a
 * file goes.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/limits.h"

#include <glovebox/store.h>

#include <sqlite3.h>
#include <stdbool.h>

struct gbx_store {
    uint32_t references; /* the caller's, and its series' */
    bool read_only;
    int fd;     /* of the directory */
    char *path; /* owned; as it was given, without a slash at its end */
    sqlite3 *index;
    struct gbx_store_options options;
};

/* --- name.c: the names of files --------------------------------------------------------------- */

struct name {
    char label[STORE_LABEL_BYTES];
    uint64_t taken_us;
    uint64_t id; /* 0: it was written at a memory limit, and has neither time nor id yet */
};

/* The label is 1 to 63 bytes of UTF-8 without control characters. */
gbx_status name_check_label(const char *label, gbx_error *error);
void name_write(const struct name *name, char out[STORE_NAME_BYTES]);
/* One for what is written at a memory limit; `token` makes it unique. */
void name_write_limit(const char *label, const char *token, char out[STORE_NAME_BYTES]);
/* False: it is not exactly what one of the two writes. */
bool name_read(const char *text, struct name *out);

/* --- index.c: the index ----------------------------------------------------------------------- */

/* Opens or makes it. GBX_EINVAL: damaged, or something else's; *out_damaged tells. */
gbx_status index_open(struct gbx_store *store, bool *out_damaged, gbx_error *error);
void index_close(struct gbx_store *store);
/* What a result code of SQLite's means. */
gbx_status index_failed(struct gbx_store *store, int code, gbx_error *error);
/* A statement with its parameters bound: `format` has a letter for each, i a uint64_t, t a text. To
 * be finalized; NULL if that failed. */
gbx_status index_prepare(struct gbx_store *store, sqlite3_stmt **out, gbx_error *error,
    const char *sql, const char *format, ...);
/* Runs one that has no rows. */
gbx_status index_run(
    struct gbx_store *store, gbx_error *error, const char *sql, const char *format, ...);

/* --- open.c ----------------------------------------------------------------------------------- */

/* The lock of the directory, and a transaction inside of it. GBX_EINVAL if it is read-only. */
gbx_status store_begin(struct gbx_store *store, gbx_error *error);
/* Commits if `status` is GBX_OK, and answers it or what the commit came to; else rolls back. */
gbx_status store_end(struct gbx_store *store, gbx_status status, gbx_error *error);
/* Waits for the directory's lock. Unlocked by store_unlock(). */
gbx_status store_lock(struct gbx_store *store, gbx_error *error);
void store_unlock(struct gbx_store *store);
struct gbx_store *store_ref(struct gbx_store *store);

/* --- scan.c ----------------------------------------------------------------------------------- */

/* Inside of a transaction: makes the index tell what is in the directory. */
gbx_status store_scan(struct gbx_store *store, gbx_error *error);
/* In one of its own: removes what is not to be kept. */
gbx_status store_prune(struct gbx_store *store, gbx_error *error);

/* --- incoming.c: a file that is being written ------------------------------------------------- */

/* How the hidden names begin. */
#define STORE_INCOMING ".incoming-"

struct incoming {
    int fd;                      /* -1: none */
    char name[STORE_NAME_BYTES]; /* "": it has none */
};

#define STORE_TOKEN_BYTES 17
/* Sixteen digits that nobody else has. */
void store_token(char out[STORE_TOKEN_BYTES]);

gbx_status incoming_open(struct gbx_store *store, struct incoming *out, gbx_error *error);
/* Drops it, unless it was kept. */
void incoming_close(struct gbx_store *store, struct incoming *file);
/* What is entered with it. */
struct facts {
    const char *label;
    uint64_t taken_us;
    uint64_t resident_bytes;
    uint32_t reason;
};
/* It is whole: gives it a name, and enters it. On failure it is dropped. */
gbx_status incoming_keep(struct gbx_store *store, struct incoming *file,
    const struct facts *facts, uint64_t *out_id, gbx_error *error);

/* --- list.c ----------------------------------------------------------------------------------- */

/* The entry of one; to be freed with free(). */
gbx_status store_entry(
    struct gbx_store *store, uint64_t id, gbx_store_entry **out, gbx_error *error);
/* The classes that the index has of one. */
gbx_status store_classes(struct gbx_store *store, uint64_t id, gbx_store_class **out_rows,
    uint32_t *out_count, gbx_error *error);

#endif
