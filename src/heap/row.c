/* row.c - a long row of records: read from text here, taken into columns on another thread.
 *
 * What is read of a window of text is a piece. Pieces go round in a ring: the reader fills the next
 * one that is free, and the taker empties the next one that is full. A piece keeps the text it came
 * from, for the place of what is wrong in it. With one thread there is one piece, and whoever fills
 * it empties it.
 */
#include "heap/load.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

enum {
    /* So that neither waits for the other when one is late for a moment. */
    PIECES = 4
};

struct piece {
    uint32_t *numbers;
    size_t count;
    const uint8_t *text, *text_end; /* `count` numbers begin at `text` */
    uint64_t offset;                /* of `text` in the file */
    uint8_t *window;                /* that holds it, or a spare one */
    bool last;                      /* nothing in it: the row is over */
};

struct row {
    struct load *load;
    take_records take;
    uint32_t fields;
    int32_t wide;

    struct piece pieces[PIECES];
    uint32_t filled;      /* how often the reader has filled one */
    sem_t free, full;     /* counts of pieces */
    bool threaded;        /* another thread takes */
    bool after_number;    /* the reader's: no comma came since */
    _Atomic(bool) failed; /* the taker's: what follows is not looked at */
    uint64_t failed_at;   /* the byte */
    const char *why;      /* NULL: out of memory */

    /* The taker's: the record that a piece's end, or a number past 32 bits, has cut in two. */
    uint32_t part[HEAP_FIELDS_MAX];
    uint32_t have;
};

static void
wait_for(sem_t *count)
{
    while (sem_wait(count) != 0)
        continue; /* a signal came */
}

/* --- taking ----------------------------------------------------------------------------- */

/* Where the number `at` of those that begin at `from` stands. */
static const uint8_t *
place_of(const uint8_t *from, const uint8_t *end, size_t at)
{
    const uint8_t *p = from;

    for (; at > 0 && p < end; p++)
        at -= *p == ',' ? 1 : 0;
    return p;
}

static void
take_failed(struct row *row, const struct piece *piece, const struct bad *bad)
{
    const uint8_t *place = place_of(piece->text, piece->text_end, bad->at);

    row->failed_at = piece->offset + (uint64_t)(place - piece->text);
    row->why = bad->why;
    row->failed = true;
}

/* The record that was begun, whole ones, and what is left. */
static void
take_piece(struct row *row, const struct piece *piece)
{
    const uint32_t *numbers = piece->numbers;
    struct bad bad = { 0, NULL };
    size_t at = 0;
    bool ok = true;

    if (row->have > 0) {
        while (row->have < row->fields && at < piece->count)
            row->part[row->have++] = numbers[at++];
        if (row->have < row->fields)
            return;
        ok = row->take(row->load, row->part, 1, &bad);
        /* What is wrong may stand in the piece before: its place is then its record's end. */
        bad.at = at == 0 ? 0 : at - 1;
        row->have = 0;
    }
    size_t records = (piece->count - at) / row->fields;
    if (ok && records > 0) {
        ok = row->take(row->load, numbers + at, records, &bad);
        bad.at += at;
        at += records * row->fields;
    }
    if (!ok) {
        take_failed(row, piece, &bad);
        return;
    }
    while (at < piece->count)
        row->part[row->have++] = numbers[at++];
}

static void *
run_taker(void *data)
{
    struct row *row = data;

    for (uint32_t emptied = 0;; emptied++) {
        struct piece *piece = &row->pieces[emptied % PIECES];
        wait_for(&row->full);
        bool last = piece->last;
        if (!last && !row->failed)
            take_piece(row, piece);
        (void)sem_post(&row->free);
        if (last)
            return NULL;
    }
}

/* --- handing over ----------------------------------------------------------------------- */

/* The piece to fill next. */
static struct piece *
next_piece(struct row *row)
{
    if (!row->threaded)
        return &row->pieces[0];
    wait_for(&row->free);
    return &row->pieces[row->filled++ % PIECES];
}

static void
hand_over(struct row *row, struct piece *piece)
{
    if (row->threaded)
        (void)sem_post(&row->full);
    else if (!row->failed)
        take_piece(row, piece);
}

/* Until the taker has taken all. */
static void
wait_taken(struct row *row)
{
    for (int i = 0; row->threaded && i < PIECES; i++)
        wait_for(&row->free);
    for (int i = 0; row->threaded && i < PIECES; i++)
        (void)sem_post(&row->free);
}

/* --- reading ---------------------------------------------------------------------------- */

