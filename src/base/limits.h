/* limits.h - every constant that bounds something, with its unit and its reason.
 *
 * A number that two modules must agree on, or that a hostile cell could stretch, stands here
 * and nowhere else.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* --- values --------------------------------------------------------------------------- */

/* Nesting of containers in one value. V8's serialiser recurses to about 10,000 before it gives
 * up; ours is iterative, so this bounds only what the consumer of a value must cope with. */
#define VALUE_DEPTH_MAX        10000
/* Nodes in one value. A node is at least one byte on the wire and about 40 bytes decoded, so
 * this times 40 is what one hostile message may cost the host. */
#define VALUE_COUNT_MAX        (8u * 1024 * 1024)
/* What a node costs us: 8 bytes of a guest's memory are enough for one. A value may cost us as much
 * as its guest's limit is, so that is divided by this. */
#define VALUE_NODE_BYTES       40
/* Bytes of one encoded value, both ways; of a guest no more than its limit. */
#define VALUE_BYTES_MAX        (512 * MIB)
/* Bytes of one shared memory: offsets in it cross as 32-bit numbers. Count of those of an isolate:
 * the template holds a descriptor for each until it forks. */
#define SHARED_BYTES_MAX       GIB
#define SHARED_COUNT_MAX       16
/* Bytes of a buffer from which on a message borrows it: less is copied sooner than it is kept track
 * of. A value read from a message takes that over if one buffer is at least half of it. */
#define VALUE_SHARED_MIN       (64 * KIB)
/* Properties that are looked at for ArrayBuffers to move, per value, and so the buffers that may
 * come apart from one: what has more of them moves the first. */
#define MOVED_LOOK_MAX         4096
/* Bits of one BigInt: V8's own limit (1 << 30) is far past any use; this is 8 MiB. */
#define VALUE_BIGINT_BYTES_MAX (8 * MIB)
/* Decimal digits of a BigInt, both ways: the conversion is quadratic, this many take 0.1 s. */
#define BIGINT_DIGITS_MAX      100000
/* Bytes of a value's text for people. */
#define VALUE_TEXT_MAX         (64 * MIB)

/* --- channel -------------------------------------------------------------------------- */

/* Bytes of each ring; a power of two. Long messages stream through it, and at this size the
 * copy, not the hand-over, is what costs (bench/). Every page of it that was ever touched stays
 * with a live isolate, so it is no larger. */
#define RING_BYTES       (64 * 1024)
/* What one put or take moves at most: the other end works on one piece while the next is copied. */
#define RING_PIECE_BYTES (16 * 1024)
/* Longest spin before a sleep. A wake-up across cores costs 30 to 60 us each way: a host that
 * spins for one wake-up and the work behind it does not sleep itself, which would cost another. */
#define SPIN_MAX_NS      100000
/* Spin of a side that waited longer than SPIN_WORTH_NS lately: catches a quick second message
 * without burning a core for a slow peer. */
#define SPIN_MIN_NS      2000
#define SPIN_WORTH_NS    150000

/* --- messages ------------------------------------------------------------------------- */

/* Bytes of source text in one evaluation; typescript.js is 9 MB. */
#define SOURCE_BYTES_MAX   (256 * MIB)
/* Bytes of a script's code cache: it fits a message together with its source. */
#define CACHE_BYTES_MAX    (256 * MIB)
/* Bytes of all arguments of one call, or of one answer. */
#define MESSAGE_BYTES_MAX  (VALUE_BYTES_MAX + MESSAGE_HEAD_MAX)
/* Bytes of a message before its last field: fixed fields, names, a path. */
#define MESSAGE_HEAD_MAX   (64 * KIB)
/* Message buffers up to this size are used again: by a busy cell until it is idle, by a runtime
 * two for all its isolates. Fresh pages cost more than the copy into them (huge.h). */
#define FRAME_KEPT_BYTES   (2 * MIB)
/* Arguments of one call. */
#define ARGUMENTS_MAX      4096
/* Bytes of the texts of an exception; V8's own stack is at most 10 frames by default, and a
 * message that is longer than this is not read by anybody. */
