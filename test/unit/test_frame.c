#include "wire/frame.h"

#include "base/check.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum {
    TAG_ID = 0x89abcdefu,
    TAG_NESTING = 0x4567,
};
static const struct frame_tag tag = { TAG_ID, TAG_NESTING };

/* --- samples, one of each message, made from protocol.def ------------------------------------ */

/* Bytes that differ from field to field and never repeat within one. */
static uint32_t next_u32;
static uint8_t pool[4096];

static uint32_t
sample_u32(void)
{
    return next_u32 += 0x10203041u;
}

static uint64_t
sample_u64(void)
{
    uint64_t high = sample_u32();

    return high << 32 | sample_u32();
}

static size_t bytes_len; /* of each `bytes` field of the next samples */

static struct span
sample_bytes(void)
{
    return span_of(pool + sample_u32() % 1000, bytes_len);
}

static void
sample_begin(size_t len)
{
    for (size_t i = 0; i < sizeof pool; i++)
        pool[i] = (uint8_t)(i * 7 + i / 256);
    next_u32 = 0;
    bytes_len = len;
}

#define EQ_u32(a, b)   cr_assert_eq(a, b)
#define EQ_u64(a, b)   cr_assert_eq(a, b)
#define EQ_bytes(a, b) cr_assert((a).len == (b).len && memcmp((a).p, (b).p, (a).len) == 0)
#define SIZE_u32       4
#define SIZE_u64       8
#define SIZE_bytes     (4 + bytes_len)

/* Each message behind functions of one shape. `limit`, since `max` is a member of others. */
#define F(type, field) m->field = sample_##type();
#define MESSAGE(NAME, name, direction, limit, fields) \
    static void fill_##name(void *message)            \
    {                                                 \
        struct msg_##name *m = message;               \
        (void)m;                                      \
        fields                                        \
    }
#include "wire/protocol.def"
#undef MESSAGE
#undef F

#define F(type, field) EQ_##type(a->field, b->field);
#define MESSAGE(NAME, name, direction, limit, fields)           \
    static void same_##name(const void *one, const void *other) \
    {                                                           \
        const struct msg_##name *a = one, *b = other;           \
        cr_assert_eq(a->no_empty_struct, b->no_empty_struct);   \
        fields                                                  \
    }
#include "wire/protocol.def"
#undef MESSAGE
#undef F

#define F(type, field) +SIZE_##type
#define MESSAGE(NAME, name, direction, limit, fields) \
    static size_t size_##name(void)                   \
    {                                                 \
        return 0 fields;                              \
    }
#include "wire/protocol.def"
#undef MESSAGE
#undef F

#define MESSAGE(NAME, name, direction, limit, fields)                \
    static void encode_##name(struct buf *out, const void *message)  \
    {                                                                \
        put_##name(out, tag, message);                               \
    }                                                                \
    static gbx_status decode_##name(struct span body, void *message) \
    {                                                                \
        return get_##name(body, message);                            \
    }
#include "wire/protocol.def"
#undef MESSAGE

union any {
#define MESSAGE(NAME, name, direction, limit, fields) struct msg_##name name;
#include "wire/protocol.def"
#undef MESSAGE
};

