/* receive.c - what a cell may say. The only place that believes anything a cell said.
 *
 * Every message is decoded field by field from a private copy, and must name a request, a function
 * or a session that this isolate has. Anything else condemns the cell: there is no resync.
 */
#include "host/given.h"
#include "host/snapshot.h"
#include "host/thrown.h"

#include "base/check.h"
#include "base/error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
broke(gbx_isolate *isolate, const char *what)
{
    isolate_condemn(isolate, GBX_EPROTO, what);
    return false;
}

static gbx_future *
open_future(gbx_isolate *isolate, uint32_t id, unsigned kinds)
{
    gbx_future *future = table_get(&isolate->futures, id);

    return future != NULL && (kinds >> future->kind & 1) != 0 ? future : NULL;
}

enum {
    PLAIN = 1u << FUTURE_PLAIN,
    STATISTICS = 1u << FUTURE_STATISTICS,
    SNAPSHOT = 1u << FUTURE_SNAPSHOT,
    SETTLEMENT = 1u << FUTURE_SETTLEMENT,
    SCRIPT = 1u << FUTURE_SCRIPT,
    CACHE = 1u << FUTURE_CACHE,
    TWIN = 1u << FUTURE_TWIN,
};

/* As value_get(); GBX_EPROTO: the cell has been condemned. */
static gbx_status
read_value(gbx_isolate *isolate, struct span bytes, uint32_t context, bool apart,
    struct buf *memory, gbx_value **out)
{
    const char *why = NULL;
    gbx_status status = value_get(isolate, bytes, context, apart, memory, out, &why);

    if (status == GBX_EPROTO)
        (void)broke(isolate, why);
    return status;
}

static bool
on_result(gbx_isolate *isolate, const struct frame *frame, const struct msg_result *m)
{
    gbx_future *future =
        open_future(isolate, frame->id, PLAIN | SNAPSHOT | SETTLEMENT | SCRIPT | CACHE | TWIN);
    gbx_value *value = NULL;

    if (future == NULL)
        return broke(isolate, "the answer to a request that is not open");
    if (future->kind == FUTURE_SNAPSHOT) {
        snapshot_end(isolate, future, GBX_OK, NULL);
        return isolate->cell != NULL;
    }
    /* Who gets GBX_OK takes what was asked for, and must not find NULL in its place. */
    if (future->by_reference)
        return broke(isolate, "a value where a reference was asked for");
    gbx_status status = read_value(isolate, m->value, 0, future->moves, frame->memory, &value);
    if (status == GBX_EPROTO)
        return false;
    if (status == GBX_OK && future->kind == FUTURE_SCRIPT)
        return script_compiled(future, value) ||
               broke(isolate, "a compiled script that does not say what served it");
    if (status == GBX_OK && future->kind == FUTURE_CACHE)
        return script_cached(future, value) || broke(isolate, "a code cache that is no bytes");
    future_finish(future, status, NULL, value, NULL);
    return true;
}

static bool
on_reference(gbx_isolate *isolate, const struct frame *frame, const struct msg_reference *m)
{
    gbx_future *future = open_future(isolate, frame->id, PLAIN);

    if (future == NULL || !future->by_reference)
        return broke(isolate, "a reference that nobody asked for");
    gbx_reference *reference = NULL;
    const char *why = NULL;
    gbx_status status =
        reference_new(isolate, future->context, m->reference, m->type, &reference, &why);
    if (status == GBX_EPROTO)
        return broke(isolate, why);
    future_finish(future, status, NULL, NULL, reference);
    return true;
}

/* What a request may fail with while its cell lives. */
static bool
may_fail_with(const gbx_isolate *isolate, const gbx_future *future, uint32_t status)
{
    switch (-(int64_t)status) {
    case GBX_EDISPOSED: /* the isolate's own context is never closed */
        return future->context > 1 && table_get(&isolate->contexts, future->context) == NULL;
    case GBX_EBUSY:
        return future->kind == FUTURE_TWIN;
    case GBX_ETHROW:
    case GBX_ETIMEOUT:
    case GBX_ECPU:
    case GBX_ETERMINATED:
    case GBX_EHOST:
    case GBX_EINVAL:
    case GBX_ETOOBIG:
    case GBX_ECLONE:
    case GBX_ELIMIT:
    case GBX_EACCESSOR:
    case GBX_ESYS:
        return true;
    default:
        return false;
    }
}

