/* fuzz_receive.c - a cell that says anything at any time, beside a host that uses its isolate.
 *
 * The input is a list of operations: the cell's (bytes, messages, forged words of shared memory)
 * and the host's (every call of the API, serving, running out of memory). What must hold: an
 * answer is what was asked for, whoever is told of an end finds the reason, and when all is closed
 * nothing is open, and nothing leaks.
 *
 * over 600 lines: a few for each call of the API, in one list that an input is read by. */
#include "base/check.h"
#include "fuzz.h"
#include "host/shared.h"
#include "input.h"
#include "unit/fake_cell.h"
#include "unit/faults.h"

#include <errno.h>
#include <stdlib.h>

enum {
    SLOTS = 8, /* of each kind of object */
    NO_CONSOLE = 1,
    NO_REJECTIONS = 2
};

static struct fake_cell f;
static struct input in;
static struct {
    gbx_future *futures[SLOTS];
    gbx_context *contexts[SLOTS];
    gbx_reference *references[SLOTS];
    gbx_inspector *inspectors[SLOTS];
    gbx_deferred *deferreds[SLOTS];
    gbx_module *modules[SLOTS];
    gbx_import *imports[SLOTS];
} held;
static gbx_files *files;
static gbx_shared *shared; /* that every isolate has */
static uint32_t spared;    /* allocations; then one fails in what the host does next; 0: none */
static unsigned depth;

/* --- the cell ------------------------------------------------------------------------------- */

static void
serve(void)
{
    gbx_isolate *isolate = f.isolate;

    if (isolate == NULL)
        return;
    isolate_ref(isolate);
    if (spared > 0)
        fault_arm(FAULT_MEMORY, spared - 1, true, ENOMEM);
    spared = 0;
    while (isolate->cell != NULL && isolate_service(isolate))
        ;
    (void)fault_disarm();
    isolate_unref(isolate);
}

/* All of it, unless the ring is full and stays so. */
static void
say(struct span bytes)
{
    while (bytes.len > 0 && f.isolate != NULL && f.isolate->cell != NULL) {
        size_t n = fake_cell_write(&f, bytes);
        if (n == 0)
            serve();
        if (n == 0 && (f.isolate == NULL || (n = fake_cell_write(&f, bytes)) == 0))
            break;
        bytes = span_of(bytes.p + n, bytes.len - n);
    }
}

/* A frame of any type, for an open request or any other id. */
static void
say_frame(void)
{
    uint32_t type = input_u8(&in) % (MESSAGE_TYPES + 1u), who = input_u8(&in);
    uint32_t id = who == 0xff                 ? input_number(&in, 4)
                  : who / SLOTS > 0           ? (1u << TABLE_INDEX_BITS) + who - SLOTS
                  : held.futures[who] == NULL ? 0
                                              : held.futures[who]->id;
    struct span body = input_piece(&in);
    struct buf out = { .max = MIB };

    buf_u32(&out, (uint32_t)body.len);
    buf_u32(&out, type);
    buf_u32(&out, id);
    buf_append(&out, body.p, body.len);
    say(buf_span(&out));
    buf_done(&out);
}

/* Any of the words that are not the cell's, and those that are. */
static void
forge(void)
{
    struct channel_shared *s = f.side.shared;
    _Atomic uint32_t *const words[] = { &s->to_cell.head, &s->to_cell.tail, &s->to_host.head,
        &s->to_host.tail, &s->snapshot.head, &s->snapshot.tail, &s->cell_bell, &s->host_bell,
        &s->alarm, &s->alarm_wanted, &s->stop, &s->child_bell, &s->snapshot_stop };
    uint32_t which = input_u8(&in);

    atomic_store(words[which % COUNT(words)], input_number(&in, 4));
}

static void
hear(void)
{
    struct frame frame;

    if (!f.reader.broken) /* a forged position shows us garbage, too */
        while (!f.side.in.lied &&
               atomic_load(&f.side.shared->to_cell.head) ==
                   f.isolate->cell->channel.out.position &&
               fake_cell_hear(&f, &frame))
            ;
}

