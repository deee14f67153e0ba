/* Promises that a guest rejects and that nobody handles. */
#include "cdp_client.h"

#include <stdlib.h>
#include <string.h>

/* What the callback was told. */
static struct {
    size_t count;
    uint64_t omitted;
    uint32_t calls[2000];
    gbx_error last;
    char values[256]; /* each as text, with a line's end */
    bool close;       /* the isolate, from inside */
} told;

static void
on_rejection(gbx_isolate *isolate, const gbx_rejection *rejection, void *data)
{
    char *text;
    size_t len;

    cr_assert_str_eq(data, "data");
    cr_assert_eq(rejection->size, sizeof *rejection);
    cr_assert_eq(rejection->error->status, GBX_ETHROW);
    cr_assert_lt(told.count, 2000);
    told.calls[told.count++] = rejection->call;
    told.omitted += rejection->omitted;
    told.last = *rejection->error;
    size_t used = strlen(told.values);
    if (rejection->value == NULL) {
        if (used + 4 < sizeof told.values)
            (void)strcat(told.values, "-\n");
    } else {
        cr_assert_eq(gbx_value_to_json(rejection->value, 0, &text, &len, NULL), GBX_OK);
        if (used + len + 2 < sizeof told.values)
            (void)strcat(strcat(told.values, text), "\n");
        free(text);
    }
    if (told.close)
        gbx_isolate_close(isolate);
}

static struct world
open_told(void)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    memset(&told, 0, sizeof told);
    options.on_rejection = on_rejection;
    options.data = (void *)(uintptr_t) "data";
    return world_open(&options);
}