#define EXCEPTION_TEXT_MAX (16 * KIB)
/* What crosses of a thrown error (base/thrown.h): errors in errors, properties and items of all of
 * them together, and their bytes. Decoded, a byte may cost the host a node: VALUE_NODE_BYTES times
 * as much. */
#define THROWN_DEPTH_MAX   16
#define THROWN_ITEMS_MAX   256
#define THROWN_BYTES_MAX   (256 * KIB)
/* Bytes of a file name and of a dotted path. */
#define NAME_BYTES_MAX     (4 * KIB)
/* Bytes of one console message as it crosses; the formatter cuts before. */
#define CONSOLE_BYTES_MAX  (128 * KIB)
/* Bytes of one CDP message. Runtime.evaluate by value and snapshots' chunks stay far below. */
#define CDP_BYTES_MAX      (256 * MIB)
/* Bytes of one piece of an attached heap snapshot; what V8 hands us at a time. */
#define SNAPSHOT_PIECE_MAX (256 * KIB)
/* Contexts, references, host functions, inspector sessions, scripts and nested calls of one
 * isolate. Each costs the host a table entry; nesting costs it native stack (about 2 KiB a
 * level). */
#define CONTEXTS_MAX       1024
#define REFERENCES_MAX     (1024 * 1024)
#define FUNCTIONS_MAX      (64 * 1024)
#define SESSIONS_MAX       256
#define SCRIPTS_MAX        (64 * 1024)
#define NESTING_MAX        64
/* Released references that are told together, and how long they wait for company: a host that has
 * gone idle should not keep what its guest could free. */
#define REFERENCES_BATCH   64
#define REFERENCES_WAIT_US 10000
/* Functions that a guest has let go of, which are told together. */
#define FUNCTIONS_BATCH    256
/* Lists that open answers are found in, by number. */
#define DEFERRED_BUCKETS   64
/* Host promises that one guest may have open. */
#define PROMISES_MAX       (64 * 1024)
/* Modules that the host holds in one isolate, each some 150 bytes for it. Imports that a guest may
 * have open count with its promises: PROMISES_MAX. */
#define MODULES_MAX        (64 * 1024)
/* Encoded bytes of what the host gives one module as import.meta. */
#define MODULE_META_MAX    (64 * KIB)
/* Bytes of a file that is imported: what a guest may have the host read at a time. */
#define FILE_BYTES_MAX     (64 * MIB)

/* Rejected promises of one run of microtasks that are remembered until its end; and what is told of
 * one: its reason's copy, in bytes. */
#define REJECTIONS_WAITING_MAX 1024
#define REJECTION_VALUE_MAX    (64 * KIB)
/* Rejections whose sessions are told when a handler comes: the latest, as Chrome has a thousand. */
#define REJECTIONS_SHOWN_MAX   1024
/* Rejections that the host's callback is told of, and in which time: more is nobody's reading. */
#define REJECTIONS_PER_SPAN    1000
#define REJECTIONS_SPAN_US     1000000

/* --- engine --------------------------------------------------------------------------- */

/* Bytes of an exception's name, file and source line; message and stack: EXCEPTION_TEXT_MAX. */
#define EXCEPTION_NAME_MAX     KIB
/* Frames of the stack that is kept when a limit ends the guest; they fit EXCEPTION_TEXT_MAX. */
#define STACK_FRAMES_MAX       50
/* The guest's native stack when the caller names none: V8's own default. RLIMIT_STACK is 8 MiB.
 */
#define STACK_LIMIT_BYTES      (984 * KIB)
/* Addresses for machine code. All of it counts in RLIMIT_DATA, whether used or not. */
#define CODE_RANGE_BYTES       (64 * MIB)
/* How far malloc's arena grows before its part of the guest's memory is counted again: less than
 * the smallest limit. */
#define ARENA_LOOK_BYTES       (4 * MIB)
/* What V8's heap is let grow past its limit so that the guest ends with its stack known and not
 * with its process: at a time, and in all. */
#define MEMORY_SLACK_BYTES     (8 * MIB)
#define MEMORY_SLACK_BYTES_MAX (16 * MIB)

