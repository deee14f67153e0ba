#include "wire/value.h"

#include <stdlib.h>
#include <sys/auxv.h>

/* Up to this many, comparing one by one beats hashing. */
enum {
    SMALL = 16
};

/* --- hashing --------------------------------------------------------------------------- */

/* Keys come from hostile cells: with a hash they could predict, n keys would cost n * n. The
 * kernel gives every process 16 random bytes; no system call, no file. Read before any thread. */
static uint64_t secret[2] = { 0x9E3779B97F4A7C15u, 0xD1B54A32D192ED03u };

__attribute__((constructor)) static void
secret_init(void)
{
    const void *random = (const void *)getauxval(AT_RANDOM);

    if (random != NULL)
        memcpy(secret, random, sizeof secret);
}

#define ROTATE(x, b) ((x) << (b) | (x) >> (64 - (b)))

static inline void
sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = ROTATE(v[1], 13) ^ v[0];
    v[3] = ROTATE(v[3], 16) ^ v[2];
    v[0] = ROTATE(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = ROTATE(v[1], 17) ^ v[2];
    v[3] = ROTATE(v[3], 21) ^ v[0];
    v[2] = ROTATE(v[2], 32);
}

/* SipHash-1-3 (Aumasson and Bernstein), keyed with `secret`. */
static uint32_t
hash_bytes(const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    uint64_t m;
    uint64_t v[4] = { secret[0] ^ 0x736f6d6570736575u, secret[1] ^ 0x646f72616e646f6du,
        secret[0] ^ 0x6c7967656e657261u, secret[1] ^ 0x7465646279746573u };
    size_t left = len;
    for (; left >= 8; left -= 8, p += 8) {
        memcpy(&m, p, 8);
        v[3] ^= m;
        sip_round(v);
        v[0] ^= m;
    }
    m = (uint64_t)len << 56;
    for (size_t i = 0; i < left; i++)
        m |= (uint64_t)p[i] << (8 * i);
    v[3] ^= m;
    sip_round(v);
    v[0] ^= m;
    v[2] ^= 0xFF;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    uint64_t h = v[0] ^ v[1] ^ v[2] ^ v[3];
    return (uint32_t)(h ^ h >> 32);
}

static uint32_t
hash_node(const gbx_value *node)
{
    switch (node->kind) {
    case GBX_UNDEFINED:
    case GBX_NULL:
        return node->kind;
    case GBX_BOOLEAN:
        return 16u + node->boolean;
    case GBX_NUMBER: {
        /* -0 and 0 are the same key, and every NaN is. */
        double number = node->number == 0 ? 0 : node->number;
        if (number != number)
            return 18;
        return hash_bytes(&number, sizeof number);
    }
    case GBX_STRING:
        return hash_bytes(node->text->bytes, node->text->len);
    case GBX_BIGINT:
        return hash_bytes(node->bigint->words, node->bigint->count * sizeof(uint64_t));
    default:
        return hash_bytes(&node, sizeof node);
    }
}

static uint32_t
hash_key(const struct key *key)
{
    if (key->index != NOT_INDEX)
        return hash_bytes(&key->index, sizeof key->index);
    return hash_bytes(key->p, key->len);
}

bool
same_value_zero(const gbx_value *a, const gbx_value *b)
{
    if (a == b)
        return true;
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case GBX_UNDEFINED:
    case GBX_NULL:
        return true;
    case GBX_BOOLEAN:
        return a->boolean == b->boolean;
    case GBX_NUMBER:
        return a->number == b->number || (a->number != a->number && b->number != b->number);
    case GBX_STRING:
        return a->text == b->text || text_is(a->text, b->text->bytes, b->text->len);
    case GBX_BIGINT:
        return a->bigint->negative == b->bigint->negative &&
               a->bigint->count == b->bigint->count &&
               memcmp(a->bigint->words, b->bigint->words,
                   a->bigint->count * sizeof(uint64_t)) == 0;
    default:
        return false;
    }
}

/* --- looking up ------------------------------------------------------------------------ */

