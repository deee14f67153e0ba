/* ws_client.h - a client of the DevTools server in the test's own process: it dispatches the
 * runtime while it waits. A failed expectation ends the test. */
#ifndef TEST_INTEGRATION_WS_CLIENT_H
#define TEST_INTEGRATION_WS_CLIENT_H

#include "support.h"

#include <glovebox/devtools.h>

struct peer {
    gbx_runtime *runtime;
    int fd;
    char *in; /* what came and was not taken; owned, with a NUL behind it */
    size_t len;
    bool ended; /* the other side has closed, or reset */
};

/* Connects; says nothing yet. */
struct peer peer_open(gbx_runtime *runtime, const gbx_devtools *devtools);
void peer_close(struct peer *peer);
/* Sends all of it, as far as the server reads. False: it has closed. */
bool peer_say(struct peer *peer, const void *bytes, size_t len);
/* Dispatches, and takes what has come. */
void peer_turn(struct peer *peer);
/* Dispatches until the server has closed. */
void peer_await_end(struct peer *peer);

/* Says a request, and answers its code when the server has closed; the body is in peer->in. */
int peer_ask(
    gbx_runtime *runtime, const gbx_devtools *devtools, const char *request, char **out_body);
/* The same of GET `path`, parsed; owned by the caller. */
gbx_value *peer_get(gbx_runtime *runtime, const gbx_devtools *devtools, const char *path);

/* Becomes a WebSocket of the isolate. */
struct peer socket_open(
    gbx_runtime *runtime, const gbx_devtools *devtools, const gbx_isolate *isolate);
/* Sends a frame. */
bool socket_say(struct peer *peer, unsigned opcode, const void *payload, size_t len);
bool socket_command(struct peer *peer, const char *json);
/* The payload of the next frame, to be freed, and its opcode; NULL: the server has closed. */
char *socket_next(struct peer *peer, unsigned *out_opcode);
/* Waits for a message with `text` in it, to be freed; what comes before is dropped. */
char *socket_await(struct peer *peer, const char *text);
/* Waits for the close frame; its code. */
unsigned socket_await_close(struct peer *peer);

/* A server for the world's runtime. */
gbx_devtools *serve(struct world *w, const gbx_devtools_options *options);
/* The session does what it is told; a new one of the world's isolate does. */
void expect_answers(struct peer *peer);
void expect_served(const struct world *w, const gbx_devtools *devtools);

#endif