/* --- the cell ------------------------------------------------------------------------- */

/* From the watchdog's interrupt to its TerminateExecution: time for a safe point at which the
 * guest's stack can be noted. Loops reach one within microseconds; a long builtin never does. CPU
 * time; and wall time, sooner than STOP_KILL_US, for what does not run at all.
 */
#define STOP_STACK_US        10000
#define STOP_STACK_MAX_US    100000
/* CPU time from the interrupt to the end of the process: for a builtin to notice the
 * termination. Not wall time: on a busy machine the cell may not get to run for long. */
#define STOP_GRACE_US        100000
/* Wall time from the deadline to SIGKILL from the host, which needs nobody's cooperation. */
#define STOP_KILL_US         150000
/* A cell that is ready to run then, but was not let, gets this much CPU time first, on an idle
 * machine still within 250 ms of the deadline; how often the host looks; and when it gives up. */
#define STOP_STARVED_CPU_US  60000
#define STOP_STARVED_LOOK_US 10000
#define STOP_STARVED_MAX_US  3000000
/* A cell for which nothing is under way has only to tidy up, which PUMP_WALL_US bounds. How often
 * the host looks at such cells, and the CPU time that one may use until it hears from the host
 * again: no budget of any call covers it. */
#define IDLE_LOOK_US         5000000
#define IDLE_CPU_US          2000000
/* How often the watchdog looks whether what it has stopped has ended, ns. */
#define WATCH_LOOK_NS        1000000
/* Stack of the watchdog thread. It calls clock_gettime, futex and V8's interrupt request. */
#define WATCH_STACK_BYTES    (64 * 1024)
/* Wall clock for what V8 posts to itself (finalizers, wasm compilation, timeouts of
 * Atomics.waitAsync) from one request of the host to the next: it belongs to no call, and no guest
 * code may run without a deadline. */
#define PUMP_WALL_US         1000000
/* Kinds of profiles, and how long a cell may take to begin or hand out one: it is in the middle of
 * what cannot be interrupted, or writes some hundred megabytes. */
#define PROFILE_KINDS        2
#define PROFILE_ANSWER_US    60000000
/* How long debuggers may hold a call: an afternoon's session, and not for ever. */
#define PAUSE_LIMIT_US       3600000000u
/* What a template's preloads may take, unless its maker says otherwise: compiling and running 9 MB
 * of script takes a second, on a busy machine several. */
#define PRELOAD_WALL_US      30000000
/* Exit code of a cell that left a note. Below 128, and none that a C library uses. */
#define CELL_EXIT_NOTED      86
/* Exit code of a snapshot child that the host has told to stop. */
#define CELL_EXIT_STOPPED    87
/* Exit code of a cell whose host has gone, or that was told to end. */
#define CELL_EXIT_DONE       0
/* What a template may allocate to plug the holes of its malloc arena: several times what they
 * were seen to hold. Shared by all its cells. */
#define ARENA_PLUG_BYTES     (16 * MIB)
/* What malloc keeps in a busy cell. Less than CELL_RESERVE_BYTES: it counts in RLIMIT_DATA. */
#define ARENA_KEPT_BYTES     (16 * 1024 * 1024)
/* A cell that has been idle for this long gives back what it freed: after compiling a 30 KB
 * library that is 400 of its 730 KiB (bench/bench_memory.c). Long enough not to disturb a host
 * that calls at a steady pace. */
#define TRIM_IDLE_US         20000
/* Who cannot map this much has reached the kernel's limit: a crash then counts as memory. More than
 * malloc asks for when it grows. */
#define MEMORY_PROBE_BYTES   (4 * MIB)
/* How often a cell with a snapshot child looks for its end, should the SIGCHLD come at the
 * wrong moment. */
#define SNAPSHOT_LOOK_US     50000

/* --- console and snapshots (engine) --------------------------------------------------- */

/* Bytes of one console call as text; longer text is cut and says so. Half of CONSOLE_BYTES_MAX,
 * and what a terminal scrolls past unread. */