static void
say_stream(void)
{
    struct span bytes = input_piece(&in);

    (void)ring_put(&f.side.snapshot, bytes);
    ring_publish(&f.side.snapshot);
}

/* --- the host ------------------------------------------------------------------------------- */

/* The answer to a request for a cache has closed it, too. */
static void
close_isolate(void)
{
    gbx_isolate *isolate = f.isolate;

    f.isolate = NULL;
    if (isolate != NULL && !isolate->closed)
        gbx_isolate_close(isolate);
}

static void
on_end(gbx_isolate *isolate, void *data)
{
    (void)data;
    GBX_CHECK(gbx_isolate_death(isolate) != NULL);
}

static void
on_console(gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data)
{
    (void)isolate;
    (void)data;
    GBX_CHECK(
        level <= GBX_CONSOLE_ERROR && len <= CONSOLE_TEXT_MAX && (len == 0 || text != NULL));
    if (len == 1)
        close_isolate();
}

static void
on_rejection(gbx_isolate *isolate, const gbx_rejection *rejection, void *data)
{
    (void)isolate;
    (void)data;
    GBX_CHECK(rejection->error->status == GBX_ETHROW);
    GBX_CHECK(rejection->call == 0 || rejection->call >= 1u << TABLE_INDEX_BITS);
    if (rejection->omitted == 1)
        close_isolate();
}

static void
on_message(gbx_inspector *inspector, const char *json, size_t len, void *data)
{
    (void)data;
    GBX_CHECK(len <= CDP_BYTES_MAX && (len == 0 || json != NULL));
    (void)gbx_inspector_send(inspector, json, len);
}

static void
on_finished(gbx_future *future, void *data)
{
    (void)future;
    if (data != NULL)
        close_isolate();
}

static gbx_status
sink(const void *piece, size_t len, void *data)
{
    (void)data;
    GBX_CHECK(len == 0 || piece != NULL);
    if (len == 2)
        close_isolate();
    return len == 3 ? GBX_EINVAL : GBX_OK;
}

static void
keep(gbx_future *future)
{
    for (size_t i = 0; i < SLOTS; i++)
        if (held.futures[i] == NULL) {
            held.futures[i] = future;
            return;
        }
    gbx_future_free(future);
}

/* What a finished one promises. */
static void
check_future(const gbx_future *future, gbx_status status)
{
    GBX_CHECK(status <= GBX_OK && status >= GBX_ELIMIT);
    if (status == GBX_OK && future->kind == FUTURE_SCRIPT)
        GBX_CHECK(future->script != NULL);
    else if (status == GBX_OK && !future->by_reference && future->kind != FUTURE_SNAPSHOT)
        GBX_CHECK(future->value != NULL);
    if (status == GBX_OK && future->by_reference)
        GBX_CHECK(future->value == NULL);
}

static void
wait_shortly(uint32_t which)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_future *future = held.futures[which % SLOTS];

    if (future == NULL)
        return;
    gbx_status status = gbx_future_wait(future, 0, &error);
    GBX_CHECK(status == GBX_OK || status == GBX_EBUSY || error.message[0] != '\0');
    if (status != GBX_EBUSY && gbx_future_status(future, NULL) == status)
        check_future(future, status);
}

static void
take(uint32_t which)
{
    gbx_future **at = &held.futures[which % SLOTS];
    gbx_reference **reference = &held.references[which % SLOTS];

    if (*at == NULL)
        return;
    gbx_reference_close(*reference);
    *reference = gbx_future_take_reference(*at);
    if (which / SLOTS % 2 == 0)
        gbx_future_then(*at, on_finished, which / SLOTS % 4 == 2 ? &f : NULL);
    gbx_future_free(*at);
    *at = NULL;
}

/* Nobody waits for it any more; of two, one is settled all the same. */
static void
cancelled(gbx_deferred *deferred, void *data)
{
    gbx_deferred **slot = data;

    GBX_CHECK(*slot == deferred);
    if ((slot - held.deferreds) % 2 == 0)
        return;
    *slot = NULL;
    gbx_deferred_reject(deferred, NULL, NULL);
}

