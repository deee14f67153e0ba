/* console_probe.c - what the guest's console says, beside Node.js's own. */
#include "probe.h"

#include "base/limits.h"

#include <fcntl.h>

/* --- beside Node.js ------------------------------------------------------------------- */

static void
read_file(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t bytes[4096];
    ssize_t n;

    CHECK(fd >= 0);
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        buf_append(out, bytes, (size_t)n);
    (void)close(fd);
    buf_byte(out, '\0');
}

/* A little of `text` from where it differs, the start of that line included. */
static void
show_from(const char *who, const char *text, size_t length, size_t at)
{
    while (at > 0 && text[at - 1] != '\n')
        at--;
    printf("# %s: %.*s\n", who, (int)(length - at > 200 ? 200 : length - at), text + at);
}

/* One case: its line of source, and all that Node.js said to it. */
static bool
says_the_same(const char *source, const char *expected, size_t length)
{
    size_t at = 0;

    probe_forget(&probe_console);
    CHECK(probe_eval(source) != ENGINE_THROWN);
    const char *said = (char *)probe_console.p;
    while (at < length && at < probe_console.len && said[at] == expected[at])
        at++;
    if (at == length && at == probe_console.len)
        return true;
    printf("# %.200s\n", source);
    show_from("node", expected, length, at);
    show_from("ours", said, probe_console.len, at);
    return false;
}

