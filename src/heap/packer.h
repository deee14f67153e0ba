/* packer.h - bytes to a descriptor, compressed or not.
 *
 * Runs in:  whoever writes a snapshot.
 * Trusts:   its caller.
 * Threads:  one.
 */
#ifndef HEAP_PACKER_H
#define HEAP_PACKER_H

#include <glovebox/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct packer {
    void *stream;  /* zstd's; NULL: bytes go out as they are */
    uint8_t *room; /* owned */
    size_t capacity;
    int fd; /* the caller's */
};

/* packer_close() also after it failed. */
gbx_status packer_open(struct packer *p, int fd, bool packed, gbx_error *error);
/* `last` ends what is packed. */
gbx_status packer_put(
    struct packer *p, const uint8_t *bytes, size_t len, bool last, gbx_error *error);
void packer_close(struct packer *p);

#endif
