/* What a cell may say of the scripts that it compiles and the caches that it makes. */
#include "hostile.h"

#include <stdlib.h>

static struct fake_cell f;

static void
open_cell(void)
{
    fake_cell_open(&f, NULL, FAKE_PROCESS);
}

static void
close_cell(void)
{
    fake_cell_close(&f);
}

TestSuite(receive_script, .init = open_cell, .fini = close_cell);

/* Clones: true, false, undefined, an ArrayBuffer of two bytes, and an empty one. */
#define VALUE(...)                                        \
    span_of((const uint8_t[]){ 0xff, 0x0f, __VA_ARGS__ }, \
        sizeof((const uint8_t[]){ 0xff, 0x0f, __VA_ARGS__ }))
#define TRUE_VALUE  VALUE('T')
#define FALSE_VALUE VALUE('F')
#define BYTES_VALUE VALUE('B', 2, 'a', 'b')
#define EMPTY_VALUE VALUE('B', 0)

static gbx_future *
compiling(const void *cache, size_t len)
{
    struct frame frame;
    struct msg_script_compile m;

    gbx_future *future = gbx_script_compile(f.isolate, "1", 1, cache, len, NULL);
    cr_assert_not(future->finished);
    do
        cr_assert(fake_cell_hear(&f, &frame));
    while (frame.type == MESSAGE_SCRIPT_CLOSE);
    cr_assert_eq(frame.type, MESSAGE_SCRIPT_COMPILE);
    cr_assert_eq(get_script_compile(frame.body, &m), GBX_OK);
    cr_assert_neq(m.script, 0);
    /* Without the seal not a byte of a cache reaches a cell. */
    bool sealed = future->script != NULL && cache != NULL && len > 100;
    cr_assert_eq(m.cache.len > 0, sealed);
    return future;
}

/* A request for a cache, as gbx_script_cache() makes it of a cell of its own. */
static gbx_future *
caching(void)
{
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    gbx_future *future = call_future(f.isolate, 1, &options);

    cr_assert_not(future->finished);
    future->kind = FUTURE_CACHE;
    future->source_hash = malloc(CACHE_HASH_BYTES);
    cache_hash(span_text("1"), future->source_hash);
    return future;
}

static void
say(const gbx_future *future, struct span value)
{
    put_result(&f.out, tag(future->id), &(struct msg_result){ .value = value });
    fake_cell_say(&f);
}

Test(receive_script, a_compiled_script_is_its_futures)
{
    gbx_future *future = compiling(NULL, 0);

    cr_assert_null(gbx_future_take_script(future), "not before it is compiled");
    say(future, FALSE_VALUE);
    still_trusted(&f);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_OK);
    cr_assert_null(gbx_future_value(future));
    gbx_script *script = gbx_future_take_script(future);
    cr_assert_eq(gbx_script_cache_state(script), GBX_CACHE_NONE);
    gbx_future_free(future);
    gbx_script_close(script);
    cr_assert_eq(f.isolate->scripts.live, 0);
}

Test(receive_script, what_says_nothing_of_a_cache_is_refused)
{
    gbx_future *future = compiling(NULL, 0);

    say(future, BYTES_VALUE);
    condemned(&f, "a compiled script that does not say what served it");
    cr_assert_null(gbx_future_take_script(future));
    gbx_future_free(future);
    cr_assert_eq(f.isolate->scripts.live, 0);
}

Test(receive_script, a_cache_that_was_not_sent_cannot_have_served)
{
    gbx_future *future = compiling("glovebox cache 1 and so on", 26);

    say(future, TRUE_VALUE);
    condemned(&f, "a compiled script that does not say what served it");
    gbx_future_free(future);
}

Test(receive_script, a_reference_is_no_script)
{
    gbx_future *future = compiling(NULL, 0);

    put_reference(&f.out, tag(future->id), &(struct msg_reference){ .reference = 5 });
    fake_cell_say(&f);
    condemned(&f, "a reference that nobody asked for");
    gbx_future_free(future);
}

