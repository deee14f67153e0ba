/* attacks_language.c - attacks in the language itself: the sources of test/attacks/language.js, and
 * walks through all that a guest can reach.
 *
 * Speaks TAP. With an argument only the attacks whose name holds it.
 */
#include "attack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMITED_US 300000
#define SAFETY_US \
    60000000 /* for attacks that should end by themselves: then they end as failures */

static const char *only;
static int count, failed;

static char *
read_file(const char *name)
{
    char path[512];
    size_t len = 0;

    (void)snprintf(path, sizeof path, "%s/%s", ATTACKS, name);
    FILE *file = fopen(path, "re");
    char *text = malloc(1 << 20);
    if (file == NULL || text == NULL) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    len = fread(text, 1, (1 << 20) - 1, file);
    text[len] = '\0';
    (void)fclose(file);
    return text;
}

static void
tell(const char *name, struct attack_report *report)
{
    bool good = report->wrong[0] == '\0';

    count++;
    failed += !good;
    printf("%sok %d - %s\n", good ? "" : "not ", count, name);
    if (!good)
        printf("# %s\n", report->wrong);
    (void)fflush(stdout);
    attack_report_done(report);
}

/* --- the host's functions ------------------------------------------------------------------- */

static const char *
text_argument(const gbx_callback *callback, size_t index)
{
    const char *text = NULL;
    const gbx_value *value = gbx_callback_argument(callback, index);

    return value != NULL && gbx_value_get_string(value, &text, NULL) == GBX_OK ? text : NULL;
}

static gbx_status
throws(gbx_callback *callback, void *data)
{
    (void)data;
    return gbx_callback_throw(callback, text_argument(callback, 0), text_argument(callback, 1));
}

static gbx_status
rejects(gbx_callback *callback, void *data)
{
    gbx_deferred *deferred;
    char name[64], message[64];

    (void)data;
    (void)snprintf(name, sizeof name, "%s", text_argument(callback, 0));
    (void)snprintf(message, sizeof message, "%s", text_argument(callback, 1));
    gbx_status status = gbx_callback_defer(callback, &deferred);
    if (status == GBX_OK)
        gbx_deferred_reject(deferred, name, message);
    return status;
}

/* One of every kind, two of them twice in it. NULL: no memory, which no test here has. */
static gbx_value *
gift_make(void)
{
    gbx_value *all = gbx_value_new_object();
    gbx_value *map = gbx_value_new_map(), *set = gbx_value_new_set();
    gbx_value *array = gbx_value_new_array(), *inner = gbx_value_new_object();
    gbx_value *error = gbx_value_new_error("TypeError", "given", GBX_NUL);
    gbx_status bad = 0;

    bad |= gbx_value_map_set(map, gbx_value_new_object(), gbx_value_new_array());
    bad |= gbx_value_add(set, gbx_value_new_date(0));
    bad |= gbx_value_append(array, inner);
    bad |= gbx_value_append(array, gbx_value_new_string("text", GBX_NUL));
    bad |= gbx_value_set(error, "cause", GBX_NUL,
        gbx_value_new_error("Own", "of the host's own class", GBX_NUL));
    bad |= gbx_value_set(all, "array", GBX_NUL, array);
    bad |= gbx_value_set(all, "again", GBX_NUL, array);
    bad |= gbx_value_set(all, "self", GBX_NUL, all);
    bad |= gbx_value_set(all, "map", GBX_NUL, map);
    bad |= gbx_value_set(all, "set", GBX_NUL, set);
    bad |= gbx_value_set(all, "error", GBX_NUL, error);
    bad |= gbx_value_set(all, "regexp", GBX_NUL, gbx_value_new_regexp("a", GBX_NUL, "g"));
    bad |= gbx_value_set(all, "number", GBX_NUL, gbx_value_new_number(1.5));
    bad |= gbx_value_set(all, "bigint", GBX_NUL, gbx_value_new_bigint_text("5", GBX_NUL));
    bad |= gbx_value_set(
        all, "boxed", GBX_NUL, gbx_value_new_boxed(gbx_value_new_string("b", GBX_NUL)));
    bad |= gbx_value_set(all, "bytes", GBX_NUL, gbx_value_new_bytes("abc", 3));
    bad |= gbx_value_set(all, "resizable", GBX_NUL,
        gbx_value_new_data_view(
            gbx_value_new_resizable_array_buffer("abcd", 4, 4096), 0, GBX_TO_END));
    bad |= gbx_value_set(all, "__proto__", GBX_NUL, gbx_value_new_object());
    bad |= gbx_value_set(
        all, "constructor", GBX_NUL, gbx_value_new_string("not the guest's", GBX_NUL));
    bad |= gbx_value_set(all, "toString", GBX_NUL, gbx_value_new_null());
    return bad == GBX_OK ? all : NULL;
}

