/* observe.h - what others hang on a runtime: descriptors of their own, and observers.
 *
 * Runs in:  host.
 * Threads:  as host.h.
 */
#ifndef HOST_OBSERVE_H
#define HOST_OBSERVE_H

#include <glovebox/observe.h>

/* Calls back for each descriptor that is readable now. */
void descriptors_serve(struct gbx_runtime *runtime);
/* Tells all observers of an isolate that began, and that such a one has ended. */
void isolate_announce(gbx_isolate *isolate);
void observers_tell_end(struct gbx_runtime *runtime, gbx_isolate *isolate);
/* The runtime closes: what hangs on it belongs to nobody from here on. */
void observers_leave(struct gbx_runtime *runtime);

#endif
