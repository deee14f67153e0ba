/* fuzz_http.c - any bytes as the head of a request; what arrives in parts is read no differently. */
#include "base/check.h"
#include "base/limits.h"
#include "devtools/guard.h"
#include "devtools/http.h"
#include "fuzz.h"

static bool
lies_in(struct span part, struct span whole)
{
    return part.p == NULL || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len);
}

static void
check_request(const struct http_request *request, struct span head)
{
    const struct span parts[] = { request->path, request->host, request->origin,
        request->upgrade, request->connection, request->key, request->version, request->length,
        request->encoding };
    struct buf answer = { .max = DEVTOOLS_HEAD_MAX };

    GBX_CHECK(request->path.p != NULL && request->path.len > 0);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        GBX_CHECK(lies_in(parts[i], head));
        for (size_t k = 0; k < parts[i].len; k++) /* nothing that could forge a line of ours */
            GBX_CHECK(parts[i].p[k] != '\r' && parts[i].p[k] != '\n' && parts[i].p[k] != 0);
    }
    (void)guard_host(request->host);
    (void)guard_origin(request->origin, "http://127.0.0.1:8090");
    if (http_is_upgrade(request) && http_check_upgrade(request) == HTTP_OK)
        http_answer_upgrade(&answer, request);
    else
        http_answer(&answer, 404, NULL, span_of(NULL, 0));
    GBX_CHECK(!answer.failed);
    buf_done(&answer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_request request, again;
    size_t used = 0, same = 0;

    int code = http_read(span_of(data, size), &request, &used);
    GBX_CHECK(code == HTTP_MORE || code == HTTP_OK || (code >= 400 && code < 600));
    GBX_CHECK(code != HTTP_MORE || size < DEVTOOLS_HEAD_MAX);
    if (code != HTTP_OK)
        return 0;
    GBX_CHECK(used > 0 && used <= size);
    check_request(&request, span_of(data, used));
    for (size_t i = 0; i < used; i++)
        GBX_CHECK(http_read(span_of(data, i), &again, &same) == HTTP_MORE);
    GBX_CHECK(http_read(span_of(data, used), &again, &same) == HTTP_OK && same == used);
    return 0;
}
