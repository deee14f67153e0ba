/* glovebox/devtools.h - Chrome DevTools, and every other client of its protocol, on the isolates
 * of a runtime. A library of its own: libglovebox-devtools.
 *
 * A server on a loopback port answers what chrome://inspect, `node inspect`, editors and
 * chrome-remote-interface ask for: /json/list, /json/version, /json/protocol, and a WebSocket for
 * each isolate, under a path that cannot be guessed. It starts no thread: whoever dispatches the
 * runtime, or waits for a future of it, serves the clients, also while guests run and are paused.
 *
 * Who can reach the port and ask for the list has full power over the guests, and none over the
 * host. Requests that a web page could have caused are refused: by their Host (DNS rebinding) and
 * by their Origin. So are other users of this machine, where the kernel tells whose a connection
 * is.
 */
#ifndef GLOVEBOX_DEVTOOLS_H
#define GLOVEBOX_DEVTOOLS_H

#include <glovebox/isolate.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbx_devtools gbx_devtools;

enum {
    /* Lets every user of the machine in, and not only this process's own and root. */
    GBX_DEVTOOLS_ANY_USER = 1
};

/* Zero is the default. Fields are only ever appended. */
typedef struct gbx_devtools_options {
    uint32_t size;    /* sizeof(gbx_devtools_options); GBX_DEVTOOLS_OPTIONS_INIT sets it */
    uint32_t port;    /* 0: any that is free; gbx_devtools_port() tells */
    const char *host; /* borrowed; an address of 127.0.0.0/8, ::1, or localhost; NULL:
                           * 127.0.0.1. From elsewhere: ssh -L */
    const char
        *origin; /* borrowed; the origin of a DevTools of one's own that may connect, too,
                           * "http://127.0.0.1:8090"; NULL: only the browser's */
    uint32_t max_clients; /* WebSockets at a time; 0: 64; at most 1024 */
    uint32_t flags;       /* GBX_DEVTOOLS_... bits */
    uint64_t
        queue_bytes; /* what may wait for a client to read, before it is dropped; 0: 256 MiB;
                           * at least 1 MiB */
} gbx_devtools_options;
#define GBX_DEVTOOLS_OPTIONS_INIT                            \
    {                                                        \
        sizeof(gbx_devtools_options), 0, NULL, NULL, 0, 0, 0 \
    }

/**
 * Opens a server for all isolates of a runtime, those that live and those to come.
 *
 * @param options       copied; NULL for all defaults.
 * @param out_devtools  set only on GBX_OK; release with gbx_devtools_close(), before or after the
 *                      runtime is closed.
 * @param error         filled on failure only; may be NULL.
 * @return GBX_OK, GBX_EINVAL, GBX_EUNSUPPORTED, GBX_ENOMEM, GBX_ESYS: the port is taken.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_devtools_open(GBX_BORROW gbx_runtime *runtime,
    GBX_BORROW const gbx_devtools_options *options, GBX_OWN gbx_devtools **out_devtools,
    GBX_BORROW gbx_error *error);

/**
 * Drops all clients, ends their sessions (what they have paused goes on) and frees the server. NULL
 * is fine.
 *
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_devtools_close(GBX_OWN gbx_devtools *devtools);

/**
 * Tells the port that it listens on.
 *
 * @threads one at a time.   @since 0.1
 */
GBX_API uint32_t gbx_devtools_port(GBX_BORROW const gbx_devtools *devtools);

/* Forms of an isolate's address. */
enum gbx_devtools_form {
    GBX_DEVTOOLS_WEBSOCKET = 0, /* ws://127.0.0.1:9229/..., for any client of the protocol */
    GBX_DEVTOOLS_FRONTEND = 1   /* devtools://..., to be typed into Chrome's address bar */
};

/**
 * Tells an isolate's address. Whoever has it can debug the isolate.
 *
 * @param form  enum gbx_devtools_form.
 * @return NUL-terminated, lent until the isolate ends or the server is closed; NULL: the isolate
 *         has ended, or is no isolate of the runtime.
 * @threads one at a time.   @since 0.1
 */
GBX_API const char *gbx_devtools_url(GBX_BORROW const gbx_devtools *devtools,
    GBX_BORROW const gbx_isolate *isolate, uint32_t form);

/**
 * Counts the clients that have a session.
 *
 * @param isolate  NULL: of all isolates.
 * @threads one at a time.   @since 0.1
 */
GBX_API uint32_t gbx_devtools_clients(
    GBX_BORROW const gbx_devtools *devtools, GBX_BORROW const gbx_isolate *isolate);

#ifdef __cplusplus
}
#endif
#endif