#define CONSOLE_TEXT_MAX        (64 * KIB)
/* What the cut adds to it: the indent of a line, a character, the mark. */
#define CONSOLE_CUT_BYTES       128
/* What console.log shows of a value: as Node.js does. Containers in containers, items of an
 * array, characters of a nested string. */
#define CONSOLE_DEPTH           2
#define CONSOLE_ITEMS           100
#define CONSOLE_STRING_MAX      10000
/* Console calls and rejections that sessions are told of in that time, us; others are counted. One
 * costs 20 us and a kilobyte for each session. */
#define INSPECTOR_CONSOLE_CALLS 1000
#define INSPECTOR_CONSOLE_US    1000000
/* UTF-16 units of an isolate's name there: its options allow 63 bytes. */
#define INSPECTOR_NAME_MAX      63
/* Depth that console.dir(value, { depth }) may ask for. Each level is native stack (1 KiB). */
#define CONSOLE_DEPTH_MAX       32
/* Prototypes, and proxies of proxies, that are followed: a guest can chain millions. */
#define CONSOLE_CHAIN_MAX       256
/* Entries of a Map or Set; V8 can only list all of them, so larger ones show their size. */
#define CONSOLE_ENTRIES_MAX     100000
/* Bits of a BigInt that is written out: more digits than CONSOLE_TEXT_MAX are cut anyway, and
 * the conversion takes more than linear time. */
#define CONSOLE_BIGINT_BITS     (200 * 1024)
/* Frames that console.trace shows: as many as an Error notes by default. */
#define TRACE_FRAMES            10
/* Groups that still indent, of 2 columns each. */
#define CONSOLE_GROUPS_MAX      50
/* Rows and columns of console.table. */
#define CONSOLE_TABLE_ROWS      1000
#define CONSOLE_TABLE_COLUMNS   50
/* Bytes of a heap snapshot that V8 hands over at a time: one ring's worth. */
#define SNAPSHOT_CHUNK_BYTES    (64 * 1024)

/* What RLIMIT_DATA leaves a cell beyond the guest's limit, plus half of that limit: the second
 * half of a scavenge, marking worklists, the parser's and the compiler's zones, an answer while
 * it is encoded. The guest cannot use it for long: V8's own limit comes first. */
#define CELL_RESERVE_BYTES     (24 * MIB)
/* What RLIMIT_AS leaves: reservations of wasm memories and of resizable buffers, 4 to 10 GB
 * each, are address space only. Bounds the page tables that read-only touching can pin: 1/512
 * of it. */
#define CELL_ADDRESS_BYTES     (32 * GIB)
/* Of them, what the guest may reserve: the rest is for V8's heap and malloc. Each reservation takes
 * up to three of the 65,530 mappings that a process may have. */
#define RESERVED_BYTES_MAX     (CELL_ADDRESS_BYTES - 4 * GIB)
#define RESERVATIONS_MAX       16384
/* A page table, and the addresses that it is for. */
#define PAGE_TABLE_BYTES       (4 * KIB)
#define PAGE_TABLE_SPAN        (2 * MIB)
/* Memory of a snapshot child beyond its cell's, in limits of its cell, unless its maker says
 * otherwise; and at most, as at the memory limit. V8 copies the object graph, with 500 bytes to
 * 1 KB for each object (a Set of a million short strings: 22 MB of heap, 1 GB of graph). */
#define SNAPSHOT_MEMORY_FACTOR 24
#define SNAPSHOT_MEMORY_MOST   64
#define SNAPSHOT_MEMORY_BYTES  (256 * MIB)
/* How long a snapshot may take unless its maker says otherwise: V8 builds and writes 100 MB of heap
 * in some seconds. Then its child is told to stop, which V8 does between two steps of its work, and
 * killed if it takes longer. */
#define SNAPSHOT_TIMEOUT_US    600000000
#define SNAPSHOT_STOP_US       2000000
/* Of one isolate that wait for their turn; each may hold a file open. */
#define SNAPSHOTS_QUEUED_MAX   16
/* How often a cell at its limit asks for its snapshot while another one is under way, us. */
#define SNAPSHOT_ASK_US        10000
/* zstd's: a tenth of the bytes, and faster than V8 writes them. */
#define SNAPSHOT_ZSTD_LEVEL    3
/* The guest's answers come before its snapshot. */
#define SNAPSHOT_NICE          10
/* Who cells are when the host is root: nobody's number. Debian gives 65534 to `nobody`, and keeps
 * this one free. */
