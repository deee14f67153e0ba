/* report_json.c - the one object that --json prints. */
#include "cli/json.h"
#include "cli/run.h"

#include <stdlib.h>
#include <string.h>

static void
put_position(struct object *o, const char *key, uint64_t number)
{
    if (number != 0)
        put_number(o, key, number);
}

static void
put_error(struct object *report, const struct run *run)
{
    const gbx_error *e = &run->error;
    struct object o = object_new();

    put_text(&o, "kind", outcome_kind(run->outcome));
    put_text(&o, "name", e->name);
    put_text(&o, "message", e->message);
    put_text(&o, "stack", e->stack);
    put_text(&o, "file", e->file);
    put_position(&o, "line", e->line);
    put_position(&o, "column", e->column);
    put_position(&o, "limit", e->limit);
    put_position(&o, "measured", e->measured);
    const gbx_death *death = run->isolate != NULL ? gbx_isolate_death(run->isolate) : NULL;
    if (death != NULL && death->snapshot != NULL)
        put_text(&o, "snapshot", run->options.limit_snapshot);
    put_object(report, "error", &o);
}

static void
put_stats(struct object *report, struct run *run)
{
    struct object o = object_new();

    put_number(&o, "wall_us", run->costs.wall_us);
    put_number(&o, "cpu_us", run->costs.cpu_us);
    put_number(&o, "resident_bytes", run->costs.resident_bytes);
    put_number(&o, "sent_bytes", run->costs.sent_bytes);
    put_number(&o, "received_bytes", run->costs.received_bytes);
    if (run->costs.heap != NULL) {
        gbx_value *copy = NULL;
        o.failed |= gbx_value_copy(run->costs.heap, &copy) != GBX_OK;
        put(&o, "heap", copy);
    }
    if (run->snapshot_bytes != 0) {
        put_number(&o, "snapshot_bytes", run->snapshot_bytes);
        put_number(&o, "snapshot_us", run->snapshot_us);
    }
    if (run->watch.store != NULL)
        put_number(&o, "snapshots", run->watch.count);
    put_object(report, "stats", &o);
}

/* The result's own JSON; NULL: there is none to show (then run->outcome says whether it should
 * have been). */
static char *
result_json(struct run *run)
{
    gbx_error error = GBX_ERROR_INIT;
    char *text = NULL;

    if (run->outcome != OUTCOME_OK || gbx_value_get_kind(run->result) == GBX_UNDEFINED)
        return NULL;
    gbx_status status = gbx_value_to_json(run->result, 0, &text, NULL, &error);
    if (status != GBX_OK)
        run->outcome = fail_with(&run->error,
            status == GBX_ENOMEM ? OUTCOME_SYSTEM : OUTCOME_CLONE, "%s", error.message);
    return status == GBX_OK ? text : NULL;
}

void
report_json(struct run *run)
{
    char *result = result_json(run);
    struct object report = object_new();

    put_number(&report, "exit_code", (uint64_t)run->outcome);
    if (run->outcome != OUTCOME_OK)
        put_error(&report, run);
    put_stats(&report, run);
    char *text = object_text(&report);
    if (text != NULL) {
        /* The result goes in as the text that it is: it may be large. */
        out_printf(out(), "{\"ok\":%s,", run->outcome == OUTCOME_OK ? "true" : "false");
        if (result != NULL) {
            out_text(out(), "\"result\":");
            out_text(out(), result);
            out_text(out(), ",");
        }
        out_text(out(), text + 1);
        out_text(out(), "\n");
    } else {
        run->outcome = complain(OUTCOME_SYSTEM, "out of memory");
    }
    free(result);
    free(text);
}
