/* cmd_heap_report.c - glovebox heap report: a page about one snapshot, or about several of one
 * program; and the file that it is written to, which is whole or not there.
 *
 * Of several, the last one is what the page is about. Two are in memory at once, three while the
 * series is read.
 */
#include "base/error.h"
#include "base/fd.h"
#include "base/result_file.h"
#include "cli/heap_report.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

/* --- the file ----------------------------------------------------------------------------- */

static bool
write_all(int fd, const uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && (errno != EINTR || signals_caught() != 0))
            return false;
        p += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static int
stopped(void)
{
    gbx_error error = GBX_ERROR_INIT;

    return complain(interrupted(&error), "%s", error.message);
}

static int
write_whole(const char *path, const struct buf *page)
{
    struct result_file file = { .fd = -1 };
    gbx_error error = GBX_ERROR_INIT;
    mode_t mask = umask(0);

    (void)umask(mask);
    gbx_status status = result_file_create(&file, path, true, &error);
    if (status == GBX_OK && fchmod(file.fd, 0666 & ~mask) < 0)
        status = fail_errno(&error, "cannot write %s", path);
    if (status == GBX_OK)
        status = result_file_write(&file, buf_span(page), &error);
    bool stop = signals_caught() != 0;
    if (status == GBX_OK && !stop)
        status = result_file_name(&file, &error);
    result_file_close(&file);
    if (stop)
        return stopped();
    return status == GBX_OK ? OUTCOME_OK : complain(OUTCOME_OUTPUT, "%s", error.message);
}

/* A link is followed; what is no file, a pipe or a terminal, is written to as it is. */
static int
write_page(const char *path, const struct buf *page)
{
    char resolved[PATH_MAX];
    struct stat st;

    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        GBX_AUTOFD fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return fd >= 0 && write_all(fd, page->p, page->len)
                   ? OUTCOME_OK
                   : complain(OUTCOME_OUTPUT, "%s: %s", path, strerror(errno));
    }
    return write_whole(realpath(path, resolved) != NULL ? resolved : path, page);
}

/* --- what it is made of --------------------------------------------------------------------- */

static void
tell(const char *what)
{
    if (!err()->terminal)
        return;
    out_printf(err(), "\r\033[K%s%s", what, *what == '\0' ? "" : "...");
    (void)out_flush(err());
}

/* Opens them one after the other; the first stays open, and the last. */
static int
read_files(struct heap_run *run, struct report *r, gbx_heap **first, gbx_heap_totals *totals,
    gbx_heap_series *series)
{
    for (size_t i = 0; i < run->file_count; i++) {
        int outcome = heap_open(run->files[i], &r->heap);
        if (outcome != OUTCOME_OK)
            return outcome;
        if (gbx_heap_get_totals(r->heap, &totals[i]) != GBX_OK ||
            (run->file_count > 1 && gbx_heap_series_add(series, r->heap) != GBX_OK))
            return heap_no_memory();
        r->totals = totals[i];
        if (i == 0 && run->file_count > 1)
            *first = r->heap;
        else if (i + 1 < run->file_count)
            gbx_heap_close(r->heap);
        if (i + 1 < run->file_count)
            r->heap = NULL;
    }
    return OUTCOME_OK;
}

static bool
put_all(struct heap_run *run, struct report *r, gbx_heap *first, const gbx_heap_totals *totals,
    gbx_heap_series *series)
{
    struct report_groups groups = { NULL, 0, 0, 0 };

    tell("what dominates what");
    bool ok = report_put_files(r, run->files, totals, run->file_count) &&
              report_groups_make(r, &groups) && report_put_graph(r, &groups);
    report_groups_done(&groups);
    tell("strings");
    ok = ok && signals_caught() == 0 && report_put_strings(r);
    tell("changes");
    if (first != NULL)
        ok = ok && signals_caught() == 0 && report_put_changes(r, first) &&
             report_put_trends(r, series);
    tell("");
    report_key(r, "cutTexts");
    report_number(r, true, r->texts.cut);
    report_key(r, "texts");
    buf_byte(&r->json, '[');
    buf_append(&r->json, r->texts.json.p, r->texts.json.len);
    buf_text(&r->json, "]}");
    return ok && !r->texts.failed && !r->json.failed;
}

static int
make_page(struct heap_run *run, struct report *r, struct buf *page)
{
    gbx_heap_totals *totals = calloc(run->file_count, sizeof *totals);
    gbx_heap_series *series = NULL;
    gbx_heap *first = NULL;
    int outcome = totals == NULL || gbx_heap_series_open(&series) != GBX_OK
                      ? heap_no_memory()
                      : read_files(run, r, &first, totals, series);

    if (outcome == OUTCOME_OK && !put_all(run, r, first, totals, series))
        outcome = signals_caught() != 0 ? stopped() : heap_no_memory();
    if (outcome == OUTCOME_OK) {
        buf_append(page, report_page_head, report_page_head_len);
        buf_append(page, r->json.p, r->json.len);
        buf_append(page, report_page_tail, report_page_tail_len);
        outcome = page->failed ? heap_no_memory() : OUTCOME_OK;
    }
    gbx_heap_series_close(series);
    gbx_heap_close(first);
    gbx_heap_close(r->heap);
    free(totals);
    return outcome;
}

int
heap_report(struct heap_run *run)
{
    struct report r = { .json = { .max = UINT32_MAX } };
    struct buf page = { .max = UINT32_MAX };

    if (run->options.output == NULL)
        return complain(OUTCOME_USAGE, "heap report: where to? --output FILE");
    int outcome = make_page(run, &r, &page);
    if (outcome == OUTCOME_OK)
        outcome = write_page(run->options.output, &page);
    report_texts_done(&r.texts);
    buf_done(&r.json);
    buf_done(&page);
    return outcome;
}
