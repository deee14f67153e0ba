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

} /* namespace */

bool
engine_heap_snapshot(bool (*sink)(void *data, struct span piece), void *data)
{
    v8::HandleScope handles(eng.isolate);
    const v8::HeapSnapshot *snapshot = eng.isolate->GetHeapProfiler()->TakeHeapSnapshot();
    piecewise out(sink, data);

    if (snapshot == nullptr)
        return false;
    snapshot->Serialize(&out);
    /* V8's list of snapshots owns it, and hands out only const pointers. */
    const_cast<v8::HeapSnapshot *>(snapshot)->Delete();
    return out.complete;
}
