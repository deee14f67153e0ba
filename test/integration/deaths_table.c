/* deaths_table.c - what ends how: runs each attack in an isolate of its own, prints docs/deaths.md.
 *
 * With a file as its argument it compares instead, and exits with 1 if the file says otherwise.
 * Only what does not depend on the machine's speed is in the table. Meanwhile another isolate of
 * the same runtime answers, and the host's memory stays what it was.
 */
#include <glovebox/glovebox.h>

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MEMORY  (64ull << 20)
#define WALL_US 150000
#define GROWTH  (16u << 20) /* bytes by which the host may grow in one attack */

static gbx_runtime *runtime;
static gbx_isolate *canary;
static FILE *out;

static __attribute__((noreturn, format(printf, 1, 2))) void
die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fprintf(stderr, "deaths_table: ");
    (void)vfprintf(stderr, format, args);
    (void)fprintf(stderr, "\n");
    va_end(args);
    exit(1);
}

/* --- attacks -------------------------------------------------------------------------------- */

/* What else the host does with the attacker once its call has begun. */
enum deed {
    NOTHING,
    TERMINATE,
    KILL,
    SEGV,
    STOP, /* SIGSTOP: its process does nothing any more */
    CLOSE,
    COLLECT, /* after its call, so that finalizers run */
};

