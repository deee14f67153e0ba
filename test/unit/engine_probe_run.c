/* What engine.h says of booting, forking and running. */
#include "engine_probe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- versions ------------------------------------------------------------------------- */

static void
version_of_the_engine_fits(void)
{
    CHECK(engine_version_mismatch(engine_version(), engine_version_built_for()) == NULL);
}

static void
other_versions_are_refused_by_name(void)
{
    const char *why = engine_version_mismatch("13.6.233.10-node.26", "14.6.202.34");

    CHECK(why != NULL && strstr(why, "13.6.233.10-node.26") != NULL);
    CHECK(strstr(why, "14.6.202.34") != NULL);
    CHECK(engine_version_mismatch("14.6.202.345", "14.6.202.34") != NULL);
    CHECK(engine_version_mismatch("14.6.202.34-node.35", "14.6.202.34-node.34") != NULL);
    CHECK(engine_version_mismatch("14.6.202.34-node.34", "14.6.202.34") == NULL);
}

/* --- forks ---------------------------------------------------------------------------- */

static void
a_forked_heap_evaluates_and_collects(void)
{
    eval("globalThis.kept = []; for (let i = 0; i < 2e5; i++) kept.push({ i, s: 's' + i })");
    engine_collect();
    CHECK(is_int(eval("kept.length + kept[199999].i"), 399999));
}

/* Mappings of this process that a fork would leave out. */
static int
mappings_without_fork(void)
{
    FILE *file = fopen("/proc/self/smaps", "r");
    char line[512];
    int count = 0;

    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmFlags:", 8) == 0 && strstr(line, " dc ") != NULL)
            count++;
    (void)fclose(file);
    return count;
}

static void
no_page_is_kept_from_forks(void)
{
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    /* The count would see one: made by the system call itself. */
    CHECK(syscall(SYS_madvise, page, 4096, MADV_DONTFORK) == 0);
    CHECK(mappings_without_fork() == 1);
    CHECK(munmap(page, 4096) == 0);
    CHECK(mappings_without_fork() == 0);
    /* What V8 calls. */
    page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(madvise(page, 4096, MADV_DONTFORK) == 0);
    CHECK(mappings_without_fork() == 0);
}

enum {
    SIBLINGS = 6,
    DRAWS = 3
};
static double *drawn; /* shared by the siblings: DRAWS each */
static int sibling;

static double
draw(uint32_t context)
{
    struct engine_source code = { span_text("Math.random()"), span_of(NULL, 0), 0, 0 };
    struct engine_outcome out;
    double value;

    engine_outcome_init(&out, 64);
    engine_eval(context, 1, 0, &code, &out);
    CHECK(out.end == ENGINE_VALUE && out.value.len == 11 && out.value.p[2] == 'N');
    memcpy(&value, out.value.p + 3, sizeof value);
    engine_outcome_done(&out);
    return value;
}

static void
draw_some(void)
{
    for (int i = 0; i < DRAWS; i++)
        drawn[sibling * DRAWS + i] = draw(1);
}

static void
all_differ(const double *numbers, int count)
{
    for (int i = 0; i < count; i++)
        for (int j = 0; j < i; j++)
            CHECK(fabs(numbers[i] - numbers[j]) > 0);
}

static void
siblings_draw_different_numbers(void)
{
    double again;

    drawn = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(drawn != MAP_FAILED);
    for (sibling = 0; sibling < SIBLINGS; sibling++)
        CHECK(in_cell((uint64_t)sibling * 1000003 + 17, draw_some) == 0);
    all_differ(drawn, SIBLINGS * DRAWS);
    /* The seed decides, and nothing else. */
    again = drawn[0];
    sibling = 0;
    CHECK(in_cell(17, draw_some) == 0);
    CHECK(!(fabs(drawn[0] - again) > 0));
}

static void
contexts_draw_different_numbers(void)
{
    double numbers[SIBLINGS];

    for (uint32_t id = 1; id <= SIBLINGS; id++) {
        CHECK(id == 1 || engine_context_new(id));
        numbers[id - 1] = draw(id);
    }
    all_differ(numbers, SIBLINGS);
}

