/* input.h - an input as a list of operations: numbers and stretches of bytes, zeros at its end. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include "base/span.h"

struct input {
    struct span left;
};

/* The next `n` bytes, or as many as there are. */
static inline struct span
input_bytes(struct input *in, size_t n)
{
    struct span bytes = span_of(in->left.p, n < in->left.len ? n : in->left.len);

    in->left = span_of(in->left.p + bytes.len, in->left.len - bytes.len);
    return bytes;
}

/* A little-endian number of `n` bytes. */
static inline uint32_t
input_number(struct input *in, size_t n)
{
    struct span bytes = input_bytes(in, n);
    uint32_t number = 0;

    for (size_t i = 0; i < bytes.len; i++)
        number |= (uint32_t)bytes.p[i] << (8 * i);
    return number;
}

static inline uint32_t
input_u8(struct input *in)
{
    return input_number(in, 1);
}

/* A length of two bytes, and that many bytes. */
static inline struct span
input_piece(struct input *in)
{
    return input_bytes(in, input_number(in, 2));
}

#endif
