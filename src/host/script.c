/* script.c - scripts: compiled once, run in many contexts; and their code caches. */
#include "host/host.h"

#include "base/error.h"
#include "host/cache.h"

#include <stdlib.h>
#include <string.h>

struct gbx_script {
    gbx_isolate *isolate; /* counted */
    uint32_t id;          /* the cell's number; in isolate->scripts */
    uint32_t cache;       /* enum gbx_cache; until it is compiled, what the host found */
};

static void
put_compile(gbx_isolate *isolate, const gbx_future *future, uint32_t script, struct span source,
    struct span cache, const gbx_call_options *options)
{
    put_script_compile(&isolate->scratch->out, isolate_tag(isolate, future->id),
        &(struct msg_script_compile){ .script = script,
            .wall_us = options->timeout_us,
            .cpu_us = options->cpu_us,
            .line = options->line,
            .column = options->column,
            .file = span_text(options->file),
            .cache = cache,
            .source = source });
}

/* Options of a request that compiles; checked, with defaults filled in. */
static gbx_status
compile_options(const gbx_isolate *isolate, size_t len, const gbx_call_options *options,
    gbx_call_options *out, gbx_error *error)
{
    gbx_status status = call_options_read(isolate, options, out, error);

    if (status == GBX_OK && (out->flags & ~(uint32_t)GBX_MEASURE) != 0)
        status = fail(error, GBX_EINVAL,
            "call options: flags 0x%x, which do not apply to compiling", out->flags);
    return status == GBX_OK ? call_source_check(len, out, error) : status;
}

static gbx_status
script_new(gbx_isolate *isolate, gbx_script **out, gbx_error *error)
{
    gbx_script *script = calloc(1, sizeof *script);

    if (script == NULL)
        return fail(error, GBX_ENOMEM, "no memory for a script");
    script->id = table_add(&isolate->scripts, script);
    if (script->id == 0) {
        free(script);
        if (!table_is_full(&isolate->scripts))
            return fail(error, GBX_ENOMEM, "no memory for a script");
        return fail(
            error, GBX_ELIMIT, "the isolate has %d scripts, as many as it may", SCRIPTS_MAX);
    }
    script->isolate = isolate;
    isolate_ref(isolate);
    *out = script;
    return GBX_OK;
}

gbx_future *
gbx_script_compile(gbx_isolate *isolate, const char *source, size_t len, const void *cache,
    size_t cache_len, const gbx_call_options *options)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_call_options o;
    gbx_script *script = NULL;
    struct span data = span_of(NULL, 0);

    if (compile_options(isolate, len, options, &o, &error) != GBX_OK)
        return future_refused(&error);
    gbx_future *future = call_future(isolate, 1, &o);
    if (future->finished)
        return future;
    if (script_new(isolate, &script, &error) != GBX_OK) {
        future_finish(future, error.status, &error, NULL, NULL);
        return future;
    }
    future->kind = FUTURE_SCRIPT;
    future->script = script;
    if (cache != NULL && cache_len > CACHE_BYTES_MAX)
        script->cache = GBX_CACHE_MALFORMED;
    else if (cache != NULL)
        script->cache = cache_open(isolate->runtime->cache_key, isolate->runtime->engine,
            span_of(source, len), span_of(cache, cache_len), &data);
    put_compile(isolate, future, script->id, span_of(source, len), data, &o);
    future_limit(future, o.timeout_us, o.cpu_us);
    return future_send(isolate, future);
}

bool
script_compiled(gbx_future *future, gbx_value *value)
{
    gbx_script *script = future->script;
    int32_t taken = 0;
    bool good = gbx_value_get_boolean(value, &taken) == GBX_OK &&
                (taken == 0 || script->cache == GBX_CACHE_ACCEPTED);

    gbx_value_free(value);
    if (!good)
        return false;
    /* The seal was good: what V8 did not like is that its flags are others. */
    if (script->cache == GBX_CACHE_ACCEPTED && taken == 0)
        script->cache = GBX_CACHE_ENGINE;
    future_finish(future, GBX_OK, NULL, NULL, NULL);
    return true;
}

gbx_script *
gbx_future_take_script(gbx_future *future)
{
    gbx_script *script = future->finished && future->status == GBX_OK ? future->script : NULL;

    if (script != NULL)
        future->script = NULL;
    return script;
}

uint32_t
gbx_script_cache_state(const gbx_script *script)
{
    return script->cache;
}