static gbx_status
answer_later(gbx_callback *callback, bool blocks)
{
    gbx_deferred **slot = held.deferreds;

    while (slot < held.deferreds + SLOTS - 1 && *slot != NULL)
        slot++;
    if (*slot != NULL)
        return GBX_EBUSY;
    gbx_status status =
        blocks ? gbx_callback_block(callback, slot) : gbx_callback_defer(callback, slot);
    if (status == GBX_OK)
        gbx_deferred_on_cancel(*slot, cancelled, slot);
    return status;
}

static gbx_status
function(gbx_callback *callback, void *data)
{
    int what = *(const char *)data;
    const gbx_value *argument = gbx_callback_argument(callback, 0);

    GBX_CHECK(gbx_callback_isolate(callback) == f.isolate || f.isolate == NULL);
    switch (what % 8) {
    case 0:
        return GBX_OK;
    case 1:
        return argument != NULL ? gbx_callback_return(callback, argument) : GBX_EINVAL;
    case 2:
        return gbx_callback_throw(callback, "TypeError", "no");
    case 3:
    case 7:
        return answer_later(callback, what % 8 == 7);
    case 4:
        wait_shortly(0);
        return GBX_OK;
    case 5:
        close_isolate();
        return GBX_OK;
    default: /* more of the same meanwhile */
        if (depth++ < 2 * NESTING_MAX)
            serve();
        return GBX_OK;
    }
}

/* Uses the first reference that there is, also as an argument. */
static void
use_reference(uint32_t which, const gbx_call_options *options)
{
    gbx_reference *reference =
        held.references[0] != NULL ? held.references[0] : held.references[1];

    if (reference == NULL)
        return;
    gbx_value *value = gbx_value_new_reference(reference);
    const gbx_value *arguments[] = { value };
    if (value == NULL)
        return;
    if (which & 16)
        keep(gbx_reference_call(reference, value, arguments, 1, options));
    else
        keep(gbx_reference_set(reference, "x", 1, value, options));
    gbx_value_free(value);
}

static const char modes[] = "\0\1\2\3\4\5\6\7"; /* of function(), which gets one as its data */

/* A host function of any kind. */
static void
give(gbx_context *context, uint32_t which)
{
    gbx_function_entry entry = { .size = sizeof entry, .path = "g", .function = function };

    entry.flags = which % 4 | (which & 32 ? (uint32_t)GBX_FUNCTION_MOVE : 0u);
    entry.data = (void *)(uintptr_t)&modes[which / 4 % 8];
    keep(gbx_context_set_functions(context, NULL, &entry, 1));
}

/* A script with a cache that is ours. */
static void
ask_with_cache(void)
{
    struct buf sealed = { .max = 1000 };
    uint8_t hash[CACHE_HASH_BYTES];

    cache_hash(span_text("1"), hash);
    cache_seal(f.runtime->cache_key, f.runtime->engine, hash, span_text("code"), &sealed);
    keep(gbx_script_compile(f.isolate, "1", 1, sealed.p, sealed.len, NULL));
    buf_done(&sealed);
}

/* A request for a cache, as gbx_script_cache() makes it of a cell of its own. */
static void
ask_for_cache(void)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_future *future = call_future(f.isolate, 1, &options);

    if (!future->finished) {
        future->source_hash = calloc(1, CACHE_HASH_BYTES);
        GBX_CHECK(future->source_hash != NULL);
        future->kind = FUTURE_CACHE;
    }
    keep(future);
}