static const struct message {
    const char *name;
    uint32_t type;
    enum message_direction direction;
    uint64_t max;
    void (*fill)(void *message);
    void (*same)(const void *one, const void *other);
    size_t (*size)(void);
    void (*encode)(struct buf *out, const void *message);
    gbx_status (*decode)(struct span body, void *message);
} messages[] = {
#define MESSAGE(NAME, name, direction, limit, fields)                                 \
    { #NAME, MESSAGE_##NAME, direction, limit, fill_##name, same_##name, size_##name, \
        encode_##name, decode_##name },
#include "wire/protocol.def"
#undef MESSAGE
};
enum {
    MESSAGES = sizeof messages / sizeof messages[0]
};

/* --- encoding and decoding ------------------------------------------------------------------ */

/* A heap block of exactly these bytes, so that ASan sees one too far. */
static uint8_t *
exact(struct span bytes)
{
    uint8_t *p = malloc(bytes.len == 0 ? 1 : bytes.len);

    cr_assert_not_null(p);
    if (bytes.len > 0)
        memcpy(p, bytes.p, bytes.len);
    return p;
}

static uint32_t
load_u32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void
check_header(const uint8_t *h, uint32_t type, size_t body)
{
    cr_assert_eq(load_u32(h), body);
    cr_assert_eq(load_u32(h + 4), type | (uint32_t)TAG_NESTING << 16);
    cr_assert_eq(load_u32(h + 8), TAG_ID);
}

/* `out` holds one whole frame of `m`. */
static void
encode_sample(const struct message *m, size_t len, union any *sample, struct buf *out)
{
    *out = (struct buf){ .max = MIB };
    *sample = (union any){ 0 };
    sample_begin(len);
    m->fill(sample);
    m->encode(out, sample);
    cr_assert_not(out->failed);
}

static const size_t lengths[] = { 0, 1, 300 };

Test(frame, each_message_comes_back_as_it_was)
{
    for (size_t i = 0; i < MESSAGES * COUNT(lengths); i++) {
        const struct message *m = &messages[i / COUNT(lengths)];
        union any sample, back;
        struct buf out;
        encode_sample(m, lengths[i % COUNT(lengths)], &sample, &out);
        cr_assert_eq(out.len, FRAME_HEADER + m->size(), "%s", m->name);
        check_header(out.p, m->type, out.len - FRAME_HEADER);
        struct span body = span_of(out.p + FRAME_HEADER, out.len - FRAME_HEADER);
        uint8_t *whole = exact(body);
        cr_assert_eq(m->decode(span_of(whole, body.len), &back), GBX_OK, "%s", m->name);
        m->same(&sample, &back);
        free(whole);
        buf_done(&out);
    }
}

Test(frame, every_truncation_is_refused_and_leaves_the_message_alone)
{
    for (size_t i = 0; i < MESSAGES * COUNT(lengths); i++) {
        const struct message *m = &messages[i / COUNT(lengths)];
        union any sample, back, untouched;
        struct buf out;
        encode_sample(m, lengths[i % COUNT(lengths)], &sample, &out);
        memset(&untouched, 0x5a, sizeof untouched);
        for (size_t cut = 0; cut < out.len - FRAME_HEADER; cut++) {
            uint8_t *part = exact(span_of(out.p + FRAME_HEADER, cut));
            back = untouched;
            cr_assert_eq(m->decode(span_of(part, cut), &back), GBX_EPROTO, "%s", m->name);
            cr_assert_eq(memcmp(&back, &untouched, sizeof back), 0, "%s", m->name);
            free(part);
        }
        buf_done(&out);
    }
}

Test(frame, a_byte_too_many_is_refused_and_leaves_the_message_alone)
{
    for (size_t i = 0; i < MESSAGES * COUNT(lengths); i++) {
        const struct message *m = &messages[i / COUNT(lengths)];
        union any sample, back, untouched;
        struct buf out;
        encode_sample(m, lengths[i % COUNT(lengths)], &sample, &out);
        memset(&untouched, 0x5a, sizeof untouched);
        back = untouched;
        buf_byte(&out, 0);
        struct span body = span_of(out.p + FRAME_HEADER, out.len - FRAME_HEADER);
        cr_assert_eq(m->decode(body, &back), GBX_EPROTO, "%s", m->name);
        cr_assert_eq(memcmp(&back, &untouched, sizeof back), 0, "%s", m->name);
        buf_done(&out);
    }
}

/* The length of a `bytes` field is a claim: lengths that wrap must not pass. */
Test(frame, a_length_past_the_body_is_refused)
{
    static const uint32_t lies[] = { 4, 5, 0x7fffffffu, 0x80000000u, 0xfffffffcu, 0xffffffffu };

    for (size_t i = 0; i < COUNT(lies); i++) {
        uint8_t body[7] = { (uint8_t)lies[i], (uint8_t)(lies[i] >> 8), (uint8_t)(lies[i] >> 16),
            (uint8_t)(lies[i] >> 24), 'a', 'b', 'c' };
        struct msg_result m = { .no_empty_struct = 7 };
        uint8_t *p = exact(span_of(body, sizeof body));
        cr_assert_eq(get_result(span_of(p, sizeof body), &m), GBX_EPROTO);
        cr_assert_eq(m.no_empty_struct, 7);
        free(p);
    }
}

Test(frame, a_message_past_its_buffers_maximum_fails_and_stays_failed)
{
    struct buf out = { .max = 64 };
    static const char long_text[100];

    put_result(&out, tag, &(struct msg_result){ .value = span_of(long_text, 100) });
    cr_assert(out.failed);
    put_result(&out, tag, &(struct msg_result){ .value = span_of("x", 1) });
    cr_assert(out.failed);
    buf_done(&out);
}

Test(frame, a_buffer_without_room_for_a_header_is_left_alone)
{
    struct buf out = { .max = FRAME_HEADER - 1 };

    put_result(&out, tag, &(struct msg_result){ .value = span_of("x", 1) });
    cr_assert(out.failed);
    cr_assert_eq(argument_begin(&out), 0);
    argument_end(&out, 4);
    cr_assert_eq(out.len, 0);
    buf_done(&out);
}

Test(frame, names_are_those_of_the_table)
{
    for (size_t i = 0; i < MESSAGES; i++)
        cr_assert_str_eq(message_name(messages[i].type), messages[i].name);
    cr_assert_str_eq(message_name(MESSAGE_TYPES), "?");
    cr_assert_str_eq(message_name(UINT32_MAX), "?");
}

/* --- values written in place ---------------------------------------------------------------- */

Test(frame, the_last_field_may_be_written_in_place)
{
    struct buf out = { .max = MIB };
    struct msg_set m;

    buf_text(&out, "what was there before");
    size_t frame = out.len;
    put_set(&out, tag, &(struct msg_set){ .context = 3, .path = span_text("a.b") });
    size_t field = frame_last_begin(&out);
    buf_text(&out, "the value");
    frame_last_end(&out, frame, field);
    check_header(out.p + frame, MESSAGE_SET, out.len - frame - FRAME_HEADER);
    cr_assert_eq(
        get_set(span_of(out.p + frame + FRAME_HEADER, out.len - frame - FRAME_HEADER), &m),
        GBX_OK);
    cr_assert_eq(m.context, 3);
    cr_assert(m.value.len == 9 && memcmp(m.value.p, "the value", 9) == 0);
    buf_done(&out);
}

Test(frame, arguments_are_walked_one_after_the_other)
{
    struct buf out = { .max = MIB };
    struct span argument;

    for (size_t i = 0; i < 3; i++) {
        size_t begun = argument_begin(&out);
        buf_append(&out, "abcdef", i * 2);
        argument_end(&out, begun);
    }
    uint8_t *p = exact(buf_span(&out));
    struct span rest = span_of(p, out.len);
    for (size_t i = 0; i < 3; i++) {
        cr_assert(argument_next(&rest, &argument));
        cr_assert(argument.len == i * 2 && memcmp(argument.p, "abcdef", i * 2) == 0);
    }
    cr_assert_eq(rest.len, 0);
    cr_assert_not(argument_next(&rest, &argument));
    free(p);
    buf_done(&out);
}

Test(frame, an_argument_that_does_not_fit_is_refused)
{
    static const uint8_t lies[][8] = {
        { 5, 0, 0, 0, 1, 2, 3, 4 },
        { 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4 },
        { 0, 0, 0, 0x80, 1, 2, 3, 4 },
    };

    for (size_t i = 0; i < COUNT(lies); i++)
        for (size_t cut = 0; cut <= 8; cut++) {
            uint8_t *p = exact(span_of(lies[i], cut));
            struct span rest = span_of(p, cut), argument = span_of(NULL, 77);
            cr_assert_not(argument_next(&rest, &argument));
            cr_assert_eq(argument.len, 77);
            cr_assert_eq(rest.len, cut);
            free(p);
        }
}

/* --- the reader ----------------------------------------------------------------------------- */

/* Feeds `len` bytes, at most `piece` at a time. Answers how many frames were complete; the last
 * one's body is copied to `body`. */
static int
feed(struct frame_reader *r, const uint8_t *p, size_t len, size_t piece, struct buf *body)
{
    uint8_t *into;
    size_t wants;
    int frames = 0;

    while (len > 0 && (wants = frame_reader_wants(r, &into)) > 0) {
        size_t n = wants < piece ? wants : piece;
        n = n < len ? n : len;
        memcpy(into, p, n);
        p += n;
        len -= n;
        if (!frame_reader_got(r, n))
            continue;
        frames++;
        if (body != NULL) {
            body->len = 0;
            buf_append(body, r->frame.body.p, r->frame.body.len);
        }
        frame_next(r);
    }
    return frames;
}

/* Three frames in a stream, cut into pieces of every size: the header is split at every byte. */
Test(frame_reader, pieces_of_any_size_make_the_same_frames)
{
    struct buf stream = { .max = MIB }, body = { .max = MIB };

    put_result(&stream, tag, &(struct msg_result){ .value = span_text("first") });
    put_reference(&stream, tag, &(struct msg_reference){ .reference = 9 });
    put_result(&stream, tag, &(struct msg_result){ .value = span_text("last of all") });
    for (size_t piece = 1; piece <= stream.len; piece++) {
        struct frame_reader r;
        struct msg_result m;
        frame_reader_init(&r, TO_HOST);
        cr_assert_eq(feed(&r, stream.p, stream.len, piece, &body), 3);
        cr_assert_not(r.broken);
        cr_assert_eq(r.frame.type, MESSAGE_RESULT);
        cr_assert_eq(r.frame.id, TAG_ID);
        cr_assert_eq(r.frame.nesting, TAG_NESTING);
        cr_assert_eq(get_result(buf_span(&body), &m), GBX_OK);
        cr_assert(m.value.len == 11 && memcmp(m.value.p, "last of all", 11) == 0);
        frame_reader_done(&r);
    }
    buf_done(&stream);
    buf_done(&body);
}

/* A reader that was cut off anywhere has no frame, and is not broken: more may come. */
Test(frame_reader, half_a_frame_is_no_frame)
{
    struct buf stream = { .max = MIB };

    put_result(&stream, tag, &(struct msg_result){ .value = span_text("value") });
    for (size_t cut = 0; cut < stream.len; cut++) {
        struct frame_reader r;
        frame_reader_init(&r, TO_HOST);
        cr_assert_eq(feed(&r, stream.p, cut, 4096, NULL), 0);
        cr_assert_not(r.broken);
        cr_assert_eq(feed(&r, stream.p + cut, stream.len - cut, 4096, NULL), 1);
        frame_reader_done(&r);
    }
    buf_done(&stream);
}

/* A header with this type and body length. */
static bool
breaks(enum message_direction direction, uint32_t type, uint32_t bytes)
{
    uint8_t h[FRAME_HEADER] = { (uint8_t)bytes, (uint8_t)(bytes >> 8), (uint8_t)(bytes >> 16),
        (uint8_t)(bytes >> 24), (uint8_t)type, (uint8_t)(type >> 8) };
    struct frame_reader r;
    uint8_t *into;

    frame_reader_init(&r, direction);
    int frames = feed(&r, h, sizeof h, sizeof h, NULL);
    bool broken = r.broken;
    cr_assert_eq(broken, r.why != NULL);
    if (broken) {
        cr_assert_eq(frames, 0);
        cr_assert_eq(frame_reader_wants(&r, &into), 0, "a broken stream wants no more");
    } else {
        cr_assert_eq(frames, bytes == 0);
    }
    frame_reader_done(&r);
    return broken;
}

Test(frame_reader, unknown_types_break_the_stream)
{
    for (uint32_t type = 0; type <= 0xffff; type++) {
        bool known = type != MESSAGE_NONE && type < MESSAGE_TYPES;
        cr_assert_eq(breaks(TO_HOST, type, 0) && breaks(TO_CELL, type, 0), !known);
    }
}

Test(frame_reader, messages_of_the_other_direction_break_the_stream)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        cr_assert_eq(breaks(TO_HOST, messages[i].type, 0), messages[i].direction != TO_HOST,
            "%s", messages[i].name);
        cr_assert_eq(breaks(TO_CELL, messages[i].type, 0), messages[i].direction != TO_CELL,
            "%s", messages[i].name);
    }
}