static void
says_what_node_says(void)
{
    struct buf cases = { .max = 1 << 20 }, said = { .max = 1 << 24 };
    const char *arguments[] = { probe_argv[1], probe_argv[2], NULL };
    unsigned count = 0, wrong = 0;

    CHECK(probe_argc == 4);
    read_file(probe_argv[2], &cases);
    probe_node(arguments, &said);
    const char *expected = (char *)said.p;
    for (char *line = strtok((char *)cases.p, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        const char *end = memchr(expected, 1, (size_t)((char *)said.p + said.len - expected));
        CHECK(end != NULL);
        wrong += !says_the_same(line, expected, (size_t)(end - expected));
        expected = end + 1;
        count++;
    }
    CHECK(expected == (char *)said.p + said.len);
    CHECK(count >= 80 && wrong == 0);
}

/* Where we differ from Node.js on purpose: its answer is to run the guest's code. */
static void
differs_where_node_runs_the_guest(void)
{
    static const struct {
        const char *source, *said;
    } cases[] = {
        { "console.log('%s', { toString() { return 'own' } })",
            "{ toString: [Function: toString] }\n" },
        { "console.log('%d %i', { valueOf() { return 5 } }, { toString() { return '7' } })",
            "NaN NaN\n" },
        { "console.log('%j', { toJSON() { return 'own' } })",
            "{ toJSON: [Function: toJSON] }\n" },
        { "console.log({ [Symbol.for('nodejs.util.inspect.custom')]() { return 'own' } })",
            "{\n  Symbol(nodejs.util.inspect.custom): [Function: "
            "[nodejs.util.inspect.custom]]\n}\n" },
        { "console.log(new (class { get [Symbol.toStringTag]() { return 'own' } })())",
            "{}\n" },
        { "console.count({ toString() { return 'own' } })",
            "{ toString: [Function: toString] }: 1\n" },
        { "console.table([{ get a() { return 1 } }])", "┌─────────┬──────────┐\n"
                                                       "│ (index) │ a        │\n"
                                                       "├─────────┼──────────┤\n"
                                                       "│ 0       │ [Getter] │\n"
                                                       "└─────────┴──────────┘\n" },
        { "{ const e = new TypeError('kept'); e.message = 'later'; Error.stackTraceLimit = 0;"
          "console.log(String(new Error('x').stack)); Error.stackTraceLimit = 10 }",
            "Error: x\n" },
        /* Not by running it, but by a closer look than Node.js's at the source. */
        { "console.log(class C extends (class {}) {})", "[class C]\n" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK(says_the_same(cases[i].source, cases[i].said, strlen(cases[i].said)));
}

/* --- hostile values ------------------------------------------------------------------- */

static const char *const looks[] = {
    "for (const v of values) console.log(v)",
    "for (const v of values) console.log('%s %d %i %f %o %O', v, v, v, v, v, v)",
    "for (const v of values) console.log('%j', v)",
    "for (const v of values) console.dir(v, { depth: 5, showHidden: true })",
    "for (const v of values) console.dir({}, v)",
    "for (const v of values) console.table(v)",
    "for (const v of values) console.table([v, v], v)",
    "for (const v of values) { console.count(v); console.countReset(v); }",
    "for (const v of values) { console.time(v); console.timeLog(v, v); console.timeEnd(v) }",
    "for (const v of values) { console.group(v); console.groupEnd(v); console.trace(v) }",
    "for (const v of values) { console.assert(false, v); console.dirxml(v) }",
    "console.log(values)",
    "console.log(new Error('fresh'), [new RangeError('r')])",
};

static void
look_and_count(const char *look)
{
    char report[256];

    probe_forget(&probe_console);
    if (probe_eval(look) == ENGINE_THROWN)
        printf("# %s: %.*s\n", look, (int)probe_outcome.exception.message.len,
            (char *)probe_outcome.exception.message.p);
    CHECK(probe_outcome.end != ENGINE_THROWN && probe_console.len > 0);
    (void)snprintf(report, sizeof report, "%s",
        probe_text("String(ran.length) + ' ' + ran.slice(0, 5).join()"));
    if (strncmp(report, "0 ", 2) != 0)
        printf("# %s: %s\n", look, report);
    CHECK(strncmp(report, "0 ", 2) == 0);
}

static void
runs_no_guest_code(void)
{
    struct buf traps = { .max = 1 << 16 };

    read_file(probe_argv[3], &traps);
    if (probe_eval((char *)traps.p) == ENGINE_THROWN)
        printf("# %.*s\n", (int)probe_outcome.exception.message.len,
            (char *)probe_outcome.exception.message.p);
    CHECK(probe_outcome.end == ENGINE_VALUE);
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++)
        look_and_count(looks[i]);
    if (probe_eval("prepare()") == ENGINE_THROWN)
        printf("# %.*s\n", (int)probe_outcome.exception.message.len,
            (char *)probe_outcome.exception.message.p);
    CHECK(probe_outcome.end == ENGINE_VALUE);
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++)
        look_and_count(looks[i]);
}

/* --- bounds --------------------------------------------------------------------------- */

static const char *const large[] = {
    "console.log('x'.repeat(1e8))",
    "console.log('\\n'.repeat(1e6))",
    "console.log('%s', '\\u{1F600}'.repeat(1e6), 'never')",
    "console.log(...Array(50000).fill('word'))",
    "console.log(...Array(50000).fill({ a: 1 }))",
    "console.log('%s'.repeat(50000), ...Array(50000).fill('w'))",
    "console.log(Object.fromEntries(Array.from({ length: 1e5 }, (_, i) => ['key' + i, i])))",
    "console.log(Object.fromEntries(Array.from({ length: 1e5 }, (_, i) => [i, {}])))",
    "{ let o = []; for (let i = 0; i < 99; i++) o = [o, o, o]; console.dir(o, { depth: 99 }) }",
    "const fan = (n) => n ? Array(100).fill().map(() => fan(n - 1)) : 1; console.log(fan(3))",
    "console.log(Array.from({ length: 100 }, () => 'y'.repeat(10000)))",
    "console.log(new Map(Array.from({ length: 100 }, (_, i) => ['k'.repeat(9000) + i, i])))",
    "console.log(Object.assign(new Error('m'.repeat(1e6)), { stack: 's\\n'.repeat(1e6) }))",
    "console.table(Array.from({ length: 5000 }, (_, i) => ({ i, text: 'cell'.repeat(20) })))",
    "console.count('label'.repeat(1e6)); console.log('x'.repeat(1e5))",
    "for (let i = 0; i < 1e4; i++) console.group(); console.log('z\\n'.repeat(1e5))",
};

/* Long, but with little to show: bounded by time alone. */
static const char *const deep[] = {
    "{ let p = null; for (let i = 0; i < 1e5; i++) p = Object.create(p); console.log(p) }",
    "{ let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); console.log(p) }",
    "{ const a = []; a[4e9] = 1; console.log(a) }",
    "console.log(new Array(4294967295))",
    "console.log(new Map(Array.from({ length: 3e5 }, (_, i) => [i, i])))",
    "console.log(new Set(Array.from({ length: 3e5 }, (_, i) => i)))",
    "console.log(2n ** 1000000n)",
    "console.log(Array(100).fill(''))",
    "{ let e; for (let i = 0; i < 5000; i++) e = Error('e', { cause: e }); console.log(e) }",
};

static void
texts_are_cut(void)
{
    static const char cut[] = "\u2026 cut\n";

    for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
        probe_forget(&probe_console);
        if (probe_eval(large[i]) == ENGINE_THROWN)
            printf("# %s: %.*s\n", large[i], (int)probe_outcome.exception.message.len,
                (char *)probe_outcome.exception.message.p);
        CHECK(probe_outcome.end != ENGINE_THROWN && !probe_console.failed);
        if (memcmp(probe_console.p + probe_console.len - strlen(cut), cut, strlen(cut)) != 0)
            printf("# %s: %zu bytes\n", large[i], probe_console.len);
        CHECK(memcmp(probe_console.p + probe_console.len - strlen(cut), cut, strlen(cut)) == 0);
        CHECK(probe_console.len < 3 * CONSOLE_TEXT_MAX);
    }
    for (size_t i = 0; i < sizeof deep / sizeof deep[0]; i++) {
        probe_forget(&probe_console);
        CHECK(probe_eval(deep[i]) != ENGINE_THROWN);
        CHECK(probe_console.len > 0 && probe_console.len < CONSOLE_TEXT_MAX);
    }
}