static gbx_status
gift(gbx_callback *callback, void *data)
{
    gbx_value *value = gift_make();
    gbx_status status = gbx_callback_return(callback, value);

    (void)data;
    gbx_value_free(value);
    return status;
}

static gbx_status
pledge(gbx_callback *callback, void *data)
{
    gbx_value *value = gift_make();
    gbx_deferred *deferred;
    gbx_status status = gbx_callback_defer(callback, &deferred);

    (void)data;
    if (status == GBX_OK)
        status = gbx_deferred_resolve(deferred, value);
    gbx_value_free(value);
    return status;
}

static void
hear(gbx_isolate *isolate, uint32_t level, const char *text, size_t len, void *data)
{
    (void)isolate;
    (void)level;
    (void)data;
    for (size_t i = 0; i < len; i++) /* all of it is there */
        *(size_t *)data += (unsigned char)text[i];
}

static gbx_isolate *
open_with_gifts(struct attack_report *report)
{
    static size_t heard;
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;

    options.memory_limit_bytes = ATTACK_MEMORY;
    options.timeout_us = SAFETY_US;
    options.on_console = hear;
    options.data = &heard;
    gbx_isolate *isolate = attack_open(&options, report);
    if (isolate == NULL)
        return NULL;
    attack_give(isolate, "throws", throws, NULL, report);
    attack_give(isolate, "rejects", rejects, NULL, report);
    attack_give(isolate, "gift", gift, NULL, report);
    attack_give(isolate, "pledge", pledge, NULL, report);
    return isolate;
}

/* --- all that a host may ask for ------------------------------------------------------------ */

static gbx_status
ask(gbx_future *future, gbx_value **value, struct attack_report *report)
{
    report->error = (gbx_error)GBX_ERROR_INIT;
    gbx_status status = attack_settled(future, report);

    if (value != NULL)
        *value = gbx_future_take_value(future);
    gbx_future_free(future);
    return status;
}

static gbx_future *
start(gbx_context *context, const char *source, uint32_t flags)
{
    gbx_call_options call = GBX_CALL_OPTIONS_INIT;

    call.flags = flags;
    return gbx_context_eval(context, source, strlen(source), &call);
}

static void
expect_number(const char *what, gbx_future *future, double wanted, struct attack_report *report)
{
    gbx_value *value = NULL;
    double number = -1;
    gbx_status status = ask(future, &value, report);

    if (status != GBX_OK || gbx_value_get_number(value, &number) != GBX_OK || number != wanted)
        attack_wrong(report, "afterwards: %s: %s, %g (%s)", what, attack_status(status), number,
            report->error.message);
    gbx_value_free(value);
}

static void
expect_end(
    const char *what, gbx_future *future, gbx_status wanted, struct attack_report *report)
{
    gbx_status status = ask(future, NULL, report);

    if (status != wanted)
        attack_wrong(report, "afterwards: %s: %s (%s)", what, attack_status(status),
            report->error.message);
}

