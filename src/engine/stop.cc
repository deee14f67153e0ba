/* stop.cc - reaching into running JavaScript: interrupts, termination, where it is.
 *
 * Runs in:  cell.
 * Threads:  engine_interrupt() and engine_terminate() from any; the rest the engine's thread.
 */
#include "engine/priv.h"

#include "base/limits.h"

#include <atomic>

static std::atomic<bool> interrupt_asked;
static std::atomic<bool> terminate_asked;

static void
interrupted(v8::Isolate *, void *)
{
    /* Before the hook: a request that comes while it runs must lead to another call. */
    interrupt_asked.store(false);
    if (eng.hooks.interrupt != nullptr)
        eng.hooks.interrupt(eng.cell);
}

void
engine_interrupt(void)
{
    /* V8 queues every request; one is enough. */
    if (!interrupt_asked.exchange(true))
        eng.isolate->RequestInterrupt(interrupted, nullptr);
}

void
engine_terminate(void)
{
    terminate_asked.store(true);
    eng.isolate->TerminateExecution();
}

void
engine_terminate_cancel(void)
{
    terminate_asked.store(false);
    eng.isolate->CancelTerminateExecution();
}

bool
terminating(void)
{
    return terminate_asked.load();
}

static void
frame_append(v8::Local<v8::StackFrame> frame, struct buf *out)
{
    v8::Local<v8::String> function = frame->GetFunctionName();
    v8::Local<v8::String> script = frame->GetScriptNameOrSourceURL();

    buf_text(out, out->len == 0 ? "    at " : "\n    at ");
    if (!function.IsEmpty() && function->Length() > 0) {
        text_append(out, function, NAME_BYTES_MAX);
        buf_text(out, " (");
    }
    if (!script.IsEmpty() && script->Length() > 0)
        text_append(out, script, NAME_BYTES_MAX);
    else
        buf_text(out, "<anonymous>");
    buf_printf(out, ":%d:%d", frame->GetLineNumber(), frame->GetColumn());
    if (!function.IsEmpty() && function->Length() > 0)
        buf_text(out, ")");
}

void
engine_stack_trace(struct buf *out)
{
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::StackTrace> trace =
        v8::StackTrace::CurrentStackTrace(eng.isolate, STACK_FRAMES_MAX);

    for (int i = 0; i < trace->GetFrameCount() && !out->failed; i++)
        frame_append(trace->GetFrame(eng.isolate, static_cast<uint32_t>(i)), out);
}
