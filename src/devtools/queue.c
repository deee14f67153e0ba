/* queue.c - what waits to be sent to a client, within its bound. */
#include "base/limits.h"
#include "devtools/server.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

static uint64_t
later(uint64_t now)
{
    return now + DEVTOOLS_STALL_US;
}

/* The end of the last piece is used up before another is made: events are small. */
static struct piece *
last_piece(struct client *c, size_t len)
{
    if (c->last != NULL && c->last->room > c->last->len)
        return c->last;
    size_t room = len < DEVTOOLS_PIECE_BYTES ? DEVTOOLS_PIECE_BYTES : len;
    struct piece *piece = malloc(sizeof *piece + room);
    if (piece == NULL)
        return NULL;
    piece->next = NULL;
    piece->len = piece->sent = 0;
    piece->room = room;
    if (c->last != NULL)
        c->last->next = piece;
    else
        c->first = piece;
    c->last = piece;
    return piece;
}

bool
client_queue(struct client *c, struct span bytes)
{
    if (bytes.len > c->server->queue_bytes - c->queued_bytes)
        return false;
    while (bytes.len > 0) {
        struct piece *piece = last_piece(c, bytes.len);
        if (piece == NULL)
            return false;
        size_t n = piece->room - piece->len < bytes.len ? piece->room - piece->len : bytes.len;
        memcpy(piece->bytes + piece->len, bytes.p, n);
        piece->len += n;
        c->queued_bytes += n;
        bytes = span_of(bytes.p + n, bytes.len - n);
    }
    return true;
}

bool
client_queue_frame(struct client *c, unsigned opcode, struct span payload)
{
    uint8_t head[FRAME_HEAD_MAX];
    size_t len = frames_head(head, opcode, payload.len);

    return client_queue(c, span_of(head, len)) && client_queue(c, payload);
}

static void
drop_first(struct client *c)
{
    struct piece *piece = c->first;

    c->first = piece->next;
    if (c->first == NULL)
        c->last = NULL;
    free(piece);
}

bool
client_flush(struct client *c, uint64_t now)
{
    while (c->first != NULL) {
        struct piece *piece = c->first;
        ssize_t n = send(c->fd, piece->bytes + piece->sent, piece->len - piece->sent,
            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        piece->sent += (size_t)n;
        c->queued_bytes -= (uint64_t)n;
        if (c->state == CLIENT_OPEN)
            c->deadline_us = later(now);
        if (piece->sent == piece->len)
            drop_first(c);
    }
    if (c->state == CLIENT_OPEN)
        c->deadline_us = UINT64_MAX;
    return true;
}

void
client_queue_done(struct client *c)
{
    while (c->first != NULL)
        drop_first(c);
    c->queued_bytes = 0;
}