static void
expect_api(gbx_isolate *isolate, struct attack_report *report)
{
    gbx_context *context = gbx_isolate_context(isolate), *other = NULL;
    gbx_value *five = gbx_value_new_number(5), *value = NULL, *all = gbx_value_new_array();
    const gbx_value *arguments[] = { five, all };
    gbx_call_options by_reference = GBX_CALL_OPTIONS_INIT;

    if (gbx_value_append(all, gbx_value_new_map()) != GBX_OK ||
        gbx_value_append(all, gbx_value_new_string("text", GBX_NUL)) != GBX_OK)
        attack_wrong(report, "no memory");
    expect_number("eval", start(context, "let t1 = (a, b) => a * 2; t1(21)", 0), 42, report);
    expect_end("set", gbx_context_set(context, "given1", all), GBX_OK, report);
    if (ask(gbx_context_get(context, "given1", NULL), &value, report) != GBX_OK ||
        gbx_value_equal(all, value) != 1)
        attack_wrong(report, "afterwards: what was set is not what is there");
    gbx_value_free(value);
    expect_end("a function's definition",
        start(context, "function twice(a) { return a * 2 } 0", 0), GBX_OK, report);
    expect_number("call", gbx_context_call(context, "twice", arguments, 2, NULL), 10, report);
    expect_number("a host function", start(context, "echo(8)", 0), 8, report);
    expect_number("a host function that throws",
        start(context, "let c = 0; try { throws('TypeError', 'm') } catch (e) { c = 9 } c", 0),
        9, report);
    expect_end(
        "a host function's promise", start(context, "later()", GBX_AWAIT), GBX_OK, report);
    expect_end(
        "a host function's rejection", start(context, "never()", GBX_AWAIT), GBX_EHOST, report);
    expect_end("an exception", start(context, "null.x", 0), GBX_ETHROW, report);
    expect_end("console", start(context, "console.log([1], { a: 'x' }); 0", 0), GBX_OK, report);
    by_reference.flags = GBX_RESULT_REFERENCE;
    gbx_future *future = gbx_context_get(context, "twice", &by_reference);
    (void)attack_settled(future, report);
    gbx_reference *reference = gbx_future_take_reference(future);
    gbx_future_free(future);
    if (reference == NULL)
        attack_wrong(report, "afterwards: no reference");
    else
        expect_number(
            "reference", gbx_reference_call(reference, NULL, arguments, 1, NULL), 10, report);
    gbx_reference_close(reference);
    if (gbx_context_open(isolate, &other, NULL) != GBX_OK)
        attack_wrong(report, "afterwards: no context");
    else
        expect_number("another context",
            start(other, "[1, 2].map(x => JSON.parse(String(x)) + 20)[1] + [].length", 0), 22,
            report);
    gbx_context_close(other);
    expect_end("statistics", gbx_isolate_statistics(isolate), GBX_OK, report);
    expect_end("collect", gbx_isolate_collect(isolate), GBX_OK, report);
    gbx_value_free(all);
    gbx_value_free(five);
}

/* --- the sources ---------------------------------------------------------------------------- */

struct section {
    char name[160];
    char status[32], text[200]; /* how it must end */
    bool await, limited, api;
    char *source;
};

/* "//// ID NAME | STATUS TEXT | MARKS" */
static void
parse_head(char *line, struct section *s)
{
    char *end = strstr(line, " | "), *marks = end == NULL ? NULL : strstr(end + 3, " | ");

    if (end == NULL) {
        (void)fprintf(stderr, "no bar in: %s\n", line);
        exit(1);
    }
    *end = '\0';
    if (marks != NULL)
        *marks = '\0';
    const char *set = marks == NULL ? "" : marks + 3;
    (void)snprintf(s->name, sizeof s->name, "%s", line);
    s->text[0] = '\0';
    (void)sscanf(end + 3, "%31s %199[^\n]", s->status, s->text);
    s->await = strstr(set, "await") != NULL;
    s->limited = strstr(set, "limited") != NULL;
    s->api = strstr(set, "api") != NULL;
}

static void
judge(const struct section *s, struct attack_report *report)
{
    const char *text = report->error.message;
    bool whole = report->status == GBX_OK;

    if (whole && (report->value == NULL || gbx_value_get_string(report->value, &text, NULL)))
        text = "no text";
    if (strcmp(attack_status(report->status), s->status) != 0 ||
        (whole ? strcmp(text, s->text) : strncmp(text, s->text, strlen(s->text))) != 0)
        attack_wrong(report, "ended with %s %s", attack_status(report->status), text);
}

