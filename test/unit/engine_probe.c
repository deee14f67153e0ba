#include "engine_probe.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CHECK_SECONDS = 60, /* a check that hangs is ended by SIGALRM */
    OUTCOME_BYTES = 1 << 24
};

struct seen seen;
const char *globals_path;
static struct engine_outcome last;
static bool last_used;

void
check_fails(const char *file, int line, const char *what)
{
    printf("# %s:%d: %s\n", file, line, what);
    if (last_used)
        show(&last);
    (void)fflush(stdout);
    _exit(1);
}

void
show(const struct engine_outcome *out)
{
    printf("# end %d, %zu bytes:", out->end, out->value.len);
    for (size_t i = 0; i < out->value.len && i < 64; i++)
        printf(out->value.p[i] >= 0x20 && out->value.p[i] < 0x7F ? "%c" : " %02x",
            out->value.p[i]);
    printf("; %.*s: %.*s\n", (int)out->exception.name.len, (char *)out->exception.name.p,
        (int)out->exception.message.len, (char *)out->exception.message.p);
}

/* --- hooks ---------------------------------------------------------------------------- */

static void
answer_nested(const char *source, struct engine_answer *answer)
{
    static struct buf kept = { .max = OUTCOME_BYTES };
    struct engine_source code = { span_text(source), span_text("nested.js"), 0, 0 };
    struct engine_outcome nested;

    engine_outcome_init(&nested, OUTCOME_BYTES);
    engine_eval(1, 900, 0, &code, &nested);
    kept.len = 0;
    buf_append(&kept, nested.value.p, nested.value.len);
    answer->kind = nested.end == ENGINE_VALUE ? ENGINE_ANSWER_VALUE : ENGINE_ANSWER_THROW;
    answer->bytes = buf_span(&kept);
    engine_outcome_done(&nested);
    answer->message = span_text("the nested evaluation failed");
}

static void
on_call(void *cell, uint32_t function, uint32_t count, struct buf *arguments,
    struct engine_answer *answer)
{
    static struct buf echo = { .max = OUTCOME_BYTES };
    uint32_t length = 0;

    (void)cell;
    seen.host_calls++;
    switch (function) {
    case HOST_ECHO:
        echo.len = 0;
        if (count > 0) {
            memcpy(&length, arguments->p, sizeof length);
            buf_append(&echo, arguments->p + 4, length);
        }
        answer->bytes = buf_span(&echo);
        break;
    case HOST_THROW:
        answer->kind = ENGINE_ANSWER_THROW;
        answer->name = span_text("TypeError");
        answer->message = span_text("host says no");
        break;
    case HOST_PROMISE:
        answer->kind = ENGINE_ANSWER_PROMISE;
        answer->promise = 77;
        break;
    case HOST_STOP:
        answer->kind = ENGINE_ANSWER_STOP;
        break;
    case HOST_NESTED:
        answer_nested("nested()", answer);
        break;
    case HOST_CUSTOM:
        answer->kind = ENGINE_ANSWER_THROW;
        answer->name = span_text("OutOfCheese");
        answer->message = span_text("redo from start");
        break;
    case HOST_LOOP:
        answer_nested("for(;;);", answer);
        break;
    case HOST_CLOSE:
        engine_context_free(2);
        break;
    default:
        check_fails(__FILE__, __LINE__, "a function that nobody gave");
    }
}

static void
on_settled(void *cell, uint32_t call, struct engine_outcome *outcome)
{
    uint32_t i = seen.settled++;

    (void)cell;
    CHECK(i < PROBE_SETTLED_MAX);
    seen.settlements[i].call = call;
    seen.settlements[i].end = outcome->end;
    seen.settlements[i].value.max = OUTCOME_BYTES;
    buf_append(&seen.settlements[i].value, outcome->value.p, outcome->value.len);
}

