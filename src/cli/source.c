/* source.c - text from files and standard input, checked before a cell sees any of it. */
#include "base/fd.h"
#include "base/limits.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* --- UTF-8 ------------------------------------------------------------------------------ */

size_t
source_sequence(const uint8_t *p, size_t len)
{
    uint8_t low = 0x80, high = 0xBF;
    size_t n;

    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xC2 && p[0] <= 0xDF)
        n = 2;
    else if (p[0] >= 0xE0 && p[0] <= 0xEF)
        n = 3;
    else if (p[0] >= 0xF0 && p[0] <= 0xF4)
        n = 4;
    else
        return 0;
    if (p[0] == 0xE0)
        low = 0xA0;
    else if (p[0] == 0xED)
        high = 0x9F;
    else if (p[0] == 0xF0)
        low = 0x90;
    else if (p[0] == 0xF4)
        high = 0x8F;
    if (len < n || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return n;
}

static size_t
line_at(const uint8_t *text, size_t offset)
{
    size_t line = 1;

    for (const uint8_t *p = text; (p = memchr(p, '\n', offset - (size_t)(p - text))) != NULL;
         p++)
        line++;
    return line;
}

static int
check_text(const struct source *source, gbx_error *error)
{
    const uint8_t *p = source->text.p;
    size_t len = source->text.len;

    for (size_t i = 0, n; i < len; i += n) {
        n = source_sequence(p + i, len - i);
        if (n == 0)
            return fail_with(error, OUTCOME_INPUT,
                "%s: not UTF-8: byte 0x%02x at offset %zu, line %zu", source->name, p[i], i,
                line_at(p, i));
    }
    return OUTCOME_OK;
}

/* --- reading ---------------------------------------------------------------------------- */

static int
too_large(const char *name, bool known, uint64_t bytes, gbx_error *error)
{
    char is[UNITS_TEXT], most[UNITS_TEXT];

    units_show_bytes(bytes, is);
    units_write_bytes(SOURCE_BYTES_MAX, most);
    return known ? fail_with(error, OUTCOME_INPUT, "%s: too large: %s, at most %s can be read",
                       name, is, most)
                 : fail_with(error, OUTCOME_INPUT, "%s: too large: more than %s", name, most);
}

/* Reads to the end. A NUL ends it early: what begins like a program file need not be read. */
static int
read_all(int fd, enum source_kind kind, struct source *out, gbx_error *error)
{
    struct buf *b = &out->text;

    for (;;) {
        size_t before = b->len;
        if (b->len > SOURCE_BYTES_MAX)
            return too_large(out->name, false, 0, error);
        uint8_t *room = buf_grow(b, SOURCE_READ_BYTES);
        if (room == NULL)
            return fail_with(error, OUTCOME_SYSTEM, "%s: out of memory", out->name);
        ssize_t n = read(fd, room, SOURCE_READ_BYTES);
        b->len = before + (n > 0 ? (size_t)n : 0);
        if (n < 0 && errno == EINTR && signals_caught() == 0)
            continue;
        if (n < 0 && errno == EINTR)
            return interrupted(error);
        if (n < 0)
            return fail_with(error, OUTCOME_INPUT, "%.400s: %s", out->name, strerror(errno));
        if (n == 0)
            return OUTCOME_OK;
        const uint8_t *nul = kind == SOURCE_CODE ? memchr(room, '\0', (size_t)n) : NULL;
        if (nul != NULL)
            return fail_with(error, OUTCOME_INPUT,
                "%s: not a text file: it has a NUL byte at offset %zu", out->name,
                (size_t)(nul - b->p));
    }
}

static int
open_source(const char *path, int *out_fd, gbx_error *error)
{
    struct stat st;

    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 && errno == EINTR && signals_caught() != 0)
        return interrupted(error);
    if (fd < 0)
        return fail_with(error, OUTCOME_INPUT, "%.400s: %s", path, strerror(errno));
    *out_fd = fd;
    if (fstat(fd, &st) < 0)
        return fail_with(error, OUTCOME_INPUT, "%.400s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return fail_with(error, OUTCOME_INPUT, "%s: is a directory", path);
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size > SOURCE_BYTES_MAX)
        return too_large(path, true, (uint64_t)st.st_size, error);
    return OUTCOME_OK;
}

int
source_read(const char *path, enum source_kind kind, struct source *out, gbx_error *error)
{
    bool standard = strcmp(path, "-") == 0;
    GBX_AUTOFD opened = -1;
    int outcome = OUTCOME_OK;

    *out = (struct source){ .name = standard ? "<stdin>" : path,
        .text = { .max = SOURCE_BYTES_MAX + 2 * SOURCE_READ_BYTES } };
    if (!standard)
        outcome = open_source(path, &opened, error);
    if (outcome == OUTCOME_OK)
        outcome = read_all(standard ? STDIN_FILENO : opened, kind, out, error);
    if (outcome == OUTCOME_OK)
        outcome = check_text(out, error);
    if (outcome == OUTCOME_OK && out->text.len >= 3 &&
        memcmp(out->text.p, "\xEF\xBB\xBF", 3) == 0) {
        /* The byte order mark is no part of the text. */
        out->text.len -= 3;
        memmove(out->text.p, out->text.p + 3, out->text.len);
    }
    return outcome;
}

void
source_done(struct source *source)
{
    buf_done(&source->text);
}
