#include "heap/reader.h"

#include "base/error.h"
#include "base/limits.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* What may be read past the end of the window, zeroed: a vector. */
    PADDING = 64
};

uint8_t *
reader_new_window(void)
{
    return calloc(1, HEAP_WINDOW_BYTES + PADDING);
}

gbx_status
reader_open(
    struct reader *r, struct source *source, const gbx_heap_options *options, gbx_error *error)
{
    *r = (struct reader){ .source = source,
        .section = "beginning",
        .error = error,
        .progress = options->progress,
        .progress_data = options->data };
    r->window = reader_new_window();
    if (r->window == NULL) {
        source_close(source);
        r->source = NULL;
        return r->status = fail(error, GBX_ENOMEM, "out of memory");
    }
    r->p = r->end = r->window;
    return GBX_OK;
}

void
reader_close(struct reader *r)
{
    source_close(r->source);
    free(r->window);
    r->source = NULL;
    r->window = NULL;
}

bool
reader_fail_at(struct reader *r, uint64_t offset, const char *why)
{
    if (r->status != GBX_OK)
        return false;
    r->status = fail(
        r->error, GBX_EINVAL, "%s: byte %llu: %s", r->section, (unsigned long long)offset, why);
    r->end = r->p;
    r->at_end = true;
    return false;
}

bool
reader_fail(struct reader *r, const uint8_t *at, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return reader_fail_at(r, reader_offset(r, at), text);
}

bool
reader_no_memory(struct reader *r)
{
    if (r->status == GBX_OK)
        r->status = fail(r->error, GBX_ENOMEM, "%s: out of memory", r->section);
    return false;
}

static bool
tell(struct reader *r, uint64_t done, uint64_t step)
{
    if (r->progress == NULL || done - r->told < step)
        return true;
    r->told = done;
    if (r->progress(r->section, done, r->source->total_bytes, r->progress_data) == 0)
        return true;
    r->status = fail(r->error, GBX_ETERMINATED, "%s: given up", r->section);
    return false;
}

bool
reader_begin(struct reader *r, const char *section)
{
    r->section = section;
    return tell(r, reader_offset(r, r->p), 0);
}

bool
reader_fill(struct reader *r)
{
    size_t kept = (size_t)(r->end - r->p);

    if (r->at_end || r->status != GBX_OK || kept == HEAP_WINDOW_BYTES)
        return false;
    r->before += (uint64_t)(r->p - r->window);
    memmove(r->window, r->p, kept);
    r->p = r->window;
    r->end = r->window + kept;
    int64_t n = r->source->read(r->source, r->window + kept, HEAP_WINDOW_BYTES - kept);
    if (n < 0) {
        if (r->source->broken != NULL)
            return reader_fail(r, r->end, "%s", r->source->broken);
        r->status = fail_errno(r->error, "%s: cannot read the snapshot", r->section);
        return false;
    }
    r->end += n;
    memset(r->window + (r->end - r->window), 0, PADDING);
    r->at_end = n == 0;
    return n > 0 && tell(r, r->before + kept + (uint64_t)n, HEAP_PROGRESS_BYTES);
}

uint8_t *
reader_change_window(struct reader *r, uint8_t *window)
{
    uint8_t *old = r->window;
    size_t kept = (size_t)(r->end - r->p);

    memcpy(window, r->p, kept);
    memset(window + kept, 0, PADDING);
    r->before += (uint64_t)(r->p - old);
    r->window = window;
    r->p = window;
    r->end = window + kept;
    return old;
}

static bool
is_blank(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

int
reader_peek(struct reader *r)
{
    for (;;) {
        while (r->p < r->end && is_blank(*r->p))
            r->p++;
        if (r->p < r->end)
            return *r->p;
        if (!reader_fill(r))
            return -1;
    }
}

static bool
fail_unexpected(struct reader *r, const char *wanted)
{
    if (r->p == r->end)
        return reader_fail(r, r->p, "the file ends where %s should come", wanted);
    return reader_fail(r, r->p, "expected %s", wanted);
}

bool
reader_accept(struct reader *r, char c)
{
    if (reader_peek(r) != c)
        return false;
    r->p++;
    return true;
}

bool
reader_expect(struct reader *r, char c)
{
    char wanted[] = { '\'', c, '\'', '\0' };

    return reader_accept(r, c) || fail_unexpected(r, wanted);
}

bool
reader_word(struct reader *r, char out[READER_WORD])
{
    size_t n = 0;

    if (!reader_accept(r, '"'))
        return fail_unexpected(r, "a string");
    for (bool escaped = false;; r->p++) {
        if (r->p == r->end && !reader_fill(r))
            return fail_unexpected(r, "the rest of a string");
        uint8_t c = *r->p;
        if (c < ' ')
            return reader_fail(r, r->p, "a control character in a string");
        if (c == '"' && !escaped)
            break;
        escaped = c == '\\' && !escaped;
        if (n < READER_WORD - 1)
            out[n++] = (char)c;
    }
    r->p++;
    out[n] = '\0';
    return true;
}

bool
reader_number(struct reader *r, uint64_t *out)
{
    uint64_t n = 0;
    int c = reader_peek(r);

    if (c < '0' || c > '9')
        return fail_unexpected(r, "a number");
    while (r->p < r->end || reader_fill(r)) {
        if (*r->p < '0' || *r->p > '9')
            break;
        if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *r->p - '0', &n))
            return reader_fail(r, r->p, "a number that is too large");
        r->p++;
    }
    *out = n;
    return r->status == GBX_OK;
}

/* A number of any form, true, false or null. */
static bool
skip_plain(struct reader *r)
{
    static const char letters[] = "+-.0123456789Eaeflnrstu";
    size_t n = 0;

    while (r->p < r->end || reader_fill(r)) {
        if (*r->p == '\0' || strchr(letters, *r->p) == NULL)
            break;
        n++;
        r->p++;
    }
    return n > 0 || fail_unexpected(r, "a value");
}

/* The member that follows '{' or ',' begins with its key. */
static bool
skip_key(struct reader *r)
{
    char word[READER_WORD];

    return reader_word(r, word) && reader_expect(r, ':');
}

bool
reader_skip(struct reader *r)
{
    /* A bit for each level: is it an object. */
    uint64_t objects[HEAP_DEPTH_MAX / 64] = { 0 };
    size_t depth = 0;
    char word[READER_WORD];

    for (;;) {
        int c = reader_peek(r);
        if (c == '{' || c == '[') {
            if (depth == HEAP_DEPTH_MAX)
                return reader_fail(r, r->p, "nested too deep");
            r->p++;
            objects[depth / 64] &= ~(UINT64_C(1) << depth % 64);
            objects[depth / 64] |= (uint64_t)(c == '{') << depth % 64;
            depth++;
            if (reader_peek(r) != (c == '{' ? '}' : ']')) {
                if (c == '{' && !skip_key(r))
                    return false;
                continue;
            }
        } else if (!(c == '"' ? reader_word(r, word) : skip_plain(r))) {
            return false;
        }
        for (; depth > 0; depth--) { /* after a value */
            bool object = objects[(depth - 1) / 64] >> (depth - 1) % 64 & 1;
            if (reader_accept(r, ','))
                break;
            if (!reader_expect(r, object ? '}' : ']'))
                return false;
        }
        if (depth == 0)
            return r->status == GBX_OK;
        if (objects[(depth - 1) / 64] >> (depth - 1) % 64 & 1 && !skip_key(r))
            return false;
    }
}