static uint32_t
on_resolve(
    void *cell, uint32_t context, struct span type, struct span specifier, struct span referrer)
{
    (void)cell, (void)context, (void)type;
    buf_clear(&seen.import);
    buf_clear(&seen.importer);
    seen.import.max = seen.importer.max = OUTCOME_BYTES;
    buf_append(&seen.import, specifier.p, specifier.len);
    buf_append(&seen.importer, referrer.p, referrer.len);
    return ++seen.imports;
}

static void
on_console(void *cell, enum engine_console_level level, struct span text)
{
    (void)cell, (void)level, (void)text;
}

static void
on_interrupt(void *cell)
{
    (void)cell;
    seen.interrupts++;
    seen.stack.len = 0;
    seen.stack.max = EXCEPTION_TEXT_MAX;
    engine_stack_trace(&seen.stack);
    if (seen.memory_calls > 0)
        engine_terminate();
}

static void
on_memory(void *cell, enum engine_memory_event event, uint64_t limit_bytes, uint64_t used_bytes)
{
    (void)cell, (void)limit_bytes;
    if (seen.memory_calls++ == 0) {
        seen.memory_event = event;
        seen.memory_used = used_bytes;
    }
}

__attribute__((noreturn)) static void
on_fatal(void *cell, bool out_of_memory, const char *location, const char *detail)
{
    (void)cell;
    printf("# fatal: %s %s\n", location, detail);
    (void)fflush(stdout);
    _exit(out_of_memory ? PROBE_OOM : PROBE_FATAL);
}

static void
on_inspector_message(void *cell, uint32_t session, struct span json)
{
    (void)cell, (void)session, (void)json;
}

static void
on_paused(void *cell)
{
    (void)cell;
}

/* The kernel's limit that a real cell has behind the engine's: what malloc() may take. */
static void
limit_data(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    uint64_t kib = 0;

    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmData: %lu", &kib) == 1)
            break;
    (void)fclose(file);
    struct rlimit limit = { kib * KIB + 2 * PROBE_MEMORY * MIB, RLIM_INFINITY };
    CHECK(kib > 0 && setrlimit(RLIMIT_DATA, &limit) == 0);
}

void
become_cell(uint64_t seed)
{
    static const struct engine_hooks hooks = { .call_host = on_call,
        .settled = on_settled,
        .console = on_console,
        .interrupt = on_interrupt,
        .memory = on_memory,
        .fatal = on_fatal,
        .inspector_message = on_inspector_message,
        .resolve = on_resolve,
        .paused = on_paused };

    (void)alarm(CHECK_SECONDS);
    limit_data();
    engine_after_fork(&hooks, NULL, seed, false);
}

/* --- asking --------------------------------------------------------------------------- */

struct engine_outcome *
fresh(void)
{
    if (last_used)
        engine_outcome_done(&last);
    last_used = true;
    engine_outcome_init(&last, OUTCOME_BYTES);
    return &last;
}

struct engine_outcome *
last_outcome(void)
{
    return &last;
}

struct engine_outcome *
eval_flags(const char *source, uint32_t flags)
{
    struct engine_source code = { span_text(source), span_text("probe.js"), 0, 0 };

    engine_eval(1, 100, flags, &code, fresh());
    return &last;
}

struct engine_outcome *
eval(const char *source)
{
    return eval_flags(source, 0);
}

struct engine_outcome *
call_path(const char *path, const char *arguments, size_t len)
{
    uint32_t count = 0;

    /* Counts them by their lengths. */
    for (size_t at = 0; at < len; count++) {
        uint32_t length;
        memcpy(&length, arguments + at, sizeof length);
        at += sizeof length + length;
    }
    engine_call(1, 101, 0, span_text(path), count, span_of(arguments, len), fresh());
    return &last;
}

void
give(const char *path, uint32_t function)
{
    engine_set_function(1, span_text(path), function, fresh());
    CHECK(is_undefined(&last));
}

static void *
terminate_later(void *ms)
{
    (void)usleep((useconds_t)(uintptr_t)ms * 1000);
    engine_terminate();
    return NULL;
}

void
terminate_after(unsigned ms)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, terminate_later, (void *)(uintptr_t)ms) == 0);
    CHECK(pthread_detach(thread) == 0);
}

/* --- looking -------------------------------------------------------------------------- */