Test(frame_reader, a_body_past_the_limit_of_its_type_breaks_the_stream)
{
    for (size_t i = 0; i < MESSAGES; i++) {
        const struct message *m = &messages[i];
        cr_assert_lt(m->max, UINT32_MAX);
        cr_assert_not(breaks(m->direction, m->type, (uint32_t)m->max), "%s", m->name);
        cr_assert(breaks(m->direction, m->type, (uint32_t)m->max + 1), "%s", m->name);
        cr_assert(breaks(m->direction, m->type, UINT32_MAX), "%s", m->name);
    }
}

/* An announced length alone costs a ring's worth, not the length. */
Test(frame_reader, memory_grows_with_what_arrives)
{
    static uint8_t bytes[1024 * 1024];
    struct frame_reader r;

    frame_reader_init(&r, TO_HOST);
    uint32_t announced = (uint32_t)VALUE_BYTES_MAX;
    uint8_t h[FRAME_HEADER] = { (uint8_t)announced, (uint8_t)(announced >> 8),
        (uint8_t)(announced >> 16), (uint8_t)(announced >> 24), MESSAGE_RESULT };
    uint8_t *into;
    cr_assert_eq(feed(&r, h, sizeof h, sizeof h, NULL), 0);
    cr_assert_leq(frame_reader_wants(&r, &into), RING_BYTES);
    cr_assert_leq(r.body.capacity, 2 * RING_BYTES);
    cr_assert_eq(feed(&r, bytes, sizeof bytes, 10000, NULL), 0);
    cr_assert_leq(r.body.capacity, 4 * sizeof bytes);
    frame_reader_done(&r);
}