static const struct attack {
    const char *what;
    const char *source; /* NULL: the rest of its group's heading */
    uint64_t wall_us, cpu_us, memory_bytes;
    uint32_t flags;
    enum deed deed;
} attacks[] = {
    { "## Time: a deadline of 0.15 s on the wall clock", NULL },
#define WALL .wall_us = WALL_US
    { "`for (;;) {}`", "for (;;) {}", WALL },
    { "a loop in a getter while the result is copied", "({ get a() { for (;;) {} } })", WALL },
    { "a loop in `toString` of what is thrown, which nobody calls",
        "throw { toString() { for (;;) {} } }", WALL },
    { "a loop in a proxy's trap", "new Proxy({}, { get() { for (;;) {} } }).x", WALL },
    { "a loop in WebAssembly",
        "new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, "
        "0, "
        "0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 9, 1, 7, 0, 3, 64, "
        "12, 0, "
        "11, 11]))).exports.f()",
        WALL },
    { "microtasks that never end", "(function f() { Promise.resolve().then(f) })()", WALL },
    { "`await` in an endless loop", "(async () => { for (;;) await 0 })()", WALL,
        .flags = GBX_AWAIT },
    { "a promise that nobody settles", "new Promise(() => {})", WALL, .flags = GBX_AWAIT },
    { "an `await` loop over a host function", "(async () => { for (;;) await later() })()",
        WALL, .flags = GBX_AWAIT },
    { "a loop over a host function", "for (;;) now()", WALL },
    { "`Atomics.wait` for ever", "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)",
        WALL },
    { "a catastrophic regular expression", "/(a+)+$/.test('a'.repeat(40) + 'b')", WALL },
    { "a sort whose comparator never decides",
        "Array.from({ length: 1000 }, (_, i) => i).sort(() => { for (;;) {} })", WALL },
    { "BigInts that grow", "let b = 3n; for (;;) b = b * b", WALL, .memory_bytes = 1ull << 30 },
    { "a builtin that looks at nothing, for a thousand years",
        "Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1)", WALL },
    { "a source text that takes long to compile",
        "eval('function f() {' + 'x = { a: [1, 2, 3] };'.repeat(6e6) + '}; f')", WALL,
        .memory_bytes = 1ull << 30 },
    { "a JSON text that takes long to parse",
        "JSON.parse('[' + '{\"a\":[1]},'.repeat(6e6) + '0]').length", WALL,
        .memory_bytes = 2ull << 30 },
    { "the process stands still (SIGSTOP)", "for (;;) {}", WALL, .deed = STOP },

    { "## Time: a budget of 0.15 s of CPU", NULL },
#define CPU .cpu_us = WALL_US
    { "`for (;;) {}`", "for (;;) {}", CPU },
    { "microtasks that never end", "(function f() { Promise.resolve().then(f) })()", CPU },
    { "`await` in an endless loop", "(async () => { for (;;) await 0 })()", CPU,
        .flags = GBX_AWAIT },
    { "an `await` loop over a host function",
        "(async () => { for (;;) { await later(); for (let i = 0; i < 1e6; i++); } })()", CPU,
        .flags = GBX_AWAIT },
    { "a catastrophic regular expression", "/(a+)+$/.test('a'.repeat(40) + 'b')", CPU },
    { "a builtin that looks at nothing, for a thousand years",
        "Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1)", CPU },

    { "## Memory: a limit of 64 MiB", NULL },
    { "an array that grows", "let a = []; for (;;) a.push(a.length + 0.5)" },
    { "objects", "let a = []; for (;;) a.push({ x: a.length, y: {} })" },
    { "properties of one object", "let o = {}; for (let i = 0;; i++) o['k' + i] = i" },
    { "strings", "let a = []; for (;;) a.push('k' + a.length + 'x'.repeat(100))" },
    { "a string that doubles", "let s = 'ab'; for (;;) { s += s; s.charCodeAt(0) }" },
    { "a Map", "let m = new Map; for (let i = 0;; i++) m.set(i, i)" },
    { "a Set of strings", "let m = new Set; for (let i = 0;; i++) m.add('s' + i)" },
    { "a WeakMap",
        "let m = new WeakMap, k = []; for (;;) { let o = {}; k.push(o); m.set(o, {}) }" },
    { "WeakRefs", "let a = []; for (;;) a.push(new WeakRef({}))" },
    { "promises", "let a = []; for (;;) a.push(new Promise(() => {}))" },
    { "microtasks that double", "(function f() { for (;;) Promise.resolve().then(f) })()" },
    { "closures", "let a = []; for (let i = 0;; i++) a.push(() => i)" },
    { "compiled functions",
        "let a = []; for (let i = 0;; i++) a.push(new Function('return ' + i))" },
    { "symbols", "let a = []; for (;;) a.push(Symbol('s' + a.length))" },
    { "BigInts", "let a = []; for (;;) a.push(2n ** 10000n + BigInt(a.length))" },
    { "Dates and Intl formatters",
        "let a = []; for (;;) a.push(new Intl.NumberFormat('de'), new Date)" },
    { "`JSON.parse` of many small arrays", "JSON.parse('[' + '[],'.repeat(1e7) + '0]')" },
    { "`padEnd` and `split`", "'x'.padEnd(5e7, 'yz').split('')" },
    { "`[...string]`", "[...'x'.repeat(2e7)]" },
    { "`Array.from` of a large length", "Array.from({ length: 1e8 }, (_, i) => ({ i }))" },
    { "`concat` that doubles", "let a = [1.5]; for (;;) a = a.concat(a)" },
    { "stack traces",
        "Error.stackTraceLimit = 200; let a = []; "
        "(function f(n) { n ? f(n - 1) : 0; for (;;) a.push(new Error().stack) })(200)" },
    { "ArrayBuffers", "let a = []; for (;;) a.push(new ArrayBuffer(1e6))" },
    { "typed arrays", "let a = []; for (;;) a.push(new Float64Array(1e5))" },
    { "one typed array of 4 GB", "new Uint8Array(4e9)" },
    { "a resizable ArrayBuffer that grows to 4 GB",
        "new ArrayBuffer(0, { maxByteLength: 4e9 }).resize(4e9)" },
    { "a SharedArrayBuffer that grows to 4 GB",
        "new SharedArrayBuffer(0, { maxByteLength: 4e9 }).grow(4e9)" },
    { "a WebAssembly memory that grows",
        "let m = new WebAssembly.Memory({ initial: 1 }); for (;;) m.grow(16)" },
    { "WebAssembly memories",
        "let a = []; for (;;) a.push(new WebAssembly.Memory({ initial: 16 }))" },
    { "WebAssembly tables", "let a = []; for (;;) a.push(new WebAssembly.Table({ initial: 1e5, "
                            "element: 'anyfunc' }))" },
    { "a string past V8's limit", "'x'.repeat(2 ** 30)" },
    { "recursion", "(function f() { f() })()" },
    { "`JSON.stringify` of an array nested a million deep",
        "let a = []; for (let i = 0; i < 1e6; i++) a = [a]; JSON.stringify(a).length.length" },
    { "a source text nested a million deep", "eval('['.repeat(1e6))" },

    { "## The host", NULL },
    { "it terminates a script", "for (;;) {}", .deed = TERMINATE },
    { "it terminates a call that waits", "new Promise(() => {})", .flags = GBX_AWAIT,
        .deed = TERMINATE },
    { "it terminates a builtin that looks at nothing",
        "Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1)", .deed = TERMINATE },
    { "it closes the isolate", "for (;;) {}", .deed = CLOSE },
    { "its function fails and the guest does not catch it", "fail()" },
    { "its function answers with a promise that it rejects",
        "(async () => { await never() })()", .flags = GBX_AWAIT },

    { "## The process", NULL },
    { "it is killed (SIGKILL)", "for (;;) {}", .deed = KILL },
    { "it crashes (SIGSEGV)", "for (;;) {}", .deed = SEGV },

    { "## The guest", NULL },
    { "an exception that nothing catches", "null.x" },
    { "a syntax error", "{" },
    { "a result that cannot be copied", "() => 1" },
    { "a finalizer that loops",
        "globalThis.r = new FinalizationRegistry(() => { for (;;) {} }); "
        "for (let i = 0; i < 10; i++) r.register({}, i); 0",
        .deed = COLLECT },
};