static void
run_section(const struct section *s)
{
    struct attack_report report;
    gbx_call_options call = GBX_CALL_OPTIONS_INIT;

    if (only != NULL && strstr(s->name, only) == NULL)
        return;
    gbx_isolate *isolate = open_with_gifts(&report);
    if (isolate != NULL) {
        call.flags = s->await ? GBX_AWAIT : 0;
        call.timeout_us = s->limited ? LIMITED_US : 0;
        gbx_future *future =
            gbx_context_eval(gbx_isolate_context(isolate), s->source, strlen(s->source), &call);
        report.status = attack_settled(future, &report);
        report.value = gbx_future_take_value(future);
        gbx_future_free(future);
        judge(s, &report);
        if (gbx_isolate_death(isolate) != NULL)
            attack_wrong(&report, "the isolate died: %s", gbx_isolate_death(isolate)->message);
        else if (!attack_answers(isolate))
            attack_wrong(&report, "the isolate is not usable");
        else if (s->api)
            expect_api(isolate, &report);
        attack_close(isolate, 0, &report);
    }
    tell(s->name, &report);
}

static void
run_sections(void)
{
    char *text = read_file("language.js"), *at = strstr(text, "\n//// ");

    while (at != NULL) {
        struct section s;
        char *head = at + 6, *body = strchr(head, '\n');
        if (body == NULL)
            break;
        *body++ = '\0';
        at = strstr(body, "\n//// ");
        if (at != NULL)
            *at = '\0';
        parse_head(head, &s);
        s.source = body;
        run_section(&s);
    }
    free(text);
}

/* --- walks ---------------------------------------------------------------------------------- */

static void
evaluate(gbx_isolate *isolate, const char *source, uint32_t flags, struct attack_report *report)
{
    attack_report_done(report);
    report->status =
        ask(start(gbx_isolate_context(isolate), source, flags), &report->value, report);
    if (report->status != GBX_OK)
        attack_wrong(report, "%s: %s", attack_status(report->status), report->error.message);
}

/* True if `lines` has `line`, of `len` bytes, as one of its lines. */
static bool
has_line(const char *lines, const char *line, size_t len)
{
    for (const char *at = lines; (at = strstr(at, line)) != NULL; at++)
        if ((at == lines || at[-1] == '\n') && (at[len] == '\n' || at[len] == '\0'))
            return true;
    return false;
}

/* What Node.js takes away from V8, and what is a function of attack.h. */
static bool
is_expected(const char *line)
{
    static const char *const given[] = { "now", "later", "never", "pending", "fail", "echo",
        "run", "throws", "rejects", "gift", "pledge" };
    static const char *const lines[] = { " wec function", " function open",
        ".length --c number", ".name --c string" };
    char wanted[128];

    if (strstr(line, "globalThis.Intl.v8BreakIterator") != NULL)
        return true;
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
        for (size_t k = 0; k < sizeof lines / sizeof lines[0]; k++) {
            (void)snprintf(wanted, sizeof wanted, "globalThis.%s%s", given[i], lines[k]);
            if (strcmp(line, wanted) == 0)
                return true;
        }
    return false;
}

/* All that V8 itself gives a context, by the same walk in a context of Node.js. */
static char *
pristine(struct attack_report *report)
{
    char *text = malloc(1 << 20);
    FILE *node = popen("exec '" NODE "' '" ATTACKS "/pristine.js'", "re");
    size_t len = node == NULL || text == NULL ? 0 : fread(text, 1, (1 << 20) - 1, node);

    if (node == NULL || pclose(node) != 0 || len < 100000)
        attack_wrong(report, "no walk in Node.js: %zu bytes", len);
    if (text != NULL)
        text[len] = '\0';
    return text;
}

static void
compare(char *found, const char *native, struct attack_report *report)
{
    size_t lines = 0;

    for (char *line = found, *next; line != NULL; line = next, lines++) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        if (!is_expected(line) && !has_line(native, line, strlen(line)))
            attack_wrong(report, "not of V8: %s", line);
    }
    if (lines < 4000)
        attack_wrong(report, "a walk of %zu lines", lines);
}

static void
walk_the_world(void)
{
    struct attack_report report;
    gbx_isolate *isolate = open_with_gifts(&report);
    char *crawl = read_file("crawl.js"), *roots = read_file("intrinsics.js"), *source = NULL;
    const char *found = NULL;

    if (isolate != NULL && asprintf(&source, "(%s)(%s).lines.join('\\n')", crawl, roots) > 0) {
        char *native = pristine(&report);
        evaluate(isolate, source, 0, &report);
        if (native != NULL && report.value != NULL &&
            gbx_value_get_string(report.value, &found, NULL) == GBX_OK) {
            char *copy = strdup(found);
            if (copy != NULL)
                compare(copy, native, &report);
            free(copy);
        }
        free(native);
        free(source);
    }
    attack_report_done(&report);
    attack_close(isolate, 0, &report);
    free(crawl);
    free(roots);
    tell("L-02 L-03 L-28 all that a guest can reach is V8's own, or was given", &report);
}

