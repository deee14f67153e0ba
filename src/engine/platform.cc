/* platform.cc - V8's view of the machine: its clock, its tasks and (in account.cc) its pages.
 *
 * Runs in:  zygote, template, cell, snapshot child.
 * Threads:  the engine's thread only. V8 runs --single-threaded, and so nothing posts from
 *           another one; that is what makes fork() safe at any moment.
 *
 * Everything that V8 posts, for a worker or for the foreground, waits in one queue until
 * engine_pump(). A task runs only there and in the debugger's pause, that is: under a deadline.
 */
#include "engine/account.h"

#include "base/clock.h"

#include <algorithm>
#include <deque>
#include <libplatform/libplatform.h>
#include <vector>

struct queued {
    std::unique_ptr<v8::Task> task;
    bool nestable;
};

struct delayed {
    uint64_t due_us;
    uint64_t order; /* equal times keep the order of posting */
    struct queued item;
};

static std::deque<struct queued> ready;
static std::vector<struct delayed> timers; /* a heap: the earliest in front */
static uint64_t timers_posted;
static uint32_t running; /* tasks on the stack */

static bool
later(const struct delayed &a, const struct delayed &b)
{
    return a.due_us != b.due_us ? a.due_us > b.due_us : a.order > b.order;
}

static void
post(std::unique_ptr<v8::Task> task, bool nestable)
{
    ready.push_back({ std::move(task), nestable });
}

static void
post_delayed(std::unique_ptr<v8::Task> task, double seconds, bool nestable)
{
    /* A guest chooses this number (Atomics.waitAsync): up to a century, then for ever. */
    double us = std::min(std::max(seconds * 1e6, 0.0), 3.2e15);

    timers.push_back({ now_us() + static_cast<uint64_t>(us), timers_posted++,
        { std::move(task), nestable } });
    std::push_heap(timers.begin(), timers.end(), later);
}

namespace
{

class runner final : public v8::TaskRunner
{
  public:
    bool IdleTasksEnabled() override
    {
        return false;
    }
    /* While JavaScript runs such a task would wait for its end. The inspector takes a heap
     * snapshot at once then. */
    bool NonNestableTasksEnabled() const override
    {
        return eng.depth == 0;
    }
    bool NonNestableDelayedTasksEnabled() const override
    {
        return true;
    }

  protected:
    void PostTaskImpl(std::unique_ptr<v8::Task> task, const v8::SourceLocation &) override
    {
        post(std::move(task), true);
    }
    void PostNonNestableTaskImpl(
        std::unique_ptr<v8::Task> task, const v8::SourceLocation &) override
    {
        post(std::move(task), false);
    }
    void PostDelayedTaskImpl(
        std::unique_ptr<v8::Task> task, double seconds, const v8::SourceLocation &) override
    {
        post_delayed(std::move(task), seconds, true);
    }
    void PostNonNestableDelayedTaskImpl(
        std::unique_ptr<v8::Task> task, double seconds, const v8::SourceLocation &) override
    {
        post_delayed(std::move(task), seconds, false);
    }
};

class machine final : public v8::Platform
{
    /* Only for its page allocator. */
    std::unique_ptr<v8::Platform> base = v8::platform::NewSingleThreadedDefaultPlatform();
    std::shared_ptr<v8::TaskRunner> tasks = std::make_shared<runner>();
    v8::TracingController tracing;

  public:
    v8::PageAllocator *GetPageAllocator() override
    {
        return account_pages(base->GetPageAllocator());
    }
    int NumberOfWorkerThreads() override
    {
        return 0;
    }
    std::shared_ptr<v8::TaskRunner> GetForegroundTaskRunner(
        v8::Isolate *, v8::TaskPriority) override
    {
        return tasks;
    }
    double MonotonicallyIncreasingTime() override
    {
        return clock_engine_s();
    }
    double CurrentClockTimeMillis() override
    {
        return clock_wall_ms();
    }
    v8::TracingController *GetTracingController() override
    {
        return &tracing;
    }

  protected:
    std::unique_ptr<v8::JobHandle> CreateJobImpl(v8::TaskPriority priority,
        std::unique_ptr<v8::JobTask> job, const v8::SourceLocation &) override
    {
        return v8::platform::NewDefaultJobHandle(this, priority, std::move(job), 0);
    }
    void PostTaskOnWorkerThreadImpl(
        v8::TaskPriority, std::unique_ptr<v8::Task> task, const v8::SourceLocation &) override
    {
        post(std::move(task), true);
    }
    void PostDelayedTaskOnWorkerThreadImpl(v8::TaskPriority, std::unique_ptr<v8::Task> task,
        double seconds, const v8::SourceLocation &) override
    {
        post_delayed(std::move(task), seconds, true);
    }
};

} /* namespace */

v8::Platform *
platform_get(void)
{
    /* Never destroyed: V8 may post until the process ends, and it ends by _exit. */
    static machine *const platform = new machine;

    return platform;
}

/* Moves the timers that are due to the end of the queue. */
static void
timers_due(void)
{
    while (!timers.empty() && timers.front().due_us <= now_us()) {
        std::pop_heap(timers.begin(), timers.end(), later);
        ready.push_back(std::move(timers.back().item));
        timers.pop_back();
    }
}

static bool
runs_now(const struct queued &item, bool nested)
{
    return item.nestable || !(nested || running > 0);
}

bool
platform_run_tasks(bool nested)
{
    timers_due();
    /* What a task posts waits for the next round, so that a round ends. */
    size_t left = ready.size();
    bool ran = false;

    while (left-- > 0 && !ready.empty() && !terminating()) {
        struct queued item = std::move(ready.front());
        ready.pop_front();
        if (!runs_now(item, nested)) {
            ready.push_back(std::move(item));
            continue;
        }
        running++;
        item.task->Run();
        running--;
        ran = true;
    }
    return ran;
}

uint64_t
engine_next_task_us(void)
{
    if (!ready.empty())
        return 0;
    if (timers.empty())
        return UINT64_MAX;
    uint64_t now = now_us();
    return timers.front().due_us > now ? timers.front().due_us - now : 0;
}
