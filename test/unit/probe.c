/* probe.c - see probe.h. */
#include "probe.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#define PROBE_SECONDS 60

void (*probe_on_console)(void);
void (*probe_on_interrupt)(void);
void (*probe_on_paused)(void);
struct buf probe_console = { .max = 1 << 26 }, probe_levels = { .max = 1 << 16 };
struct buf probe_messages = { .max = 1 << 28 };
unsigned probe_other_messages;
unsigned probe_rejected;
struct buf probe_settled = { .max = 1 << 16 };
struct engine_outcome probe_outcome;
int probe_argc;
char **probe_argv;

void
probe_failed(const char *file, int line, const char *what)
{
    printf("# %s:%d: %s\n", file, line, what);
    fflush(stdout);
    _exit(1);
}

/* --- hooks ---------------------------------------------------------------------------- */

static void
call_host(void *cell, uint32_t function, uint32_t count, struct buf *arguments,
    struct engine_answer *answer)
{
    (void)cell, (void)function, (void)count, (void)arguments;
    answer->kind = ENGINE_ANSWER_STOP;
}

static void
settled(void *cell, uint32_t call, struct engine_outcome *outcome)
{
    (void)cell, (void)call;
    buf_byte(&probe_settled, (uint8_t)('0' + (int)outcome->end));
}

static void
console(void *cell, enum engine_console_level level, struct span text)
{
    (void)cell;
    buf_byte(&probe_levels, (uint8_t)('0' + (int)level));
    buf_append(&probe_console, text.p, text.len);
    buf_byte(&probe_console, '\n');
    if (probe_on_console != NULL)
        probe_on_console();
}

static void
interrupt(void *cell)
{
    (void)cell;
    if (probe_on_interrupt != NULL)
        probe_on_interrupt();
}

static void
memory(void *cell, enum engine_memory_event event, uint64_t limit_bytes, uint64_t used_bytes)
{
    (void)cell;
    printf("# memory event %d: limit %llu, used %llu\n", (int)event,
        (unsigned long long)limit_bytes, (unsigned long long)used_bytes);
}

__attribute__((noreturn)) static void
fatal(void *cell, bool out_of_memory, const char *location, const char *detail)
{
    (void)cell;
    printf("# V8 gave up (memory: %d): %s: %s\n", out_of_memory, location, detail);
    fflush(stdout);
    _exit(2);
}

static void
inspector_message(void *cell, uint32_t session, struct span json)
{
    (void)cell;
    if (session != 1) {
        probe_other_messages++;
        return;
    }
    buf_append(&probe_messages, json.p, json.len);
    buf_byte(&probe_messages, '\n');
}

static void
paused(void *cell)
{
    (void)cell;
    if (probe_on_paused != NULL)
        probe_on_paused();
}

static uint32_t
running(void *cell)
{
    (void)cell;
    return 1;
}

static void
rejected(void *cell, uint32_t call, uint64_t omitted, struct engine_outcome *outcome)
{
    (void)cell, (void)call, (void)omitted, (void)outcome;
    probe_rejected++;
}

const struct engine_hooks probe_hooks = {
    .call_host = call_host,
    .settled = settled,
    .console = console,
    .interrupt = interrupt,
    .memory = memory,
    .fatal = fatal,
    .running = running,
    .rejected = rejected,
    .inspector_message = inspector_message,
    .paused = paused,
};

/* --- helpers -------------------------------------------------------------------------- */

bool
probe_has(const struct buf *b, const char *text)
{
    return b->len > 0 && memmem(b->p, b->len, text, strlen(text)) != NULL;
}

void
probe_forget(struct buf *b)
{
    buf_done(b);
    b->failed = false;
}

void
probe_copy_after(const char *before, char *out, size_t room)
{
    const char *at = probe_messages.len == 0
                         ? NULL
                         : memmem(probe_messages.p, probe_messages.len, before, strlen(before));
    size_t n = 0;

    CHECK(at != NULL);
    at += strlen(before);
    while (at[n] != '"' && at[n] != ',' && n + 1 < room)
        n++;
    memcpy(out, at, n);
    out[n] = '\0';
}

enum engine_end
probe_eval(const char *source)
{
    struct engine_source s = { span_text(source), span_text("case.js"), 0, 0 };

    engine_outcome_done(&probe_outcome);
    engine_outcome_init(&probe_outcome, 1 << 20);
    engine_eval(1, 1, 0, &s, &probe_outcome);
    return probe_outcome.end;
}

void
probe_say(uint32_t session, const char *json)
{
    engine_inspector_dispatch(session, span_text(json));
}

/* A one-byte string is 0xff, version, '"', a length and Latin-1 in structured clone. */
const char *
probe_text(const char *expression)
{
    static char text[256];
    enum engine_end end = probe_eval(expression);
    const struct buf *v = &probe_outcome.value;

    if (end != ENGINE_VALUE || v->len < 4 || v->p[2] != '"' || v->p[3] > 127) {
        printf("# %s: ended as %d\n", expression, (int)end);
        probe_failed(__FILE__, __LINE__, "a short string");
    }
    memcpy(text, v->p + 4, v->p[3]);
    text[v->p[3]] = '\0';
    return text;
}

void
probe_node(const char *const *arguments, struct buf *out)
{
    char *argv[8] = { probe_argv[0] };
    char *no_environment[] = { NULL };
    posix_spawn_file_actions_t actions;
    int ends[2], status;
    pid_t child;
    ssize_t n;
    uint8_t bytes[4096];

    for (size_t i = 0; arguments[i] != NULL && i < 6; i++)
        argv[i + 1] = (char *)(uintptr_t)arguments[i];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, ends[1], 1) == 0);
    CHECK(posix_spawn(&child, probe_argv[0], &actions, NULL, argv, no_environment) == 0);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    while ((n = read(ends[0], bytes, sizeof bytes)) > 0)
        buf_append(out, bytes, (size_t)n);
    (void)close(ends[0]);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* --- running -------------------------------------------------------------------------- */

static void
run_one(const struct probe *probe)
{
    (void)alarm(PROBE_SECONDS);
    engine_outcome_init(&probe_outcome, 1 << 20);
    engine_after_fork(&probe_hooks, NULL, 0x5eed, true);
    probe->run();
    fflush(stdout);
    _exit(0);
}

int
probes_run(int argc, char **argv, const struct probe *probes, size_t count)
{
    static const struct engine_config config = {
        .memory_limit_bytes = 512 << 20,
        .value_bytes_max = 1 << 20,
    };
    const char *why;
    int failed = 0;

    probe_argc = argc;
    probe_argv = argv;
    printf("1..%zu\n", count);
    why = engine_boot(true);
    if (why == NULL)
        why = engine_isolate_new(&config);
    if (why != NULL) {
        printf("Bail out! %s\n", why);
        fflush(stdout);
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        int status = -1;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0)
            run_one(&probes[i]);
        (void)waitpid(child, &status, 0);
        bool right = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (WIFSIGNALED(status))
            printf("# ended by signal %d\n", WTERMSIG(status));
        printf("%sok %zu - %s\n", right ? "" : "not ", i + 1, probes[i].name);
        failed += !right;
    }
    fflush(stdout);
    return failed > 0;
}
