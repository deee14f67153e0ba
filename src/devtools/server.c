/* server.c - opening and closing, the port, and whose turn it is. */
#include "devtools/server.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/limits.h"
#include "base/options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

struct gbx_devtools {
    struct server server;
};

/* What epoll tells of that is no client; their ids have 32 bits. */
#define OF_LISTENER ((uint64_t)1 << 32)
#define OF_TIMER    ((uint64_t)2 << 32)

/* --- time ----------------------------------------------------------------------------------- */

void
server_arm(struct server *s)
{
    uint64_t at = s->rest_until_us != 0 ? s->rest_until_us : UINT64_MAX;
    uint32_t cursor = 0, id;
    const struct client *client;

    while ((client = table_next(&s->clients, &cursor, &id)) != NULL) {
        uint64_t next = client_next_us(client);
        at = next < at ? next : at;
    }
    if (at == s->timer_at_us)
        return;
    struct itimerspec spec = { .it_value = { 0 } };
    if (at != UINT64_MAX)
        spec.it_value =
            (struct timespec){ (time_t)(at / 1000000), (long)(at % 1000000) * 1000 };
    (void)timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
    s->timer_at_us = at;
}

static void
listen_again(struct server *s, bool listening)
{
    struct epoll_event event = { .events = listening ? (uint32_t)EPOLLIN : 0u,
        .data = { .u64 = OF_LISTENER } };

    (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, s->listen_fd, &event);
    s->rest_until_us = listening ? 0 : now_us() + DEVTOOLS_REST_US;
}

static void
on_timer(struct server *s, uint64_t now)
{
    uint64_t ticks;
    uint32_t cursor = 0, id;
    struct client *client;

    if (read(s->timer_fd, &ticks, sizeof ticks) < 0)
        return;
    s->timer_at_us = UINT64_MAX;
    if (s->rest_until_us != 0 && now >= s->rest_until_us)
        listen_again(s, true);
    while ((client = table_next(&s->clients, &cursor, &id)) != NULL)
        if (now >= client_next_us(client))
            client_serve(client, 0, now);
}

/* --- connections ---------------------------------------------------------------------------- */

/* The one that has waited the longest goes: whoever connects and says nothing keeps nobody out. */
static void
make_room(struct server *s)
{
    uint32_t cursor = 0, id;
    struct client *client, *oldest = NULL;

    while ((client = table_next(&s->clients, &cursor, &id)) != NULL)
        if (client->state != CLIENT_OPEN &&
            (oldest == NULL || client->deadline_us < oldest->deadline_us))
            oldest = client;
    if (oldest != NULL && s->clients.live - s->open >= DEVTOOLS_WAITING_MAX)
        client_drop(oldest);
}