#define CELL_USER              65533
/* The one descriptor of a cell, to which it writes 8 bytes at a time: its host's bell. Below are
 * stdin to stderr, which point at /dev/null until they are closed. */
#define CELL_BELL_FD           3
/* What a twin is handed its channel as: it maps it and closes it. */
#define CELL_CHANNEL_FD        4
/* How long a zygote is given to end by itself when its runtime closes. */
#define ZYGOTE_END_MS          1000
/* --- the host ------------------------------------------------------------------------- */

/* An options struct of a later version is longer, but not longer than this. */
#define OPTIONS_BYTES_MAX     4096
/* A limit of a year and more means no limit, and no deadline overflows. */
#define LIMIT_US_MAX          (366ull * 24 * 3600 * 1000000)
/* Requests that may be open in one isolate. */
#define FUTURES_MAX           (1024 * 1024)
/* Bytes that may wait for a cell which does not read; then further requests answer GBX_ELIMIT. */
#define OUTGOING_BYTES_MAX    (1 * GIB)
/* Isolate options. */
#define MEMORY_LIMIT_DEFAULT  (128 * MIB)
#define MEMORY_LIMIT_MIN      (8 * MIB)
#define MEMORY_LIMIT_MAX      (16 * GIB)
#define STACK_LIMIT_MIN       (64 * KIB)
#define STACK_LIMIT_MAX       (4 * MIB)
/* Names of time zones and locales, each with its NUL: "America/Argentina/ComodRivadavia". */
#define PLACE_ZONE_BYTES      64
#define PLACE_LOCALE_BYTES    32
/* A guest's clock: its coarsest step, and the latest date that JavaScript has. */
#define CLOCK_COARSE_MAX_US   3600000000u
#define CLOCK_SET_MAX_US      8640000000000000000u
/* Cells kept ahead: two, so that a burst finds one while the next is being forked. */
#define POOL_DEFAULT          2
#define POOL_MAX              64
/* After one was taken, how long until the pool is filled again: the cell that was taken has had
 * its first evaluation by then (0.3 ms). */
#define POOL_FILL_US          1000
/* How often a twin is looked at that has only to return from setsid(): microseconds, if there is a
 * processor for it. */
#define TWIN_LOOK_NS          20000
/* How long a zygote, a template or a fork may take before it is given up. V8 starts in 15 ms; a
 * loaded machine with cold disks was seen to take 2 s. */
#define START_TIMEOUT_US      10000000
/* How often a cell is asked for when zygote or template die meanwhile, and how long their end may
 * take to show. */
#define OBTAIN_ATTEMPTS       3
#define OBTAIN_LOOK_MS        10
/* How long a template may take to tell how a dead cell ended. */
#define EXIT_TIMEOUT_US       1000000
/* Messages taken from one cell before the others get their turn. */
#define MESSAGES_PER_TURN     256
/* Turns that take all that a ring can hold: its smallest messages, and some for what else a turn
 * does. Who looks once more before an end must not look for as long as somebody writes. */
#define LAST_TURNS            (RING_BYTES / 12 / MESSAGES_PER_TURN + 4)
/* Turns of a busy wait between two looks at the clock: 25 ns beside a turn's own microsecond. */
#define TURNS_PER_LOOK        16
/* A message cannot be larger than its sender's memory: RLIMIT_DATA leaves the guest's limit, half
 * of it, and CELL_RESERVE_BYTES. */
#define CELL_MESSAGE_FACTOR   2
#define CELL_MESSAGE_BYTES    (64 * MIB)
/* Nor its heap snapshot: a node of 16 bytes is a line of about 60 in JSON, an edge of 8 one of
 * 20, strings are cut at 1024 characters. */
#define SNAPSHOT_BYTES_FACTOR 16
#define SNAPSHOT_BYTES_BASE   (64 * MIB)

