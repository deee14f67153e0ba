/* cdp_client.h - a client of an inspector session that remembers what came. A failed expectation
 * ends the test. */
#ifndef TEST_INTEGRATION_CDP_CLIENT_H
#define TEST_INTEGRATION_CDP_CLIENT_H

#include "support.h"

enum {
    MESSAGES_MAX = 4096
};

struct client {
    struct world *w;
    gbx_inspector *inspector;
    gbx_value *messages[MESSAGES_MAX]; /* what came, as JSON */
    size_t count;
    size_t taken; /* of them, looked at by next_message() */
};

/* The callback of its session: keeps the message for `data`, a client. */
void remember(gbx_inspector *inspector, const char *json, size_t len, void *data);
void client_open(struct client *c, struct world *w);
void client_close(struct client *c);
/* Sends a command. */
void say(struct client *c, const char *json);

/* The value at a dotted path, or NULL. */
const gbx_value *at(const gbx_value *value, const char *path);
bool is_text(const gbx_value *value, const char *text);
/* The message is the answer to `id`. */
bool answers(const gbx_value *message, int id);

/* The next message that is the answer to `id`, or if that is 0, the event `method`. What comes
 * before it is passed over. */
const gbx_value *next_message(struct client *c, int id, const char *method);
/* The next answer, which must be no error; the next event. */
const gbx_value *answer_to(struct client *c, int id);
const gbx_value *event(struct client *c, const char *method);

#endif