uint32_t
index_of_text(const char *p, size_t len)
{
    uint64_t n = 0;

    if (len == 0 || len > 10 || (p[0] == '0' && len > 1))
        return NOT_INDEX;
    for (size_t i = 0; i < len; i++) {
        if (p[i] < '0' || p[i] > '9')
            return NOT_INDEX;
        n = n * 10 + (uint64_t)(p[i] - '0');
    }
    return n < NOT_INDEX ? (uint32_t)n : NOT_INDEX;
}

/* What is looked for: a key or, in maps and sets, a node. */
struct probe {
    const struct key *key;
    const gbx_value *node;
};

static bool
matches(const struct prop *prop, const struct probe *probe)
{
    if (prop->value == NULL)
        return false;
    if (probe->node != NULL)
        return same_value_zero(prop->node, probe->node);
    if (prop->index != probe->key->index)
        return false;
    return probe->key->index != NOT_INDEX || prop->key->bytes == probe->key->p ||
           text_is(prop->key, probe->key->p, probe->key->len);
}

static uint32_t
find_hashed(const struct dict *dict, const struct probe *probe, uint32_t hash)
{
    for (uint32_t slot = hash & dict->mask;; slot = (slot + 1) & dict->mask) {
        uint32_t at = dict->slots[slot];
        if (at == 0)
            return NOT_INDEX;
        if (dict->props[at - 1].hash == hash && matches(&dict->props[at - 1], probe))
            return at - 1;
    }
}

static uint32_t
find(const struct dict *dict, const struct probe *probe)
{
    if (dict->slots != NULL)
        return find_hashed(
            dict, probe, probe->node != NULL ? hash_node(probe->node) : hash_key(probe->key));
    for (uint32_t i = 0; i < dict->count; i++)
        if (matches(&dict->props[i], probe))
            return i;
    return NOT_INDEX;
}

uint32_t
dict_find(const struct dict *dict, const struct key *key)
{
    return find(dict, &(struct probe){ key, NULL });
}

uint32_t
dict_find_node(const struct dict *dict, const gbx_value *node)
{
    return find(dict, &(struct probe){ NULL, node });
}

/* --- the hash index -------------------------------------------------------------------- */

static struct key
key_of(const struct prop *prop)
{
    if (prop->index != NOT_INDEX)
        return (struct key){ NULL, 0, prop->index };
    return (struct key){ prop->key->bytes, prop->key->len, NOT_INDEX };
}

static void
slot_fill(struct dict *dict, uint32_t position)
{
    uint32_t slot = dict->props[position].hash & dict->mask;

    while (dict->slots[slot] != 0)
        slot = (slot + 1) & dict->mask;
    dict->slots[slot] = position + 1;
}

static void
slots_refill(struct dict *dict)
{
    if (dict->slots == NULL)
        return;
    memset(dict->slots, 0, ((size_t)dict->mask + 1) * sizeof *dict->slots);
    for (uint32_t i = 0; i < dict->count; i++)
        slot_fill(dict, i);
}

/* Gives the dict slots for twice its capacity, empty. */
static bool
slots_make(struct graph *graph, struct dict *dict)
{
    uint64_t want = 32;

    while (want < (uint64_t)dict->capacity * 2)
        want *= 2;
    uint32_t *slots = graph_alloc(graph, (size_t)want * sizeof *slots);
    if (slots == NULL)
        return false;
    memset(slots, 0, (size_t)want * sizeof *slots);
    dict->slots = slots;
    dict->mask = (uint32_t)(want - 1);
    return true;
}

static void
prop_hash(const struct dict *dict, struct prop *prop)
{
    struct key key;

    if (dict->by_node) {
        prop->hash = hash_node(prop->node);
    } else {
        key = key_of(prop);
        prop->hash = hash_key(&key);
    }
}

static struct probe
probe_of(const struct dict *dict, const struct prop *prop, struct key *key)
{
    if (dict->by_node)
        return (struct probe){ NULL, prop->node };
    *key = key_of(prop);
    return (struct probe){ key, NULL };
}

