/* reader.h - the bytes of a snapshot, through a small window; and the JSON between its arrays.
 *
 * Runs in:  whoever reads a snapshot.
 * Trusts:   nothing that is read.
 * Threads:  one.
 *
 * What fails, fails for good: the status stays, and each call answers "no more". The error names
 * the section and the byte, counted in what was decompressed.
 */
#ifndef HEAP_READER_H
#define HEAP_READER_H

#include <glovebox/heap.h>

#include <stdbool.h>
#include <stddef.h>

/* Where bytes come from. */
struct source {
    /* At most `max` bytes into `to`; 0 at the end, negative and errno if it failed. */
    int64_t (*read)(struct source *source, uint8_t *to, size_t max);
    void (*close)(struct source *source);
    int fd;                 /* of a file */
    const uint8_t *p, *end; /* of memory */
    struct source *inner;   /* of a decompressor: owned */
    void *state;            /* of a decompressor */
    const char *broken;     /* why read() failed, where errno does not say it */
    uint64_t total_bytes;   /* 0: unknown */
};

struct reader {
    struct source *source;  /* owned */
    uint8_t *window;        /* owned; HEAP_WINDOW_BYTES and some of padding */
    const uint8_t *p, *end; /* what was read and not taken yet */
    uint64_t before;        /* bytes of the snapshot in front of `window` */
    const char *section;    /* for errors */
    bool at_end;
    gbx_status status;
    gbx_error *error; /* the caller's */
    gbx_heap_progress progress;
    void *progress_data;
    uint64_t told; /* bytes at the last progress */
};

gbx_status source_open_fd(int fd, struct source **out, gbx_error *error);
gbx_status source_open_memory(
    const void *bytes, size_t len, struct source **out, gbx_error *error);
/* Puts a decompressor before it if the bytes are zstd's. On failure the source is closed. */
gbx_status source_unpack(struct source **source, gbx_error *error);
void source_close(struct source *source);

/* Takes the source over, also when it fails. */
gbx_status reader_open(
    struct reader *r, struct source *source, const gbx_heap_options *options, gbx_error *error);
void reader_close(struct reader *r);

/* What follows is of that section. False: progress gave up. */
bool reader_begin(struct reader *r, const char *section);
/* Reads on, keeping what was not taken. False: at the end, failed, or the window is full. */
bool reader_fill(struct reader *r);
/* Fails with the byte at `at`, in the window. Always false. */
bool reader_fail(struct reader *r, const uint8_t *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Likewise, with the byte of the file. */
bool reader_fail_at(struct reader *r, uint64_t offset, const char *why);
bool reader_no_memory(struct reader *r);
static inline uint64_t
reader_offset(const struct reader *r, const uint8_t *at)
{
    return r->before + (uint64_t)(at - r->window);
}

/* A block that can be a window, freed with free(); NULL: out of memory. */
uint8_t *reader_new_window(void);
/* Goes on in another window, with what was not taken yet; the one until now is the caller's, and
 * the other was. */
uint8_t *reader_change_window(struct reader *r, uint8_t *window);

/* The next byte that is no blank, not taken; -1 at the end. */
int reader_peek(struct reader *r);
/* Takes `c`, after blanks; else fails. */
bool reader_expect(struct reader *r, char c);
/* Takes `c` if it comes next. */
bool reader_accept(struct reader *r, char c);
/* A short string, as it is written, without its quotes. Longer ones are cut: no name that we know
 * is that long. */
enum {
    READER_WORD = 64
};
bool reader_word(struct reader *r, char out[READER_WORD]);
bool reader_number(struct reader *r, uint64_t *out);
/* Any value, however deep. */
bool reader_skip(struct reader *r);

#endif
