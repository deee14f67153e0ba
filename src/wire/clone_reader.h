/* clone_reader.h - what the two halves of the reader share: clone_read.c walks containers,
 * clone_leaf.c reads everything that has no children.
 * clone_apart.c finds the buffers that came apart from their clone.
 *
 * Runs in:  host.
 * Trusts:   no byte of the message. The first failure sticks: `status` and `why` name it, and
 *           nothing more is read.
 * Threads:  one at a time.
 */
#ifndef WIRE_CLONE_READER_H
#define WIRE_CLONE_READER_H

#include "wire/clone.h"
#include "wire/value.h"

/* Sizes of the first scratch memory, which lies on the C stack: a message without more of
 * something than this costs no allocation for it. */
enum {
    FIRST_OBJECTS = 32,
    FIRST_FRAMES = 16,
    FIRST_VALUES = 64,
    FIRST_KEYS = 32,
    KEY_CACHE = 64 /* 512 bytes to clear before the first key */
};

/* A container whose contents are being read. */
struct read_frame {
    gbx_value *node;
    uint32_t values; /* where its contents start in reader.values */
    uint32_t keys;   /* and in reader.keys */
    uint32_t length; /* of an array, as announced */
    uint8_t state;   /* enum read_state */
    bool dense;      /* an array whose elements come one by one */
};

struct read_key {
    const struct text *text; /* NULL: an index */
    uint32_t index;
};

/* Contents wait on these stacks until their container closes and its exact size is known: an
 * announced count alone never makes us allocate. */
struct reader {
    const uint8_t *p, *end;
    struct graph *graph;
    gbx_status status;
    const char *why;
    uint32_t depth_max;
    uint32_t count_left;           /* values that may still come */
    const struct clone_host *host; /* NULL: no host objects */
    struct buf *body; /* what the message lies in, for a buffer to take over; NULL: not this */
    struct span *apart; /* the buffers that came apart; those that were read are empty of `p` */
    uint32_t apart_count;
    uint64_t apart_bytes; /* of all of them */
    struct bytes *taken;  /* the message, once one of them has taken it over */

    gbx_value **objects; /* by id */
    uint32_t object_count, object_capacity;
    gbx_value **values;
    uint32_t value_count, value_capacity;
    struct read_key *keys;
    uint32_t key_count, key_capacity;
    struct read_frame *frames;
    uint32_t frame_count, frame_capacity;

    gbx_value *singles[4]; /* undefined, null, false, true: one node each will do */
    /* Keys of this message that were met before. Colliding ones just take turns. */
    const struct text *key_cache[KEY_CACHE];
    bool has_key_cache; /* it was cleared */

    gbx_value *first_objects[FIRST_OBJECTS];
    gbx_value *first_values[FIRST_VALUES];
    struct read_key first_keys[FIRST_KEYS];
    struct read_frame first_frames[FIRST_FRAMES];
};

/* Splits *bytes into a clone, which they are then, and the buffers apart from it, if there are any.
 * False: failed. apart_done() releases them. */
bool apart_split(struct reader *r, struct span *bytes);
void apart_done(struct reader *r);

/* --- clone_leaf.c: each fails through read_failed() and answers NULL, 0 or NOT_TAG then --- */

enum {
    NOT_TAG = 0x100
};

void *read_failed(struct reader *r, gbx_status status, const char *why);
/* The next tag, padding skipped; peeking leaves it there. NOT_TAG at the end of the message,
 * which is no failure yet. */
unsigned read_peek(struct reader *r);
unsigned read_tag(struct reader *r);
uint32_t read_varint(struct reader *r);
/* A text with its tag. */
struct text *read_text(struct reader *r);
/* A text behind its tag. */
struct text *read_text_of(struct reader *r, unsigned tag);
/* A property's key with its tag. */
bool read_key(struct reader *r, struct read_key *out);
/* The value behind `tag` if that has no children; NULL without a failure if it has. */
gbx_value *read_leaf(struct reader *r, unsigned tag);
/* Gives the node the next id. */
bool read_object(struct reader *r, gbx_value *node);
/* Doubles a scratch vector that may still be the first one. */
bool read_grow(
    struct reader *r, void *vector, uint32_t *capacity, size_t item, const void *first);

#endif
