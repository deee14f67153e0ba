/* lies.c - section P of the attacks in docs/security.md, and the walls around memory: what a cell
 * that has been broken into writes into the memory that it shares with its host, and takes. Each
 * goes to sleep after it: the verdict is the host's. A tail is looked at when the host sends, which
 * it does not while it waits.
 */
#include "attacks.h"

#include <sys/syscall.h>

#define TEXT_OF(number)  #number
#define TEXT(number)     TEXT_OF(number)
#define CALL(call, args) "S(" TEXT(SYS_##call) ", " args ")"
#define SLEEP            "; echo('!ring'); echo('!sleep')"
#define WRITTEN(word, n) "K(" word ", G(" word ", 4) + " n ", 4)" SLEEP

const struct hostile_attack hostile_lies[] = {
    { "P-02 a length of 2^32 - 1", "frame(0xffffffff, RESULT, 0)" SLEEP, LIES, NOTHING_OF_IT },
    { "P-02 a length of 2^31", "frame(0x80000000, RESULT, 0)" SLEEP, LIES, NOTHING_OF_IT },
    { "P-02 a length that its type cannot have", "frame(65, FORKED, 0)" SLEEP, LIES,
        NOTHING_OF_IT },
    { "P-03 a head that is far ahead", WRITTEN("to_host", "0x100000"), LIES, NOTHING_OF_IT },
    { "P-03 a head that goes back", WRITTEN("to_host", "-1"), LIES, NOTHING_OF_IT },
    { "P-03 a head that is half the world ahead", WRITTEN("to_host", "0x80000000"), LIES,
        NOTHING_OF_IT },
    { "P-03 a tail that was never written", WRITTEN("to_cell + 64", "1"), HANGS,
        NOTHING_OF_IT },
    { "P-03 a tail that goes back", WRITTEN("to_cell + 64", "-65536"), HANGS, NOTHING_OF_IT },
    { "P-03 bytes that nobody wrote", WRITTEN("to_host", "4096"), LIES, NOTHING_OF_IT },
    { "P-04 zeroes", "frame(0, 0, 0)" SLEEP, LIES, NOTHING_OF_IT },
    { "P-04 an unknown type", "frame(0, 999, 0)" SLEEP, LIES, NOTHING_OF_IT },
    { "P-04 a message of the host's own", "frame(0, COLLECT, 0)" SLEEP, LIES, NOTHING_OF_IT },
    { "P-04 an answer to no request", "frame(4, RESULT, 77777, 0, 0, 0, 0)" SLEEP, LIES,
        NOTHING_OF_IT },
    { "P-04 a fork that nobody asked for", "frame(0, FORKED, 1)" SLEEP, LIES, NOTHING_OF_IT },
    { "P-04 a piece of no snapshot", "frame(4, SNAPSHOT_PIECE, 1, 0, 0, 0, 0)" SLEEP, LIES,
        NOTHING_OF_IT },
    { "P-04 a pause without a debugger", "frame(4, PAUSED, 0, 1, 0, 0, 0)" SLEEP, LIES,
        NOTHING_OF_IT },
    { "P-04 words of no session",
        "frame(8, INSPECTOR_MESSAGE, 0, 9, 0, 0, 0, 0, 0, 0, 0)" SLEEP, LIES, NOTHING_OF_IT },
    { "P-05 a function that was never given",
        "frame(12, CALLBACK, 1, 15, 39, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)" SLEEP, LIES,
        NOTHING_OF_IT },
    { "P-06 half a message, and an end",
        "frame(100000, RESULT, 1, 1, 2, 3); " CALL(exit_group, "0"), CRASHES, NOTHING_OF_IT },
    { "P-06 half a message, and silence", "frame(100000, RESULT, 1, 1, 2, 3)" SLEEP, HANGS,
        NOTHING_OF_IT },
    { "P-07 no answer, and a loop", "echo('!spin')", HANGS, HANGS },
    { "P-07 no answer, and no loop", "echo('!sleep')", HANGS, HANGS },
    { "P-07 a byte now and then",
        "const w = new Int32Array(new SharedArrayBuffer(4)); frame(100000, RESULT, 1);"
        "for (;;) { Atomics.wait(w, 0, 0, 20); echo('!say', 1) }",
        HANGS, NOTHING_OF_IT },
    { "P-08 rings without a message", "for (;;) echo('!ring')", HANGS, NOTHING_OF_IT },
    { "P-11 bells that say anything", "for (let i = 0; i < 1e5; i++) K(bell, i, 4)" SLEEP,
        HANGS, NOTHING_OF_IT },
    { "P-11 a bell that is always silent", "for (;;) K(bell, 0, 4)", HANGS, NOTHING_OF_IT },
    { "P-11 a bell that always asks", "for (;;) K(bell, -1, 4)", HANGS, NOTHING_OF_IT },
    { "P-13 the positions unmapped", CALL(munmap, "to_cell, 4096"), CRASHES, NOTHING_OF_IT },
    { "P-13 the positions read-only", CALL(mprotect, "to_cell, 4096, 1"), CRASHES,
        NOTHING_OF_IT },
    { "P-13 the rings unmapped", CALL(munmap, "to_cell + 8192, 65536 * 3"), CRASHES,
        NOTHING_OF_IT },
    { "H-52 as much memory as there is",
        "let n = 0; for (let p; (p = " CALL(
            mmap, "0, 1 << 20, 3, 0x22, -1, 0") ") > 0; n++)"
                                                " echo('!touch', p, 256, 4096, 1); n > 100 && "
                                                "n < 1000 ? -7 : n",
        -7, -7 },
    { "H-53 page tables of what is only read",
        "let n = 0; for (let p; (p = " CALL(
            mmap, "0, 2 ** 30, 1, 0x4022, -1, 0") ") > 0; n++)"
                                                  " echo('!touch', p, 512, 2 ** 21, 0); n >= "
                                                  "31 && n <= 33 ? -7 : n",
        -7, -7 },
    { "H-54 as many mappings as there may be",
        "let n = 0; while (" CALL(
            mmap, "0, 4096, n & 1, 0x22, -1, 0") " > 0 && n < 1e5) n++;"
                                                 "n > 1000 && n < 70000 ? (" CALL(
                                                     exit_group, "0") ") : n",
        CRASHES, CRASHES },
};
const size_t hostile_lies_count = sizeof hostile_lies / sizeof hostile_lies[0];