static void
copy_text(char *dst, size_t size, struct span text)
{
    text_copy(dst, size, (const char *)text.p, text.len);
}

static void
fill_failure(gbx_error *error, gbx_status status, const struct msg_failure *m)
{
    error->status = status;
    error->line = m->line;
    error->column = m->column;
    error->limit = m->limit;
    error->measured = m->measured;
    copy_text(error->name, sizeof error->name, m->name);
    copy_text(error->message, sizeof error->message, m->message);
    copy_text(error->file, sizeof error->file, m->file);
    copy_text(error->source_line, sizeof error->source_line, m->source_line);
    copy_text(error->stack, sizeof error->stack, m->stack);
    if (error->message[0] == '\0')
        (void)snprintf(error->message, sizeof error->message, "%s",
            error->name[0] != '\0' ? error->name : gbx_strstatus(status));
}

/* What was thrown; without room for it the error stays, and comes without. False: condemned. */
static bool
read_thrown(gbx_isolate *isolate, struct span bytes, gbx_value **out)
{
    const char *why = NULL;

    return bytes.len == 0 || thrown_get(isolate, bytes, out, &why) != GBX_EPROTO ||
           broke(isolate, why);
}

static bool
on_failure(gbx_isolate *isolate, const struct frame *frame, const struct msg_failure *m)
{
    gbx_future *future =
        open_future(isolate, frame->id, PLAIN | SNAPSHOT | SCRIPT | CACHE | TWIN);
    gbx_error error = GBX_ERROR_INIT;
    gbx_value *value = NULL;

    if (future == NULL)
        return broke(isolate, "the failure of a request that is not open");
    if (!may_fail_with(isolate, future, m->status))
        return broke(isolate, "a failure that a cell may not report");
    if (!read_thrown(isolate, m->value, &value))
        return false;
    fill_failure(&error, -(gbx_status)m->status, m);
    if (future->kind == FUTURE_SNAPSHOT) {
        gbx_value_free(value);
        snapshot_end(isolate, future, error.status, error.message);
        return isolate->cell != NULL;
    }
    future_finish(future, error.status, &error, value, NULL);
    return true;
}

static bool
on_rejection(gbx_isolate *isolate, const struct frame *frame, const struct msg_rejection *m)
{
    const struct msg_failure thrown = { .line = m->line,
        .column = m->column,
        .name = m->name,
        .message = m->message,
        .stack = m->stack,
        .file = m->file,
        .source_line = m->source_line };
    gbx_error error = GBX_ERROR_INIT;
    gbx_value *value = NULL;

    (void)frame;
    if (isolate->options.on_rejection == NULL)
        return broke(isolate, "a rejection that was not asked for");
    if (m->call != 0 && table_get(&isolate->futures, m->call) == NULL &&
        !table_had(&isolate->futures, m->call))
        return broke(isolate, "a rejection in a request that never was");
    if (m->value.len > REJECTION_VALUE_MAX)
        return broke(isolate, "a rejection whose reason is past its limit");
    if (!read_thrown(isolate, m->value, &value))
        return false;
    fill_failure(&error, GBX_ETHROW, &thrown);
    rejection_tell(isolate, m->call, m->omitted, &error, value);
    gbx_value_free(value);
    return isolate->cell != NULL;
}

/* The arguments of a callback, as read_value() answers; on failure all of them are freed. */
static gbx_status
read_arguments(gbx_isolate *isolate, const struct frame *frame, const struct msg_callback *m,
    const struct function *function, gbx_value **arguments)
{
    uint32_t context = (function->flags & GBX_FUNCTION_REFERENCES) != 0 ? function->context : 0;
    bool apart = (function->flags & GBX_FUNCTION_MOVE) != 0;
    struct span rest = m->arguments, argument;
    uint32_t read = 0;
    gbx_status status = GBX_OK;

    while (status == GBX_OK && read < m->count)
        if (!argument_next(&rest, &argument)) {
            (void)broke(isolate, "arguments that do not fit their message");
            status = GBX_EPROTO;
        } else if ((status = read_value(isolate, argument, context, apart, frame->memory,
                        &arguments[read])) == GBX_OK)
            read++;
    if (status == GBX_OK && rest.len != 0) {
        (void)broke(isolate, "more arguments than announced");
        status = GBX_EPROTO;
    }
    while (status != GBX_OK && read > 0)
        gbx_value_free(arguments[--read]);
    return status;
}

