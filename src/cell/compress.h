/* compress.h - what a snapshot's writer writes, as a zstd frame.
 *
 * Runs in:  snapshot child, and cell while it writes an attached snapshot.
 * Threads:  the engine's thread only.
 *
 * The code is that of the engine's binary, which exports it, so that a cell maps no library more.
 */
#ifndef CELL_COMPRESS_H
#define CELL_COMPRESS_H

#include "base/span.h"

#include <stdbool.h>

/* What takes bytes: false stops. */
typedef bool (*compress_sink)(void *data, struct span bytes);

struct compressor;

/* NULL: no memory. */
struct compressor *compressor_new(compress_sink sink, void *data);
/* Of the bytes so far the sink gets what is complete; at the end, all. False: it has stopped. */
bool compressor_add(struct compressor *compressor, struct span bytes);
bool compressor_end(struct compressor *compressor);
void compressor_free(struct compressor *compressor);

#endif
