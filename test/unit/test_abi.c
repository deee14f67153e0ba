#include <glovebox/devtools.h>
#include <glovebox/glovebox.h>
#include <glovebox/heap.h>
#include <glovebox/heap_series.h>
#include <glovebox/series.h>
#include <glovebox/store.h>

#include <criterion/criterion.h>
#include <stddef.h>

static const struct row {
    const char *name;
    const char *member; /* NULL: the struct itself */
    size_t offset, size;
    size_t pinned_offset, pinned_size;
} rows[] = {
#define STRUCT(type, pinned) { #type, NULL, 0, sizeof(type), 0, pinned },
#define FIELD(type, member, at, pinned) \
    { #type, #member, offsetof(type, member), sizeof(((type *)NULL)->member), at, pinned },
#include "layout.def"
#undef STRUCT
#undef FIELD
};
enum {
    ROWS = sizeof rows / sizeof rows[0]
};

Test(abi, is_as_it_was_pinned)
{
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *r = &rows[i];
        const char *member = r->member == NULL ? "(all)" : r->member;
        cr_assert_eq(r->offset, r->pinned_offset, "%s.%s is at %zu, not at %zu", r->name,
            member, r->offset, r->pinned_offset);
        cr_assert_eq(r->size, r->pinned_size, "%s.%s has %zu bytes, not %zu", r->name, member,
            r->size, r->pinned_size);
    }
}

/* A hole is memory that nobody sets: an options struct's tail must be zero to be accepted. */
Test(abi, has_no_holes)
{
    for (size_t i = 0; i < ROWS; i++) {
        if (rows[i].member != NULL)
            continue;
        size_t end = 0, next = i + 1;
        for (; next < ROWS && rows[next].member != NULL; next++) {
            cr_assert_eq(rows[next].offset, end, "a hole before %s.%s", rows[next].name,
                rows[next].member);
            end += rows[next].size;
        }
        cr_assert_eq(rows[i].size, end, "a hole at the end of %s", rows[i].name);
    }
}