static bool
on_callback(gbx_isolate *isolate, const struct frame *frame, const struct msg_callback *m)
{
    struct function *function = table_get(&isolate->functions, m->function);

    if (isolate->ending)
        return true; /* nobody waits for the answer any more */
    if (function == NULL && table_had(&isolate->functions, m->function)) {
        /* the guest could not know yet */
        function_refused(
            isolate, frame->id, "Error", "the context of this host function has been closed");
        return isolate->cell != NULL;
    }
    if (function == NULL)
        return broke(isolate, "a call of a host function that it was not given");
    if ((frame->id == 0) != ((function->flags & GBX_FUNCTION_POST) != 0))
        return broke(isolate, "a call of a host function of another kind");
    if (m->count > ARGUMENTS_MAX || m->count > m->arguments.len / 4)
        return broke(isolate, "more arguments than their message holds");
    if (frame->id != 0 &&
        isolate->nesting >= NESTING_MAX) { /* calls that were stopped may still be under way */
        function_refused(
            isolate, frame->id, "RangeError", "too many host functions are under way");
        return isolate->cell != NULL;
    }
    gbx_value **arguments = calloc(m->count + 1u, sizeof *arguments);
    gbx_status status =
        arguments == NULL ? GBX_ENOMEM : read_arguments(isolate, frame, m, function, arguments);
    if (status == GBX_ENOMEM)
        function_refused(isolate, frame->id, "Error", gbx_strstatus(GBX_ENOMEM));
    if (status == GBX_ETOOBIG)
        function_refused(
            isolate, frame->id, "RangeError", "the arguments of a host function are too big");
    if (status == GBX_OK) {
        struct held *given = function->given;
        function_hold(given); /* the guest may let go of it meanwhile */
        if (frame->id != 0)
            function_call(isolate, frame->id, function, arguments, m->count);
        else
            function_post(isolate, function, arguments, m->count);
        for (uint32_t i = 0; i < m->count; i++)
            gbx_value_free(arguments[i]);
        function_let_go(given);
    }
    free(arguments);
    return isolate->cell != NULL;
}

static bool
on_functions_released(
    gbx_isolate *isolate, const struct frame *frame, const struct msg_functions_released *m)
{
    const char *why = functions_released(isolate, m->ids);

    (void)frame;
    if (why != NULL)
        return broke(isolate, why);
    return isolate->cell != NULL;
}

static bool
on_cancelled(gbx_isolate *isolate, const struct frame *frame, const struct msg_cancelled *m)
{
    (void)frame;
    deferred_cancelled(isolate, m->callback);
    return isolate->cell != NULL;
}

static bool
on_console(gbx_isolate *isolate, const struct frame *frame, const struct msg_console *m)
{
    (void)frame;
    if (m->level > GBX_CONSOLE_ERROR || isolate->options.on_console == NULL)
        return broke(isolate, "a console message that was not asked for");
    if (m->text.len > CONSOLE_TEXT_MAX)
        return broke(isolate, "a console message past its limit");
    if (!isolate->closed)
        isolate->options.on_console(
            isolate, m->level, (const char *)m->text.p, m->text.len, isolate->options.data);
    return isolate->cell != NULL;
}

static bool
on_inspector_message(
    gbx_isolate *isolate, const struct frame *frame, const struct msg_inspector_message *m)
{
    gbx_inspector *inspector = table_get(&isolate->inspectors, m->session);

    (void)frame;
    /* A session that was just closed may still have something under way. */
    if (inspector == NULL && !table_had(&isolate->inspectors, m->session))
        return broke(isolate, "a message for an inspector session that never was");
    if (inspector != NULL)
        inspector->on_message(inspector, (const char *)m->json.p, m->json.len, inspector->data);
    return isolate->cell != NULL;
}

static bool
on_paused(gbx_isolate *isolate, const struct frame *frame, const struct msg_paused *m)
{
    (void)frame;
    if (!isolate_told_of_hold(isolate, m->how))
        return broke(isolate, "a debugger's pause without a debugger");
    return isolate->cell != NULL;
}