/* --- DevTools ------------------------------------------------------------------------------- */

/* Bytes and lines of a request's head: browsers send 600 bytes in 15 lines, with cookies of
 * localhost some KB. How long it may take to come, on a loaded machine. */
#define DEVTOOLS_HEAD_MAX        (16 * KIB)
#define DEVTOOLS_HEADERS_MAX     64
#define DEVTOOLS_HEAD_US         10000000
/* Connections without a session: when there are more, the oldest goes. */
#define DEVTOOLS_WAITING_MAX     64
/* Sessions of one server, unless its maker says otherwise; and at most. */
#define DEVTOOLS_CLIENTS_DEFAULT 64
#define DEVTOOLS_CLIENTS_MAX     1024
/* Bytes of one command: live edit sends a whole script, and typescript.js is 9 MB. Of all that have
 * come in part. */
#define DEVTOOLS_COMMAND_MAX     (32 * MIB)
#define DEVTOOLS_COMMANDS_MAX    (128 * MIB)
/* What may wait for one client to read, unless the server's maker says otherwise: an attached heap
 * snapshot comes as fast as V8 can write it. */
#define DEVTOOLS_QUEUE_DEFAULT   (256 * MIB)
/* Bytes that are queued together at least. */
#define DEVTOOLS_PIECE_BYTES     (16 * KIB)
/* A client that takes nothing for so long is gone, or will never catch up. DevTools was seen to
 * stand still for seconds over a large snapshot. */
#define DEVTOOLS_STALL_US        60000000
/* What is closing is given this long to read its last bytes, and to close, too. */
#define DEVTOOLS_LINGER_US       2000000
/* Bytes that are read from a connection at a time, and connections taken, before others have their
 * turn. */
#define DEVTOOLS_READ_BYTES      (64 * KIB)
#define DEVTOOLS_ACCEPTS         16
/* Commands of one client in a second: DevTools sends some hundred when it opens. */
#define DEVTOOLS_COMMANDS_PER_S  20000
/* How long nothing is taken when there are no descriptors, or the cell does not read. */
#define DEVTOOLS_REST_US         50000
/* Bytes that may wait for a cell before its sessions are told to wait. */
#define INSPECTOR_QUEUE_MAX      (64 * MIB)

/* --- the command ---------------------------------------------------------------------------- */

/* What a program gets unless a flag says otherwise: nobody waits longer for a script that hangs.
 */
#define RUN_TIMEOUT_US     30000000
/* How often glovebox watch takes a snapshot unless a flag says otherwise. */
#define WATCH_EVERY_US     300000000
/* What a program may print: a terminal's whole scrollback, and no full disk. */
#define RUN_CONSOLE_BYTES  (16 * MIB)
/* How long the command waits for statistics, and for globals to be set: both take microseconds,
 * and a cell that was taken over may never answer. */
#define RUN_ANSWER_US      5000000
/* How often a program is told again to stop: the first time may come before it begins. */
#define RUN_STOP_AGAIN_MS  20
/* Bytes that a stream holds back at most before it writes, and that it can hold: a result. */
#define OUTPUT_FLUSH_BYTES (64 * KIB)
#define OUTPUT_PENDING_MAX (2 * GIB)
/* Bytes of a file that are read at a time. */
#define SOURCE_READ_BYTES  (256 * KIB)

/* --- heap snapshots, read --------------------------------------------------------------------- */

/* Bytes of a snapshot that are looked at at a time: with the numbers in them, they fit a core's own
 * cache. */
#define HEAP_WINDOW_BYTES     (128 * 1024)
/* Of strings yet to come; for more, addresses are set aside at once. */
#define HEAP_RESERVE_BYTES    MIB
/* Bytes between two calls of a progress callback: 1 to 4 ms. */
#define HEAP_PROGRESS_BYTES   (8 * MIB)
/* Nesting of what is skipped; trace_tree nests as deep as the JavaScript stack does, two levels a
 * call. */
