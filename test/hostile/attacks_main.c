/* attacks_main.c - runs the tables of attacks.h, each attack in a cell of its own, against a cell
 * that has been broken into: `attacks_hostile folder variant [name]`. The harness of attacks looks
 * after the rest: another tenant answers throughout, and the host comes back to what it was.
 */
#include "attacks.h"
#include "base/limits.h"
#include "integration/attack.h"
#include "ring/channel.h"
#include "wire/frame.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WALL_US 400000 /* of each attack */

static char prelude[4096];
static unsigned tests, failures;

/* True if pids in a cell mean only ours. */
static bool
has_own_pids(void)
{
    const gbx_layer *layer;

    for (uint32_t i = 0; (layer = gbx_runtime_layer(attack_runtime(), i)) != NULL; i++)
        if (strcmp(layer->name, "pid namespace") == 0)
            return layer->engaged;
    return false;
}

static void
make_prelude(void)
{
    bool own = has_own_pids();

    (void)snprintf(prelude, sizeof prelude,
        "const S = (...a) => echo('!syscall', ...a), T = text => echo('!text', text);"
        "const K = (at, value, bytes) => echo('!poke', at, bytes, value);"
        "const G = (at, bytes) => echo('!peek', at, bytes);"
        "const B = echo('!buffer'), me = S(%d), P = S(%d), Z = %s, KILL = %d;"
        "let used = B + 8192;"
        "const vec = (a, n) => (used += 16, K(used, a, 8), K(used + 8, n, 8), used);"
        "const page = () => S(%d, 0, 8192, 3, 0x22, -1, 0);"
        "const info = () => (K(B + 4104, -1, 4), B + 4096);"
        "const to_cell = echo('!shared'), to_host = to_cell + %zu, bell = to_cell + %zu,"
        " stop = to_cell + %zu;"
        "const note = (status, letter = 33) => { const at = echo('!note');"
        " K(at + %zu, status, 4); K(at + %zu, letter, 1); K(at, 1, 4) };"
        "const EMEMORY = %d, EVIOLATION = %d, ETERMINATED = %d;"
        "const RESULT = %d, FORKED = %d, COLLECT = %d, SNAPSHOT_PIECE = %d, PAUSED = %d,"
        " INSPECTOR_MESSAGE = %d, CALLBACK = %d;"
        "const frame = (bytes, type, id, ...body) => echo('!say', bytes & 255,"
        " bytes >>> 8 & 255, bytes >>> 16 & 255, bytes >>> 24, type & 255, type >> 8, 0, 0,"
        " id & 255, id >>> 8 & 255, id >>> 16 & 255, id >>> 24, ...body);",
        SYS_getpid, SYS_getppid, own ? "1" : "P", own ? 9 : 0, SYS_mmap,
        offsetof(struct channel_shared, to_host), offsetof(struct channel_shared, host_bell),
        offsetof(struct channel_shared, stop), offsetof(struct channel_note, status),
        offsetof(struct channel_note, message), GBX_EMEMORY, GBX_EVIOLATION, GBX_ETERMINATED,
        MESSAGE_RESULT, MESSAGE_FORKED, MESSAGE_COLLECT, MESSAGE_SNAPSHOT_PIECE, MESSAGE_PAUSED,
        MESSAGE_INSPECTOR_MESSAGE, MESSAGE_CALLBACK);
}

static void
tell(const char *what, const struct attack_report *report)
{
    failures += report->wrong[0] != '\0';
    printf("%sok %u - %s\n", report->wrong[0] != '\0' ? "not " : "", ++tests, what);
    if (report->wrong[0] != '\0')
        printf("# %s\n", report->wrong);
    (void)fflush(stdout);
}

static void
expect(const struct attack_report *report, int outcome, struct attack_report *verdict)
{
    static const gbx_status statuses[] = { [DIES] = GBX_EVIOLATION,
        [CRASHES] = GBX_ECRASHED,
        [LIES] = GBX_EPROTO,
        [HANGS] = GBX_ETIMEOUT,
        [MEMORY] = GBX_EMEMORY };
    double number = 1;
    bool answered = report->status == GBX_OK && report->value != NULL &&
                    gbx_value_get_number(report->value, &number) == GBX_OK;

    if (outcome == HARMLESS)
        return;
    if (outcome == FAILS ? !answered || number >= 0
                         : outcome < 0 && (!answered || (int)number != outcome))
        attack_wrong(verdict, "%s, %g (%s); wanted %s %d", attack_status(report->status),
            number, report->error.message, outcome == FAILS ? "any errno, not" : "errno",
            outcome);
    if (outcome > 0 && outcome != FAILS && report->status != statuses[outcome])
        attack_wrong(verdict, "%s, %g (%s), wanted %s", attack_status(report->status), number,
            report->error.message, attack_status(statuses[outcome]));
}

/* More than its limit: what RLIMIT_DATA leaves beyond it, and the page tables of all the address
 * space that RLIMIT_AS leaves. */
static uint64_t
most_over(void)
{
    return ATTACK_MEMORY / 2 + CELL_RESERVE_BYTES + (CELL_ADDRESS_BYTES + ATTACK_MEMORY) / 512 +
           4 * MIB;
}

static void
run(const struct hostile_attack *one, int outcome)
{
    static char source[8192];
    struct attack attack = { .what = one->what, .source = source, .wall_us = WALL_US };
    struct attack_report report;

    /* What takes long by itself has all the time that a busy machine needs. */
    if (outcome != HANGS)
        attack.wall_us = 60000000;
    (void)snprintf(source, sizeof source, "%s%s", prelude, one->source);
    attack_run(&attack, &report);
    expect(&report, outcome, &report);
    if (report.over_bytes > most_over())
        attack_wrong(&report, "it had %llu MiB more than its limit",
            (unsigned long long)report.over_bytes / MIB);
    tell(one->what, &report);
    attack_report_done(&report);
}

