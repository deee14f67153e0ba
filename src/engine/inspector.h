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

/* Tells the sessions of what nobody caught, and V8 keeps it for later ones. `text` says how it
 * came; the answer is its number, 0 if nobody is told. Guest code may run, as V8 reads an error's
 * `stack`. The second: a handler came after all. */
unsigned inspector_exception_thrown(v8::Local<v8::Context> context, const char *text,
    v8::Local<v8::Message> message, v8::Local<v8::Value> exception);
void inspector_exception_revoked(
    v8::Local<v8::Context> context, unsigned exception, const char *text);

/* Timers that the inspector asks for (inspector_timer.cc): `data` names one. */
void inspector_timer_start(double seconds, void (*tick)(void *), void *data);
void inspector_timer_cancel(void *data);

/* What sessions are told of at the guest's pace, calls and rejections (console.cc): whether one
 * more is, else it is counted; one more that is not; time until they are told how many were not,
 * UINT64_MAX when there are none; tells them, if it is time. */
bool console_shows(void);
void console_dropped(void);
uint64_t console_next_us(void);
void console_tell_dropped(void);

#endif
