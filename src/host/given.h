/* given.h - host functions that stand in values, wherever those go.
 *
 * Runs in:  host.
 * Trusts:   what a cell says of its functions only as far as functions_released() checks it.
 * Threads:  one at a time.
 *
 * Each time that such a value goes to a cell it becomes a function of the isolate, in its table,
 * with a number of its own. That is removed when the cell says that its guest has none any more (it
 * was collected, or the message found nobody to read it), when its context is closed, and when the
 * isolate ends. What the caller handed over is released when neither a table nor a value holds it.
 */
#ifndef HOST_GIVEN_H
#define HOST_GIVEN_H

#include "host/host.h"

/* Frees what has been removed from isolate->functions; may call back. NULL is fine. */
void function_free(struct function *function);
/* One holder more of what the caller handed over, if it did; and one less. */
void function_hold(struct held *given);
void function_let_go(struct held *given);

/* The record of one in a clone; see struct clone_host. */
gbx_status function_put(
    struct gbx_isolate *isolate, uint32_t context, struct held *held, struct buf *out);
/* The message that they were put into goes out: the cell is told what to look for in it. GBX_OK,
 * GBX_ENOMEM. And it will not go out: they are removed. */
gbx_status functions_tell(struct gbx_isolate *isolate);
void functions_take_back(struct gbx_isolate *isolate);

/* The cell says that its guest has them no more. NULL, or why it may not say that. */
const char *functions_released(struct gbx_isolate *isolate, struct span ids);
/* The isolate has ended: its guest has none. */
void functions_forget(struct gbx_isolate *isolate);

#endif
