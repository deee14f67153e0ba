/* attacks.h - what a cell that has been broken into tries, and what shall come of it. */
#ifndef TEST_HOSTILE_ATTACKS_H
#define TEST_HOSTILE_ATTACKS_H

#include <stddef.h>

/* What comes of an attack, where it is not a number that it must answer. */
enum outcome {
    DIES = 1,     /* GBX_EVIOLATION */
    FAILS,        /* the call answers some errno */
    CRASHES,      /* GBX_ECRASHED */
    LIES,         /* GBX_EPROTO */
    HANGS,        /* GBX_ETIMEOUT */
    MEMORY,       /* GBX_EMEMORY */
    HARMLESS,     /* whatever; the host, and the other cells, live */
    NOTHING_OF_IT /* not tried in this kind of cell */
};

/* One attack: statements whose last is an expression; see attacks_main.c. Outcomes: below
 * 0, a negative errno that it must answer. */
struct hostile_attack {
    const char *what;
    const char *source;
    int filtered; /* in cells with a filter, alone or with all else */
    int bare;     /* in cells with all but a filter */
};

extern const struct hostile_attack hostile_calls[], hostile_lies[];
extern const size_t hostile_calls_count, hostile_lies_count;

#endif
