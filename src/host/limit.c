/* limit.c - the heap snapshot that is taken when a guest reaches its memory limit.
 *
 * The cell asks for a fork when it gets there, and waits for the child before it dies. No request
 * of ours is open for it: what says that it is whole is the end of the child's stream. Deadlines
 * rest meanwhile, on our word and not the cell's, for as long as a snapshot may take.
 */
#include "host/snapshot.h"

#include "base/clock.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), n = strlen(end);

    return len >= n && strcmp(text + len - n, end) == 0;
}

static void
note_error(gbx_isolate *isolate, const char *text)
{
    text_copy(isolate->limit.error, sizeof isolate->limit.error, text, strlen(text));
}

gbx_status
limit_begin(gbx_isolate *isolate, gbx_error *error)
{
    const char *path = isolate->options.limit_snapshot;

    if (path == NULL || isolate->cell == NULL)
        return GBX_OK;
    if (cell_cannot_fork(isolate->cell))
        return fail(error, GBX_EUNSUPPORTED,
            "no snapshot at the limit: the isolate is to be opened with GBX_ISOLATE_NO_FORK, "
            "or "
            "this kernel has no seccomp user notification (before 5.5)");
    isolate->limit.path = strdup(path);
    if (isolate->limit.path == NULL)
        return fail(error, GBX_ENOMEM, "no memory for an isolate");
    isolate->options.limit_snapshot = isolate->limit.path;
    note_error(isolate, "the cell ended before its snapshot child had begun");
    put_snapshot(&isolate->scratch->out, isolate_tag(isolate, 0),
        &(struct msg_snapshot){
            .background = 2, .flags = ends_with(path, ".zst") ? SNAPSHOT_COMPRESSED : 0 });
    isolate_tell(isolate);
    return GBX_OK;
}

enum limit_answer
limit_asked(gbx_isolate *isolate)
{
    gbx_error error = GBX_ERROR_INIT;

    if (isolate->limit.path == NULL || isolate->limit.asked)
        return LIMIT_UNASKED;
    if (snapshot_is_open(isolate))
        return LIMIT_LATER;
    isolate->limit.asked = true;
    struct snapshot *s = calloc(1, sizeof *s);
    if (s == NULL) {
        note_error(isolate, "no memory for a snapshot");
        return LIMIT_NEVER;
    }
    s->background = true;
    s->file.fd = -1;
    s->memory_bytes =
        isolate->options.memory_limit_bytes * SNAPSHOT_MEMORY_MOST + SNAPSHOT_MEMORY_BYTES;
    if (result_file_create(&s->file, isolate->limit.path, true, &error) != GBX_OK) {
        note_error(isolate, error.message);
        snapshot_free(s);
        return LIMIT_NEVER;
    }
    note_error(isolate, "the snapshot child ended early");
    snapshot_begin(isolate, s);
    isolate->limit.rests_since_us = now_us();
    isolate_watch_snapshot(isolate);
    isolate_rest(isolate);
    return LIMIT_GO;
}

void
limit_rest_ends(gbx_isolate *isolate)
{
    uint64_t rested = now_us() - isolate->limit.rests_since_us;
    uint32_t cursor = 0, id;
    gbx_future *future;

    if (isolate->limit.rests_since_us == 0)
        return;
    while ((future = table_next(&isolate->futures, &cursor, &id)) != NULL)
        if (future->kill_at_us != UINT64_MAX)
            future->kill_at_us += rested;
    isolate->limit.rests_since_us = 0;
}

void
limit_whole(gbx_isolate *isolate)
{
    gbx_error error = GBX_ERROR_INIT;

    isolate->limit.whole = result_file_name(&isolate->snapshot->file, &error) == GBX_OK;
    note_error(isolate, error.message);
    limit_rest_ends(isolate);
}

void
limit_certify(gbx_isolate *isolate)
{
    gbx_death *death = &isolate->death;
    bool wanted = isolate->limit.path != NULL && death->status == GBX_EMEMORY;

    if (isolate->snapshot != NULL && isolate->snapshot->future == NULL) {
        snapshot_free(isolate->snapshot);
        isolate->snapshot = NULL;
    }
    death->snapshot = isolate->limit.whole ? isolate->limit.path : NULL;
    death->snapshot_error = wanted && !isolate->limit.whole ? isolate->limit.error : "";
}