static bool
on_pending(gbx_isolate *isolate, const struct frame *frame, const struct msg_pending *m)
{
    gbx_future *future = open_future(isolate, frame->id, PLAIN);

    (void)m;
    if (future == NULL || !future->awaits)
        return broke(isolate, "a promise that nobody waits for");
    future_yields(future);
    return true;
}

static bool
on_statistics_reply(
    gbx_isolate *isolate, const struct frame *frame, const struct msg_statistics_reply *m)
{
    gbx_future *future = open_future(isolate, frame->id, STATISTICS);
    const struct {
        const char *name;
        uint64_t number;
    } fields[] = { { "heapUsed", m->heap_used }, { "heapPeak", m->heap_peak },
        { "heapTotal", m->heap_total }, { "heapLimit", m->heap_limit },
        { "malloced", m->heap_malloced }, { "external", m->external },
        { "externalPeak", m->external_peak }, { "code", m->code }, { "contexts", m->contexts },
        { "detachedContexts", m->detached }, { "collections", m->collections },
        { "collectionTime", m->collection_us }, { "references", m->references } };

    if (future == NULL)
        return broke(isolate, "statistics that nobody asked for");
    gbx_value *object = gbx_value_new_object();
    gbx_status status = object == NULL ? GBX_ENOMEM : GBX_OK;
    for (size_t i = 0; i < COUNT(fields) && status == GBX_OK; i++)
        status = gbx_value_set(object, fields[i].name, strlen(fields[i].name),
            gbx_value_new_number((double)fields[i].number));
    if (status != GBX_OK) {
        gbx_value_free(object);
        object = NULL;
    }
    future_finish(future, status, NULL, object, NULL);
    return true;
}

static bool
on_snapshot_piece(
    gbx_isolate *isolate, const struct frame *frame, const struct msg_snapshot_piece *m)
{
    return snapshot_piece(isolate, frame->id, m->data) ||
           broke(isolate, "a piece of a snapshot that nobody asked for");
}

static bool
on_forked(gbx_isolate *isolate, const struct frame *frame, const struct msg_forked *m)
{
    (void)m;
    if (frame->id != isolate->snapshot_request || (frame->id == 0 && !isolate->limit.asked))
        return broke(isolate, "a fork that nobody asked for");
    /* What it needs to keep objects' ids stays with it. */
    cell_restore_memory(isolate->cell,
        isolate->snapshot != NULL && (isolate->snapshot->flags & GBX_SNAPSHOT_STABLE_IDS) != 0);
    return true;
}

static bool
on_resolve(gbx_isolate *isolate, const struct frame *frame, const struct msg_resolve *m)
{
    const char *why = import_asked(isolate, frame->id, m);

    if (why != NULL)
        return broke(isolate, why);
    return isolate->cell != NULL;
}

bool
receive(gbx_isolate *isolate, const struct frame *frame)
{
#define CASE(NAME, name) \
    case MESSAGE_##NAME: \
        BODY(name)
#define BODY(name)                                                               \
    {                                                                            \
        struct msg_##name m;                                                     \
        if (get_##name(frame->body, &m) != GBX_OK)                               \
            return broke(isolate, "a message whose body does not fit its type"); \
        return on_##name(isolate, frame, &m);                                    \
    }
    switch (frame->type) {
        CASE(RESULT, result)
        CASE(REFERENCE, reference)
        CASE(FAILURE, failure)
        CASE(REJECTION, rejection)
        CASE(CALLBACK, callback)
        CASE(CANCELLED, cancelled)
        CASE(FUNCTIONS_RELEASED, functions_released)
        CASE(CONSOLE, console)
        CASE(INSPECTOR_MESSAGE, inspector_message)
        CASE(STATISTICS_REPLY, statistics_reply)
        CASE(SNAPSHOT_PIECE, snapshot_piece)
        CASE(FORKED, forked)
        CASE(PAUSED, paused)
        CASE(RESOLVE, resolve)
    default: /* the reader lets nothing else through */
        GBX_CHECK(frame->type == MESSAGE_PENDING);
        BODY(pending)
    }
#undef CASE
#undef BODY
}
