#include "heap/keyed.h"

#include "heap/strings.h"

enum {
    HASH_UNITS = 11, /* of six bits: more than 64 */
    NAME_MAX = 10,   /* units of six bits that fit 64 */
    ROUNDS = 8       /* of the permutation; four would do against who sees some pairs */
};

/* --- the hash --------------------------------------------------------------------------- */

static uint64_t
rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static void
mix(uint64_t v[4], int rounds)
{
    for (int i = 0; i < rounds; i++) {
        v[0] += v[1];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[0] = rotate(v[0], 32);
        v[2] += v[3];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[2] = rotate(v[2], 32);
    }
}

static uint64_t
read_word(const uint8_t *p, size_t n)
{
    uint64_t word = 0;

    for (size_t i = 0; i < n; i++)
        word |= (uint64_t)p[i] << 8 * i;
    return word;
}

void
keyed_init(struct keyed *k, const uint8_t key[KEYED_BYTES])
{
    k->key[0] = read_word(key, 8);
    k->key[1] = read_word(key + 8, 8);
}

uint64_t
keyed_hash(const struct keyed *k, struct span text)
{
    uint64_t v[4] = { k->key[0] ^ 0x736F6D6570736575u, k->key[1] ^ 0x646F72616E646F6Du,
        k->key[0] ^ 0x6C7967656E657261u, k->key[1] ^ 0x7465646279746573u };
    size_t i = 0;

    for (;; i += 8) {
        bool last = text.len - i < 8;
        uint64_t word = last ? (uint64_t)text.len << 56 : 0;
        if (text.len > i)
            word |= read_word(text.p + i, last ? text.len - i : 8);
        v[3] ^= word;
        mix(v, 2);
        v[0] ^= word;
        if (last)
            break;
    }
    v[2] ^= 0xFF;
    mix(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* --- texts ------------------------------------------------------------------------------ */

static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_$";

static void
put_letters(uint64_t number, unsigned count, struct buf *out)
{
    for (unsigned i = 0; i < count; i++, number >>= 6)
        buf_byte(out, (uint8_t)letters[number & 63]);
}

/* A name as a number of six bits a letter; false: it is none. */
static bool
read_letters(struct span text, uint64_t *out)
{
    uint64_t number = 0;

    if (text.len == 0 || text.len > NAME_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const char *letter = text.p[i] == '\0' ? NULL : strchr(letters, text.p[i]);
        if (letter == NULL)
            return false;
        number |= (uint64_t)(letter - letters) << 6 * i;
    }
    *out = number;
    return true;
}

/* A Feistel network over the halves of the number, each of three bits a letter. */
static uint64_t
permute(const struct keyed *k, uint64_t number, unsigned count)
{
    uint64_t mask = (UINT64_C(1) << 3 * count) - 1;
    uint64_t left = number >> 3 * count, right = number & mask;

    for (uint8_t round = 0; round < ROUNDS; round++) {
        uint8_t text[10] = { round, (uint8_t)count };
        memcpy(text + 2, &right, sizeof right);
        uint64_t next = left ^ (keyed_hash(k, span_of(text, sizeof text)) & mask);
        left = right;
        right = next;
    }
    return left << 3 * count | right;
}

void
keyed_text(const struct keyed *k, struct span text, struct buf *out)
{
    size_t units = span_units(text);
    uint64_t number;

    if (text.len == 0)
        return;
    if (read_letters(text, &number)) {
        put_letters(permute(k, number, (unsigned)text.len), (unsigned)text.len, out);
        return;
    }
    bool is_short = units <= NAME_MAX;
    buf_text(out, is_short ? "~" : "");
    put_letters(keyed_hash(k, text), HASH_UNITS, out);
    buf_text(out, is_short ? "~" : "");
    for (size_t i = is_short ? 0 : HASH_UNITS; i < units; i++)
        buf_byte(out, '.');
}