static void
ask(uint32_t which)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_context *context = held.contexts[which / 16 % SLOTS];

    if (context == NULL)
        context = gbx_isolate_context(f.isolate);
    options.flags = (which & 1 ? GBX_AWAIT : 0u) | (which & 2 ? GBX_RESULT_REFERENCE : 0u) |
                    (which & 128 ? GBX_RESULT_MOVE : 0u);
    options.timeout_us = which & 4 ? 1000000 : 0;
    options.cpu_us = which & 8 ? 1000000 : 0;
    switch (input_u8(&in) % 11) {
    case 0:
        keep(gbx_context_eval(context, "x", 1, &options));
        break;
    case 1:
        keep(gbx_context_call(context, "f", NULL, 0, &options));
        break;
    case 2:
        keep(gbx_context_get(context, "x", &options));
        break;
    case 3:
        keep(gbx_isolate_statistics(f.isolate));
        break;
    case 4:
        keep(gbx_isolate_collect(f.isolate));
        break;
    case 5:
        keep(gbx_context_set_function(
            context, "f", function, (void *)(uintptr_t)&modes[which % (sizeof modes - 1)]));
        break;
    case 7:
        use_reference(which, &options);
        break;
    case 8:
        give(context, which);
        break;
    case 9:
        ask_for_cache();
        break;
    case 10:
        ask_with_cache();
        break;
    default:
        keep(gbx_script_compile(f.isolate, "1", 1, NULL, 0, NULL));
        break;
    }
}

static void
snapshot(uint32_t which)
{
    gbx_snapshot_options options = GBX_SNAPSHOT_OPTIONS_INIT;

    options.mode = which % 2;
    options.sink = sink;
    keep(gbx_heap_snapshot(f.isolate, &options));
}

static void
context_or_session(uint32_t which)
{
    uint32_t slot = which / 4 % SLOTS;

    if (which % 4 == 0 && held.contexts[slot] == NULL)
        (void)!gbx_context_open(f.isolate, &held.contexts[slot], NULL);
    if (which % 4 == 1) {
        gbx_context_close(held.contexts[slot]);
        held.contexts[slot] = NULL;
    }
    if (which % 4 == 2 && held.inspectors[slot] == NULL)
        (void)!gbx_inspector_open(f.isolate, on_message, NULL, &held.inspectors[slot], NULL);
    if (which % 4 == 3) {
        gbx_inspector_close(held.inspectors[slot]);
        held.inspectors[slot] = NULL;
    }
}

static void
settle(uint32_t which)
{
    gbx_deferred **slot = &held.deferreds[which / 2 % SLOTS], *deferred = *slot;

    *slot = NULL;
    if (deferred != NULL && which % 2 == 0)
        (void)gbx_deferred_resolve(deferred, NULL);
    else if (deferred != NULL)
        gbx_deferred_reject(deferred, "Error", "late");
}

/* By its specifier: later, never, or at once and how. The specifier is gone with the import. */
static void
load(gbx_import *import, void *data)
{
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    const char *specifier = gbx_import_specifier(import);
    char how = specifier[0];
    size_t slot = strlen(specifier) % SLOTS;

    options.name = specifier;
    GBX_CHECK(gbx_import_referrer(import) != NULL && gbx_import_type(import) != NULL);
    if (how == 'l' && held.imports[slot] == NULL)
        held.imports[slot] = import;
    else if (how == 'm' && held.modules[slot] != NULL)
        gbx_import_module(import, held.modules[slot]);
    else if (how == 'f')
        gbx_import_fail(import, "Error", specifier);
    else if (how == '.')
        gbx_files_load(import, data);
    else
        gbx_import_source(import, specifier, strlen(specifier), &options);
    if (how == 'c')
        close_isolate();
}

static void
module_or_import(uint32_t which)
{
    gbx_context *context = held.contexts[which / 64];
    gbx_module **module = &held.modules[which / 8 % SLOTS];
    gbx_import **import = &held.imports[which / 8 % SLOTS];

    if (context == NULL)
        context = gbx_isolate_context(f.isolate);
    if (which % 8 == 0) {
        (void)gbx_context_set_loader(context, load, files);
    } else if (which % 8 == 1) {
        (void)gbx_context_set_loader(context, NULL, NULL);
    } else if (which % 8 == 2) {
        gbx_module_close(*module);
        keep(gbx_module_compile(context, "x", 1, NULL, module));
    } else if (which % 8 == 3 && *module != NULL) {
        keep(gbx_module_evaluate(*module, NULL));
    } else if (which % 8 == 4 && *module != NULL) {
        keep(gbx_module_call(*module, "x", NULL, 0, NULL));
    } else if (which % 8 == 5) {
        gbx_module_close(*module);
        *module = NULL;
    } else if (which % 8 == 6) {
        keep(gbx_context_import(context, "x", NULL));
    } else if (*import != NULL) {
        gbx_import_fail(*import, NULL, NULL);
        *import = NULL;
    } else {
        f.isolate->imports ^= PROMISES_MAX; /* as if as many as may be were open */
    }
}