/* --- contexts ------------------------------------------------------------------------- */

static void
contexts_are_apart_and_their_ids_checked(void)
{
    struct engine_source code = { span_text("typeof x"), span_of(NULL, 0), 0, 0 };
    struct engine_outcome out;

    eval("globalThis.x = 1");
    CHECK(engine_context_new(7) && !engine_context_new(7) && !engine_context_new(1) &&
          !engine_context_new(0));
    engine_outcome_init(&out, 64);
    engine_eval(7, 1, 0, &code, &out);
    CHECK(is_text(&out, "undefined"));
    engine_context_free(7);
    engine_context_free(7);
    engine_context_free(4000000000u);
    engine_eval(7, 1, 0, &code, &out);
    CHECK(out.end == ENGINE_BAD_ID);
    engine_outcome_done(&out);
}

/* --- values --------------------------------------------------------------------------- */

/* The bytes that the engine writes for primitives by hand are those of V8's serialiser, which
 * writes the same value as the only element of an array. */
static void
primitives_are_written_as_v8_writes_them(void)
{
    static const char *const values[] = { "0", "1", "-1", "63", "64", "-65", "1073741823",
        "-2147483648", "2147483647", "0.5", "-0", "NaN", "1e300", "-Infinity", "''", "'x'",
        "'\\u00ff'", "'y'.repeat(127)", "'z'.repeat(128)", "'a' + 'b'.repeat(20000)", "true",
        "false", "null", "undefined" };
    char source[64];
    uint8_t alone[32768];

    for (size_t i = 0; i < COUNT(values); i++) {
        (void)snprintf(source, sizeof source, "(%s)", values[i]);
        struct engine_outcome *out = eval(source);
        size_t length = out->value.len;
        CHECK(out->end == ENGINE_VALUE && length > 2 && length <= sizeof alone);
        memcpy(alone, out->value.p, length);
        (void)snprintf(source, sizeof source, "[%s, {}]", values[i]);
        out = eval(source);
        /* FF 0F A <length> value ... */
        CHECK(out->end == ENGINE_VALUE && out->value.len > length + 2);
        CHECK(memcmp(out->value.p, alone, 2) == 0);
        CHECK(memcmp(out->value.p + 4, alone + 2, length - 2) == 0);
    }
}

static void
values_come_back_as_they_went_in(void)
{
    static const char *const values[] = { "0", "-1", "2147483647", "0.1", "-0", "'text'", "''",
        "'\\u20ac\\ud800'", "true", "null", "undefined", "10n ** 30n", "[1, , 3]",
        "({ a: { b: [new Date(5), /x/gi] } })", "new Map([[1, new Set('ab')]])",
        "new Uint8Array([1, 2, 3])", "new Float64Array(3).subarray(1)", "new Error('e')" };
    char source[128];
    struct buf bytes = { .max = MIB };

    eval(
        "globalThis.look = v => Object.prototype.toString.call(v) + JSON.stringify(v, (k, x) =>"
        "  x instanceof Map || x instanceof Set ? [...x] : x instanceof RegExp || x instanceof "
        "Error ? `${x}` : x)");
    for (size_t i = 0; i < COUNT(values); i++) {
        struct engine_outcome out;
        (void)snprintf(source, sizeof source, "globalThis.was = %s", values[i]);
        struct engine_outcome *first = eval(source);
        CHECK(first->end == ENGINE_VALUE);
        bytes.len = 0;
        buf_append(&bytes, first->value.p, first->value.len);
        engine_outcome_init(&out, MIB);
        engine_set(1, span_text("is"), buf_span(&bytes), &out);
        CHECK(is_undefined(&out));
        engine_get(1, 1, 0, span_text("is"), &out);
        CHECK(out.end == ENGINE_VALUE);
        engine_outcome_done(&out);
        CHECK(is_true(eval("Object.is(is, was) || (typeof is === 'object' && look(is) === "
                           "look(was))")));
    }
}

