/* snapshot_probe.c - heap snapshots: straight, in a fork, and through an inspector session. */
#include "probe.h"

#include <fcntl.h>
#include <sys/wait.h>

/* Has Node.js parse a snapshot: its counts must be those of its arrays, its strings hold the
 * guest's mark. */
static void
check_snapshot(const char *path)
{
    static const char script[] =
        "const s = JSON.parse(require('fs').readFileSync(process.argv[1]));"
        "const { meta, node_count, edge_count } = s.snapshot;"
        "process.stdout.write(s.nodes.length === node_count * meta.node_fields.length &&"
        "s.edges.length === edge_count * meta.edge_fields.length && node_count > 5000 &&"
        "edge_count > node_count && s.strings.includes('the mark of the guest') ? 'right'"
        ": JSON.stringify(s.snapshot))";
    const char *arguments[] = { "-e", script, path, NULL };
    struct buf said = { .max = 4096 };

    probe_node(arguments, &said);
    (void)unlink(path);
    CHECK_HAS(said, "right");
}

static const char mark[] = "globalThis.mark = { text: ['the mark ', 'of the guest'].join('') };"
                           "globalThis.key = {}; key[mark.text] = 1";

struct file_sink {
    int fd;
    size_t pieces, stop_after;
};

static bool
to_file(void *data, struct span piece)
{
    struct file_sink *sink = data;

    CHECK(piece.len <= 64 * 1024);
    if (sink->pieces++ == sink->stop_after)
        return false;
    CHECK(write(sink->fd, piece.p, piece.len) == (ssize_t)piece.len);
    return true;
}

/* An empty file whose name takes the place of the template. */
static int
scratch_file(char *path)
{
    int fd = mkstemp(path);

    CHECK(fd >= 0);
    return fd;
}

static void
write_snapshot(int fd)
{
    struct file_sink sink = { fd, 0, SIZE_MAX };

    CHECK(engine_heap_snapshot(to_file, NULL, &sink));
    CHECK(sink.pieces > 5);
    (void)close(fd);
}

static void
snapshot_of_the_cell_itself(void)
{
    char path[] = "/tmp/glovebox-snapshot-XXXXXX";
    int fd = scratch_file(path);

    CHECK(probe_eval(mark) == ENGINE_VALUE);
    write_snapshot(fd);
    check_snapshot(path);
    CHECK(strcmp(probe_text("'usable'"), "usable") == 0);
}

static void
snapshot_stops_with_its_sink(void)
{
    struct file_sink sink = { open("/dev/null", O_WRONLY | O_CLOEXEC), 0, 2 };

    CHECK(!engine_heap_snapshot(to_file, NULL, &sink));
    CHECK(sink.pieces == 3);
    CHECK(strcmp(probe_text("'usable'"), "usable") == 0);
}

static int fork_file;

static void
fork_a_snapshot_child(void)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        write_snapshot(fork_file);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    engine_terminate();
}

static void
snapshot_of_a_fork_with_javascript_on_the_stack(void)
{
    char path[] = "/tmp/glovebox-snapshot-XXXXXX";

    fork_file = scratch_file(path);
    CHECK(probe_eval(mark) == ENGINE_VALUE);
    probe_on_interrupt = fork_a_snapshot_child;
    engine_interrupt();
    CHECK(probe_eval("for (;;) mark.n = { n: mark.n && 1 };") == ENGINE_TERMINATED);
    check_snapshot(path);
}

static uint8_t
unescaped(const char **at)
{
    static const char letters[] = "n\nt\tr\rb\bf\f";
    char c = *(*at)++;
    unsigned code;

    if (c != '\\')
        return (uint8_t)c;
    c = *(*at)++;
    if (c == 'u') {
        CHECK(sscanf(*at, "%4x", &code) == 1);
        *at += 4;
        return code < 0x80 ? (uint8_t)code : '?';
    }
    const char *letter = strchr(letters, c);
    return (uint8_t)(letter == NULL ? c : letter[1]);
}

/* The chunks of all addHeapSnapshotChunk notifications, one after the other, into a file. */
static void
chunks_to_file(int fd)
{
    static const char before[] = "{\"method\":\"HeapProfiler.addHeapSnapshotChunk\","
                                 "\"params\":{\"chunk\":\"";
    struct buf text = { .max = 1 << 28 };
    const char *at, *end;

    buf_byte(&probe_messages, '\0');
    at = (const char *)probe_messages.p;
    end = at + probe_messages.len;
    while ((at = memmem(at, (size_t)(end - at), before, strlen(before))) != NULL) {
        at += strlen(before);
        while (*at != '"')
            buf_byte(&text, unescaped(&at));
    }
    CHECK(!text.failed && write(fd, text.p, text.len) == (ssize_t)text.len);
    buf_done(&text);
}

static void
snapshot_through_a_session(void)
{
    char path[] = "/tmp/glovebox-snapshot-XXXXXX";
    int fd = scratch_file(path);

    CHECK(probe_eval(mark) == ENGINE_VALUE);
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    probe_say(1, "{\"id\":2,\"method\":\"HeapProfiler.takeHeapSnapshot\"}");
    while (engine_pump())
        ;
    CHECK_HAS(probe_messages, "{\"id\":2,\"result\":{}}");
    chunks_to_file(fd);
    (void)close(fd);
    check_snapshot(path);
}

static void
ask_for_snapshot_then_stop(void)
{
    probe_say(1, "{\"id\":2,\"method\":\"HeapProfiler.takeHeapSnapshot\"}");
    CHECK_HAS(probe_messages, "HeapProfiler.addHeapSnapshotChunk");
    CHECK_HAS(probe_messages, "{\"id\":2,\"result\":{}}");
    engine_terminate();
}

/* A guest that never comes back to the loop must not keep its host from looking inside. */
static void
snapshot_while_javascript_runs(void)
{
    CHECK(engine_inspector_open(1));
    probe_on_interrupt = ask_for_snapshot_then_stop;
    engine_interrupt();
    CHECK(probe_eval("for (;;);") == ENGINE_TERMINATED);
}

static void
snapshot_then_resume(void)
{
    probe_say(1, "{\"id\":2,\"method\":\"HeapProfiler.takeHeapSnapshot\"}");
    CHECK_HAS(probe_messages, "{\"id\":2,\"result\":{}}");
    probe_say(1, "{\"id\":3,\"method\":\"Debugger.resume\"}");
}

static void
snapshot_while_paused(void)
{
    CHECK(engine_inspector_open(1));
    probe_say(1, "{\"id\":1,\"method\":\"Debugger.enable\"}");
    probe_on_paused = snapshot_then_resume;
    CHECK(strcmp(probe_text("debugger; 'went on'"), "went on") == 0);
}

int
glovebox_main(int argc, char **argv)
{
    static const struct probe probes[] = {
        { "a snapshot of the cell itself", snapshot_of_the_cell_itself },
        { "a snapshot stops with its sink", snapshot_stops_with_its_sink },
        { "a snapshot of a fork with JavaScript on the stack",
            snapshot_of_a_fork_with_javascript_on_the_stack },
        { "a snapshot through a session", snapshot_through_a_session },
        { "a snapshot through a session while JavaScript runs",
            snapshot_while_javascript_runs },
        { "a snapshot through a session while paused", snapshot_while_paused },
    };

    return probes_run(argc, argv, probes, sizeof probes / sizeof probes[0]);
}
