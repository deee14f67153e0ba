/* The DevTools server's own readers: who may come in, requests, frames. */
#include "base/limits.h"
#include "devtools/frames.h"
#include "devtools/guard.h"
#include "devtools/http.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* --- who may come in ------------------------------------------------------------------------ */

Test(guard, hosts_are_addresses_of_this_machine_in_one_form)
{
    static const char *const fine[] = { "127.0.0.1", "127.0.0.1:9229", "127.1.2.3:1",
        "127.255.255.255:65535", "localhost", "LocalHost:80", "[::1]", "[::1]:9229" };
    static const char *const refused[] = { "", " ", ":9229", "evil.example",
        "evil.example:9229", "localhost6", "localhost.", "localhost.:80",
        "localhost.evil.example", "xlocalhost", "localhost@evil.example",
        "localhost:80@evil.example", "0.0.0.0", "0.0.0.0:9229", "0", "127.1", "127.0.1",
        "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.01", "127.0.0.256",
        "127.0.0.1.", "127.0.0.1.evil.example", "127.0.0.1evil", "127.0.0", "127.0.0.",
        "127..0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:080",
        "127.0.0.1:80x", "127.0.0.1:80:80", "127.0.0.1:-1", "127.0.0.1:+1", "127.0.0.1 ",
        "128.0.0.1", "12.0.0.1", "1127.0.0.1", "[::]", "[::1", "::1", "[::1]x",
        "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[fe80::1]", "127.0.0.1,127.0.0.1",
        "127.0.0.1\t", "127.0.0.99999999999999999999" };

    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        cr_expect(guard_host(span_text(fine[i])), "%s", fine[i]);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        cr_expect(!guard_host(span_text(refused[i])), "%s", refused[i]);
    cr_expect(!guard_host(span_of(NULL, 0)));
    cr_expect(!guard_host(span_of("localhost\0", 10)));
}

Test(guard, origins_are_devtools_and_the_one_that_was_allowed)
{
    static const char *const refused[] = { "", "null", "devtools://", "devtools://devtools/",
        "devtools://devtools.evil", "xdevtools://devtools", "DEVTOOLS://DEVTOOLS",
        "http://127.0.0.1", "http://127.0.0.1:9229", "http://localhost:8090", "file://",
        "http://127.0.0.1:80901", "http://127.0.0.1:8090/", "https://evil.example",
        "devtools://devtools https://evil.example", "chrome-extension://devtools" };

    cr_expect(guard_origin(span_text("devtools://devtools"), NULL));
    cr_expect(!guard_origin(span_text("http://127.0.0.1:8090"), NULL));
    cr_expect(guard_origin(span_text("http://127.0.0.1:8090"), "http://127.0.0.1:8090"));
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        cr_expect(
            !guard_origin(span_text(refused[i]), "http://127.0.0.1:8090"), "%s", refused[i]);
}

Test(guard, tells_what_is_the_same)
{
    cr_expect(guard_same(span_text(""), span_text("")));
    cr_expect(guard_same(span_text("abc"), span_text("abc")));
    cr_expect(!guard_same(span_text("abc"), span_text("abd")));
    cr_expect(!guard_same(span_text("abc"), span_text("bbc")));
    cr_expect(!guard_same(span_text("abc"), span_text("ab")));
    cr_expect(!guard_same(span_text(""), span_text("a")));
}

/* --- requests ------------------------------------------------------------------------------- */

#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/* A copy of its own size, so that a sanitizer sees one byte too far. */
static int
read_exactly(const char *text, size_t len, struct http_request *out, size_t *used)
{
    char *exact = malloc(len + (len == 0));
    struct http_request request = { .path = { NULL, 0 } };

    memcpy(exact, text, len);
    int code = http_read(span_of(exact, len), &request, used);
    /* What it points to outlives the copy in the caller's text. */
    if (code == HTTP_OK && out != NULL)
        (void)http_read(span_of(text, len), out, used);
    free(exact);
    return code;
}