/* What memory does not allow breaks the stream too, and stays so. */
Test(frame_reader, a_body_that_there_is_no_memory_for_breaks_the_stream)
{
    struct buf stream = { .max = MIB };
    struct frame_reader r;
    uint8_t *into;

    put_result(&stream, tag, &(struct msg_result){ .value = span_text("more than ten bytes") });
    frame_reader_init(&r, TO_HOST);
    r.body.max = 10;
    cr_assert_eq(feed(&r, stream.p, stream.len, 5, NULL), 0);
    cr_assert(r.broken && r.why != NULL);
    cr_assert_eq(frame_reader_wants(&r, &into), 0);
    frame_reader_done(&r);
    buf_done(&stream);
}

/* One large message does not pin its size to the reader. */
Test(frame_reader, a_large_body_is_given_back)
{
    static uint8_t value[4 * FRAME_KEPT_BYTES];
    struct buf stream = { .max = MIB };
    struct frame_reader r;

    put_result(&stream, tag, &(struct msg_result){ .value = span_of(value, sizeof value) });
    frame_reader_init(&r, TO_HOST);
    cr_assert_eq(feed(&r, stream.p, stream.len, stream.len, NULL), 1);
    cr_assert_leq(r.body.capacity, FRAME_KEPT_BYTES);
    frame_reader_done(&r);
    buf_done(&stream);
}

Test(frame_reader, random_streams_never_lead_outside)
{
    uint32_t seed = 1;

    for (int round = 0; round < 20000; round++) {
        uint8_t bytes[200];
        struct frame_reader r;
        for (size_t i = 0; i < sizeof bytes; i++) {
            seed = seed * 1664525u + 1013904223u;
            /* Small numbers mostly, so that many headers pass. */
            bytes[i] = (seed >> 28) != 0 ? (uint8_t)(seed >> 16 & (i % 12 == 4 ? 31 : 0))
                                         : (uint8_t)(seed >> 8);
        }
        frame_reader_init(&r, round % 2 == 0 ? TO_HOST : TO_CELL);
        (void)feed(&r, bytes, sizeof bytes, 1 + seed % 50, NULL);
        frame_reader_done(&r);
    }
}
