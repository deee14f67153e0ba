/* inject.h - runs a script of API calls again and again, with one fault after the other in it. */
#ifndef TEST_INTEGRATION_INJECT_H
#define TEST_INTEGRATION_INJECT_H

#include "support.h"
#include "unit/faults.h"

enum {
    MEMORY = 1u << FAULT_MEMORY,
    ALL = (1u << FAULT_KINDS) - 1,
};

/* What a program does. GBX_OK, or what failed first, and *error says why. */
typedef gbx_status (*script)(struct world *w, gbx_error *error);

/* Every fault of `kinds` (bits) in `work`, once and from then on: each failure must be the one that
 * the fault leads to, nothing may be left, and the same must work afterwards. In a world that
 * goes on, or without one. */
void inject(script work, unsigned kinds, bool in_world);

/* --- steps of such a script ---------------------------------------------------------------- */

/* Waits for a future and frees it; its value goes to *out, which may be NULL. */
gbx_status ended(gbx_future *future, gbx_value **out, gbx_error *error);
/* For calls that answer without an error: makes one of the status, and answers that. */
gbx_status reported(gbx_status status, gbx_error *error);

#endif
