/* The DevTools server: what it lists, whom it lets in, what it carries, and how it ends. */
#include "cdp_client.h"
#include "ws_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- lists ---------------------------------------------------------------------------------- */

CleanTest(devtools, lists_the_isolates_that_live)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    options.name = "first \"one\"";
    struct world w = world_open(&options);
    gbx_devtools *devtools = serve(&w, NULL);
    gbx_isolate *second = world_isolate(&w, NULL), *third = NULL;

    gbx_value *list = peer_get(w.runtime, devtools, "/json/list");
    cr_assert_eq(gbx_value_length(list), 2);
    cr_assert(is_text(at(list, "0.title"), "first \"one\""));
    cr_assert(is_text(at(list, "1.title"), "isolate"));
    const char *url = gbx_devtools_url(devtools, w.isolate, GBX_DEVTOOLS_WEBSOCKET);
    cr_assert(is_text(at(list, "0.id"), strrchr(url, '/') + 1));
    cr_assert_eq(strlen(strrchr(url, '/') + 1), 32);
    cr_assert_neq(strcmp(url, gbx_devtools_url(devtools, second, GBX_DEVTOOLS_WEBSOCKET)), 0);
    /* By the name that it was called, not by ours. */
    char expected[128];
    (void)snprintf(expected, sizeof expected, "ws://localhost%s", strrchr(url, '/'));
    cr_assert(is_text(at(list, "0.webSocketDebuggerUrl"), expected));
    cr_assert(strncmp(gbx_devtools_url(devtools, second, GBX_DEVTOOLS_FRONTEND),
                  "devtools://devtools/bundled/js_app.html?", 40) == 0);
    gbx_value_free(list);

    cr_assert_eq(gbx_isolate_fork(second, NULL, &third, NULL), GBX_OK);
    list = peer_get(w.runtime, devtools, "/json");
    cr_assert_eq(gbx_value_length(list), 3);
    gbx_value_free(list);
    gbx_isolate_close(second);
    gbx_isolate_close(third);
    expect_failure(
        w.context, "let a = []; for (;;) a.push(new Array(1e6).fill(1))", GBX_EMEMORY, NULL);
    cr_assert_null(gbx_devtools_url(devtools, w.isolate, GBX_DEVTOOLS_WEBSOCKET));
    list = peer_get(w.runtime, devtools, "/json/list?t=5");
    cr_assert_eq(gbx_value_length(list), 0);
    gbx_value_free(list);
    gbx_devtools_close(devtools);
    world_close(&w);
}

/* A template's own isolate is nobody's. */
CleanTest(devtools, lists_no_templates)
{
    struct world w = world_open(NULL);
    gbx_devtools *devtools = serve(&w, NULL);
    gbx_template_options options = GBX_TEMPLATE_OPTIONS_INIT;
    gbx_preload preload = { .kind = GBX_PRELOAD_SCRIPT, .data = "x = 1", .len = 5 };
    gbx_template *template = NULL;
    gbx_isolate *isolate = NULL;

    options.preloads = &preload;
    options.count = 1;
    cr_assert_eq(gbx_template_open(w.runtime, &options, &template, NULL), GBX_OK);
    gbx_value *list = peer_get(w.runtime, devtools, "/json");
    cr_assert_eq(gbx_value_length(list), 1);
    gbx_value_free(list);
    cr_assert_eq(gbx_template_isolate(template, NULL, &isolate, NULL), GBX_OK);
    list = peer_get(w.runtime, devtools, "/json");
    cr_assert_eq(gbx_value_length(list), 2);
    gbx_value_free(list);
    gbx_isolate_close(isolate);
    gbx_template_close(template);
    gbx_devtools_close(devtools);
    world_close(&w);
}