static void
look_at_the_clock(uint32_t which)
{
    if (which % 4 == 0)
        gbx_isolate_terminate(f.isolate);
    else if (which % 4 == 1)
        (void)gbx_runtime_dispatch(f.runtime, 0);
    else if (which % 4 == 2)
        (void)isolate_enforce(f.isolate, f.isolate->next_kill_us);
    else
        isolate_ended(f.isolate);
}

/* --- all of it ------------------------------------------------------------------------------ */

static void
operate(void)
{
    uint32_t what = input_u8(&in) % 15;

    if (what == 0)
        say_frame();
    else if (what == 1)
        say(input_piece(&in));
    else if (what == 2)
        forge();
    else if (what == 3)
        serve();
    else if (what == 4 && f.isolate->cell != NULL)
        hear();
    else if (what == 5 && f.isolate->cell != NULL)
        say_stream();
    else if (what == 6)
        wait_shortly(input_u8(&in));
    else if (what == 7)
        take(input_u8(&in));
    else if (what == 8)
        ask(input_u8(&in));
    else if (what == 9)
        snapshot(input_u8(&in));
    else if (what == 10)
        context_or_session(input_u8(&in));
    else if (what == 11)
        settle(input_u8(&in));
    else if (what == 12)
        look_at_the_clock(input_u8(&in));
    else if (what == 13)
        spared = input_u8(&in);
    else if (what == 14)
        module_or_import(input_u8(&in));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    in = (struct input){ span_of(data, size) };
    spared = depth = 0;
    memset(&held, 0, sizeof held);
    uint32_t without = input_u8(&in);
    options.on_death = on_end;
    if ((without & NO_CONSOLE) == 0)
        options.on_console = on_console;
    if ((without & NO_REJECTIONS) == 0)
        options.on_rejection = on_rejection;
    GBX_CHECK(shared != NULL || gbx_shared_open(16, &shared, NULL) == GBX_OK);
    GBX_CHECK(gbx_files_open(NULL, &files, NULL) == GBX_OK &&
              gbx_files_add(files, "a.mjs", "1", 1) == GBX_OK);
    fake_cell_open(&f, &options, 0);
    gbx_isolate *isolate = f.isolate;
    isolate_ref(isolate);
    isolate->options.shared = &shared;
    isolate->options.shared_count = 1;
    GBX_CHECK(shared_keep(&isolate->options));
    while (in.left.len > 0 && f.isolate != NULL && !isolate->closed)
        operate();
    serve();
    GBX_CHECK(isolate->closed || isolate->cell != NULL ||
              gbx_isolate_death(isolate)->status != GBX_OK);
    close_isolate();
    for (size_t i = 0; i < SLOTS; i++) {
        if (held.futures[i] != NULL)
            check_future(held.futures[i], gbx_future_status(held.futures[i], NULL));
        gbx_future_free(held.futures[i]);
        gbx_reference_close(held.references[i]);
        gbx_inspector_close(held.inspectors[i]);
        gbx_context_close(held.contexts[i]);
        gbx_deferred_reject(held.deferreds[i], NULL, NULL);
        gbx_module_close(held.modules[i]);
        if (held.imports[i] != NULL)
            gbx_import_fail(held.imports[i], NULL, NULL);
    }
    isolate_unref(isolate);
    fake_cell_close(&f);
    gbx_files_close(files);
    return 0;
}
