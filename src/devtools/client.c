/* client.c - one connection: its request, its session, its end. */
#include "base/clock.h"
#include "base/limits.h"
#include "devtools/guard.h"
#include "devtools/http.h"
#include "devtools/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- its descriptor ------------------------------------------------------------------------- */

static bool
reads(const struct client *c)
{
    /* What is closing is read only to see its end, when all has been said to it. */
    return c->rest_until_us == 0 && (c->state != CLIENT_CLOSING || c->shut);
}

/* Tells epoll what it waits for. */
static void
watch(struct client *c)
{
    uint32_t wanted =
        (reads(c) ? (uint32_t)EPOLLIN : 0u) | (c->first != NULL ? (uint32_t)EPOLLOUT : 0u);
    struct epoll_event event = { .events = wanted, .data = { .u64 = c->id } };

    if (wanted != c->interest &&
        epoll_ctl(c->server->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) == 0)
        c->interest = wanted;
}

void
client_begin(struct server *server, int fd)
{
    struct client *c = calloc(1, sizeof *c);

    if (c != NULL) {
        *c = (struct client){ .server = server,
            .fd = fd,
            .deadline_us = now_us() + DEVTOOLS_HEAD_US,
            .interest = EPOLLIN,
            .in = { .max = DEVTOOLS_HEAD_MAX },
            .frames = { .message = { .max = DEVTOOLS_COMMAND_MAX } },
            .id = table_add(&server->clients, c) };
    }
    struct epoll_event event = { .events = EPOLLIN, .data = { .u64 = c == NULL ? 0 : c->id } };
    if (c != NULL && c->id != 0 && epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
        return;
    if (c != NULL)
        (void)table_remove(&server->clients, c->id);
    free(c);
    (void)close(fd);
}

/* --- ends ----------------------------------------------------------------------------------- */

/* Leaves the state that it is counted in. */
static void
leave(struct client *c)
{
    if (c->state == CLIENT_OPEN) {
        gbx_inspector_close(c->inspector);
        c->inspector = NULL;
        c->target = NULL;
        c->server->open--;
    }
    c->server->command_bytes -= c->frames.message.len;
    frames_done(&c->frames);
    buf_done(&c->in);
    c->held = false;
    c->rest_until_us = 0;
}

void
client_drop(struct client *c)
{
    leave(c);
    client_queue_done(c);
    (void)table_remove(&c->server->clients, c->id);
    /* Before it is closed: a process that the host is just forking may hold a copy. */
    (void)epoll_ctl(c->server->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    (void)close(c->fd);
    free(c);
}

static void
close_softly(struct client *c)
{
    leave(c);
    c->state = CLIENT_CLOSING;
    c->deadline_us = now_us() + DEVTOOLS_LINGER_US;
}

/* Ends a WebSocket with a close frame; `why` may be NULL. */
static void
close_socket(struct client *c, unsigned code, const char *why)
{
    uint8_t payload[125] = { (uint8_t)(code >> 8), (uint8_t)code };
    size_t len = why == NULL ? 0 : strlen(why);

    if (len > sizeof payload - 2)
        len = sizeof payload - 2;
    if (len > 0)
        memcpy(payload + 2, why, len);
    close_softly(c);
    if (!client_queue_frame(c, FRAME_CLOSE, span_of(payload, 2 + len)))
        client_queue_done(c);
}

void
client_target_ended(struct client *c, const char *why)
{
    struct buf b = { .max = KIB };

    buf_printf(&b, "{\"method\":\"Inspector.detached\",\"params\":{\"reason\":\"%s\"}}", why);
    if (!b.failed)
        (void)client_queue_frame(c, FRAME_TEXT, buf_span(&b));
    buf_done(&b);
    close_socket(c, 1001, why);
    watch(c);
}

/* --- what the cell says --------------------------------------------------------------------- */

/* A cell may say anything; what goes on from here is one JSON object in valid UTF-8. */
static bool
is_message(const char *json, size_t len)
{
    gbx_value *value = NULL;
    bool object = gbx_value_from_json(json, len, &value, NULL) == GBX_OK &&
                  gbx_value_get_kind(value) == GBX_OBJECT;

    gbx_value_free(value);
    return object;
}

static void
on_message(gbx_inspector *inspector, const char *json, size_t len, void *data)
{
    struct client *c = data;

    (void)inspector;
    if (!is_message(json, len)) {
        close_socket(c, 1011, "the isolate sent what is no message of the protocol");
        watch(c);
        return;
    }
    if (!client_queue_frame(c, FRAME_TEXT, span_of(json, len))) {
        client_drop(c);
        return;
    }
    if (c->deadline_us == UINT64_MAX)
        c->deadline_us = now_us() + DEVTOOLS_STALL_US;
    watch(c);
}

/* --- its request ---------------------------------------------------------------------------- */

static bool
answer(struct client *c, int code, const char *type, struct span body)
{
    struct buf b = { .max = body.len + DEVTOOLS_HEAD_MAX };

    http_answer(&b, code, type, body);
    bool queued = !b.failed && client_queue(c, buf_span(&b));
    buf_done(&b);
    close_softly(c);
    return queued;
}

static bool
refuse(struct client *c, int code, const char *why)
{
    return answer(c, code, "text/plain; charset=UTF-8", span_text(why));
}

static bool
open_socket(struct client *c, const struct http_request *request, struct target *target)
{
    struct buf b = { .max = DEVTOOLS_HEAD_MAX };

    if (c->server->open >= c->server->max_clients ||
        gbx_inspector_open(target->isolate, on_message, c, &c->inspector, NULL) != GBX_OK)
        return refuse(c, 503, "no further session can be opened now\n");
    leave(c);
    c->state = CLIENT_OPEN;
    c->target = target;
    c->server->open++;
    c->deadline_us = UINT64_MAX;
    http_answer_upgrade(&b, request);
    bool queued = !b.failed && client_queue(c, buf_span(&b));
    buf_done(&b);
    return queued;
}

/* False: it is to be dropped. */
static bool
respond(struct client *c, const struct http_request *request, bool more)
{
    struct buf page = { .max = MIB };

    if ((c->server->flags & GBX_DEVTOOLS_ANY_USER) == 0 && peer_is_foreign(c->fd))
        return refuse(c, 403, "this is for the user who runs the program\n");
    if (!guard_host(request->host))
        return refuse(c, 403,
            "this is for programs on this machine: ask for 127.0.0.1, [::1] or localhost\n");
    if (request->origin.p != NULL && !guard_origin(request->origin, c->server->origin))
        return refuse(c, 403, "this is not for web pages\n");
    if (http_is_upgrade(request)) {
        int code = more ? 400 : http_check_upgrade(request);
        struct target *target = code == HTTP_OK ? target_at(c->server, request->path) : NULL;
        if (code != HTTP_OK)
            return refuse(c, code, "no WebSocket of version 13 was asked for properly\n");
        if (target == NULL)
            return refuse(c, 404, "there is no such isolate; see /json/list\n");
        return open_socket(c, request, target);
    }
    bool there = page_write(&page, c->server, request->path, request->host);
    bool queued = page.failed ? false
                  : there ? answer(c, 200, "application/json; charset=UTF-8", buf_span(&page))
                          : refuse(c, 404, "see /json/list, /json/version, /json/protocol\n");
    buf_done(&page);
    return queued;
}

static bool
take_head(struct client *c)
{
    struct http_request request;
    size_t used = 0;
    uint8_t bytes[4096];
    size_t room = c->in.max - c->in.len < sizeof bytes ? c->in.max - c->in.len : sizeof bytes;
    ssize_t n = recv(c->fd, bytes, room, MSG_DONTWAIT);

    if (n <= 0)
        return n < 0 && (errno == EAGAIN || errno == EINTR);
    buf_append(&c->in, bytes, (size_t)n);
    if (c->in.failed)
        return false;
    int code = http_read(buf_span(&c->in), &request, &used);
    if (code == HTTP_MORE)
        return true;
    /* The request points into it until it is answered. */
    struct buf head = c->in;
    c->in = (struct buf){ .max = DEVTOOLS_READ_BYTES };
    bool stays = code == HTTP_OK ? respond(c, &request, used < head.len)
                                 : refuse(c, code, "not a request that this server takes\n");
    buf_done(&head);
    return stays;
}

/* --- its commands --------------------------------------------------------------------------- */

/* Counts what a client wants of us; it is heard again when it has an allowance. */
static void
count_command(struct client *c, uint64_t now)
{
    if (now - c->counted_since_us >= 1000000) {
        c->counted_since_us = now;
        c->commands = 0;
    }
    if (++c->commands >= DEVTOOLS_COMMANDS_PER_S)
        c->rest_until_us = c->counted_since_us + 1000000;
}

/* Hands on the message in `frames`. */
static void
send_command(struct client *c, uint64_t now)
{
    const struct buf *message = &c->frames.message;
    gbx_status status =
        gbx_inspector_send(c->inspector, (const char *)message->p, message->len);

    c->held = status == GBX_ELIMIT;
    if (status == GBX_ELIMIT)
        c->rest_until_us = now + DEVTOOLS_REST_US;
    else if (status != GBX_OK)
        close_socket(c, 1011, gbx_strstatus(status));
    else
        count_command(c, now);
}

/* False: it is to be dropped. */
static bool
on_frame(struct client *c, enum frames_event event, uint64_t now)
{
    switch (event) {
    case FRAMES_MORE:
        break;
    case FRAMES_MESSAGE:
        send_command(c, now);
        break;
    case FRAMES_PING:
        count_command(c, now);
        return client_queue_frame(
            c, FRAME_PONG, span_of(c->frames.control, c->frames.control_len));
    case FRAMES_CLOSE:
    case FRAMES_BROKEN:
        close_socket(c, c->frames.code, NULL);
        break;
    }
    return true;
}

/* Takes from *bytes until the client rests. False: it is to be dropped. */
static bool
take_frames(struct client *c, struct span *bytes, uint64_t now)
{
    while (c->state == CLIENT_OPEN && c->rest_until_us == 0) {
        size_t before = c->frames.message.len;
        enum frames_event event = frames_read(&c->frames, bytes);
        c->server->command_bytes += c->frames.message.len - before;
        if (c->server->command_bytes > DEVTOOLS_COMMANDS_MAX)
            close_socket(c, 1013, "too many commands are under way");
        else if (!on_frame(c, event, now))
            return false;
        else if (event == FRAMES_MORE)
            break;
    }
    return true;
}

static bool
take_commands(struct client *c, uint64_t now)
{
    uint8_t bytes[DEVTOOLS_READ_BYTES];
    size_t len = c->in.len; /* of what came before the client rested */

    if (len > 0)
        memcpy(bytes, c->in.p, len);
    buf_clear(&c->in);
    if (len == 0) {
        ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        len = (size_t)n;
    }
    struct span rest = span_of(bytes, len);
    if (!take_frames(c, &rest, now))
        return false;
    if (c->state == CLIENT_OPEN && rest.len > 0)
        buf_append(&c->in, rest.p, rest.len);
    return !c->in.failed;
}

/* --- its turns ------------------------------------------------------------------------------ */

/* Everything was said: only the other side's end is awaited. */
static bool
await_end(struct client *c)
{
    uint8_t bytes[4096];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static bool
take(struct client *c, uint64_t now)
{
    switch (c->state) {
    case CLIENT_HEAD:
        return take_head(c);
    case CLIENT_OPEN:
        return take_commands(c, now);
    case CLIENT_CLOSING:
        break;
    }
    return !c->shut || await_end(c);
}

/* The rest is over. */
static bool
go_on(struct client *c, uint64_t now)
{
    c->rest_until_us = 0;
    if (c->held)
        send_command(c, now);
    return c->state != CLIENT_OPEN || c->in.len == 0 || c->rest_until_us != 0 ||
           take_commands(c, now);
}

static bool
serve(struct client *c, uint32_t events, uint64_t now)
{
    if ((events & (EPOLLERR | EPOLLHUP)) != 0 || now >= c->deadline_us)
        return false;
    if (c->rest_until_us != 0 && now >= c->rest_until_us && !go_on(c, now))
        return false;
    if ((events & EPOLLIN) != 0 && reads(c) && !take(c, now))
        return false;
    if (c->first != NULL && !client_flush(c, now))
        return false;
    if (c->state == CLIENT_CLOSING && c->first == NULL && !c->shut) {
        c->shut = true;
        return shutdown(c->fd, SHUT_WR) == 0;
    }
    return true;
}

void
client_serve(struct client *c, uint32_t events, uint64_t now)
{
    if (serve(c, events, now))
        watch(c);
    else
        client_drop(c);
}

uint64_t
client_next_us(const struct client *c)
{
    return c->rest_until_us != 0 && c->rest_until_us < c->deadline_us ? c->rest_until_us
                                                                      : c->deadline_us;
}