gbx_status
dict_seal(struct graph *graph, struct dict *dict)
{
    struct key key;
    uint32_t count = dict->count;

    if (count <= SMALL) {
        for (uint32_t i = 1; i < count; i++) {
            struct probe probe = probe_of(dict, &dict->props[i], &key);
            for (uint32_t j = 0; j < i; j++)
                if (matches(&dict->props[j], &probe))
                    return GBX_EINVAL;
        }
        return GBX_OK;
    }
    if (!slots_make(graph, dict))
        return GBX_ENOMEM;
    for (uint32_t i = 0; i < count; i++) {
        struct probe probe = probe_of(dict, &dict->props[i], &key);
        prop_hash(dict, &dict->props[i]);
        if (find_hashed(dict, &probe, dict->props[i].hash) != NOT_INDEX)
            return GBX_EINVAL;
        slot_fill(dict, i);
    }
    return GBX_OK;
}

/* --- changing -------------------------------------------------------------------------- */

/* Drops what was removed; the order of the rest stays. */
static void
squeeze(struct dict *dict)
{
    uint32_t n = 0;

    if (dict->removed == 0)
        return;
    for (uint32_t i = 0; i < dict->count; i++)
        if (dict->props[i].value != NULL)
            dict->props[n++] = dict->props[i];
    dict->count = n;
    dict->removed = 0;
    slots_refill(dict);
}

static bool
dict_grow(struct graph *graph, struct dict *dict)
{
    uint32_t capacity = dict->capacity == 0 ? 4 : dict->capacity * 2;
    size_t old = dict->capacity * sizeof *dict->props;

    if (capacity > NOT_INDEX / sizeof *dict->props)
        return false;
    struct prop *props = graph_grow(graph, dict->props, old, capacity * sizeof *dict->props);
    if (props == NULL)
        return false;
    dict->props = props;
    dict->capacity = capacity;
    if (capacity <= SMALL)
        return true;
    bool hashed = dict->slots != NULL;
    if (!slots_make(graph, dict)) {
        dict->capacity /= 2; /* the next try starts over */
        return false;
    }
    for (uint32_t i = 0; i < dict->count; i++) {
        if (!hashed)
            prop_hash(dict, &dict->props[i]);
        slot_fill(dict, i);
    }
    return true;
}

bool
dict_add(struct graph *graph, struct dict *dict, const struct prop *prop)
{
    if (dict->count == dict->capacity && dict->removed > dict->count / 2)
        squeeze(dict);
    if (dict->count == dict->capacity && !dict_grow(graph, dict))
        return false;
    uint32_t at = dict->count++;
    struct prop *place = &dict->props[at];
    *place = *prop;
    if (prop->index != NOT_INDEX && at > 0) {
        uint32_t before = dict->props[at - 1].index;
        dict->unordered |= before == NOT_INDEX || before > prop->index;
    }
    if (dict->slots != NULL) {
        prop_hash(dict, place);
        slot_fill(dict, at);
    }
    return true;
}

void
dict_remove(struct dict *dict, uint32_t position)
{
    if (dict->slots != NULL) {
        dict->props[position].value = NULL;
        dict->removed++;
        return;
    }
    memmove(&dict->props[position], &dict->props[position + 1],
        (dict->count - position - 1) * sizeof *dict->props);
    dict->count--;
}

static int
by_index(const void *a, const void *b)
{
    uint32_t x = ((const struct prop *)a)->index;
    uint32_t y = ((const struct prop *)b)->index;

    return (x > y) - (x < y);
}

void
dict_order(struct dict *dict)
{
    squeeze(dict);
    if (!dict->unordered)
        return;
    /* Texts move to the end, last first, so that they keep their order; the indexes they
     * change places with get sorted anyway. */
    uint32_t first_text = dict->count;
    for (uint32_t i = dict->count; i-- > 0;) {
        if (dict->props[i].index != NOT_INDEX)
            continue;
        struct prop swapped = dict->props[--first_text];
        dict->props[first_text] = dict->props[i];
        dict->props[i] = swapped;
    }
    qsort(dict->props, first_text, sizeof *dict->props, by_index);
    dict->unordered = false;
    slots_refill(dict);
}
