/* actions.h - what a soak does to isolates, and which answers it takes for right. */
#ifndef TEST_SOAK_ACTIONS_H
#define TEST_SOAK_ACTIONS_H

#include <glovebox/glovebox.h>
#include <stdbool.h>

enum {
    SOAK_ISOLATES = 8,
    SOAK_ACTIONS_MAX = 64,
    SOAK_DEFERRED = 64,   /* promises of guests that are open, at most */
    SOAK_REFERENCES = 16, /* of one isolate */
    SOAK_SCRIPTS = 8,     /* likewise */
    SOAK_IMPORTS = 32,    /* that wait for their modules, at most */
    SOAK_DEPTH = 3,       /* of steps in host functions in steps */
};

/* A place for an isolate, and what was made of it. */
struct soak_slot {
    struct soak *soak;
    gbx_isolate *isolate; /* NULL: empty */
    gbx_context *other;   /* a second context; NULL: none */
    gbx_inspector *inspector;
    gbx_reference *references[SOAK_REFERENCES];
    gbx_script *scripts[SOAK_SCRIPTS];
    bool dead;
    bool busy; /* being filled: let alone by steps inside of that */
};

struct soak {
    gbx_runtime *runtime;
    unsigned long random; /* the generator's state */
    struct soak_slot slots[SOAK_ISOLATES];
    gbx_deferred *deferred[SOAK_DEFERRED];
    gbx_import *imports[SOAK_IMPORTS];
    gbx_files *files;
    gbx_template *template;   /* NULL: none */
    gbx_value *cache;         /* likewise */
    gbx_external_copy *copy;  /* likewise */
    unsigned long rejections; /* told */
    unsigned open;            /* futures that are not finished */
    unsigned depth;           /* of steps inside of host functions */
    bool closing;             /* no new steps */
    bool opening;             /* the template */
    unsigned long steps, answers, deaths;
    unsigned long done[SOAK_ACTIONS_MAX]; /* how often each action */
    unsigned wrong;                       /* answers that no rule allows */
};

/* One action at random, on an isolate at random; takes what has come. */
void soak_step(struct soak *soak);
/* Settles every promise and import that is open, one way or the other. */
void soak_settle_deferred(struct soak *soak);
/* Closes what belongs to no isolate. */
void soak_close_shared(struct soak *soak);
/* Closes the isolate of a slot with all that was made of it. */
void soak_close(struct soak_slot *slot);
/* How often each action was done. */
void soak_table(const struct soak *soak);

#endif
