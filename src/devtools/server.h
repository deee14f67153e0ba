/* server.h - the DevTools server inside: targets, clients, and what each may take of the host.
 *
 * Runs in:  host, inside its dispatch and waits; nothing here ever blocks.
 * Trusts:   the user's program and the kernel. Neither a client (before it has shown a target's
 *           id it may be anybody's web page) nor what a cell says, which is checked before it
 *           goes out.
 * Threads:  as devtools.h says: none of our own, one at a time.
 *
 *   server ── target (an isolate) ── client (a connection with a session)
 *          └─ client (a connection that has asked for nothing yet, or is closing)
 */
#ifndef DEVTOOLS_SERVER_H
#define DEVTOOLS_SERVER_H

#include "base/table.h"
#include "devtools/frames.h"

#include <glovebox/devtools.h>
#include <glovebox/glovebox.h>

#define TARGET_ID_BYTES 33  /* 128 random bits in hexadecimal, and NUL */
#define TARGET_URL_MAX  192 /* the longest form of one's address */

struct target {
    struct target *next;
    gbx_isolate *isolate; /* borrowed: alive, or this would be gone */
    char id[TARGET_ID_BYTES];
    char url[2][TARGET_URL_MAX]; /* by enum gbx_devtools_form */
};

struct server {
    gbx_descriptor *descriptor; /* our epoll set, in the runtime */
    gbx_observer *observer;
    int epoll_fd, listen_fd, timer_fd;
    char host[48]; /* as it stands in an address: "127.0.0.1", "[::1]" */
    uint32_t port;
    char *origin; /* owned; NULL: none */
    char version[64];
    uint32_t max_clients, flags;
    uint64_t queue_bytes;
    struct target *targets;
    struct table clients;
    uint32_t open;          /* of them, those with a session */
    uint64_t command_bytes; /* of commands that have come in part, all clients' */
    uint64_t rest_until_us; /* nothing is accepted till then; 0: it is */
    uint64_t timer_at_us;   /* UINT64_MAX: it is off */
};

enum client_state {
    CLIENT_HEAD,    /* its request has not come whole */
    CLIENT_OPEN,    /* a WebSocket with a session */
    CLIENT_CLOSING, /* what is queued goes out, then it may close first */
};

/* Bytes that wait to be sent. */
struct piece {
    struct piece *next;
    size_t len, sent, room;
    uint8_t bytes[];
};

struct client {
    struct server *server;
    uint32_t id; /* in server->clients */
    int fd;
    enum client_state state;
    uint64_t deadline_us;   /* UINT64_MAX: none */
    uint64_t rest_until_us; /* nothing is read till then; 0: it is */
    uint32_t interest;      /* events that epoll watches it for */
    struct buf in; /* CLIENT_HEAD: what has come; later: what came and was not read yet */
    struct frames frames; /* CLIENT_OPEN */
    struct piece *first, *last;
    uint64_t queued_bytes;
    uint64_t counted_since_us;
    uint32_t commands;        /* since then */
    struct target *target;    /* CLIENT_OPEN */
    gbx_inspector *inspector; /* owned, likewise */
    bool held;                /* the message in `frames` waits for the cell to read */
    bool shut;                /* our side has been closed */
};

/* --- client.c ------------------------------------------------------------------------------- */

/* Takes over a connection; drops it when there is no memory. */
void client_begin(struct server *server, int fd);
/* Its descriptor has events, or its time has come. It may be gone afterwards. */
void client_serve(struct client *client, uint32_t events, uint64_t now);
/* When client_serve() is to be called although nothing came. */
uint64_t client_next_us(const struct client *client);
/* Closes and frees it at once. */
void client_drop(struct client *client);
/* Its isolate has ended: tells why, and closes. */
void client_target_ended(struct client *client, const char *why);

/* --- queue.c: what waits to be sent --------------------------------------------------------- */

/* False: it is past its bound, or there is no memory; then the client is to be dropped. */
bool client_queue(struct client *client, struct span bytes);
bool client_queue_frame(struct client *client, unsigned opcode, struct span payload);
/* Sends what can be sent. False: the connection is broken. */
bool client_flush(struct client *client, uint64_t now);
void client_queue_done(struct client *client);

/* --- target.c ------------------------------------------------------------------------------- */

/* An observer's callback; `data` is the server. */
void target_event(gbx_isolate *isolate, uint32_t event, void *data);
struct target *target_of(const struct server *server, const gbx_isolate *isolate);
/* The one that a path names: "/ID". NULL: none. */
struct target *target_at(const struct server *server, struct span path);
void targets_done(struct server *server);

/* --- peer.c --------------------------------------------------------------------------------- */

/* A connection on this machine is another user's, neither ours nor root's. Where the kernel does
 * not tell: false. */
bool peer_is_foreign(int fd);

/* --- server.c ------------------------------------------------------------------------------- */

/* Sets the timer to the first time at which something is to be done. */
void server_arm(struct server *server);

/* --- pages.c -------------------------------------------------------------------------------- */

/* Appends the body of what is asked for below /json. False: there is no such page. `host` is how
 * the client calls us. */
bool page_write(
    struct buf *out, const struct server *server, struct span path, struct span host);

#endif
