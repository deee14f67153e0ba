#include "base/table.h"

#include <criterion/criterion.h>
#include <stdlib.h>

Test(table, gives_back_what_was_added)
{
    struct table t = { .max = 4 };
    int a, b;
    uint32_t ida = table_add(&t, &a), idb = table_add(&t, &b);

    cr_assert_neq(ida, 0);
    cr_assert_neq(ida, idb);
    cr_assert_eq(table_get(&t, ida), &a);
    cr_assert_eq(table_get(&t, idb), &b);
    cr_assert_eq(table_remove(&t, ida), &a);
    cr_assert_null(table_get(&t, ida));
    cr_assert_null(table_remove(&t, ida));
    cr_assert_eq(table_get(&t, idb), &b);
    table_done(&t);
}

Test(table, is_safe_to_ask_for_anything)
{
    struct table t = { .max = 4 };
    int a;

    cr_assert_null(table_get(&t, 0));
    uint32_t id = table_add(&t, &a);
    for (uint32_t bit = 0; bit < 32; bit++) {
        cr_assert_null(table_get(&t, id ^ (1u << bit)));
        cr_assert_null(table_remove(&t, id ^ (1u << bit)));
    }
    cr_assert_null(table_get(&t, UINT32_MAX));
    cr_assert_eq(table_get(&t, id), &a);
    table_done(&t);
}

Test(table, is_full_at_its_maximum_and_has_room_again)
{
    struct table t = { .max = 100 };
    uint32_t ids[100];

    for (int i = 0; i < 100; i++)
        cr_assert_neq(ids[i] = table_add(&t, &t), 0);
    cr_assert_eq(table_add(&t, &t), 0);
    cr_assert_eq(table_remove(&t, ids[50]), &t);
    cr_assert_neq(table_add(&t, &t), 0);
    cr_assert_eq(table_add(&t, &t), 0);
    table_done(&t);
}

/* Every slot is used again for 4,095 generations, so an old id stays unknown that long. */
Test(table, does_not_take_an_old_id_for_a_newer_entry)
{
    struct table t = { .max = 1 };
    uint32_t first = table_add(&t, &t);

    for (int i = 0; i < 4094; i++) {
        uint32_t id = i == 0 ? first : table_add(&t, &t);
        cr_assert_neq(id, 0);
        if (i > 0)
            cr_assert_null(table_get(&t, first));
        cr_assert_eq(table_remove(&t, id), &t);
    }
    table_done(&t);
}

enum {
    WALK = 200000,
    MODEL = 300
};

Test(table, agrees_with_a_model_on_a_random_walk)
{
    struct table t = { .max = MODEL };
    struct {
        uint32_t id;
        void *entry;
    } model[MODEL];
    static char entries[WALK];
    uint32_t live = 0;

    srandom(1);
    for (int step = 0; step < WALK; step++) {
        uint32_t at = live == 0 ? 0 : (uint32_t)random() % live;
        /* Long stretches that mostly add, then ones that mostly remove. */
        if (random() % 100 < (step / 1000 % 2 == 0 ? 70 : 30)) {
            uint32_t id = table_add(&t, &entries[step]);
            cr_assert_eq(id == 0, live == MODEL);
            if (id != 0) {
                model[live].id = id;
                model[live++].entry = &entries[step];
            }
        } else if (live > 0) {
            cr_assert_eq(table_remove(&t, model[at].id), model[at].entry);
            model[at] = model[--live];
        }
        cr_assert_eq(t.live, live);
        if (live > 0) {
            at = (uint32_t)random() % live;
            cr_assert_eq(table_get(&t, model[at].id), model[at].entry);
        }
    }
    uint32_t cursor = 0, id, seen = 0;
    for (void *entry; (entry = table_next(&t, &cursor, &id)) != NULL; seen++)
        cr_assert_eq(table_get(&t, id), entry);
    cr_assert_eq(seen, live);
    for (void *entry; (entry = table_any(&t, &id)) != NULL; live--)
        cr_assert_eq(table_remove(&t, id), entry);
    cr_assert_eq(live, 0);
    table_done(&t);
}

Test(table, knows_what_it_had)
{
    struct table t = { .max = 4 };
    int a;
    uint32_t id = table_add(&t, &a);

    cr_assert_not(table_had(&t, id), "it is there");
    cr_assert_not(table_had(&t, 0));
    cr_assert_not(table_had(&t, id + 1), "an index that was never used");
    (void)table_remove(&t, id);
    cr_assert(table_had(&t, id));
    cr_assert_not(table_had(&t, id + TABLE_MAX), "the next generation is not given out yet");
    /* Through all generations, to the first again. */
    for (uint32_t last = id, next; (next = table_add(&t, &a)) != id; last = next) {
        cr_assert(table_had(&t, last));
        cr_assert_not(table_had(&t, next));
        (void)table_remove(&t, next);
        cr_assert(table_had(&t, next));
    }
    cr_assert(table_had(&t, id + (UINT32_MAX / TABLE_MAX - 1) * TABLE_MAX), "the last one");
    table_done(&t);
}

static void *
next_of(const void *entry, void *data)
{
    const int *number = entry;
    int *left = data;

    return --*left < 0 ? NULL : (void *)(uintptr_t)(number + 1);
}

Test(table, is_copied_with_its_ids_and_its_past)
{
    struct table t = { .max = 4 }, copy = { .max = 3 }, torn = { .max = 4 },
                 empty = { .max = 4 };
    int numbers[4] = { 0 }, left = 3, one = 1;
    uint32_t first = table_add(&t, &numbers[0]), second = table_add(&t, &numbers[1]);
    uint32_t third = table_add(&t, &numbers[2]);

    (void)table_remove(&t, second);
    cr_assert(table_copy(&copy, &t, next_of, &left));
    cr_assert_eq(table_get(&copy, first), &numbers[1]);
    cr_assert_eq(table_get(&copy, third), &numbers[3]);
    cr_assert(table_had(&copy, second));
    uint32_t fourth = table_add(&copy, &numbers[2]);
    cr_assert_eq(fourth, table_add(&t, &numbers[2]), "ids go on as they would have");
    cr_assert_eq(table_add(&copy, &numbers[2]), 0, "its own maximum holds");
    cr_assert_not(table_copy(&torn, &t, next_of, &one));
    cr_assert_eq(torn.live, 1);
    cr_assert_eq(table_get(&torn, first), &numbers[1]);
    cr_assert(table_copy(&copy, &empty, next_of, &left), "nothing to copy is no failure");
    table_done(&torn);
    table_done(&copy);
    table_done(&t);
}
