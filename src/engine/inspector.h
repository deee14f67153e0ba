/* inspector.h - what inspector.cc, inspector_check.cc and console.cc tell one another.
 *
 * Threads: the engine's thread only.
 */
#ifndef ENGINE_INSPECTOR_H
#define ENGINE_INSPECTOR_H

#include "engine/inspector_abi.h"

/* V8Inspector::create of the running binary; null when it has none. */
typedef std::unique_ptr<v8_inspector::V8Inspector> inspector_create_function(
    v8::Isolate *isolate, v8_inspector::V8InspectorClient *client);
inspector_create_function *inspector_create(void);

/* True while there is an open session. */
bool inspector_attached(void);

#endif