static bool
is_bytes(const struct engine_outcome *out, const void *bytes, size_t len)
{
    return out->end == ENGINE_VALUE && out->value.len == len &&
           memcmp(out->value.p, bytes, len) == 0;
}

bool
is_int(const struct engine_outcome *out, int expected)
{
    uint8_t bytes[8] = { 0xFF, 0x0F, 'I' };
    size_t n = 3;
    uint32_t zigzag = ((uint32_t)expected << 1) ^ (uint32_t)(expected >> 31);

    for (; zigzag >= 0x80; zigzag >>= 7)
        bytes[n++] = (uint8_t)(zigzag | 0x80);
    bytes[n++] = (uint8_t)zigzag;
    return is_bytes(out, bytes, n);
}

bool
is_text(const struct engine_outcome *out, const char *expected)
{
    size_t length = strlen(expected), prefix = length < 0x80 ? 4 : 5;

    return out->end == ENGINE_VALUE && out->value.len == prefix + length &&
           out->value.p[2] == '"' && memcmp(out->value.p + prefix, expected, length) == 0;
}

bool
is_true(const struct engine_outcome *out)
{
    return is_bytes(out, "\xFF\x0FT", 3);
}

bool
is_undefined(const struct engine_outcome *out)
{
    return is_bytes(out, "\xFF\x0F_", 3);
}

bool
has_text(const struct buf *text, const char *part)
{
    return part[0] == '\0' || memmem(text->p, text->len, part, strlen(part)) != NULL;
}

bool
threw(const struct engine_outcome *out, const char *name, const char *message)
{
    return out->end == ENGINE_THROWN && out->exception.name.len == strlen(name) &&
           has_text(&out->exception.name, name) && has_text(&out->exception.message, message);
}

/* --- running -------------------------------------------------------------------------- */

int
in_cell(uint64_t seed, void (*run)(void))
{
    int status = 0;

    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        become_cell(seed);
        run();
        (void)fflush(stdout);
        _exit(0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

static bool
ended_well(const struct check *check, int status)
{
    if (WIFSIGNALED(status))
        printf("# ended by signal %d\n", WTERMSIG(status));
    (void)fflush(stdout);
    return WIFEXITED(status) &&
           (WEXITSTATUS(status) == 0 ||
               (check->kind == MAY_DIE && WEXITSTATUS(status) == PROBE_OOM));
}

/* A template, and in it a cell for the check. True if the check held. */
static bool
holds(const struct check *check)
{
    struct engine_config config = { PROBE_MEMORY * MIB, 0, OUTCOME_BYTES };
    int status = 0;

    (void)fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        const char *why = engine_isolate_new(&config);
        CHECK(why == NULL);
        if (check->kind == IN_TEMPLATE)
            check->run();
        else
            CHECK(ended_well(check, in_cell(now_ns(), check->run)));
        (void)fflush(stdout);
        _exit(0);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static bool
wanted(const struct check *check, int argc, char **argv)
{
    for (int i = 2; i < argc; i++)
        if (strstr(check->name, argv[i]) != NULL)
            return true;
    return argc <= 2;
}

/* argv: the file of pinned global names, then parts of the names of the checks to run. */
int
glovebox_main(int argc, char **argv)
{
    static const struct check *const lists[] = { run_checks, guest_checks, stop_checks,
        memory_checks, number_checks };
    const char *why = engine_boot(true);
    int count = 0, failed = 0;

    if (argc < 2 || why != NULL) {
        printf("Bail out! %s\n", why != NULL ? why : "usage: probe GLOBALS [CHECK...]");
        return 1;
    }
    globals_path = argv[1];
    for (size_t list = 0; list < COUNT(lists); list++)
        for (const struct check *check = lists[list]; check->name != NULL; check++)
            if (wanted(check, argc, argv)) {
                bool ok = holds(check);
                failed += !ok;
                printf("%sok %d - %s\n", ok ? "" : "not ", ++count, check->name);
            }
    printf("1..%d\n", count);
    return failed > 0 || count == 0;
}
