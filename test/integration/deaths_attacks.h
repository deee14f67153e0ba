/* deaths_attacks.h - the lines of docs/deaths.md. */
#ifndef TEST_INTEGRATION_DEATHS_ATTACKS_H
#define TEST_INTEGRATION_DEATHS_ATTACKS_H

#include "attack.h"

/* One without a source is the heading of those that follow; with a memory limit, their memory is
 * looked at. */
extern const struct attack deaths_attacks[];
extern const size_t deaths_attacks_count;

#endif