gbx_future *
gbx_script_run(gbx_script *script, gbx_context *context, const gbx_call_options *options)
{
    gbx_isolate *isolate = script->isolate;
    gbx_error error = GBX_ERROR_INIT;
    gbx_call_options o;

    if (context->isolate != isolate)
        return future_failed(GBX_EINVAL, "the script was compiled in another isolate");
    if (call_options_read(isolate, options, &o, &error) != GBX_OK)
        return future_refused(&error);
    if ((o.flags & GBX_MODULE) != 0)
        return future_failed(GBX_EINVAL, "call options: a script is no module");
    gbx_future *future = call_future(isolate, context->id, &o);
    put_script_run(&isolate->scratch->out, isolate_tag(isolate, future->id),
        &(struct msg_script_run){ .context = context->id,
            .flags = o.flags,
            .wall_us = o.timeout_us,
            .cpu_us = o.cpu_us,
            .script = script->id });
    future_limit(future, o.timeout_us, o.cpu_us);
    return future_send(isolate, future);
}

void
gbx_script_close(gbx_script *script)
{
    if (script == NULL)
        return;
    gbx_isolate *isolate = script->isolate;
    (void)table_remove(&isolate->scripts, script->id);
    if (isolate->cell != NULL) {
        put_script_close(&isolate->scratch->out, isolate_tag(isolate, 0),
            &(struct msg_script_close){ .script = script->id });
        isolate_tell(isolate);
    }
    isolate_unref(isolate);
    free(script);
}

/* --- caches --------------------------------------------------------------------------------- */

/* The cell that makes a cache runs nothing that could print. */
static void
drop_console(gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data)
{
    (void)isolate;
    (void)level;
    (void)text;
    (void)len;
    (void)data;
}

static void
drop_rejection(gbx_isolate *isolate, const gbx_rejection *rejection, void *data)
{
    (void)isolate;
    (void)rejection;
    (void)data;
}

/* Options that lead to the template of `like`, and V8's flags in it; nobody is called back. */
static gbx_isolate_options
maker_options(const gbx_isolate *like)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.flags = like->options.flags;
    options.memory_limit_bytes = like->options.memory_limit_bytes;
    options.stack_limit_bytes = like->options.stack_limit_bytes;
    options.time_zone = like->options.time_zone;
    options.locale = like->options.locale;
    options.seed = like->options.seed;
    options.on_console = like->options.on_console != NULL ? drop_console : NULL;
    options.on_rejection = like->options.on_rejection != NULL ? drop_rejection : NULL;
    return options;
}

gbx_future *
gbx_script_cache(
    gbx_isolate *like, const char *source, size_t len, const gbx_call_options *options)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_isolate_options maker = maker_options(like);
    gbx_call_options o;
    gbx_isolate *isolate;

    if (compile_options(like, len, options, &o, &error) != GBX_OK)
        return future_refused(&error);
    if (like->runtime == NULL)
        return future_failed(GBX_EDISPOSED, "the runtime has been closed");
    uint8_t *hash = malloc(CACHE_HASH_BYTES);
    if (hash == NULL)
        return future_failed(GBX_ENOMEM, "no memory for a cache");
    cache_hash(span_of(source, len), hash);
    if (gbx_isolate_open(like->runtime, &maker, &isolate, &error) != GBX_OK) {
        free(hash);
        return future_refused(&error);
    }
    gbx_future *future = call_future(isolate, 1, &o);
    if (future->finished) {
        free(hash);
        gbx_isolate_close(isolate);
        return future;
    }
    future->kind = FUTURE_CACHE; /* its end closes the isolate */
    future->source_hash = hash;
    put_compile(isolate, future, 0, span_of(source, len), span_of(NULL, 0), &o);
    future_limit(future, o.timeout_us, o.cpu_us);
    return future_send(isolate, future);
}

bool
script_cached(gbx_future *future, gbx_value *value)
{
    const gbx_runtime *runtime = future->isolate->runtime;
    struct buf sealed = { .max = CACHE_BYTES_MAX };
    const void *bytes;
    size_t len;

    if (gbx_value_get_kind(value) != GBX_ARRAY_BUFFER ||
        gbx_value_get_bytes(value, &bytes, &len) != GBX_OK || len == 0) {
        gbx_value_free(value);
        return false;
    }
    cache_seal(
        runtime->cache_key, runtime->engine, future->source_hash, span_of(bytes, len), &sealed);
    gbx_value_free(value);
    gbx_value *cache = sealed.failed ? NULL : gbx_value_new_array_buffer(sealed.p, sealed.len);
    gbx_status status = sealed.too_long ? GBX_ETOOBIG : cache == NULL ? GBX_ENOMEM : GBX_OK;
    buf_done(&sealed);
    future_finish(future, status, NULL, cache, NULL);
    return true;
}
