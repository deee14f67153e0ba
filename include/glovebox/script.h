/* glovebox/script.h - scripts that are compiled once and run in many contexts, and code caches.
 *
 * A code cache is machine-near code that V8 runs without looking: who can write one owns the cell
 * that takes it. So the library accepts only what it made itself. A cache comes out of a fresh cell
 * that has compiled this one source text and has never run guest code; the library seals it with a
 * key that no cell has, together with the engine's version and the source's SHA-256. Nobody but the
 * source's own text can have influenced what is in it, and it serves that text only, which the
 * isolate was going to compile anyway. What does not fit is refused, and the source compiled.
 */
#ifndef GLOVEBOX_SCRIPT_H
#define GLOVEBOX_SCRIPT_H

#include <glovebox/context.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What became of the cache that a script was compiled with. */
enum gbx_cache {
    GBX_CACHE_NONE = 0,      /* there was none */
    GBX_CACHE_ACCEPTED = 1,  /* it served: so says the cell */
    GBX_CACHE_MALFORMED = 2, /* these bytes are no cache, or not all of one */
    GBX_CACHE_ENGINE = 3,    /* it is for another engine, or the engine runs with other flags */
    GBX_CACHE_SOURCE = 4,    /* it is of another source text */
    GBX_CACHE_FORGED = 5     /* it was not made with this key, or changed since */
};

/**
 * Compiles a script, for gbx_script_run() in any context of the isolate. Runs nothing of it.
 *
 * @param source     `len` bytes of UTF-8 (invalid sequences become U+FFFD), copied; at most 256
 *                   MiB.
 * @param cache      `cache_len` bytes that gbx_script_cache() made; NULL: none. A refused one is no
 *                   error: gbx_script_cache_state() tells.
 * @param options    copied; NULL for all defaults. Of the flags only GBX_MEASURE applies.
 * @return a future of a script: gbx_future_take_script(). GBX_ETHROW with file, line and column for
 *         a SyntaxError; GBX_ELIMIT at 65,536 scripts; GBX_EINVAL with a flag that does not apply.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_script_compile(GBX_BORROW gbx_isolate *isolate,
    GBX_BORROW const char *source, size_t len, GBX_BORROW const void *cache, size_t cache_len,
    GBX_BORROW const gbx_call_options *options);

/**
 * Gives away the script of a gbx_script_compile() that ended with GBX_OK; release it with
 * gbx_script_close(). NULL if there is none.
 *
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_script *gbx_future_take_script(GBX_BORROW gbx_future *future);

/**
 * Tells what became of the cache that the script was compiled with.
 *
 * @return an enum gbx_cache.
 * @threads one at a time.   @since 0.1
 */
GBX_API uint32_t gbx_script_cache_state(GBX_BORROW const gbx_script *script);

/**
 * Runs a script in a context of the isolate that it was compiled in.
 *
 * @param options  copied; NULL for all defaults; `file`, `line`, `column` don't apply.
 * @return a future of the completion value, by copy; GBX_EINVAL for a context of another isolate,
 *         and with GBX_MODULE.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_script_run(GBX_BORROW gbx_script *script,
    GBX_BORROW gbx_context *context, GBX_BORROW const gbx_call_options *options);

/**
 * Releases a script, and its code in the cell. NULL is fine.
 *
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_script_close(GBX_OWN gbx_script *script);

/**
 * Makes a code cache of a script, all of its functions compiled, in a fresh cell of its own.
 *
 * The cache can be kept as bytes, and serves every isolate of these engine and options, in any
 * runtime that has the same gbx_runtime_options.cache_key.
 *
 * @param like     gives the limits and options of that cell, its runtime and the key; it may have
 *                 run anything, and is not asked.
 * @param source   as in gbx_script_compile().
 * @param options  likewise.
 * @return a future of an ArrayBuffer: gbx_value_get_bytes(). GBX_ETHROW for a SyntaxError;
 *         GBX_EDISPOSED when the runtime of `like` is closed; else as gbx_isolate_open() and
 *         gbx_future_status().
 * @blocks as gbx_isolate_open().   @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_future *gbx_script_cache(GBX_BORROW gbx_isolate *like,
    GBX_BORROW const char *source, size_t len, GBX_BORROW const gbx_call_options *options);

#ifdef __cplusplus
}
#endif
#endif