#define HEAP_DEPTH_MAX        65536
/* Nodes and edges: DevTools marks with the two highest numbers of 32 bits, we with a few. */
#define HEAP_NODES_MAX        (UINT32_MAX - 64)
#define HEAP_EDGES_MAX        (UINT32_MAX - 64)
/* Fields of a node or edge, and types of them: V8 has 7 and 15, and both have grown by one in ten
 * years. */
#define HEAP_FIELDS_MAX       32
#define HEAP_TYPES_MAX        64
/* Bytes of all strings, decoded: offsets have 32 bits. DevTools stops at 512 MB. */
#define HEAP_TEXT_MAX         ((uint64_t)UINT32_MAX)
#define HEAP_STRINGS_MAX      (1u << 31)
/* UTF-16 units of names that are put together: DevTools' own numbers. */
#define HEAP_CONS_UNITS       1024
#define HEAP_OBJECT_UNITS     100
#define HEAP_SHAPE_UNITS      120
/* A second thread pays from here on: it costs 0.1 ms, this many nodes 5. */
#define HEAP_THREAD_NODES     20000
/* Parts of a concatenated string that are looked at for its name: with the empty ones, of which a
 * hostile snapshot can make a cycle. */
#define HEAP_CONS_PARTS       4096
/* Entries: collections with room for fewer are not told. Most arrays and objects have less. */
#define HEAP_COLLECTION_SLOTS 32

/* --- the store of snapshots ------------------------------------------------------------------ */

/* Bytes of a label with its NUL: as many as an isolate's name has. Encoded, with the rest of a
 * file's name, it fits NAME_MAX. */
#define STORE_LABEL_BYTES  64
#define STORE_NAME_BYTES   256
/* Classes of a snapshot that the index keeps: a screen of them. */
#define STORE_CLASSES_MAX  32
/* Bytes of a class's name that are kept: shapes of objects are long. */
#define STORE_CLASS_BYTES  256
/* How long others may hold a store up, who need milliseconds; and how often it is tried. */
#define STORE_LOCK_US      10000000
#define STORE_LOCK_STEP_US 2000

/* How often a series looks whether its isolate has grown: it takes 10 us. */
#define SERIES_LOOK_US      100000
/* How long it rests before one by growth: a guest that grows fast shall not be stopped all the
 * time. */
#define SERIES_REST_US      1000000
/* Less often than a snapshot takes, and less than garbage comes and goes. */
#define SERIES_EVERY_MIN_US 100000
#define SERIES_GROWTH_MIN   MIB

/* --- questions in SQL ------------------------------------------------------------------------- */

/* Rows that glovebox heap query holds before it prints the first, to know how wide columns are. */
#define QUERY_WIDTH_ROWS     1000u
/* Steps of SQLite's machine between two looks for a signal: well under a millisecond. */
#define QUERY_PROGRESS_STEPS 1000

/* --- report pages --------------------------------------------------------------------- */

/* What a page of glovebox heap report holds at most, so that it stays under 3 MB whatever the heap
 * is like: bytes of all texts; nodes, at up to 120 bytes; groups of the map; rows of each list. */
#define REPORT_TEXTS_BYTES ((size_t)MIB)
#define REPORT_NODES       12000u
#define REPORT_GROUPS      2500u
#define REPORT_CLASSES     600u
#define REPORT_ROWS        200u
/* Nodes of the dominator tree: in all, below one, and levels. The rest of REPORT_NODES is for what
 * classes are made of, and for paths. */
#define REPORT_TREE_NODES  6000u
#define REPORT_TREE_WIDTH  60u
#define REPORT_TREE_DEPTH  40u
/* Nodes that stand for a class, and classes that have some. */
#define REPORT_EXAMPLES    4u
#define REPORT_EXAMPLES_OF 300u
/* A path's nodes: more are shown as a gap. Steps of all paths, of which some may be very long. */
#define REPORT_PATH_FIRST  6u
#define REPORT_PATH_LAST   20u
#define REPORT_PATH_STEPS  20000000u
/* Levels of groups, and the share of all bytes that one has to have. */
#define REPORT_GROUP_DEPTH 8u
#define REPORT_GROUP_SHARE 10000u
/* Classes in charts over several snapshots. */
#define REPORT_TRENDS      24u

#endif