Test(receive_script, a_failure_releases_the_script)
{
    gbx_future *future = compiling(NULL, 0);

    put_failure(&f.out, tag(future->id), &(struct msg_failure){ .status = -GBX_ETHROW });
    fake_cell_say(&f);
    still_trusted(&f);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_ETHROW);
    cr_assert_null(gbx_future_take_script(future));
    gbx_future_free(future);
    cr_assert_eq(f.isolate->scripts.live, 0);
}

Test(receive_script, a_sealed_cache_is_sent_without_its_seal)
{
    struct buf sealed = { .max = 1000 };
    uint8_t hash[CACHE_HASH_BYTES];

    cache_hash(span_text("1"), hash);
    cache_seal(f.runtime->cache_key, f.runtime->engine, hash,
        span_text("what V8 made, forty "
                  "bytes of it or more"),
        &sealed);
    gbx_future *future = compiling(sealed.p, sealed.len);
    say(future, TRUE_VALUE);
    gbx_script *script = gbx_future_take_script(future);
    cr_assert_eq(gbx_script_cache_state(script), GBX_CACHE_ACCEPTED);
    gbx_future_free(future);
    gbx_script_close(script);
    /* V8 refused it. */
    future = compiling(sealed.p, sealed.len);
    say(future, FALSE_VALUE);
    script = gbx_future_take_script(future);
    cr_assert_eq(gbx_script_cache_state(script), GBX_CACHE_ENGINE);
    gbx_future_free(future);
    gbx_script_close(script);
    buf_done(&sealed);
}

Test(receive_script, a_cache_of_nothing_is_none)
{
    struct buf sealed = { .max = 1000 };
    uint8_t hash[CACHE_HASH_BYTES];
    struct span data;

    cache_hash(span_text("1"), hash);
    cache_seal(f.runtime->cache_key, f.runtime->engine, hash, span_of(NULL, 0), &sealed);
    cr_assert_eq(cache_open(f.runtime->cache_key, f.runtime->engine, span_text("1"),
                     buf_span(&sealed), &data),
        GBX_CACHE_MALFORMED);
    buf_done(&sealed);
}

Test(receive_script, a_cache_is_sealed_and_its_cell_ended)
{
    gbx_future *future = caching();
    const void *bytes;
    size_t len;
    struct span data;

    isolate_ref(f.isolate);
    say(future, BYTES_VALUE);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_OK);
    cr_assert_eq(gbx_value_get_bytes(gbx_future_value(future), &bytes, &len), GBX_OK);
    cr_assert_eq(cache_open(f.runtime->cache_key, f.runtime->engine, span_text("1"),
                     span_of(bytes, len), &data),
        GBX_CACHE_ACCEPTED);
    cr_assert_eq(data.len, 2);
    cr_assert_arr_eq(data.p, "ab", 2);
    cr_assert_null(f.isolate->cell);
    cr_assert_eq(fake_cell_reap(&f), SIGKILL);
    gbx_future_free(future);
    isolate_unref(f.isolate);
    f.isolate = NULL;
}

static void
refuse_cache(struct span value)
{
    gbx_future *future = caching();

    isolate_ref(f.isolate);
    say(future, value);
    cr_assert_eq(gbx_future_status(future, NULL), GBX_EPROTO);
    cr_assert_null(gbx_future_value(future));
    cr_assert_eq(fake_cell_reap(&f), SIGKILL);
    gbx_future_free(future);
    isolate_unref(f.isolate);
    f.isolate = NULL;
}

Test(receive_script, a_cache_is_bytes)
{
    refuse_cache(TRUE_VALUE);
}

/* A view of bytes has bytes, and is not what was asked for. */
Test(receive_script, a_cache_is_no_typed_array)
{
    refuse_cache(VALUE('B', 2, 'a', 'b', 'V', 'B', 0, 2, 0));
}

Test(receive_script, a_cache_is_not_empty)
{
    refuse_cache(EMPTY_VALUE);
}
