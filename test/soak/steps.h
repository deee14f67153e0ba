/* steps.h - what the soak's actions are made of. */
#ifndef TEST_SOAK_STEPS_H
#define TEST_SOAK_STEPS_H

#include "soak/actions.h"

/* A number from 0 to `below` - 1. The same seed, the same steps: but what comes between them the
 * machine decides. */
unsigned soak_chance(struct soak *soak, unsigned below);
/* True for what the end of an isolate may mean for any call. */
bool soak_is_end(gbx_status status);
/* Something came out as no rule allows. */
void soak_wrong(struct soak *soak, const char *what, gbx_status status, const char *why);
/* Takes the answer of a future when it comes, and frees that: GBX_OK, `allowed`, or an end. */
void soak_expect(
    struct soak_slot *slot, const char *what, gbx_future *future, gbx_status allowed);
/* One of the isolate's contexts. */
gbx_context *soak_context(struct soak_slot *slot);
void soak_eval(struct soak_slot *slot, const char *source, uint32_t flags, uint64_t timeout_us,
    gbx_status allowed);
/* False: not what a call may answer here; inside of a host function some cannot be waited for. */
bool soak_allows(const struct soak *soak, gbx_status status);
/* Opens an isolate in an empty slot, if nothing has just been killed. */
void soak_open(struct soak *soak, struct soak_slot *slot);
/* The isolate's end. */
void soak_on_death(gbx_isolate *isolate, void *data);

/* Actions, in code.c and forks.c. */
void soak_do_script(struct soak_slot *slot);
void soak_do_run_script(struct soak_slot *slot);
void soak_do_cache(struct soak_slot *slot);
void soak_do_closure(struct soak_slot *slot);
void soak_do_module(struct soak_slot *slot);
void soak_do_import(struct soak_slot *slot);
void soak_do_files(struct soak_slot *slot);
void soak_do_copy(struct soak_slot *slot);
void soak_do_reject(struct soak_slot *slot);
void soak_do_post(struct soak_slot *slot);
void soak_do_block(struct soak_slot *slot);
void soak_do_fork(struct soak_slot *slot);
void soak_do_template(struct soak_slot *slot);

/* Finds the modules of imports: at once, later, or never; `data`: the soak. */
void soak_load(gbx_import *import, void *data);
void soak_settle_imports(struct soak *soak);
/* Gives the guest the functions of each kind. */
gbx_future *soak_give_kinds(struct soak *soak, gbx_context *context);
/* The host function that does steps of the soak, whatever they close under its caller. */
gbx_status soak_on_meddle(gbx_callback *callback, void *data);
void soak_on_rejection(gbx_isolate *isolate, const gbx_rejection *rejection, void *data);

#endif