static bool
says(struct span s, const char *text)
{
    return s.p != NULL && s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

Test(http, reads_a_request_and_no_part_of_one)
{
    static const char text[] = "GET /json/list?t=1 HTTP/1.1\r\nHost:  127.0.0.1:9229 \r\n"
                               "Accept: */*\r\norigin: devtools://devtools\r\n\r\nmore";
    size_t whole = sizeof text - 1 - 4, used = 0;
    struct http_request request;

    cr_assert_eq(read_exactly(text, sizeof text - 1, &request, &used), HTTP_OK);
    cr_assert_eq(used, whole);
    cr_assert(says(request.path, "/json/list"));
    cr_assert(says(request.host, "127.0.0.1:9229"));
    cr_assert(says(request.origin, "devtools://devtools"));
    cr_assert(!http_is_upgrade(&request));
    for (size_t n = 0; n < whole; n++)
        cr_assert_eq(read_exactly(text, n, NULL, &used), HTTP_MORE, "of %zu bytes", n);
}

Test(http, refuses_what_two_readers_could_understand_differently)
{
    static const struct {
        const char *text;
        int code;
    } table[] = {
        { "\r\n\r\n", 400 },
        { "GET / HTTP/1.1\n\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a\n\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\n: a\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHo\x80st: a\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nOrigin: a\r\nOrigin:\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\n" KEY KEY "\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: \x01\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nHost: \x7f\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nContent-Length: 00\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nTransfer-Encoding:\r\n\r\n", 400 },
        { "GET  / HTTP/1.1\r\n\r\n", 505 },
        { "GET / HTTP/1.1 \r\n\r\n", 505 },
        { "GET /a b HTTP/1.1\r\n\r\n", 505 },
        { "GET / HTTP/1.0\r\n\r\n", 505 },
        { "GET / HTTP/2\r\n\r\n", 505 },
        { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505 },
        { "GET /\r\n\r\n", 400 },
        { "GET\r\n\r\n", 400 },
        { "POST / HTTP/1.1\r\n\r\n", 405 },
        { "get / HTTP/1.1\r\n\r\n", 405 },
        { "OPTIONS * HTTP/1.1\r\n\r\n", 405 },
        { "GET http://127.0.0.1/ HTTP/1.1\r\n\r\n", 400 },
        { "GET * HTTP/1.1\r\n\r\n", 400 },
        { "GET /\x80 HTTP/1.1\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n", HTTP_OK },
        { "GET / HTTP/1.1\r\nX-\xC3: a\r\n\r\n", 400 },
        { "GET / HTTP/1.1\r\nX: \xC3\xA4\t\r\n\r\n", HTTP_OK },
        { "GET / HTTP/1.1\r\n\r\n", HTTP_OK },
    };
    size_t used;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        cr_expect_eq(read_exactly(table[i].text, strlen(table[i].text), NULL, &used),
            table[i].code, "%s", table[i].text);
    cr_expect_eq(read_exactly("GET / HTTP/1.1\r\nA: \0\r\n\r\n", 23, NULL, &used), 400);
}

Test(http, bounds_a_head)
{
    struct buf b = { .max = MIB };
    size_t used;

    buf_text(&b, "GET / HTTP/1.1\r\n");
    for (int i = 0; i < DEVTOOLS_HEADERS_MAX - 1; i++)
        buf_text(&b, "a: b\r\n");
    buf_text(&b, "\r\n");
    cr_expect_eq(http_read(buf_span(&b), &(struct http_request){ 0 }, &used), HTTP_OK);
    b.len -= 2;
    buf_text(&b, "a: b\r\na: b\r\n\r\n");
    cr_expect_eq(http_read(buf_span(&b), &(struct http_request){ 0 }, &used), 431);
    buf_clear(&b);
    buf_text(&b, "GET /");
    while (b.len < DEVTOOLS_HEAD_MAX - 1)
        buf_byte(&b, 'a');
    cr_expect_eq(http_read(buf_span(&b), &(struct http_request){ 0 }, &used), HTTP_MORE);
    buf_byte(&b, 'a');
    cr_expect_eq(http_read(buf_span(&b), &(struct http_request){ 0 }, &used), 431);
    buf_done(&b);
}

static int
upgrade_of(const char *headers)
{
    struct http_request request = { .path = { NULL, 0 } };
    char text[1024];
    size_t used;

    (void)snprintf(text, sizeof text, "GET /id HTTP/1.1\r\nHost: localhost\r\n%s\r\n", headers);
    cr_assert_eq(http_read(span_text(text), &request, &used), HTTP_OK);
    return http_is_upgrade(&request) ? http_check_upgrade(&request) : 0;
}

Test(http, upgrades_to_websockets_of_version_13)
{
#define UPGRADE "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
    cr_expect_eq(upgrade_of(""), 0);
    cr_expect_eq(upgrade_of(UPGRADE KEY VERSION), HTTP_OK);
    cr_expect_eq(upgrade_of(UPGRADE KEY), 426);
    cr_expect_eq(upgrade_of(UPGRADE KEY "Sec-WebSocket-Version: 8\r\n"), 426);
    cr_expect_eq(upgrade_of(UPGRADE VERSION), 400);
    cr_expect_eq(upgrade_of(UPGRADE VERSION "Sec-WebSocket-Key: short\r\n"), 400);
    cr_expect_eq(
        upgrade_of(UPGRADE VERSION "Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!!!\r\n"), 400);
    cr_expect_eq(
        upgrade_of(UPGRADE VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSEh\r\n"), 400);
    cr_expect_eq(upgrade_of("Upgrade: websocket\r\n" KEY VERSION), 400);
    cr_expect_eq(upgrade_of("Upgrade: h2c\r\nConnection: Upgrade\r\n" KEY VERSION), 400);
    cr_expect_eq(upgrade_of("Upgrade: websocket\r\nConnection: close\r\n" KEY VERSION), 400);
}

/* The example of RFC 6455, 1.3. */
Test(http, answers_an_upgrade_with_the_hash_of_its_key)
{
    struct http_request request = { .key = span_text("dGhlIHNhbXBsZSBub25jZQ==") };
    struct buf b = { .max = KIB };

    http_answer_upgrade(&b, &request);
    buf_byte(&b, '\0');
    cr_assert(
        strstr((char *)b.p, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"));
    buf_done(&b);
}

/* --- frames --------------------------------------------------------------------------------- */

/* Appends a frame as a client sends it, in the shortest form of its length. */
static void
put_frame(struct buf *b, unsigned first, const char *payload, size_t len)
{
    static const uint8_t mask[4] = { 0x37, 0xFA, 0x21, 0x3D };
    uint8_t head[FRAME_HEAD_MAX];
    size_t n = frames_head(head, first & 0x0F, len);

    head[0] = (uint8_t)first;
    head[1] |= 0x80;
    buf_append(b, head, n);
    buf_append(b, mask, 4);
    for (size_t i = 0; i < len; i++)
        buf_byte(b, (uint8_t)((uint8_t)payload[i] ^ mask[i & 3]));
}

static struct frames
fresh(size_t max)
{
    return (struct frames){ .message = { .max = max } };
}

Test(frames, are_read_in_pieces_of_any_size)
{
    struct buf b = { .max = MIB };
    static char large[70000];

    memset(large, 'x', sizeof large);
    put_frame(&b, 0x81, "one", 3);
    put_frame(&b, 0x89, "ping", 4);
    put_frame(&b, 0x01, "tw", 2);
    put_frame(&b, 0x8A, "", 0); /* a pong between two parts */
    put_frame(&b, 0x00, "", 0);
    put_frame(&b, 0x80, "o", 1);
    put_frame(&b, 0x81, large, 300);
    put_frame(&b, 0x81, large, sizeof large);
    put_frame(&b, 0x88, "\x03\xe8", 2);
    for (size_t step = 1; step <= b.len; step += step < 200 ? 1 : 997) {
        struct frames f = fresh(MIB);
        static const size_t lens[] = { 3, 3, 300, sizeof large };
        size_t messages = 0, pings = 0;
        bool closed = false;
        for (size_t at = 0; at < b.len; at += step) {
            size_t n = b.len - at < step ? b.len - at : step;
            uint8_t *exact = malloc(n);
            memcpy(exact, b.p + at, n);
            struct span rest = span_of(exact, n);
            enum frames_event event;
            while (!closed && (event = frames_read(&f, &rest)) != FRAMES_MORE) {
                cr_assert_neq(event, FRAMES_BROKEN);
                closed = event == FRAMES_CLOSE;
                pings += event == FRAMES_PING && memcmp(f.control, "ping", 4) == 0;
                if (event != FRAMES_MESSAGE)
                    continue;
                cr_assert_eq(f.message.len, lens[messages]);
                cr_assert(messages != 1 || memcmp(f.message.p, "two", 3) == 0);
                messages++;
            }
            free(exact);
        }
        cr_assert(closed && messages == 4 && pings == 1, "in steps of %zu", step);
        cr_assert_eq(f.code, 1000);
        frames_done(&f);
    }
    buf_done(&b);
}

static enum frames_event
first_event(const void *bytes, size_t len, size_t max, uint16_t *code)
{
    struct frames f = fresh(max);
    struct span rest = span_of(bytes, len);
    enum frames_event event = frames_read(&f, &rest);

    *code = f.code;
    frames_done(&f);
    return event;
}

Test(frames, that_break_the_rules_are_refused)
{
#define ROW(bytes, code)              \
    {                                 \
        bytes, sizeof bytes - 1, code \
    }
    static const struct {
        const char *bytes;
        size_t len;
        uint16_t code;
    } table[] = {
        ROW("\x81\x01", 1002), /* not masked */
        ROW("\x81\x7F", 1002),
        ROW("\xC1\x80....", 1002), /* reserved bits: compressed */
        ROW("\xA1\x80....", 1002),
        ROW("\x91\x80....", 1002),
        ROW("\x80\x80....", 1002), /* goes on with nothing */
        ROW("\x82\x80....", 1003), /* binary */
        ROW("\x83\x80....", 1002), /* reserved opcodes */
        ROW("\x87\x80....", 1002),
        ROW("\x8B\x80....", 1002),
        ROW("\x8F\x80....", 1002),
        ROW("\x09\x80....", 1002),         /* a control frame in parts */
        ROW("\x89\xFE\x00\x7E....", 1002), /* a long one */
        ROW("\x81\xFE\x00\x7D....", 1002), /* a length in too many bytes */
        ROW("\x81\xFF\0\0\0\0\0\0\xFF\xFF....", 1002),
        ROW("\x81\xFF\x80\0\0\0\0\0\0\0....", 1002), /* and a negative one */
        ROW("\x81\xFE\x04\x01....", 1009),           /* longer than may be */
        ROW("\x81\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF....", 1009),
        ROW("\x01\x80....\x81\x80....", 1002), /* another before the end */
        ROW("\x01\x80....\x82\x80....", 1002),
    };
    uint16_t code = 0;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        cr_expect_eq(first_event(table[i].bytes, table[i].len, 1024, &code), FRAMES_BROKEN,
            "row %zu", i);
        cr_expect_eq(code, table[i].code, "row %zu: %u", i, code);
    }
    cr_expect_eq(first_event("\x81\xFE\x04\x00....", 8, 1024, &code), FRAMES_MORE);
    cr_expect_eq(first_event("\x88\x80....", 6, 1024, &code), FRAMES_CLOSE);
    cr_expect_eq(code, 1000);
    cr_expect_eq(first_event("\x88\x81....x", 7, 1024, &code), FRAMES_CLOSE);
    cr_expect_eq(code, 1002);
    cr_expect_eq(first_event("\x88\x82\0\0\0\0\x03\xED", 8, 1024, &code), FRAMES_CLOSE);
    cr_expect_eq(code, 1002); /* 1005 is for nobody to send */
    cr_expect_eq(first_event("\x88\x82\0\0\0\0\x0F\xA0", 8, 1024, &code), FRAMES_CLOSE);
    cr_expect_eq(code, 4000);
}

Test(frames, parts_together_are_bounded)
{
    struct frames f = fresh(10);
    struct buf b = { .max = KIB };

    put_frame(&b, 0x01, "123456", 6);
    put_frame(&b, 0x00, "7890", 4);
    put_frame(&b, 0x00, "1", 1);
    struct span rest = buf_span(&b);
    cr_assert_eq(frames_read(&f, &rest), FRAMES_BROKEN);
    cr_assert_eq(f.code, 1009);
    cr_assert_eq(f.message.len, 10);
    frames_done(&f);
    buf_done(&b);
}

/* Whatever comes: it ends, takes all or refuses, and keeps no more than came. */
Test(frames, of_garbage_end)
{
    uint32_t seed = 1;

    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[64];
        struct frames f = fresh(256);
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
        if (round % 2 == 0) { /* a beginning that gets further */
            bytes[0] = (uint8_t)(round % 4 == 0 ? 0x81 : 0x01);
            bytes[1] |= 0x80;
        }
        struct span rest = span_of(bytes, sizeof bytes);
        enum frames_event event = FRAMES_MESSAGE;
        while (event == FRAMES_MESSAGE || event == FRAMES_PING)
            event = frames_read(&f, &rest);
        cr_assert(event == FRAMES_MORE ? rest.len == 0 : f.code != 0);
        cr_assert_leq(f.message.len, sizeof bytes);
        frames_done(&f);
    }
}