/* Hands values in by every door, and has the guest keep all of them. */
static void
hand_in(gbx_isolate *isolate, struct attack_report *report)
{
    static const char keep[] =
        "globalThis.given = []; globalThis.keep = function (...list) {"
        "  given.push(list, this, arguments, new Error('inside').stack, keep.caller) }; 0";
    static const char collect[] =
        "(async () => { const note = async f => { try { given.push(await f()) } catch (e) {"
        "    given.push(e) } };"
        "  for (const n of ['Error', 'TypeError', 'RangeError', 'SyntaxError', "
        "'ReferenceError', 'Own'])"
        "    for (const f of [() => throws(n, 'm'), () => rejects(n, 'm')]) await note(f);"
        "  for (const f of [now, gift, pledge, fail, never, later, () => echo(() => 1),"
        "    () => echo(new Proxy({}, {})), () => echo(...Array(5000)), () => import('x'),"
        "    () => echo('x'.repeat(3e7) + 'y', 'z'.repeat(3e7) + 'y', 'z'.repeat(3e7) + 'x'),"
        "    () => run('throw new TypeError(1)'), () => run('gift()'), () => run('null.x'),"
        "    () => (function f() { return echo(f()) })(), () => new Function('('),"
        "    () => (function f(n) { return run(`(${f})(${n + 1})`) })(0)]) await note(f);"
        "  given.push(later(), pending(), console, console.log) ; return 0 })()";
    gbx_context *context = gbx_isolate_context(isolate);
    gbx_value *all = gift_make(), *number = gbx_value_new_number(1);
    const gbx_value *arguments[] = { all, number, all };
    gbx_call_options by_reference = GBX_CALL_OPTIONS_INIT;

    by_reference.flags = GBX_RESULT_REFERENCE;
    evaluate(isolate, keep, 0, report);
    expect_end("set", gbx_context_set(context, "set", all), GBX_OK, report);
    expect_end(
        "call", gbx_context_call(context, "keep", arguments, 3, &by_reference), GBX_OK, report);
    gbx_future *future = gbx_context_get(context, "keep", &by_reference);
    (void)attack_settled(future, report);
    gbx_reference *reference = gbx_future_take_reference(future);
    gbx_future_free(future);
    expect_end("reference", gbx_reference_call(reference, NULL, arguments, 3, &by_reference),
        GBX_OK, report);
    gbx_reference_close(reference);
    evaluate(isolate, collect, GBX_AWAIT, report);
    gbx_value_free(all);
    gbx_value_free(number);
}

static void
follow_what_was_given(void)
{
    struct attack_report report;
    gbx_isolate *isolate = open_with_gifts(&report);
    char *crawl = read_file("crawl.js"), *roots = read_file("intrinsics.js");
    char *led = read_file("given.js"), *source = NULL;
    const char *text = "nothing";

    if (isolate != NULL) {
        hand_in(isolate, &report);
        if (asprintf(&source,
                "given.push(set); const all = given; delete globalThis.set; delete "
                "globalThis.given;"
                "(%s)(%s, %s, all, [now, later, never, pending, fail, echo, run, throws, "
                "rejects, gift, pledge])",
                led, crawl, roots) > 0)
            evaluate(isolate, source, 0, &report);
        if (report.value == NULL || gbx_value_get_string(report.value, &text, NULL) != GBX_OK ||
            strcmp(text, "held") != 0)
            attack_wrong(&report, "%s", text);
        free(source);
    }
    attack_report_done(&report);
    attack_close(isolate, 0, &report);
    free(crawl);
    free(roots);
    free(led);
    tell("L-01 L-02 all that the host handed in leads into the guest's own world", &report);
}

int
main(int argc, char **argv)
{
    only = argc > 1 ? argv[1] : NULL;
    if (!attack_begin())
        return 1;
    run_sections();
    if (only == NULL || strstr("L-01 L-02 L-03 L-28", only) != NULL) {
        walk_the_world();
        follow_what_was_given();
    }
    attack_end();
    printf("1..%d\n", count);
    return failed == 0 ? 0 : 1;
}