CleanTest(devtools, tells_version_and_protocol)
{
    struct world w = world_open(NULL);
    gbx_devtools *devtools = serve(&w, NULL);

    gbx_value *value = peer_get(w.runtime, devtools, "/json/version");
    cr_assert(is_text(at(value, "V8-Version"), gbx_runtime_engine(w.runtime)));
    cr_assert(is_text(at(value, "Protocol-Version"), "1.3"));
    gbx_value_free(value);
    value = peer_get(w.runtime, devtools, "/json/protocol");
    cr_assert_eq(gbx_value_length(at(value, "domains")), 6);
    bool debugger = false;
    for (int i = 0; i < 6; i++) {
        char path[32];
        (void)snprintf(path, sizeof path, "domains.%d.domain", i);
        debugger |= is_text(at(value, path), "Debugger");
    }
    cr_assert(debugger);
    gbx_value_free(value);
    gbx_devtools_close(devtools);
    world_close(&w);
}

/* --- who may come in ------------------------------------------------------------------------ */

#define HOST    "Host: 127.0.0.1\r\n"
#define UPGRADE "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define KEY     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"

CleanTest(devtools, refuses_who_may_be_a_web_page)
{
    struct world w = world_open(NULL);
    gbx_devtools *devtools = serve(&w, NULL);
    const char *id =
        strrchr(gbx_devtools_url(devtools, w.isolate, GBX_DEVTOOLS_WEBSOCKET), '/');
    static const struct {
        const char *headers;
        int code;
    } table[] = {
        { HOST UPGRADE KEY "Origin: devtools://devtools\r\n", 101 },
        { "Host: localhost:1\r\n" UPGRADE KEY, 101 }, { UPGRADE KEY, 403 },
        { "Host: rebound.example\r\n" UPGRADE KEY, 403 },
        { "Host: localhost6\r\n" UPGRADE KEY, 403 }, { "Host: 0.0.0.0\r\n" UPGRADE KEY, 403 },
        { "Host: localhost.\r\n" UPGRADE KEY, 403 },
        { "Host: 0177.0.0.1\r\n" UPGRADE KEY, 403 },
        { HOST UPGRADE KEY "Origin: http://127.0.0.1:8090\r\n", 403 },
        { HOST UPGRADE KEY "Origin: null\r\n", 403 },
        { HOST UPGRADE KEY "Origin: https://evil.example\r\n", 403 },
        { HOST UPGRADE KEY HOST, 400 }, { HOST UPGRADE, 400 },
        { HOST, 404 }, /* the id itself is no page */
    };
    char request[1024];

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct peer p = peer_open(w.runtime, devtools);
        int code = 0;
        (void)snprintf(
            request, sizeof request, "GET %s HTTP/1.1\r\n%s\r\n", id, table[i].headers);
        (void)peer_say(&p, request, strlen(request));
        while (strstr(p.in, "\r\n\r\n") == NULL && !p.ended)
            peer_turn(&p);
        (void)sscanf(p.in, "HTTP/1.1 %d ", &code);
        cr_expect_eq(code, table[i].code, "%d for %s", code, request);
        cr_expect_eq(gbx_devtools_clients(devtools, w.isolate), code == 101);
        peer_close(&p);
        while (gbx_devtools_clients(devtools, NULL) > 0)
            (void)gbx_runtime_dispatch(w.runtime, 1000);
    }
    gbx_devtools_close(devtools);
    world_close(&w);
}

CleanTest(devtools, has_no_other_paths)
{
    struct world w = world_open(NULL);
    gbx_devtools *devtools = serve(&w, NULL);
    const char *id =
        strrchr(gbx_devtools_url(devtools, w.isolate, GBX_DEVTOOLS_WEBSOCKET), '/');
    char wrong[64], longer[64], shorter[64], request[1024];

    (void)snprintf(wrong, sizeof wrong, "%s", id);
    wrong[32] = (char)(wrong[32] == '0' ? '1' : '0');
    (void)snprintf(longer, sizeof longer, "%s0", id);
    (void)snprintf(shorter, sizeof shorter, "%.32s", id);
    const char *const paths[] = { "/", "//", wrong, longer, shorter, "/json/../json", "/JSON" };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        for (int upgrade = 0; upgrade < 2; upgrade++) {
            (void)snprintf(request, sizeof request, "GET %s HTTP/1.1\r\n" HOST "%s\r\n",
                paths[i], upgrade ? UPGRADE KEY : "");
            cr_expect_eq(peer_ask(w.runtime, devtools, request, NULL), 404, "%s", request);
        }
    /* Frames that came with the request may be another's. */
    (void)snprintf(request, sizeof request,
        "GET %s HTTP/1.1\r\n" HOST UPGRADE KEY "\r\nGET /json HTTP/1.1\r\n\r\n", id);
    cr_expect_eq(peer_ask(w.runtime, devtools, request, NULL), 400);
    cr_expect_eq(peer_ask(w.runtime, devtools, "\x16\x03\x01\x02\r\n\r\n", NULL), 400);
    gbx_devtools_close(devtools);
    world_close(&w);
}

