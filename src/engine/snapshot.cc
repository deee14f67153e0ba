/* snapshot.cc - a heap snapshot as V8's JSON, in pieces.
 *
 * Runs in:  cell, and snapshot child: a fork of the cell, made at any point, even with
 *           JavaScript on the stack (hooks.interrupt).
 * Threads:  the engine's thread only.
 *
 * V8 collects garbage first, then builds the graph in memory outside of its heap (about half
 * of the heap's size), then writes. No guest code runs.
 */
#include "base/limits.h"
#include "engine/priv.h"

#include <v8-profiler.h>

namespace
{

class piecewise final : public v8::OutputStream
{
  public:
    bool complete = false;

    piecewise(bool (*piece_sink)(void *, struct span), void *sink_data)
        : sink(piece_sink), data(sink_data)
    {
    }
    int GetChunkSize() override
    {
        return SNAPSHOT_CHUNK_BYTES;
    }
    WriteResult WriteAsciiChunk(char *bytes, int size) override
    {
        return sink(data, span_of(bytes, static_cast<size_t>(size))) ? kContinue : kAbort;
    }
    void EndOfStream() override
    {
        complete = true;
    }

  private:
    bool (*sink)(void *, struct span);
    void *data;
};

class watched final : public v8::ActivityControl
{
  public:
    watched(bool (*teller)(void *, uint32_t), void *teller_data)
        : progress(teller), data(teller_data)
    {
    }
    ControlOption ReportProgressValue(uint32_t done, uint32_t total) override
    {
        uint64_t percent = total == 0 ? 0 : uint64_t{ done } * 100 / total;

        return progress(data, percent < 100 ? static_cast<uint32_t>(percent) : 100) ? kContinue
                                                                                    : kAbort;
    }

  private:
    bool (*progress)(void *, uint32_t);
    void *data;
};

} /* namespace */

bool
engine_heap_snapshot(bool (*sink)(void *data, struct span piece),
    bool (*progress)(void *data, uint32_t percent), void *data)
{
    v8::HandleScope handles(eng.isolate);
    v8::HeapProfiler::HeapSnapshotOptions options;
    watched control(progress, data);

    options.control = progress != nullptr ? &control : nullptr;
    const v8::HeapSnapshot *snapshot =
        eng.isolate->GetHeapProfiler()->TakeHeapSnapshot(options);
    piecewise out(sink, data);

    if (snapshot == nullptr)
        return false;
    snapshot->Serialize(&out);
    /* V8's list of snapshots owns it, and hands out only const pointers. */
    const_cast<v8::HeapSnapshot *>(snapshot)->Delete();
    return out.complete;
}

void
engine_keep_ids(void)
{
    v8::HandleScope handles(eng.isolate);
    uint64_t before = memory_beside_buffers();

    /* Again and again: each call brings V8's map of ids up to date, and nothing else. One that ends
     * the tracking would end that of an inspector session, too. */
    eng.isolate->GetHeapProfiler()->StartTrackingHeapObjects();
    uint64_t after = memory_beside_buffers();
    if (after > before)
        memory_forgive(after - before);
}
