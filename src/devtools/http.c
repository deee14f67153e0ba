/* http.c - one request's head, and the answer's. */
#include "devtools/http.h"

#include "base/limits.h"

#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <strings.h>

/* --- reading -------------------------------------------------------------------------------- */

static bool
is_text(struct span s, const char *text)
{
    return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

static bool
is_word(struct span s, const char *word)
{
    return s.len == strlen(word) && strncasecmp((const char *)s.p, word, s.len) == 0;
}

/* A line that ends with CR LF, without that. False: it does not end, or is not of text. */
static bool
take_line(struct span *rest, struct span *out, bool *bad)
{
    for (size_t i = 0; i < rest->len; i++) {
        uint8_t c = rest->p[i];
        if (c == '\r' && i + 1 == rest->len)
            return false;
        if (c == '\r' && rest->p[i + 1] == '\n') {
            *out = span_of(rest->p, i);
            *rest = span_of(rest->p + i + 2, rest->len - i - 2);
            return true;
        }
        if ((c < ' ' && c != '\t') || c == 0x7F) {
            *bad = true;
            return false;
        }
    }
    return false;
}

static struct span
trimmed(struct span s)
{
    while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = span_of(s.p + 1, s.len - 1);
    while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
        s.len--;
    return s;
}

/* What stands before the first `c`, which goes too. False: there is none. */
static bool
take_until(struct span *rest, char c, struct span *out)
{
    const uint8_t *at = rest->len == 0 ? NULL : memchr(rest->p, c, rest->len);

    if (at == NULL)
        return false;
    *out = span_of(rest->p, (size_t)(at - rest->p));
    *rest = span_of(at + 1, rest->len - out->len - 1);
    return true;
}

static int
read_request_line(struct span line, struct http_request *out)
{
    struct span method, path;

    if (!take_until(&line, ' ', &method) || !take_until(&line, ' ', &path))
        return 400;
    if (!is_text(line, "HTTP/1.1"))
        return 505;
    if (!is_text(method, "GET"))
        return 405;
    if (path.len == 0 || path.p[0] != '/')
        return 400;
    for (size_t i = 0; i < path.len; i++)
        if (path.p[i] <= ' ' || path.p[i] >= 0x7F)
            return 400;
    const uint8_t *query = memchr(path.p, '?', path.len);
    out->path = span_of(path.p, query == NULL ? path.len : (size_t)(query - path.p));
    return HTTP_OK;
}

static bool
is_name(struct span name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && (c == '\0' || strchr("!#$%&'*+-.^_`|~", c) == NULL))
            return false;
    }
    return name.len > 0;
}

static int
read_header(struct span line, struct http_request *out)
{
    const struct {
        const char *name;
        struct span *value;
    } known[] = {
        { "host", &out->host },
        { "origin", &out->origin },
        { "upgrade", &out->upgrade },
        { "connection", &out->connection },
        { "sec-websocket-key", &out->key },
        { "sec-websocket-version", &out->version },
        { "content-length", &out->length },
        { "transfer-encoding", &out->encoding },
    };
    struct span name;

    if (!take_until(&line, ':', &name) || !is_name(name))
        return 400; /* also a line that goes on with the one before */
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is_word(name, known[i].name)) {
            if (known[i].value->p != NULL)
                return 400; /* which of them would count? */
            *known[i].value = trimmed(line);
        }
    return HTTP_OK;
}

int
http_read(struct span bytes, struct http_request *out, size_t *used)
{
    struct http_request request = { .path = { NULL, 0 } };
    struct span rest = bytes, line;
    unsigned count = 0;
    bool bad = false;

    while (take_line(&rest, &line, &bad)) {
        if (line.len == 0 && count > 0) {
            if (request.encoding.p != NULL ||
                (request.length.p != NULL && !is_text(request.length, "0")))
                return 400;
            *out = request;
            *used = bytes.len - rest.len;
            return HTTP_OK;
        }
        int code = count == 0 ? read_request_line(line, &request) : read_header(line, &request);
        if (code != HTTP_OK)
            return code;
        if (count++ == DEVTOOLS_HEADERS_MAX)
            return 431;
    }
    if (bad)
        return 400;
    return bytes.len >= DEVTOOLS_HEAD_MAX ? 431 : HTTP_MORE;
}

/* --- upgrades ------------------------------------------------------------------------------- */

/* One of the words between commas. */
static bool
has_word(struct span list, const char *word)
{
    struct span item;

    while (take_until(&list, ',', &item))
        if (is_word(trimmed(item), word))
            return true;
    return is_word(trimmed(list), word);
}

bool
http_is_upgrade(const struct http_request *request)
{
    return request->upgrade.p != NULL;
}

static bool
is_key(struct span key)
{
    struct base64_decode_ctx context;
    uint8_t decoded[BASE64_DECODE_LENGTH(24)];
    size_t len = sizeof decoded;

    if (key.len != 24)
        return false;
    base64_decode_init(&context);
    return base64_decode_update(&context, &len, decoded, key.len, (const char *)key.p) &&
           base64_decode_final(&context) && len == 16;
}

int
http_check_upgrade(const struct http_request *request)
{
    if (!is_word(request->upgrade, "websocket") || request->connection.p == NULL ||
        !has_word(request->connection, "upgrade") || !is_key(request->key))
        return 400;
    return request->version.p != NULL && is_text(request->version, "13") ? HTTP_OK : 426;
}

/* --- answers -------------------------------------------------------------------------------- */

static const char *
reason(int code)
{
    switch (code) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 426:
        return "Upgrade Required";
    case 431:
        return "Request Header Fields Too Large";
    case 503:
        return "Service Unavailable";
    default:
        return "HTTP Version Not Supported"; /* 505 */
    }
}

void
http_answer(struct buf *out, int code, const char *type, struct span body)
{
    buf_printf(out, "HTTP/1.1 %d %s\r\n", code, reason(code));
    if (type != NULL)
        buf_printf(out, "Content-Type: %s\r\nCache-Control: no-cache\r\n", type);
    if (code == 405)
        buf_text(out, "Allow: GET\r\n");
    if (code == 426)
        buf_text(out, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
    buf_printf(out,
        "X-Content-Type-Options: nosniff\r\nContent-Length: %zu\r\n"
        "Connection: close\r\n\r\n",
        body.len);
    buf_append(out, body.p, body.len);
}

void
http_answer_upgrade(struct buf *out, const struct http_request *request)
{
    static const char salt[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */
    struct sha1_ctx hash;
    uint8_t digest[SHA1_DIGEST_SIZE];
    char accept[BASE64_ENCODE_RAW_LENGTH(SHA1_DIGEST_SIZE)];

    sha1_init(&hash);
    sha1_update(&hash, request->key.len, request->key.p);
    sha1_update(&hash, sizeof salt - 1, (const uint8_t *)salt);
    sha1_digest(&hash, sizeof digest, digest);
    base64_encode_raw(accept, sizeof digest, digest);
    buf_printf(out,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: %.*s\r\n\r\n",
        (int)sizeof accept, accept);
}