CleanTest(devtools, lets_an_origin_in_that_it_was_told_of)
{
    gbx_devtools_options options = GBX_DEVTOOLS_OPTIONS_INIT;
    struct world w = world_open(NULL);
    options.origin = "http://127.0.0.1:8090";
    gbx_devtools *devtools = serve(&w, &options);

    cr_expect_eq(
        peer_ask(w.runtime, devtools,
            "GET /json HTTP/1.1\r\n" HOST "Origin: http://127.0.0.1:8090\r\n\r\n", NULL),
        200);
    cr_expect_eq(
        peer_ask(w.runtime, devtools,
            "GET /json HTTP/1.1\r\n" HOST "Origin: http://127.0.0.1:8091\r\n\r\n", NULL),
        403);
    gbx_devtools_close(devtools);
    world_close(&w);
}

/* The code that another user of the machine gets. */
static int
ask_as_nobody(struct world *w, const gbx_devtools *devtools)
{
    struct sockaddr_in address = { .sin_family = AF_INET,
        .sin_port = htons((uint16_t)gbx_devtools_port(devtools)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    static const char request[] = "GET /json HTTP/1.1\r\n" HOST "\r\n";
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        char answer[64] = "";
        int code = 0;
        if (setresuid(65534, 65534, 65534) != 0)
            _exit(1);
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
            send(fd, request, sizeof request - 1, 0) < 0 ||
            recv(fd, answer, sizeof answer - 1, 0) < 0 ||
            sscanf(answer, "HTTP/1.1 %d ", &code) != 1)
            _exit(2);
        _exit(code / 2); /* it must fit */
    }
    while (waitpid(child, &status, WNOHANG) == 0)
        (void)gbx_runtime_dispatch(w->runtime, 1000);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status) * 2;
}

CleanTest(devtools, refuses_other_users)
{
    struct world w = world_open(NULL);
    gbx_devtools_options options = GBX_DEVTOOLS_OPTIONS_INIT;

    if (geteuid() != 0) /* nobody else can be tried */
        cr_skip_test("not root");
    gbx_devtools *devtools = serve(&w, NULL);
    cr_expect_eq(ask_as_nobody(&w, devtools), 402); /* of 403 */
    gbx_devtools_close(devtools);
    options.flags = GBX_DEVTOOLS_ANY_USER;
    devtools = serve(&w, &options);
    cr_expect_eq(ask_as_nobody(&w, devtools), 200);
    gbx_devtools_close(devtools);
    world_close(&w);
}