static void
malformed_values_are_refused(void)
{
    static const char *const values[] = { "\xFF", "\xFF\x0F", "\xFF\x0FI", "\xFF\x0FI\x80",
        "\xFF\x0FN1234567", "\xFF\x0FN123456789", "\xFF\x0F\"\x05\141bc", "\xFF\x0Fo", "junk" };
    struct engine_outcome out;

    for (size_t i = 0; i < COUNT(values); i++) {
        engine_outcome_init(&out, MIB);
        engine_set(1, span_text("is"), span_text(values[i]), &out);
        /* V8's own reader takes bytes behind a value, and such a value is set. */
        CHECK(out.end == ENGINE_NOT_CLONABLE || out.end == ENGINE_THROWN ||
              (i == 5 && is_undefined(&out)));
        engine_outcome_done(&out);
    }
    CHECK(is_int(eval("1 + 1"), 2));
}

static void
what_cannot_be_copied_is_named(void)
{
    struct engine_outcome *out = eval("({ deep: [() => 1] })");

    CHECK(out->end == ENGINE_NOT_CLONABLE);
    CHECK(has_text(&out->exception.message, "() => 1 could not be cloned"));
    CHECK(eval("Symbol('s')")->end == ENGINE_NOT_CLONABLE);
    CHECK(eval("new SharedArrayBuffer(8)")->end == ENGINE_NOT_CLONABLE);
    CHECK(eval("Promise.resolve(1)")->end == ENGINE_NOT_CLONABLE);
    CHECK(is_undefined(eval_flags("() => 1", ENGINE_IGNORE_RESULT)));
    CHECK(threw(eval("({ get a() { throw new RangeError('from a getter') } })"), "RangeError",
        "from a getter"));
}

static void
results_past_the_limit_are_refused_and_leave_the_cell_alone(void)
{
    struct engine_source code = { span_text("big"), span_of(NULL, 0), 0, 0 };
    static const char *const makers[] = { "globalThis.big = 'x'.repeat(5000)",
        "globalThis.big = '\\u20ac'.repeat(5000)", "globalThis.big = new Uint8Array(5000)",
        "globalThis.big = Array(5000).fill(1)", "globalThis.big = Array(700).fill('wide')" };
    struct engine_outcome out;

    for (size_t i = 0; i < COUNT(makers); i++) {
        CHECK(eval_flags(makers[i], ENGINE_IGNORE_RESULT)->end == ENGINE_VALUE);
        engine_outcome_init(&out, 4096);
        engine_eval(1, 1, 0, &code, &out);
        CHECK(out.end == ENGINE_TOO_BIG && out.value.len == 0);
        engine_outcome_done(&out);
    }
    CHECK(is_int(eval("1 + 1"), 2));
}

const struct check run_checks[] = {
    { "version of the engine fits", version_of_the_engine_fits, IN_CELL },
    { "other versions are refused by name", other_versions_are_refused_by_name, IN_CELL },
    { "a forked heap evaluates and collects", a_forked_heap_evaluates_and_collects, IN_CELL },
    { "no page is kept from forks", no_page_is_kept_from_forks, IN_CELL },
    { "siblings draw different numbers", siblings_draw_different_numbers, IN_TEMPLATE },
    { "contexts draw different numbers", contexts_draw_different_numbers, IN_CELL },
    { "contexts are apart and their ids checked", contexts_are_apart_and_their_ids_checked,
        IN_CELL },
    { "primitives are written as V8 writes them", primitives_are_written_as_v8_writes_them,
        IN_CELL },
    { "values come back as they went in", values_come_back_as_they_went_in, IN_CELL },
    { "malformed values are refused", malformed_values_are_refused, IN_CELL },
    { "what cannot be copied is named", what_cannot_be_copied_is_named, IN_CELL },
    { "results past the limit are refused",
        results_past_the_limit_are_refused_and_leave_the_cell_alone, IN_CELL },
    { NULL, NULL, IN_CELL },
};
