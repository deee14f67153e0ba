/* result_file.h - a file that is there when it is whole, or not at all.
 *
 * Runs in:  host, for snapshots and profiles; the command, for what it is told to write.
 * Trusts:   nothing of the bytes but their number.
 * Threads:  one per file.
 */
#ifndef BASE_RESULT_FILE_H
#define BASE_RESULT_FILE_H

#include "base/span.h"

#include <glovebox/status.h>

#include <stdbool.h>

struct result_file {
    int fd;          /* owned if there is a path, else the caller's; -1: none */
    bool nameless;   /* fd is an O_TMPFILE */
    bool replaces;   /* what has that name when it gets it */
    char *path;      /* owned; NULL: no file of ours */
    char *temporary; /* owned; a name that the file has until it is whole; NULL: none */
    uint64_t bytes;  /* written so far */
};

/* Opens a file that has no name, or a temporary one, until it is whole. To be closed also if that
 * failed. Without `replaces` one that is there is an error, at once or when it is whole. */
gbx_status result_file_create(
    struct result_file *f, const char *path, bool replaces, gbx_error *error);
/* Appends, to the file or to the caller's descriptor. */
gbx_status result_file_write(struct result_file *f, struct span piece, gbx_error *error);
/* It is whole: gives it its name. */
gbx_status result_file_name(struct result_file *f, gbx_error *error);
/* What has no name of its own is gone then. */
void result_file_close(struct result_file *f);

#endif
