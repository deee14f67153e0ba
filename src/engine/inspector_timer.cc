/* inspector_timer.cc - what the inspector does from time to time: an allocation timeline's figures.
 *
 * Runs in:  cell.
 * Threads:  the engine's thread only.
 *
 * A tick of the timeline collects garbage and walks the heap, every 50 ms if V8 had its way. A
 * large heap takes longer than that, so a timer rests ten times as long as its tick took.
 */
#include "base/clock.h"
#include "engine/inspector.h"
#include "engine/priv.h"

#include <algorithm>
#include <vector>

struct timer {
    uint64_t every_us, due_us;
    void (*tick)(void *data);
    void *data;
};

static std::vector<struct timer> timers;

void
inspector_timer_start(double seconds, void (*tick)(void *), void *data)
{
    /* The inspector's own numbers: a fraction of a second. */
    uint64_t every = static_cast<uint64_t>(std::min(std::max(seconds, 0.001), 3600.0) * 1e6);

    timers.push_back({ every, now_us() + every, tick, data });
}

void
inspector_timer_cancel(void *data)
{
    timers.erase(std::remove_if(timers.begin(), timers.end(),
                     [data](const struct timer &t) { return t.data == data; }),
        timers.end());
}

uint64_t
engine_inspector_next_us(void)
{
    uint64_t next = console_next_us();

    for (const struct timer &t : timers) {
        uint64_t now = now_us();
        next = std::min(next, t.due_us > now ? t.due_us - now : 0);
    }
    return next;
}

void
engine_inspector_tick(void)
{
    v8::HandleScope handles(eng.isolate);

    console_tell_dropped();
    /* A tick may start and cancel timers; one of them at a time, then. */
    for (size_t i = 0; i < timers.size(); i++) {
        struct timer due = timers[i];
        uint64_t began = now_us();
        if (due.due_us > began)
            continue;
        due.tick(due.data);
        uint64_t took = now_us() - began;
        for (struct timer &t : timers)
            if (t.data == due.data)
                t.due_us = began + took + std::max(t.every_us, 10 * took);
        return;
    }
}