/* --- the host's functions ------------------------------------------------------------------- */

static gbx_status
now(gbx_callback *callback, void *data)
{
    (void)callback;
    (void)data;
    return GBX_OK;
}

static gbx_status
later(gbx_callback *callback, void *data)
{
    gbx_deferred *deferred;
    gbx_status status = gbx_callback_defer(callback, &deferred);

    (void)data;
    return status != GBX_OK ? status : gbx_deferred_resolve(deferred, NULL);
}

static gbx_status
never(gbx_callback *callback, void *data)
{
    gbx_deferred *deferred;
    gbx_status status = gbx_callback_defer(callback, &deferred);

    (void)data;
    if (status == GBX_OK)
        gbx_deferred_reject(deferred, "Error", "never");
    return status;
}

static gbx_status
failing(gbx_callback *callback, void *data)
{
    (void)callback;
    (void)data;
    return GBX_ESYS;
}

static void
give(gbx_isolate *isolate, const char *name, gbx_function function)
{
    gbx_future *future =
        gbx_context_set_function(gbx_isolate_context(isolate), name, function, NULL);
    gbx_error error = GBX_ERROR_INIT;

    if (gbx_future_wait(future, -1, &error) != GBX_OK)
        die("%s: %s", name, error.message);
    gbx_future_free(future);
}

/* --- running -------------------------------------------------------------------------------- */

static const char *
status_name(gbx_status status)
{
    switch (status) {
#define X(name, value, text) \
    case value:              \
        return #name;
        GBX_STATUS_LIST(X)
#undef X
    default:
        return "?";
    }
}

/* A number in /proc/self/status, in bytes. */
static uint64_t
own_memory(const char *field)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    unsigned long long kib = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            (void)sscanf(line + strlen(field), ": %llu", &kib);
    if (file != NULL)
        (void)fclose(file);
    return kib * 1024;
}

static uint64_t
now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void
reset_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "we");

    if (file != NULL) {
        (void)fputs("5", file);
        (void)fclose(file);
    }
}

static bool
answers(gbx_isolate *isolate)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_value *value = NULL;
    double number = 0;

    bool good =
        gbx_eval(gbx_isolate_context(isolate), "40 + 2", NULL, &value, &error) == GBX_OK &&
        gbx_value_get_number(value, &number) == GBX_OK && number == 42;
    if (!good)
        (void)fprintf(
            stderr, "deaths_table: %s: %s\n", status_name(error.status), error.message);
    gbx_value_free(value);
    return good;
}

static void
do_deed(gbx_isolate **isolate, enum deed deed)
{
    static const int signals[] = { [KILL] = SIGKILL, [SEGV] = SIGSEGV, [STOP] = SIGSTOP };
    gbx_usage usage = GBX_USAGE_INIT;

    switch (deed) {
    case NOTHING:
    case COLLECT:
        break;
    case TERMINATE:
        gbx_isolate_terminate(*isolate);
        break;
    case CLOSE:
        gbx_isolate_close(*isolate);
        *isolate = NULL;
        break;
    case KILL:
    case SEGV:
    case STOP:
        if (gbx_isolate_usage(*isolate, &usage) != GBX_OK ||
            kill((pid_t)usage.pid, signals[deed]) != 0)
            die("cannot signal the cell");
        break;
    }
}

/* A deed is done to code that runs, or waits: it has had time for either, on a busy machine too. */
static bool
is_under_way(gbx_isolate *isolate, uint64_t began_us, uint64_t cpu_before_us)
{
    gbx_usage usage = GBX_USAGE_INIT;

    return gbx_isolate_usage(isolate, &usage) == GBX_OK &&
           (usage.cpu_us >= cpu_before_us + 30000 || now_us() >= began_us + 500000);
}

/* The event loop until the future is finished; the canary sings all the while. */
static gbx_status
settle(gbx_future *future, gbx_isolate **isolate, enum deed deed, const char *what)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_status status;
    gbx_usage before = GBX_USAGE_INIT;
    uint64_t began_us = now_us();

    if (deed != NOTHING)
        (void)gbx_isolate_usage(*isolate, &before);
    while ((status = gbx_future_status(future, &error)) == GBX_EBUSY) {
        if (deed != NOTHING && is_under_way(*isolate, began_us, before.cpu_us)) {
            do_deed(isolate, deed);
            deed = NOTHING;
        }
        (void)gbx_runtime_dispatch(runtime, 10000);
        if (!answers(canary))
            die("%s: another isolate is disturbed", what);
    }
    if (getenv("VERBOSE") != NULL)
        (void)fprintf(stderr, "%-60s %s %s\n", what, status_name(status), error.message);
    return status;
}