static void
survives_a_full_stack(void)
{
    CHECK(probe_eval("function sink(n) { if (n % 50 == 0) console.log({ a: [[[n]]] });"
                     "sink(n + 1) } let what; try { sink(0) } catch (e) { what = e.name } 0") ==
          ENGINE_VALUE);
    CHECK(strcmp(probe_text("what"), "RangeError") == 0);
}

static void
terminate_once(void)
{
    probe_on_console = NULL;
    engine_terminate();
}

/* The first line of output asks for the end. What comes after it in the same breath meets the
 * request in the middle of a text, and must not take it for its own. */
static void
no_termination_gets_lost(void)
{
    static const char *const meetings[] = {
        "console.log(1); console.log(new Error('e')); for (;;);",
        "console.log(1); console.log(class { }); for (;;);",
        "console.log(1); console.log('%s', () => {}); for (;;);",
        "console.log(1); console.log('%j', [{}, new Date(0)]); for (;;);",
        "console.log(1); console.count(); for (;;);",
        "console.log(1); console.count(new Error('e')); for (;;);",
        "console.log(1); console.time(new Error('e')); for (;;);",
        "console.log(1); console.time(); console.timeEnd(); for (;;);",
        "console.log(1); console.trace(); console.table([{ a: 1 }]); for (;;);",
        "for (;;) console.log(1);",
    };

    for (size_t i = 0; i < 2 * (sizeof meetings / sizeof meetings[0]); i++) {
        if (i == sizeof meetings / sizeof meetings[0])
            CHECK(engine_inspector_open(1));
        probe_on_console = terminate_once;
        CHECK(probe_eval(meetings[i % (sizeof meetings / sizeof meetings[0])]) ==
              ENGINE_TERMINATED);
        engine_terminate_cancel();
        CHECK(strcmp(probe_text("'usable'"), "usable") == 0);
    }
}

/* --- methods -------------------------------------------------------------------------- */

static void
levels_are_told_apart(void)
{
    CHECK(probe_eval("console.log(); console.debug(); console.info(); console.warn();"
                     "console.error(); console.trace(); console.assert(); console.dir();"
                     "console.table(); console.count(); console.group('g')") == ENGINE_VALUE);
    buf_byte(&probe_levels, '\0');
    CHECK(strcmp((char *)probe_levels.p, "01234430000") == 0);
}