CleanTest(devtools, says_what_is_wrong_with_its_options)
{
    struct world w = world_open(NULL);
    gbx_devtools *devtools = NULL, *other = NULL;
    gbx_error error = GBX_ERROR_INIT;
    static const char *const hosts[] = { "0.0.0.0", "::", "192.168.1.1", "example.org", "",
        "127.0.0.1:9229", "128.0.0.1", "fe80::1" };

    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        gbx_devtools_options o = GBX_DEVTOOLS_OPTIONS_INIT;
        o.host = hosts[i];
        cr_expect_eq(
            gbx_devtools_open(w.runtime, &o, &devtools, &error), GBX_EINVAL, "%s", hosts[i]);
        cr_expect(strstr(error.message, "loopback") != NULL, "%s", error.message);
    }
    gbx_devtools_options o = GBX_DEVTOOLS_OPTIONS_INIT;
    o.port = 65536;
    cr_expect_eq(gbx_devtools_open(w.runtime, &o, &devtools, NULL), GBX_EINVAL);
    o = (gbx_devtools_options)GBX_DEVTOOLS_OPTIONS_INIT;
    o.max_clients = 1025;
    cr_expect_eq(gbx_devtools_open(w.runtime, &o, &devtools, NULL), GBX_EINVAL);
    o = (gbx_devtools_options)GBX_DEVTOOLS_OPTIONS_INIT;
    o.queue_bytes = 1000;
    cr_expect_eq(gbx_devtools_open(w.runtime, &o, &devtools, NULL), GBX_EINVAL);
    o = (gbx_devtools_options)GBX_DEVTOOLS_OPTIONS_INIT;
    o.flags = 2;
    cr_expect_eq(gbx_devtools_open(w.runtime, &o, &devtools, NULL), GBX_EUNSUPPORTED);
    o = (gbx_devtools_options)GBX_DEVTOOLS_OPTIONS_INIT;
    o.size = 1;
    cr_expect_eq(gbx_devtools_open(w.runtime, &o, &devtools, NULL), GBX_EINVAL);
    cr_assert_null(devtools);

    o = (gbx_devtools_options)GBX_DEVTOOLS_OPTIONS_INIT;
    o.host = "localhost";
    devtools = serve(&w, &o);
    o.port = gbx_devtools_port(devtools);
    cr_expect_eq(gbx_devtools_open(w.runtime, &o, &other, &error), GBX_ESYS);
    cr_expect_eq(error.os_errno, EADDRINUSE);
    cr_assert_null(other);
    o.port = 0;
    o.host = "::1";
    if (gbx_devtools_open(w.runtime, &o, &other, &error) == GBX_OK)
        cr_expect(strncmp(gbx_devtools_url(other, w.isolate, GBX_DEVTOOLS_WEBSOCKET),
                      "ws://[::1]:", 11) == 0);
    else /* a machine without IPv6 */
        cr_expect_eq(error.status, GBX_ESYS);
    cr_assert_null(gbx_devtools_url(devtools, w.isolate, 2));
    gbx_devtools_close(other);
    gbx_devtools_close(devtools);
    gbx_devtools_close(NULL);
    world_close(&w);
}

/* --- sessions ------------------------------------------------------------------------------- */

CleanTest(devtools, carries_sessions_that_are_apart)
{
    struct world w = world_open(NULL);
    gbx_devtools *devtools = serve(&w, NULL);
    gbx_isolate *second = world_isolate(&w, NULL);
    gbx_context *context = gbx_isolate_context(second);

    eval_only(w.context, "who = 'first'");
    eval_only(context, "who = 'second'");
    struct peer one = socket_open(w.runtime, devtools, w.isolate);
    struct peer two = socket_open(w.runtime, devtools, second);
    struct peer three = socket_open(w.runtime, devtools, second);
    cr_assert_eq(gbx_devtools_clients(devtools, NULL), 3);
    cr_assert_eq(gbx_devtools_clients(devtools, second), 2);
    static const char who[] =
        "{\"id\":1,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":\"who\"}}";
    cr_assert(socket_command(&one, who) && socket_command(&two, who));
    free(socket_await(&one, "\"value\":\"first\""));
    free(socket_await(&two, "\"value\":\"second\""));
    expect_answers(&three);
    cr_assert_eq(three.len, 0);
    /* In parts, with a ping in the middle. */
    cr_assert(peer_say(&one, "\x01\x85\0\0\0\0{\"id\"", 11));
    cr_assert(socket_say(&one, 9, "hello", 5));
    cr_assert(peer_say(&one, "\x80\xA3\0\0\0\0:2,\"method\":\"Runtime.getHeapUsage\"}", 41));
    unsigned opcode;
    char *pong = socket_next(&one, &opcode);
    cr_assert(opcode == 10 && strcmp(pong, "hello") == 0, "%u %s", opcode, pong);
    free(pong);
    free(socket_await(&one, "usedSize"));
    /* Closed in good order. */
    cr_assert(socket_say(&one, 8, "\x03\xe8", 2));
    cr_assert_eq(socket_await_close(&one), 1000);
    peer_await_end(&one);
    cr_assert_eq(gbx_devtools_clients(devtools, w.isolate), 0);
    peer_close(&one);
    peer_close(&two);
    peer_close(&three);
    gbx_isolate_close(second);
    gbx_devtools_close(devtools);
    world_close(&w);
}

