#include "ws_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    PATIENCE_S = 60
};

/* --- connections ---------------------------------------------------------------------------- */

struct peer
peer_open(gbx_runtime *runtime, const gbx_devtools *devtools)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
        .sin_port = htons((uint16_t)gbx_devtools_port(devtools)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct peer peer = { .runtime = runtime, .fd = socket(AF_INET, SOCK_STREAM, 0) };

    cr_assert_geq(peer.fd, 0, "%s", strerror(errno));
    cr_assert_eq(connect(peer.fd, (struct sockaddr *)&address, sizeof address), 0, "%s",
        strerror(errno));
    peer.in = calloc(1, 1);
    return peer;
}

void
peer_close(struct peer *peer)
{
    (void)close(peer->fd);
    free(peer->in);
    peer->in = NULL;
}

void
peer_turn(struct peer *peer)
{
    char bytes[65536];

    (void)gbx_runtime_dispatch(peer->runtime, 2000);
    ssize_t n;
    while (!peer->ended && (n = recv(peer->fd, bytes, sizeof bytes, MSG_DONTWAIT)) != -1) {
        peer->ended = n == 0;
        peer->in = realloc(peer->in, peer->len + (size_t)n + 1);
        memcpy(peer->in + peer->len, bytes, (size_t)n);
        peer->len += (size_t)n;
        peer->in[peer->len] = '\0';
    }
    if (!peer->ended && errno != EAGAIN && errno != EINTR)
        peer->ended = true;
}

