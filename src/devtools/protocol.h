/* protocol.h - the description of the protocol, as the engine's own Node gives it; made by the
 * build (engine/protocol.mjs), with the domains that V8 serves. */
#ifndef DEVTOOLS_PROTOCOL_H
#define DEVTOOLS_PROTOCOL_H

#include <stddef.h>

extern const unsigned char protocol_json[];
extern const size_t protocol_json_len;

#endif
