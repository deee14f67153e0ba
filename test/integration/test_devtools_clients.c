/* The DevTools server and clients that mean harm, are broken, or too many. */
#include "cdp_client.h"
#include "ws_client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

CleanTest(devtools_clients, drops_who_breaks_the_protocol)
{
    struct world w = world_open(NULL);
    gbx_devtools *devtools = serve(&w, NULL);
    static const struct {
        const char *bytes;
        size_t len;
        unsigned code;
    } table[] = {
        { "\x81\x02{}", 4, 1002 },
        { "\x82\x82....{}", 8, 1003 },
        { "\xC1\x82....{}", 8, 1002 },
        { "GET /json HTTP/1.1\r\n", 20, 1002 },
        { "\x81\xFF\0\0\0\0\x7F\0\0\0....", 14, 1009 },
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct peer p = socket_open(w.runtime, devtools, w.isolate);
        (void)peer_say(&p, table[i].bytes, table[i].len);
        cr_expect_eq(socket_await_close(&p), table[i].code, "row %zu", i);
        peer_await_end(&p);
        peer_close(&p);
        cr_expect_eq(gbx_devtools_clients(devtools, NULL), 0);
    }
    /* No JSON is the cell's affair; it answers, and goes on. */
    struct peer p = socket_open(w.runtime, devtools, w.isolate);
    cr_assert(socket_command(&p, "{\"id\":1,\"method\":\"\\u0000\"}") &&
              socket_command(&p, "nonsense") && socket_say(&p, 1, "\xFF\xFE{\0}", 5) &&
              socket_command(&p, "{\"id\":1,\"method\":\"No.such\"}"));
    expect_answers(&p);
    peer_close(&p);
    gbx_devtools_close(devtools);
    expect_usable(&w);
    world_close(&w);
}

CleanTest(devtools_clients, drops_who_never_reads)
{
    struct world w = world_open(NULL);
    gbx_devtools_options options = GBX_DEVTOOLS_OPTIONS_INIT;
    options.queue_bytes = 1 << 20;
    gbx_devtools *devtools = serve(&w, &options);
    struct peer deaf = socket_open(w.runtime, devtools, w.isolate);
    struct peer good = socket_open(w.runtime, devtools, w.isolate);

    cr_assert(socket_command(&deaf, "{\"id\":1,\"method\":\"Runtime.enable\"}"));
    gbx_future *noisy =
        start(w.context, "stop = false; while (!stop) console.log('x'.repeat(1000));", 0);
    /* Whoever listens is not hurt: only the deaf one goes. */
    while (gbx_devtools_clients(devtools, w.isolate) > 1)
        peer_turn(&good);
    expect_answers(&good);
    cr_assert(socket_command(&good, "{\"id\":3,\"method\":\"Runtime.evaluate\",\"params\":{"
                                    "\"expression\":\"stop=true\"}}"));
    settle(noisy, GBX_OK);
    peer_close(&deaf);
    peer_close(&good);
    gbx_devtools_close(devtools);
    world_close(&w);
}

/* A client that sends without end, and one command that does not fit. */
CleanTest(devtools_clients, holds_back_who_floods)
{
    struct world w = world_open(NULL);
    gbx_devtools *devtools = serve(&w, NULL);
    struct peer flood = socket_open(w.runtime, devtools, w.isolate);
    struct peer good = socket_open(w.runtime, devtools, w.isolate);
    size_t sent = 0;

    static char bytes[1 << 16];
    memset(bytes, ' ', sizeof bytes);
    /* Three seconds of empty commands, and the other one is served meanwhile. */
    while (sent < 60000) {
        cr_assert(socket_command(&flood, "{}"));
        if (++sent % 20000 == 0)
            expect_answers(&good);
    }
    /* 48 MB announced is past the limit; refused at its head. */
    cr_assert(peer_say(&flood, "\x81\xFF\0\0\0\0\x03\0\0\0....", 14));
    cr_assert_eq(socket_await_close(&flood), 1009);
    for (int i = 0; i < 100 && peer_say(&flood, bytes, sizeof bytes); i++)
        ;
    peer_await_end(&flood);
    expect_answers(&good);
    peer_close(&flood);
    peer_close(&good);
    gbx_devtools_close(devtools);
    world_close(&w);
}

