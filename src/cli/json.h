/* json.h - objects for --json, put together without asking after each step whether it went well.
 *
 * Threads: one.
 */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <glovebox/value.h>

#include <stdbool.h>

struct object {
    gbx_value *value; /* NULL: out of memory */
    bool failed;
};

struct object object_new(void);
/* `item` is taken over; NULL is a failure, as everywhere in gbx_value. */
void put(struct object *o, const char *key, gbx_value *item);
void put_number(struct object *o, const char *key, uint64_t number);
void put_bool(struct object *o, const char *key, bool value);
/* "" is left out. */
void put_text(struct object *o, const char *key, const char *text);
/* The object is taken over. */
void put_object(struct object *o, const char *key, struct object *item);
/* Its JSON, to be freed, and frees the object. NULL: something failed. */
char *object_text(struct object *o);

#endif
