/* glovebox/inspector.h - looking inside: sessions of the Chrome DevTools Protocol. */
#ifndef GLOVEBOX_INSPECTOR_H
#define GLOVEBOX_INSPECTOR_H

#include <glovebox/isolate.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbx_inspector gbx_inspector;

/* A response or notification of the Chrome DevTools Protocol: `len` bytes of JSON in UTF-8, not
 * NUL-terminated, lent for the call. Written by the cell: parse it as hostile input. */
typedef void (*gbx_inspector_callback)(
    gbx_inspector *inspector, const char *json, size_t len, void *data);

/**
 * Opens a session of the Chrome DevTools Protocol on an isolate. Any number may be open.
 *
 * Commands are served at once, also while a script runs or is paused.
 *
 * @param on_message     called inside gbx_runtime_dispatch() and waits.
 * @param data           borrowed; handed to it.
 * @param out_inspector  set only on GBX_OK; release with gbx_inspector_close().
 * @param error          filled on failure only; may be NULL.
 * @return GBX_OK, GBX_ELIMIT at 256 sessions, GBX_EDISPOSED when the isolate is dead,
 * GBX_ENOMEM.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_inspector_open(GBX_BORROW gbx_isolate *isolate,
    gbx_inspector_callback on_message, GBX_BORROW void *data,
    GBX_OWN gbx_inspector **out_inspector, GBX_BORROW gbx_error *error);

/**
 * Sends one command: {"id":1,"method":"Runtime.evaluate","params":{...}}. The answer comes
 * through the session's callback.
 *
 * @param json  `len` bytes of UTF-8, copied; at most 256 MiB.
 * @return GBX_OK, GBX_EDISPOSED when the isolate is dead, GBX_ETOOBIG, GBX_ENOMEM; GBX_ELIMIT
 *         while over 64 MiB wait to be read by the cell: dispatch, and try again.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_inspector_send(
    GBX_BORROW gbx_inspector *inspector, GBX_BORROW const char *json, size_t len);

/**
 * Ends a session; a script that it has paused goes on. NULL is fine.
 *
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_inspector_close(GBX_OWN gbx_inspector *inspector);

/**
 * What debuggers do with the guest now, as its cell says.
 *
 * @return enum gbx_hold.
 * @threads one at a time.   @since 0.1
 */
GBX_API uint32_t gbx_isolate_held(GBX_BORROW const gbx_isolate *isolate);

/**
 * Has the next call that runs code wait for a debugger, as GBX_ISOLATE_WAIT has the first: for a
 * host that runs something of its own before the guest.
 *
 * @return GBX_OK, GBX_EDISPOSED when the isolate is dead, GBX_ENOMEM.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_isolate_wait(GBX_BORROW gbx_isolate *isolate);

#ifdef __cplusplus
}
#endif
#endif