/* What ran before the client came. */
CleanTest(devtools, shows_what_was_before)
{
    struct world w = world_open(NULL);
    gbx_devtools *devtools = serve(&w, NULL);
    gbx_isolate *isolate = world_isolate(&w, NULL);
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;
    static const char source[] = "function f() { return 1 }";

    options.file = "early.js";
    settle(gbx_context_eval(gbx_isolate_context(isolate), source, sizeof source - 1, &options),
        GBX_OK);
    struct peer p = socket_open(w.runtime, devtools, isolate);
    cr_assert(socket_command(&p, "{\"id\":1,\"method\":\"Debugger.enable\"}"));
    free(socket_await(&p, "\"url\":\"early.js\""));
    peer_close(&p);
    gbx_isolate_close(isolate);
    gbx_devtools_close(devtools);
    world_close(&w);
}

struct remote {
    uint32_t port;
    const char *path;
    char seen[65536];
    size_t len;
};

static bool
remote_await(struct remote *r, int fd, const char *text)
{
    while (memmem(r->seen, r->len, text, strlen(text)) == NULL) {
        ssize_t n = recv(fd, r->seen + r->len, sizeof r->seen - r->len, 0);
        if (n <= 0)
            return false;
        r->len += (size_t)n;
    }
    r->len = 0;
    return true;
}

static void
remote_say(int fd, const char *json)
{
    char frame[256] = { '\x81', (char)(0x80 | strlen(json)) };

    memcpy(frame + 6, json, strlen(json));
    (void)send(fd, frame, 6 + strlen(json), MSG_NOSIGNAL);
}