static void
on_connection(struct server *s)
{
    int one = 1;

    for (int i = 0; i < DEVTOOLS_ACCEPTS; i++) {
        int fd =
            fd_above_stdio(accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
            return;
        if (fd < 0) { /* no descriptors, or no memory: it waits in the kernel's queue */
            listen_again(s, false);
            return;
        }
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        make_room(s);
        client_begin(s, fd);
    }
}

static void
on_ready(gbx_descriptor *descriptor, void *data)
{
    struct server *s = data;
    struct epoll_event events[32];
    int n = epoll_wait(s->epoll_fd, events, COUNT(events), 0);
    uint64_t now = now_us();

    (void)descriptor;
    for (int i = 0; i < n; i++) {
        uint64_t of = events[i].data.u64;
        struct client *client;
        if (of == OF_TIMER)
            on_timer(s, now);
        else if (of == OF_LISTENER)
            on_connection(s);
        else if ((client = table_get(&s->clients, (uint32_t)of)) != NULL)
            client_serve(client, events[i].events, now);
    }
    server_arm(s);
}

/* --- opening -------------------------------------------------------------------------------- */

union address {
    struct sockaddr sa;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
};

/* False: it is no address of the loopback interface. */
static bool
read_host(const char *host, uint32_t port, union address *out, socklen_t *len)
{
    const char *text = host == NULL || strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;

    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &out->in4.sin_addr) == 1) {
        out->in4.sin_family = AF_INET;
        out->in4.sin_port = htons((uint16_t)port);
        *len = sizeof out->in4;
        return ntohl(out->in4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    out->in6.sin6_family = AF_INET6;
    out->in6.sin6_port = htons((uint16_t)port);
    *len = sizeof out->in6;
    return inet_pton(AF_INET6, text, &out->in6.sin6_addr) == 1 &&
           IN6_IS_ADDR_LOOPBACK(&out->in6.sin6_addr);
}

static void
name_host(struct server *s, const union address *address)
{
    char text[INET6_ADDRSTRLEN] = "";
    bool six = address->sa.sa_family == AF_INET6;

    (void)inet_ntop(address->sa.sa_family,
        six ? (const void *)&address->in6.sin6_addr : (const void *)&address->in4.sin_addr,
        text, sizeof text);
    (void)snprintf(s->host, sizeof s->host, six ? "[%s]" : "%s", text);
    s->port = ntohs(six ? address->in6.sin6_port : address->in4.sin_port);
}

static gbx_status
open_port(struct server *s, const gbx_devtools_options *o, gbx_error *error)
{
    union address address;
    socklen_t len;
    int one = 1;

    if (!read_host(o->host, o->port, &address, &len))
        return fail(error, GBX_EINVAL,
            "DevTools on %s: not an address of the loopback interface; to reach it from "
            "elsewhere, forward the port (ssh -L)",
            o->host);
    s->listen_fd = fd_above_stdio(
        socket(address.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    /* So that a program can be run again at once on the same port. */
    if (s->listen_fd < 0 ||
        setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(s->listen_fd, &address.sa, len) < 0 || listen(s->listen_fd, SOMAXCONN) < 0 ||
        getsockname(s->listen_fd, &address.sa, &len) < 0)
        return fail_errno(error, "cannot listen for DevTools on %s port %u",
            o->host == NULL ? "127.0.0.1" : o->host, o->port);
    name_host(s, &address);
    return GBX_OK;
}

static gbx_status
open_set(struct server *s, gbx_error *error)
{
    struct epoll_event listener = { .events = EPOLLIN, .data = { .u64 = OF_LISTENER } };
    struct epoll_event timer = { .events = EPOLLIN, .data = { .u64 = OF_TIMER } };

    s->epoll_fd = fd_above_stdio(epoll_create1(EPOLL_CLOEXEC));
    s->timer_fd = fd_above_stdio(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (s->epoll_fd < 0 || s->timer_fd < 0 ||
        epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->listen_fd, &listener) < 0 ||
        epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->timer_fd, &timer) < 0)
        return fail_errno(error, "cannot make the descriptors of a DevTools server");
    return GBX_OK;
}

static gbx_status
read_options(const gbx_devtools_options *options, gbx_devtools_options *o, gbx_error *error)
{
    gbx_status status = options_read(o, sizeof *o, options,
        offsetof(gbx_devtools_options, queue_bytes) + sizeof o->queue_bytes, "DevTools options",
        error);

    if (status != GBX_OK)
        return status;
    if (o->port > UINT16_MAX)
        return fail(error, GBX_EINVAL, "DevTools options: port %u", o->port);
    if ((o->flags & ~(uint32_t)GBX_DEVTOOLS_ANY_USER) != 0)
        return fail(error, GBX_EUNSUPPORTED, "DevTools options: unknown flag 0x%x", o->flags);
    if (o->max_clients > DEVTOOLS_CLIENTS_MAX)
        return fail(error, GBX_EINVAL, "DevTools options: %u clients, at most %d are allowed",
            o->max_clients, DEVTOOLS_CLIENTS_MAX);
    if (o->queue_bytes != 0 && o->queue_bytes < MIB)
        return fail(error, GBX_EINVAL, "DevTools options: a queue of less than 1 MiB");
    return GBX_OK;
}

gbx_status
gbx_devtools_open(gbx_runtime *runtime, const gbx_devtools_options *options,
    gbx_devtools **out_devtools, gbx_error *error)
{
    gbx_devtools_options o;
    gbx_status status = read_options(options, &o, error);

    if (status != GBX_OK)
        return status;
    gbx_devtools *devtools = calloc(1, sizeof *devtools);
    if (devtools == NULL)
        return fail(error, GBX_ENOMEM, "no memory for a DevTools server");
    struct server *s = &devtools->server;
    s->epoll_fd = s->listen_fd = s->timer_fd = -1;
    s->timer_at_us = UINT64_MAX;
    s->flags = o.flags;
    s->max_clients = o.max_clients != 0 ? o.max_clients : DEVTOOLS_CLIENTS_DEFAULT;
    s->queue_bytes = o.queue_bytes != 0 ? o.queue_bytes : DEVTOOLS_QUEUE_DEFAULT;
    s->clients.max = s->max_clients + DEVTOOLS_WAITING_MAX;
    (void)snprintf(s->version, sizeof s->version, "%s", gbx_runtime_engine(runtime));
    s->origin = o.origin != NULL ? strdup(o.origin) : NULL;
    if (o.origin != NULL && s->origin == NULL)
        status = fail(error, GBX_ENOMEM, "no memory for a DevTools server");
    if (status == GBX_OK)
        status = open_port(s, &o, error);
    if (status == GBX_OK)
        status = open_set(s, error);
    if (status == GBX_OK)
        status = gbx_descriptor_open(runtime, s->epoll_fd, on_ready, s, &s->descriptor, error);
    if (status == GBX_OK)
        status = gbx_observer_open(runtime, target_event, s, &s->observer, error);
    if (status != GBX_OK) {
        gbx_devtools_close(devtools);
        return status;
    }
    *out_devtools = devtools;
    return GBX_OK;
}

void
gbx_devtools_close(gbx_devtools *devtools)
{
    uint32_t id;
    struct client *client;

    if (devtools == NULL)
        return;
    struct server *s = &devtools->server;
    gbx_observer_close(s->observer);
    gbx_descriptor_close(s->descriptor);
    while ((client = table_any(&s->clients, &id)) != NULL) {
        if (client->state == CLIENT_OPEN)
            client_target_ended(client, "the server was closed");
        (void)client_flush(client, 0); /* the last words; who has not read yet misses them */
        client_drop(client);
    }
    targets_done(s);
    table_done(&s->clients);
    fd_close(&s->listen_fd);
    fd_close(&s->timer_fd);
    fd_close(&s->epoll_fd);
    free(s->origin);
    free(devtools);
}

/* --- asking --------------------------------------------------------------------------------- */

uint32_t
gbx_devtools_port(const gbx_devtools *devtools)
{
    return devtools->server.port;
}

const char *
gbx_devtools_url(const gbx_devtools *devtools, const gbx_isolate *isolate, uint32_t form)
{
    const struct target *target = target_of(&devtools->server, isolate);

    return target == NULL || form > GBX_DEVTOOLS_FRONTEND ? NULL : target->url[form];
}

uint32_t
gbx_devtools_clients(const gbx_devtools *devtools, const gbx_isolate *isolate)
{
    const struct server *s = &devtools->server;
    const struct client *client;
    uint32_t cursor = 0, id, count = 0;

    while ((client = table_next(&s->clients, &cursor, &id)) != NULL)
        count += client->state == CLIENT_OPEN &&
                 (isolate == NULL || client->target->isolate == isolate);
    return count;
}