/* A number past 32 bits is next: it is taken if its field may have it. */
static bool
take_wide(struct row *row)
{
    struct load *l = row->load;
    struct piece none = { .text = l->r->p, .offset = reader_offset(l->r, l->r->p) };
    uint64_t number = 0;

    wait_taken(row);
    if (row->failed)
        return false;
    none.text_end = none.text;
    if ((int32_t)row->have != row->wide)
        return reader_fail(l->r, l->r->p, "a number that is too large");
    if (!reader_number(l->r, &number))
        return false;
    l->wide = number;
    row->part[row->have++] = UINT32_MAX;
    row->after_number = true;
    if (row->have == row->fields)
        take_piece(row, &none);
    return !row->failed;
}

/* What of the window is whole: up to the row's end, or behind its last comma. NULL: nothing yet. */
static const uint8_t *
find_limit(const struct reader *r, bool *out_last)
{
    const uint8_t *end = memchr(r->p, ']', (size_t)(r->end - r->p));

    *out_last = end != NULL;
    if (end != NULL)
        return end;
    end = memrchr(r->p, ',', (size_t)(r->end - r->p));
    return end == NULL ? NULL : end + 1;
}

/* What is wrong in front of it was read earlier, so that is told. */
static bool
fail_reading(struct row *row, const uint8_t *at, const char *why)
{
    wait_taken(row);
    return !row->failed && reader_fail(row->load->r, at, "%s", why);
}

/* What of the window is whole. False: failed, or the taker has. */
static bool
read_window(struct row *row, const uint8_t *limit)
{
    struct load *l = row->load;
    struct reader *r = l->r;

    for (;;) {
        struct piece *piece = next_piece(row);
        struct integers in = {
            .p = r->p, .limit = limit, .out = piece->numbers, .after_number = row->after_number
        };
        enum integers_end end = l->read(&in);
        row->after_number = in.after_number;
        piece->count = in.count;
        piece->text = r->p;
        piece->text_end = r->end;
        piece->offset = reader_offset(r, r->p);
        r->p = in.p;
        if (end == INTEGERS_DONE && row->threaded)
            piece->window = reader_change_window(r, piece->window);
        hand_over(row, piece);
        if (end == INTEGERS_BAD)
            return fail_reading(row, r->p, "expected a number, a comma or ]");
        if (end == INTEGERS_DONE)
            return !row->failed;
        if (!take_wide(row))
            return false;
    }
}

static bool
read_row(struct row *row)
{
    struct reader *r = row->load->r;
    bool last = false;

    while (!last) {
        const uint8_t *limit = find_limit(r, &last);
        if (limit == NULL) {
            if (!reader_fill(r))
                return fail_reading(row, r->end, "the file ends, or a number has no end");
            continue;
        }
        if (!read_window(row, limit))
            return false;
        if (!last && !reader_fill(r))
            return fail_reading(row, r->end, "the file ends inside the section");
    }
    wait_taken(row);
    if (row->failed)
        return false;
    if (!row->after_number)
        return reader_fail(r, r->p, "expected a number before ]");
    if (row->have != 0)
        return reader_fail(r, r->p, "the last record is cut");
    r->p++;
    return true;
}

/* --- the row ---------------------------------------------------------------------------- */

static bool
make_pieces(struct row *row)
{
    int count = row->threaded ? PIECES : 1;
    bool ok = true;

    for (int i = 0; i < count; i++) {
        struct piece *piece = &row->pieces[i];
        piece->numbers =
            malloc((HEAP_WINDOW_BYTES / 2 + INTEGERS_SPARE) * sizeof *piece->numbers);
        piece->window = row->threaded ? reader_new_window() : NULL;
        ok = ok && piece->numbers != NULL && (piece->window != NULL || !row->threaded);
    }
    return ok;
}

static bool
run_row(struct row *row)
{
    pthread_t taker;

    if (!make_pieces(row))
        return reader_no_memory(row->load->r);
    row->threaded = row->threaded && pthread_create(&taker, NULL, run_taker, row) == 0;
    bool threaded = row->threaded, ok = read_row(row);
    if (threaded) {
        next_piece(row)->last = true;
        (void)sem_post(&row->full);
        (void)pthread_join(taker, NULL);
    }
    if (row->failed)
        return row->why == NULL ? reader_no_memory(row->load->r)
                                : reader_fail_at(row->load->r, row->failed_at, row->why);
    return ok;
}

bool
load_row(struct load *l, uint32_t fields, int32_t wide, take_records take)
{
    struct row row = { .load = l,
        .take = take,
        .fields = fields,
        .wide = wide,
        .threaded = l->may_thread && l->node_count >= HEAP_THREAD_NODES };

    if (!reader_expect(l->r, '['))
        return false;
    if (reader_accept(l->r, ']'))
        return true;
    (void)sem_init(&row.free, 0, PIECES);
    (void)sem_init(&row.full, 0, 0);
    bool ok = run_row(&row);
    for (int i = 0; i < PIECES; i++) {
        free(row.pieces[i].numbers);
        free(row.pieces[i].window);
    }
    (void)sem_destroy(&row.free);
    (void)sem_destroy(&row.full);
    return ok;
}