/* What waits for a cell that does not read is bounded, and its clients wait for it. */
CleanTest(devtools_clients, waits_for_a_cell_that_does_not_read)
{
    struct world w = world_open(NULL);
    gbx_devtools *devtools = serve(&w, NULL);
    struct peer p = socket_open(w.runtime, devtools, w.isolate);
    size_t len = 4 << 20, sent = 0;
    char *large = malloc(len);
    gbx_usage usage = GBX_USAGE_INIT;

    memset(large, ' ', len);
    expect_answers(&p);
    cr_assert_eq(gbx_isolate_usage(w.isolate, &usage), GBX_OK);
    pid_t cell = process_named("gbx-cell", 1000);
    cr_assert_neq(cell, 0);
    cr_assert_eq(kill(cell, SIGSTOP), 0);
    /* Till the sockets are full, too. */
    struct client direct = { .w = &w };
    gbx_inspector *inspector = NULL;
    cr_assert_eq(gbx_inspector_open(w.isolate, remember, &direct, &inspector, NULL), GBX_OK);
    while (gbx_inspector_send(inspector, large, len) == GBX_OK)
        cr_assert_lt(sent += len, (size_t)80 << 20);
    cr_assert_eq(gbx_inspector_send(inspector, large, len), GBX_ELIMIT);
    cr_assert(socket_command(&p, "{\"id\":8,\"method\":\"Runtime.getIsolateId\"}"));
    for (int i = 0; i < 100; i++)
        peer_turn(&p);
    cr_assert_eq(p.len, 0);
    cr_assert_eq(kill(cell, SIGCONT), 0);
    free(socket_await(&p, "\"id\":8"));
    expect_answers(&p);
    gbx_inspector_close(inspector);
    while (direct.count > 0)
        gbx_value_free(direct.messages[--direct.count]);
    free(large);
    peer_close(&p);
    gbx_devtools_close(devtools);
    world_close(&w);
}

CleanTest(devtools_clients, a_thousand_who_say_nothing_keep_nobody_out)
{
    struct world w = world_open(NULL);
    gbx_devtools *devtools = serve(&w, NULL);
    static struct peer crowd[1000];
    struct peer early = socket_open(w.runtime, devtools, w.isolate);
    size_t before = descriptors_open();

    for (int i = 0; i < 1000; i++) {
        crowd[i] = peer_open(w.runtime, devtools);
        (void)send(crowd[i].fd, "GET /json", (size_t)i % 10, MSG_NOSIGNAL);
        peer_turn(&crowd[i]);
        if (i % 100 == 99)
            expect_served(&w, devtools);
    }
    expect_answers(&early);
    /* Ours are 1,000; the server keeps 64 at most. */
    cr_assert_leq(descriptors_open(), before + 1000 + 64);
    size_t dropped = 0;
    for (int i = 0; i < 1000; i++) {
        peer_turn(&crowd[i]);
        dropped += crowd[i].ended;
        peer_close(&crowd[i]);
    }
    cr_assert_geq(dropped, 1000 - 64);
    expect_served(&w, devtools);
    peer_close(&early);
    gbx_devtools_close(devtools);
    world_close(&w);
}

CleanTest(devtools_clients, bounds_its_sessions)
{
    struct world w = world_open(NULL);
    gbx_devtools_options options = GBX_DEVTOOLS_OPTIONS_INIT;
    options.max_clients = 3;
    gbx_devtools *devtools = serve(&w, &options);
    struct peer p[3];
    char request[512];

    for (int i = 0; i < 3; i++)
        p[i] = socket_open(w.runtime, devtools, w.isolate);
    (void)snprintf(request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        strrchr(gbx_devtools_url(devtools, w.isolate, GBX_DEVTOOLS_WEBSOCKET), '/'));
    cr_assert_eq(peer_ask(w.runtime, devtools, request, NULL), 503);
    peer_close(&p[0]);
    while (gbx_devtools_clients(devtools, NULL) == 3)
        (void)gbx_runtime_dispatch(w.runtime, 1000);
    expect_served(&w, devtools);
    peer_close(&p[1]);
    peer_close(&p[2]);
    gbx_devtools_close(devtools);
    world_close(&w);
}

CleanTest(devtools_clients, leaks_nothing_over_thousands)
{
    struct world w = world_open(NULL);
    gbx_devtools *devtools = serve(&w, NULL);
    size_t before = 0;

    for (int i = 0; i < 1000; i++) {
        struct peer p = socket_open(w.runtime, devtools, w.isolate);
        if (i % 10 == 0)
            expect_answers(&p);
        peer_close(&p);
        while (gbx_devtools_clients(devtools, NULL) > 0)
            (void)gbx_runtime_dispatch(w.runtime, 1000);
        if (i == 10)
            before = descriptors_open();
    }
    cr_assert_leq(descriptors_open(), before + 2);
    gbx_devtools_close(devtools);
    expect_usable(&w);
    world_close(&w);
}