static const char *
afterwards(gbx_isolate *isolate, gbx_status status, const char *what)
{
    const gbx_death *death = isolate == NULL ? NULL : gbx_isolate_death(isolate);

    if (isolate == NULL)
        return "closed";
    if (death == NULL && !answers(isolate))
        die("%s: the isolate is neither dead nor usable", what);
    if (death != NULL && death->status != status)
        die("%s: the call ended with %s, the isolate with %s", what, status_name(status),
            status_name(death->status));
    if (death != NULL &&
        (death->message[0] == '\0' || death->lived_us == 0 || death->cpu_us == 0))
        die("%s: the death certificate is incomplete", what);
    return death == NULL ? "usable" : "ended";
}

static void
run(const struct attack *attack)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_call_options call = GBX_CALL_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_isolate *isolate = NULL;

    options.memory_limit_bytes = attack->memory_bytes != 0 ? attack->memory_bytes : MEMORY;
    if (gbx_isolate_open(runtime, &options, &isolate, &error) != GBX_OK)
        die("%s: no isolate: %s", attack->what, error.message);
    give(isolate, "now", now);
    give(isolate, "later", later);
    give(isolate, "never", never);
    give(isolate, "fail", failing);
    reset_peak();
    uint64_t before = own_memory("VmRSS");
    call.timeout_us = attack->wall_us;
    call.cpu_us = attack->cpu_us;
    call.flags = attack->flags;
    gbx_future *future = gbx_context_eval(
        gbx_isolate_context(isolate), attack->source, strlen(attack->source), &call);
    gbx_status status = settle(future, &isolate, attack->deed, attack->what);
    gbx_future_free(future);
    if (attack->deed == COLLECT) {
        future = gbx_isolate_collect(isolate);
        (void)settle(future, &isolate, NOTHING, attack->what);
        gbx_future_free(future);
    }
    const char *after = afterwards(isolate, status, attack->what);
    (void)fprintf(out, "| %s | `GBX_%s` | %s |\n", attack->what, status_name(status), after);
    gbx_isolate_close(isolate);
    if (!answers(canary))
        die("%s: another isolate is disturbed", attack->what);
    uint64_t peak = own_memory("VmHWM");
    if (peak > before + GROWTH)
        die("%s: the host grew by %llu bytes", attack->what,
            (unsigned long long)(peak - before));
}

static void
print_table(const char *only)
{
    gbx_error error = GBX_ERROR_INIT;

    (void)fputs("# What ends how\n\n"
                "Made by `test/integration/deaths_table.c`, which runs each line; a test holds "
                "this file to it.\n"
                "In every case the host lives on, its memory stays what it was, and other "
                "isolates do not notice.\n",
        out);
    if (gbx_runtime_open(NULL, &runtime, &error) != GBX_OK ||
        gbx_isolate_open(runtime, NULL, &canary, &error) != GBX_OK || !answers(canary))
        die("no glovebox: %s", error.message);
    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++)
        if (attacks[i].source == NULL)
            (void)fprintf(out,
                "\n%s\n\n| what happens | the call ends with | the isolate is |\n"
                "| --- | --- | --- |\n",
                attacks[i].what);
        else if (only == NULL || strstr(attacks[i].what, only) != NULL)
            run(&attacks[i]);
    gbx_isolate_close(canary);
    gbx_runtime_close(runtime);
}

/* Prints the lines that differ; true if there are none. */
static bool
same(FILE *made, const char *path)
{
    FILE *there = fopen(path, "re");
    char is[4096], says[4096];
    bool good = true;

    if (there == NULL)
        die("%s: %s", path, strerror(errno));
    rewind(made);
    for (;;) {
        bool more = fgets(is, sizeof is, made) != NULL;
        bool said = fgets(says, sizeof says, there) != NULL;
        if (!more && !said)
            break;
        if (more && said && strcmp(is, says) == 0)
            continue;
        good = false;
        (void)printf("is:   %s%s says: %s", more ? is : "(nothing)\n", path,
            said ? says : "(nothing)\n");
    }
    (void)fclose(there);
    return good;
}

int
main(int argc, char **argv)
{
    bool compare = argc == 2;

    out = compare ? tmpfile() : stdout;
    if (out == NULL)
        die("no temporary file: %s", strerror(errno));
    print_table(argc == 3 ? argv[2] : NULL);
    if (!compare)
        return 0;
    return same(out, argv[1]) ? 0 : 1;
}