/* --- forks that were granted ---------------------------------------------------------------- */

/* A background snapshot is asked for while the guest waits for it to be; then the guest makes the
 * fork, in place of the code that would. */
static void
steal_fork(const char *what, const char *then, gbx_status wanted)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_snapshot_options snapshot = GBX_SNAPSHOT_OPTIONS_INIT;
    gbx_call_options call = GBX_CALL_OPTIONS_INIT;
    struct attack_report report;
    static char source[8192];

    options.memory_limit_bytes = ATTACK_MEMORY;
    gbx_isolate *isolate = attack_open(&options, &report);
    if (isolate == NULL)
        return tell(what, &report);
    (void)snprintf(source, sizeof source, "%s%s", prelude, then);
    call.timeout_us = 5000000;
    gbx_future *running =
        gbx_context_eval(gbx_isolate_context(isolate), source, strlen(source), &call);
    gbx_usage before = GBX_USAGE_INIT, usage = GBX_USAGE_INIT;
    (void)gbx_isolate_usage(isolate, &before);
    /* It loops by now: nothing else takes so much time. */
    do
        (void)gbx_runtime_dispatch(attack_runtime(), 1000);
    while (
        gbx_isolate_usage(isolate, &usage) == GBX_OK && usage.cpu_us < before.cpu_us + 50000);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    snapshot.fd = null;
    gbx_future *stolen = gbx_heap_snapshot(isolate, &snapshot);
    report.status = attack_settled(running, &report);
    if (report.status != wanted)
        attack_wrong(&report, "%s (%s), wanted %s", attack_status(report.status),
            report.error.message, attack_status(wanted));
    gbx_future_free(running);
    gbx_isolate_close(isolate);
    if (gbx_future_status(stolen, NULL) == GBX_OK)
        attack_wrong(&report, "the snapshot is said to be whole");
    gbx_future_free(stolen);
    (void)close(null);
    attack_close(NULL, 0, &report);
    tell(what, &report);
    attack_report_done(&report);
}

static void
steal_forks(void)
{
    steal_fork("H-12 a second fork after the one that was granted", "echo('!steal', 0)",
        GBX_EVIOLATION);
    steal_fork(
        "H-12 a granted child that outlives its cell", "echo('!steal', 1)", GBX_ECRASHED);
    steal_fork(
        "H-12 a fork bomb in the fork that was granted", "echo('!steal', 2)", GBX_ETIMEOUT);
}

/* --- what must not happen outside ----------------------------------------------------------- */

static int
listener_open(struct sockaddr_in *at)
{
    socklen_t size = sizeof *at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    *at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    if (fd < 0 || bind(fd, (const struct sockaddr *)at, sizeof *at) < 0 || listen(fd, 8) < 0 ||
        getsockname(fd, (struct sockaddr *)at, &size) < 0)
        return -1;
    return fd;
}

static void
reach_listener(int outcome)
{
    struct sockaddr_in at;
    char source[512];
    int fd = listener_open(&at);
    struct attack_report report = { .wrong = "" };

    (void)snprintf(source, sizeof source,
        "K(B, 2 + %u * 65536, 4); K(B + 4, 0x0100007f, 4); const s = S(%d, 2, 1, 0);"
        "s < 0 ? s : S(%d, s, B, 16)",
        at.sin_port, SYS_socket, SYS_connect);
    run(&(struct hostile_attack){ .what = "H-06 a listener on loopback", .source = source },
        outcome);
    if (fd < 0 || accept(fd, NULL, NULL) >= 0)
        attack_wrong(&report, "somebody came in");
    (void)close(fd);
    if (access("/tmp/glovebox-was-here", F_OK) == 0 || access("/glovebox-was-here", F_OK) == 0)
        attack_wrong(&report, "a file was left");
    tell("nothing of it is seen outside", &report);
}

/* A machine whose layers don't all engage cannot show what they do without a filter. */
static const char *
missing_layer(void)
{
    const gbx_layer *layer;

    for (uint32_t i = 0; (layer = gbx_runtime_layer(attack_runtime(), i)) != NULL; i++)
        if (!layer->engaged && strcmp(layer->name, "seccomp") != 0)
            return layer->name;
    return NULL;
}

static void
run_table(const struct hostile_attack *table, size_t count, bool bare, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        int outcome = bare ? table[i].bare : table[i].filtered;
        if (outcome != NOTHING_OF_IT && (name == NULL || strstr(table[i].what, name) != NULL))
            run(&table[i], outcome);
    }
}

int
main(int argc, char **argv)
{
    char libexec[512];
    const char *name = argc > 3 ? argv[3] : NULL;

    if (argc < 3)
        return 2;
    bool bare = strcmp(argv[2], "unfiltered") == 0, whole = strcmp(argv[2], "hostile") == 0;
    (void)snprintf(libexec, sizeof libexec, "%s/%s", argv[1], argv[2]);
    if (!attack_begin_with(libexec, whole ? GBX_REQUIRE_STRICT : GBX_REQUIRE_NONE))
        return 1;
    const char *missing = bare ? missing_layer() : NULL;
    if (missing != NULL) {
        printf("1..0 # SKIP this machine lacks the layer: %s\n", missing);
        attack_end();
        return 0;
    }
    make_prelude();
    run_table(hostile_calls, hostile_calls_count, bare, name);
    if (whole)
        run_table(hostile_lies, hostile_lies_count, bare, name);
    if (whole && name == NULL)
        steal_forks();
    if (name == NULL)
        reach_listener(bare ? FAILS : DIES);
    printf("1..%u\n", tests);
    attack_end();
    return failures == 0 ? 0 : 1;
}
