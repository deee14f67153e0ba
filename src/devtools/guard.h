/* guard.h - who may talk to the server, by what a browser cannot be made to forge.
 *
 * Any page in the user's browser can reach a loopback port. What it cannot choose is the Host
 * header (its own name, also when that resolves to 127.0.0.1) and the Origin of a WebSocket.
 *
 * Runs in:  host.
 * Trusts:   nothing: all of it was written by whoever connected.
 * Threads:  any; no state.
 */
#ifndef DEVTOOLS_GUARD_H
#define DEVTOOLS_GUARD_H

#include "base/span.h"

#include <stdbool.h>

/* A Host header that only a client on this machine has reason to send: an address of the loopback
 * interface in its one canonical form, or localhost, with or without a port. */
bool guard_host(struct span host);
/* An Origin that may debug: DevTools' own, or `allowed` to the letter. NULL: none besides. */
bool guard_origin(struct span origin, const char *allowed);
/* Compares in a time that tells nothing about where they differ. */
bool guard_same(struct span a, struct span b);

#endif
