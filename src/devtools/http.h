/* http.h - the head of one request, read strictly: what two readers could understand differently is
 * refused. There is one request on a connection, and no body.
 *
 * Runs in:  host.
 * Trusts:   nothing.
 * Threads:  any; no state.
 */
#ifndef DEVTOOLS_HTTP_H
#define DEVTOOLS_HTTP_H

#include "base/buf.h"

/* Lent from the bytes that were read. What did not come has p NULL. */
struct http_request {
    struct span path; /* without its query */
    struct span host, origin, upgrade, connection;
    struct span key, version; /* of a WebSocket */
    struct span length, encoding;
};

enum {
    HTTP_MORE = 0, /* the head has not ended */
    HTTP_OK = 200  /* and other codes: how it is to be refused */
};

/* Reads a head from the beginning of `bytes`; *out and *used are good with HTTP_OK. */
int http_read(struct span bytes, struct http_request *out, size_t *used);
/* It asks for a WebSocket, well or not. */
bool http_is_upgrade(const struct http_request *request);
/* HTTP_OK, or how it is to be refused. */
int http_check_upgrade(const struct http_request *request);

/* Appends an answer; `type` may be NULL for one without a body. */
void http_answer(struct buf *out, int code, const char *type, struct span body);
/* ... that turns the connection into a WebSocket. The request was checked. */
void http_answer_upgrade(struct buf *out, const struct http_request *request);

#endif