bool
peer_say(struct peer *peer, const void *bytes, size_t len)
{
    const char *p = bytes;
    time_t until = time(NULL) + PATIENCE_S;

    while (len > 0 && !peer->ended) {
        ssize_t n = send(peer->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return false;
        if (n < 0)
            peer_turn(peer);
        p += n < 0 ? 0 : n;
        len -= n < 0 ? 0 : (size_t)n;
        cr_assert_lt(time(NULL), until, "the server does not read");
    }
    return len == 0;
}

void
peer_await_end(struct peer *peer)
{
    for (time_t until = time(NULL) + PATIENCE_S; !peer->ended; peer_turn(peer))
        cr_assert_lt(time(NULL), until, "the server does not close; it said: %.300s", peer->in);
}

int
peer_ask(
    gbx_runtime *runtime, const gbx_devtools *devtools, const char *request, char **out_body)
{
    struct peer peer = peer_open(runtime, devtools);
    int code = 0;

    (void)peer_say(&peer, request, strlen(request));
    peer_await_end(&peer);
    (void)sscanf(peer.in, "HTTP/1.1 %d ", &code);
    const char *body = strstr(peer.in, "\r\n\r\n");
    if (out_body != NULL)
        *out_body = strdup(body == NULL ? "" : body + 4);
    peer_close(&peer);
    return code;
}

gbx_value *
peer_get(gbx_runtime *runtime, const gbx_devtools *devtools, const char *path)
{
    char request[256], *body;
    gbx_value *value = NULL;

    (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    cr_assert_eq(peer_ask(runtime, devtools, request, &body), 200, "%s: %s", path, body);
    cr_assert_eq(gbx_value_from_json(body, strlen(body), &value, NULL), GBX_OK, "%s", body);
    free(body);
    return value;
}

/* --- WebSockets ----------------------------------------------------------------------------- */

struct peer
socket_open(gbx_runtime *runtime, const gbx_devtools *devtools, const gbx_isolate *isolate)
{
    struct peer peer = peer_open(runtime, devtools);
    const char *url = gbx_devtools_url(devtools, isolate, GBX_DEVTOOLS_WEBSOCKET), *end = NULL;
    char request[512];

    cr_assert_not_null(url);
    (void)snprintf(request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        strrchr(url, '/'));
    cr_assert(peer_say(&peer, request, strlen(request)));
    while ((end = strstr(peer.in, "\r\n\r\n")) == NULL && !peer.ended)
        peer_turn(&peer);
    cr_assert(end != NULL && strncmp(peer.in, "HTTP/1.1 101 ", 13) == 0, "%s", peer.in);
    peer.len -= (size_t)(end + 4 - peer.in);
    memmove(peer.in, end + 4, peer.len + 1);
    return peer;
}

bool
socket_say(struct peer *peer, unsigned opcode, const void *payload, size_t len)
{
    unsigned char head[14] = { (unsigned char)(0x80 | opcode) };
    size_t n = len < 126 ? 0 : len < 65536 ? 2 : 8;

    head[1] = (unsigned char)(0x80 | (n == 0 ? len : n == 2 ? 126 : 127));
    for (size_t i = 0; i < n; i++)
        head[2 + i] = (unsigned char)(len >> 8 * (n - 1 - i));
    /* A mask of zeros is one, too. */
    return peer_say(peer, head, 2 + n + 4) && peer_say(peer, payload, len);
}

bool
socket_command(struct peer *peer, const char *json)
{
    return socket_say(peer, 1, json, strlen(json));
}

/* Bytes of the frame's head at the beginning of what came; 0: not all of it is there. */
static size_t
frame_head(const struct peer *peer, size_t *out_len)
{
    const unsigned char *p = (const unsigned char *)peer->in;
    size_t n, len = 0;

    if (peer->len < 2)
        return 0;
    cr_assert_eq(p[0] & 0x70, 0);
    cr_assert_eq(p[1] & 0x80, 0, "a server does not mask");
    n = (p[1] & 0x7F) == 127 ? 8 : (p[1] & 0x7F) == 126 ? 2 : 0;
    if (peer->len < 2 + n)
        return 0;
    for (size_t i = 0; i < n; i++)
        len = len << 8 | p[2 + i];
    *out_len = n == 0 ? p[1] & 0x7F : len;
    return peer->len >= 2 + n + *out_len ? 2 + n : 0;
}

char *
socket_next(struct peer *peer, unsigned *out_opcode)
{
    time_t until = time(NULL) + PATIENCE_S;
    size_t head, len = 0;

    while ((head = frame_head(peer, &len)) == 0) {
        if (peer->ended)
            return NULL;
        peer_turn(peer);
        cr_assert_lt(time(NULL), until, "no message comes");
    }
    char *payload = calloc(1, len + 1);
    memcpy(payload, peer->in + head, len);
    *out_opcode = peer->in[0] & 0x0F;
    peer->len -= head + len;
    memmove(peer->in, peer->in + head + len, peer->len + 1);
    return payload;
}

char *
socket_await(struct peer *peer, const char *text)
{
    unsigned opcode;

    for (char *payload; (payload = socket_next(peer, &opcode)) != NULL; free(payload))
        if (strstr(payload, text) != NULL)
            return payload;
    cr_assert(false, "closed before a message with %s", text);
    return NULL;
}

unsigned
socket_await_close(struct peer *peer)
{
    unsigned opcode, code;

    for (char *payload; (payload = socket_next(peer, &opcode)) != NULL; free(payload))
        if (opcode == 8) {
            code = (unsigned)((unsigned char)payload[0] << 8 | (unsigned char)payload[1]);
            free(payload);
            return code;
        }
    cr_assert(false, "closed without a close frame");
    return 0;
}

/* --- servers ------------------------------------------------------------------------------- */

gbx_devtools *
serve(struct world *w, const gbx_devtools_options *options)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_devtools *devtools = NULL;

    cr_assert_eq(
        gbx_devtools_open(w->runtime, options, &devtools, &error), GBX_OK, "%s", error.message);
    return devtools;
}

void
expect_answers(struct peer *p)
{
    cr_assert(socket_command(
        p, "{\"id\":9,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":\"6*7\"}}"));
    free(socket_await(p, "\"value\":42"));
}

void
expect_served(const struct world *w, const gbx_devtools *devtools)
{
    struct peer p = socket_open(w->runtime, devtools, w->isolate);

    expect_answers(&p);
    peer_close(&p);
}