static void
trace_shows_where(void)
{
    CHECK(probe_eval("function here() { console.trace('at %d', 5) }\nhere()") == ENGINE_VALUE);
    CHECK_HAS(probe_console, "Trace: at 5\n    at here (case.js:1:27)\n    at case.js:2:1\n");
}

static void
timers_measure(void)
{
    CHECK(probe_eval("console.time(); console.timeEnd(); console.time('a');"
                     "console.timeLog('a', 1, { b: '%s' }); console.time('a');"
                     "console.timeEnd('a'); console.timeEnd('a')") == ENGINE_VALUE);
    CHECK_HAS(probe_console, "default: 0");
    CHECK_HAS(probe_console, "ms\na: 0");
    CHECK_HAS(probe_console, "ms 1 { b: '%s' }\n");
    CHECK_HAS(probe_console, "Warning: Label 'a' already exists for console.time()\n");
    CHECK_HAS(probe_console, "Warning: No such label 'a' for console.timeEnd()\n");
}

static void
each_context_counts_for_itself(void)
{
    static const struct engine_source source = { { (const uint8_t *)"console.count()", 15 },
        { NULL, 0 }, 0, 0 };

    CHECK(engine_context_new(2));
    CHECK(probe_eval("console.group(); console.count(); console.count()") == ENGINE_VALUE);
    engine_outcome_done(&probe_outcome);
    engine_outcome_init(&probe_outcome, 1 << 20);
    engine_eval(2, 1, 0, &source, &probe_outcome);
    CHECK(probe_outcome.end == ENGINE_VALUE);
    buf_byte(&probe_console, '\0');
    CHECK(strcmp((char *)probe_console.p, "  default: 1\n  default: 2\ndefault: 1\n") == 0);
}

static void
looks_like_a_console(void)
{
    CHECK(strcmp(probe_text("Object.keys(console).slice(0, 8).join()"),
              "debug,error,info,log,warn,dir,dirxml,table") == 0);
    CHECK(strcmp(probe_text("console.log.name + console.groupEnd.name + console.log.length"),
              "loggroupEnd0") == 0);
    CHECK(strcmp(probe_text("try { new console.log } catch (e) { e.name }"), "TypeError") == 0);
    CHECK(strcmp(probe_text("String(console.log)"), "function log() { [native code] }") == 0);
    CHECK(strcmp(probe_text("const { log } = console; log.call(null, 1); typeof log()"),
              "undefined") == 0);
    CHECK_HAS(probe_console, "1\n");
}

static void
nothing_is_formatted_unless_wanted(void)
{
    engine_after_fork(&probe_hooks, NULL, 1, false);
    CHECK(probe_eval("console.log('x'); console.count(); console.group('g')") == ENGINE_VALUE);
    CHECK(probe_console.len == 0 && probe_levels.len == 0);
    engine_after_fork(&probe_hooks, NULL, 1, true);
    CHECK(probe_eval("console.count()") == ENGINE_VALUE);
    CHECK_HAS(probe_console, "default: 1\n");
}

int
glovebox_main(int argc, char **argv)
{
    static const struct probe probes[] = {
        { "console.log says what Node.js says", says_what_node_says },
        { "it differs where Node.js runs the guest", differs_where_node_runs_the_guest },
        { "no guest code runs", runs_no_guest_code },
        { "texts are cut", texts_are_cut },
        { "a full stack is survived", survives_a_full_stack },
        { "no termination gets lost", no_termination_gets_lost },
        { "levels are told apart", levels_are_told_apart },
        { "trace shows where", trace_shows_where },
        { "timers measure", timers_measure },
        { "each context counts for itself", each_context_counts_for_itself },
        { "it looks like a console", looks_like_a_console },
        { "nothing is formatted unless wanted", nothing_is_formatted_unless_wanted },
    };

    return probes_run(argc, argv, probes, sizeof probes / sizeof probes[0]);
}