/* A client elsewhere: waits for a pause, changes something, and lets the guest go on. */
static void *
debug_remotely(void *data)
{
    struct remote *r = data;
    struct sockaddr_in address = { .sin_family = AF_INET,
        .sin_port = htons((uint16_t)r->port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char request[512];

    (void)snprintf(
        request, sizeof request, "GET %s HTTP/1.1\r\n" HOST UPGRADE KEY "\r\n", r->path);
    bool good = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                send(fd, request, strlen(request), 0) > 0 && remote_await(r, fd, "\r\n\r\n");
    remote_say(fd, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    good = good && remote_await(r, fd, "\"id\":1");
    remote_say(fd, "{\"id\":2,\"method\":\"Debugger.pause\"}");
    good = good && remote_await(r, fd, "Debugger.paused");
    remote_say(fd, "{\"id\":3,\"method\":\"Runtime.evaluate\",\"params\":{\"expression\":"
                   "\"stop=true\"}}");
    good = good && remote_await(r, fd, "\"id\":3");
    remote_say(fd, "{\"id\":4,\"method\":\"Debugger.resume\"}");
    good = good && remote_await(r, fd, "Debugger.resumed");
    (void)close(fd);
    return good ? r : NULL;
}

/* A host that only ever waits, as most programs do. */
CleanTest(devtools, is_served_by_who_waits_for_a_future)
{
    struct world w = world_open(NULL);
    gbx_devtools *devtools = serve(&w, NULL);
    static struct remote remote;
    pthread_t thread;
    void *good = NULL;

    remote.port = gbx_devtools_port(devtools);
    remote.path = strrchr(gbx_devtools_url(devtools, w.isolate, GBX_DEVTOOLS_WEBSOCKET), '/');
    cr_assert_eq(pthread_create(&thread, NULL, debug_remotely, &remote), 0);
    cr_assert_eq(eval_number(w.context, "n = 0; while (!globalThis.stop) n++; 21"), 21);
    /* Its last message may still be on the way. */
    while (pthread_tryjoin_np(thread, &good) == EBUSY)
        (void)gbx_runtime_dispatch(w.runtime, 1000);
    cr_assert_not_null(good);
    gbx_devtools_close(devtools);
    world_close(&w);
}

/* --- ends ----------------------------------------------------------------------------------- */

CleanTest(devtools, tells_clients_how_their_isolate_ended)
{
    struct world w = world_open(NULL);
    gbx_devtools *devtools = serve(&w, NULL);
    gbx_isolate *second = world_isolate(&w, NULL);
    struct peer one = socket_open(w.runtime, devtools, w.isolate);
    struct peer two = socket_open(w.runtime, devtools, second);

    gbx_isolate_close(second);
    free(socket_await(
        &two, "\"Inspector.detached\",\"params\":{\"reason\":\"the isolate was closed"));
    cr_assert_eq(socket_await_close(&two), 1001);
    peer_await_end(&two);
    expect_answers(&one);
    expect_failure(
        w.context, "let a = []; for (;;) a.push(new Array(1e6).fill(1))", GBX_EMEMORY, NULL);
    free(socket_await(&one, "past its memory limit"));
    cr_assert_eq(socket_await_close(&one), 1001);
    peer_await_end(&one);
    cr_assert_eq(gbx_devtools_clients(devtools, NULL), 0);
    peer_close(&one);
    peer_close(&two);
    gbx_devtools_close(devtools);
    world_close(&w);
}

static void
pause_guest(struct peer *p)
{
    cr_assert(socket_command(p, "{\"id\":1,\"method\":\"Debugger.enable\"}"));
    cr_assert(socket_command(p, "{\"id\":2,\"method\":\"Debugger.pause\"}"));
    free(socket_await(p, "Debugger.paused"));
}

CleanTest(devtools, a_client_that_goes_lets_the_guest_go_on)
{
    struct world w = world_open(NULL);
    gbx_devtools *devtools = serve(&w, NULL);
    gbx_future *busy = start(w.context, "stop = false; while (!stop); 'gone on'", 0);

    for (int way = 0; way < 4; way++) {
        struct peer p = socket_open(w.runtime, devtools, w.isolate);
        pause_guest(&p);
        if (way == 1) /* in the middle of a frame */
            cr_assert(peer_say(&p, "\x81\xFE\x01\x00....{\"id\":", 14));
        if (way == 2) { /* with a reset, as when it was killed */
            struct linger linger = { 1, 0 };
            cr_assert_eq(setsockopt(p.fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
        }
        if (way == 3)
            cr_assert(socket_say(&p, 8, "", 0));
        peer_close(&p);
        while (gbx_devtools_clients(devtools, w.isolate) > 0)
            (void)gbx_runtime_dispatch(w.runtime, 1000);
    }
    struct peer p = socket_open(w.runtime, devtools, w.isolate);
    cr_assert(socket_command(&p, "{\"id\":3,\"method\":\"Runtime.evaluate\",\"params\":{"
                                 "\"expression\":\"stop=true\"}}"));
    gbx_value *value = settle_value(busy);
    expect_string(value, "gone on");
    gbx_value_free(value);
    peer_close(&p);
    gbx_devtools_close(devtools);
    world_close(&w);
}

CleanTest(devtools, everything_may_be_closed_in_any_order)
{
    for (int order = 0; order < 4; order++) {
        struct world w = world_open(NULL);
        gbx_devtools *devtools = serve(&w, NULL);
        gbx_future *busy = start(w.context, "for (;;);", 0);
        struct peer p = socket_open(w.runtime, devtools, w.isolate);
        pause_guest(&p);
        if (order == 0 || order == 1) { /* the guest stands still when it goes */
            gbx_devtools_close(devtools);
            char *last = socket_await(&p, "the server was closed");
            free(last);
        }
        if (order == 1 || order == 2)
            gbx_isolate_close(w.isolate);
        if (order == 1 || order == 2)
            w.isolate = NULL;
        gbx_runtime_close(w.runtime);
        w.runtime = NULL;
        if (order >= 2)
            gbx_devtools_close(devtools);
        gbx_future_free(busy);
        world_close(&w);
        peer_close(&p);
    }
}