CleanTest(rejection, is_told_with_its_reason_and_its_call)
{
    struct world w = open_told();
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    static const char source[] = "function no() { return new TypeError('no') }\n"
                                 "Promise.reject(no()); 7";

    options.file = "app.js";
    gbx_future *future = gbx_context_eval(w.context, source, strlen(source), &options);
    uint32_t id = gbx_future_id(future);
    cr_assert_neq(id, 0);
    cr_assert_eq(settle_number(future), 7);
    cr_assert_eq(told.count, 1);
    cr_assert_eq(told.calls[0], id);
    cr_assert_str_eq(told.last.name, "TypeError");
    cr_assert_str_eq(told.last.message, "no");
    cr_assert_str_eq(told.last.file, "app.js");
    cr_assert_eq(told.last.line, 1);
    cr_assert_not_null(strstr(told.last.stack, "at no (app.js:1:24)"), "%s", told.last.stack);
    cr_assert_eq(told.omitted, 0);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(rejection, carries_a_copy_of_its_reason)
{
    struct world w = open_told();

    eval_only(w.context, "Promise.reject({ a: [1, 2] }); Promise.reject(() => 1);"
                         "Promise.reject(null); Promise.reject('x'.repeat(1 << 20));"
                         "Promise.reject({ get a() { return 5 } })");
    cr_assert_eq(told.count, 5);
    cr_assert_str_eq(told.values, "{\"a\":[1,2]}\n-\nnull\n-\n-\n");
    world_close(&w);
}

CleanTest(rejection, that_is_handled_is_not_told)
{
    struct world w = open_told();

    eval_only(w.context, "Promise.reject(1).catch(() => 0)");
    eval_only(
        w.context, "var p = Promise.reject(1); Promise.resolve().then(() => p.catch(() => 0))");
    eval_only(w.context, "(async () => { try { await Promise.reject(1) } catch {} })()");
    eval_only(w.context, "Promise.allSettled([Promise.reject(1), Promise.reject(2)])");
    /* What the host gets as a result is looked after by it. */
    settle(start(w.context, "Promise.reject(1)", GBX_AWAIT), GBX_ETHROW);
    settle(start(w.context, "(async () => { await null; throw 1 })()", GBX_AWAIT), GBX_ETHROW);
    settle(start(w.context, "throw 1", GBX_MODULE), GBX_ETHROW);
    expect_usable(&w);
    cr_assert_eq(told.count, 0);
    /* And what it does not get is not. */
    settle(start(w.context, "Promise.reject(1)", 0), GBX_ECLONE);
    settle(start(w.context, "Promise.reject(1)", GBX_RESULT_IGNORE), GBX_OK);
    cr_assert_eq(told.count, 2);
    world_close(&w);
}

/* A handler that comes after it was told changes nothing; it is told once. */
CleanTest(rejection, is_told_once)
{
    struct world w = open_told();

    eval_only(w.context, "var late = Promise.reject(1); 0");
    cr_assert_eq(told.count, 1);
    eval_only(w.context, "late.catch(() => 0); 0");
    eval_only(w.context, "0");
    cr_assert_eq(told.count, 1);
    /* Each promise that nobody handles is one. */
    eval_only(w.context, "late.then(() => 0); late.then(() => 0); 0");
    cr_assert_eq(told.count, 3);
    world_close(&w);
}

static gbx_deferred *deferred;

static gbx_status
defer(gbx_callback *callback, void *data)
{
    (void)data;
    return gbx_callback_defer(callback, &deferred);
}

/* The call that waited for the host, not the one that runs when the host answers. */
CleanTest(rejection, of_later_names_the_call_that_began_it)
{
    struct world w = open_told();

    give(w.context, "later", defer, NULL);
    gbx_future *first = start(w.context, "later().then(() => { throw 1 }); 0", 0);
    uint32_t id = gbx_future_id(first);
    cr_assert_eq(settle_number(first), 0);
    gbx_future *second = start(w.context, "0", 0);
    cr_assert_neq(gbx_future_id(second), id);
    cr_assert_eq(settle_number(second), 0);
    cr_assert_eq(told.count, 0);
    gbx_value *one = gbx_value_new_number(1);
    cr_assert_eq(gbx_deferred_resolve(deferred, one), GBX_OK);
    gbx_value_free(one);
    expect_usable(&w);
    cr_assert_eq(told.count, 1);
    cr_assert_eq(told.calls[0], id);
    world_close(&w);
}

CleanTest(rejection, is_told_to_those_who_ask)
{
    struct world w = world_open(NULL);

    eval_only(w.context, "Promise.reject(1); 0");
    expect_usable(&w);
    world_close(&w);
}

CleanTest(rejection, by_the_million_is_cut)
{
    struct world w = open_told();

    eval_only(w.context, "for (let i = 0; i < 100000; i++) Promise.reject(i); 0");
    eval_only(w.context, "for (let i = 0; i < 10; i++) Promise.reject(i); 0");
    cr_assert_leq(told.count, 1034);
    cr_assert_geq(told.count, 1000);
    while (told.count + told.omitted < 100010) { /* a second passes */
        sleep_ms(50);
        eval_only(w.context, "Promise.reject(1); 0");
        told.count--;
    }
    cr_assert_eq(told.count + told.omitted, 100010);
    world_close(&w);
}

/* At most 1024 wait for the end of the microtasks, however many there are by then. */
CleanTest(rejection, is_remembered_up_to_a_number)
{
    struct world w = open_told();

    eval_only(w.context,
        "var all = []; for (let i = 0; i < 3000; i++) all.push(Promise.reject(i));"
        "for (const p of all.slice(0, 1024)) p.catch(() => 0); 0");
    cr_assert_eq(told.count, 0, "those that were remembered have handlers by now");
    eval_only(w.context, "Promise.reject(1); 0");
    cr_assert_eq(told.count, 1);
    cr_assert_eq(told.omitted, 3000 - 1024);
    world_close(&w);
}

static gbx_status
evaluate_inside(gbx_callback *callback, void *data)
{
    (void)data;
    eval_only(gbx_isolate_context(gbx_callback_isolate(callback)), "Promise.reject(2); 0");
    cr_assert_eq(told.count, 0, "the code that called may still handle what it has rejected");
    return GBX_OK;
}

/* What is rejected has until the end of the outermost code to be handled. */
CleanTest(rejection, is_not_told_inside_of_a_host_function)
{
    struct world w = open_told();

    give(w.context, "inside", evaluate_inside, NULL);
    eval_only(w.context, "var p = Promise.reject(1); inside(); p.catch(() => 0); 0");
    cr_assert_eq(told.count, 1);
    cr_assert_str_eq(told.values, "2\n");
    world_close(&w);
}

/* Reasons run guest code when they are looked at, under the deadline of their call. */
CleanTest(rejection, cannot_outlive_a_deadline)
{
    struct world w = open_told();

    settle(start_limited(w.context,
               "Error.prepareStackTrace = () => { for (;;); }; Promise.reject(Error()); 0",
               50000, 0),
        GBX_ETIMEOUT);
    settle(start_limited(w.context,
               "(Error.prepareStackTrace = () => { Promise.reject(Error()) })(); 0", 50000, 0),
        GBX_ETIMEOUT);
    eval_only(w.context, "delete Error.prepareStackTrace; 0");
    settle(start_limited(w.context, "Promise.reject(1); for (;;);", 50000, 0), GBX_ETIMEOUT);
    size_t before = told.count;
    expect_usable(&w);
    cr_assert_eq(told.count, before, "a stopped call's rejections are dropped with it");
    world_close(&w);
}

CleanTest(rejection, may_close_its_isolate)
{
    struct world w = open_told();

    told.close = true;
    settle(start(w.context, "Promise.reject(1); Promise.reject(2); 0", 0), GBX_EDISPOSED);
    cr_assert_eq(told.count, 1);
    w.isolate = NULL;
    world_close(&w);
}

CleanTest(rejection, ends_with_context_and_isolate)
{
    struct world w = open_told();
    gbx_context *context;

    cr_assert_eq(gbx_context_open(w.isolate, &context, NULL), GBX_OK);
    gbx_future *future = start(context, "Promise.reject(1); 0", 0);
    gbx_context_close(context);
    cr_assert_eq(settle_number(future), 0);
    cr_assert_eq(told.count, 1);
    settle(start(w.context, "Promise.reject(1); const a = []; for (;;) a.push(a.slice())", 0),
        GBX_EMEMORY);
    cr_assert_eq(told.count, 1);
    gbx_future *dead = start(w.context, "0", 0);
    cr_assert_eq(gbx_future_id(dead), 0);
    settle(dead, GBX_EMEMORY);
    world_close(&w);
}

/* --- sessions ------------------------------------------------------------------------------- */

/* As Chrome shows it, and whether or not the host asks. */
static void
tell_session(struct world *w, struct client *c)
{
    static const char enable[] = "{\"id\":1,\"method\":\"Runtime.enable\"}";

    c->w = w;
    client_open(c, w);
    say(c, enable);
    (void)answer_to(c, 1);
    eval_only(w->context, "globalThis.late = Promise.reject(new RangeError('loose')); 0");
    const gbx_value *thrown = event(c, "Runtime.exceptionThrown");
    const gbx_value *details = at(thrown, "params.exceptionDetails");
    cr_assert(is_text(at(details, "text"), "Uncaught (in promise)"));
    cr_assert(is_text(at(details, "exception.className"), "RangeError"));
    double number = number_of(at(details, "exceptionId"));
    eval_only(w->context, "late.catch(() => 0); 0");
    const gbx_value *revoked = event(c, "Runtime.exceptionRevoked");
    cr_assert_eq(number_of(at(revoked, "params.exceptionId")), number);
    client_close(c);
    eval_only(w->context, "Promise.reject(2); 0");
}

CleanTest(rejection, is_told_to_sessions_too)
{
    static struct client c, alone;
    struct world w = open_told();

    tell_session(&w, &c);
    cr_assert_eq(told.count, 2);
    world_close(&w);
    w = world_open(NULL);
    tell_session(&w, &alone);
    expect_usable(&w);
    world_close(&w);
}
