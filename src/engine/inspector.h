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

/* Timers that the inspector asks for (inspector_timer.cc): `data` names one. */
void inspector_timer_start(double seconds, void (*tick)(void *), void *data);
void inspector_timer_cancel(void *data);

/* What sessions are not told of what the guest prints (console.cc): one more; time until they are
 * told how many, UINT64_MAX when there are none; tells them, if it is time. */
void console_dropped(void);
uint64_t console_next_us(void);
void console_tell_dropped(void);

#endif
