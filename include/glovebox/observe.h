/* glovebox/observe.h - what a library on top of a runtime needs: its own descriptors served
 * together with the cells, and word of isolates that come and go. libglovebox-devtools is made of
 * this. */
#ifndef GLOVEBOX_OBSERVE_H
#define GLOVEBOX_OBSERVE_H

#include <glovebox/isolate.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- descriptors ---------------------------------------------------------------------------- */

typedef struct gbx_descriptor gbx_descriptor;

/* The descriptor is readable. Called inside gbx_runtime_dispatch() and waits for futures, as often
 * as it still is; it may close the gbx_descriptor, and do anything but close the runtime. */
typedef void (*gbx_descriptor_callback)(gbx_descriptor *descriptor, void *data);

/**
 * Has a runtime watch a descriptor along with its cells: whoever dispatches or waits serves it,
 * too, so that all is in the one descriptor of gbx_runtime_fd().
 *
 * A program that must watch many, or for more than reading, gives an epoll descriptor.
 *
 * @param fd              that poll(2) knows; borrowed, to be closed after the gbx_descriptor.
 * @param on_readable     called while it is readable.
 * @param data            borrowed; handed to it.
 * @param out_descriptor  set only on GBX_OK; release with gbx_descriptor_close(), before or after
 *                        the runtime is closed.
 * @param error           filled on failure only; may be NULL.
 * @return GBX_OK, GBX_EINVAL without a callback, GBX_ENOMEM, GBX_ESYS.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_descriptor_open(GBX_BORROW gbx_runtime *runtime, int32_t fd,
    gbx_descriptor_callback on_readable, GBX_BORROW void *data,
    GBX_OWN gbx_descriptor **out_descriptor, GBX_BORROW gbx_error *error);

/**
 * Ends the watch. NULL is fine.
 *
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_descriptor_close(GBX_OWN gbx_descriptor *descriptor);

/* --- isolates that come and go -------------------------------------------------------------- */

typedef struct gbx_observer gbx_observer;

enum gbx_isolate_event {
    GBX_ISOLATE_BEGAN = 0, /* opened, or forked: it can be used */
    GBX_ISOLATE_ENDED = 1 /* it died or is being closed: lent for this call, and not after it */
};

/* May open and close sessions and observers; may not close isolates or the runtime. */
typedef void (*gbx_observer_callback)(gbx_isolate *isolate, uint32_t event, void *data);

/**
 * Has `on_event` called for each isolate of a runtime that begins and that ends; before this
 * returns, for those that live already.
 *
 * @param on_event      called inside whichever call lets an isolate begin or notices its end.
 * @param data          borrowed; handed to it.
 * @param out_observer  set only on GBX_OK; release with gbx_observer_close(), before or after the
 *                      runtime is closed: that ends all isolates.
 * @param error         filled on failure only; may be NULL.
 * @return GBX_OK, GBX_EINVAL without a callback, GBX_ENOMEM.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_observer_open(GBX_BORROW gbx_runtime *runtime,
    gbx_observer_callback on_event, GBX_BORROW void *data, GBX_OWN gbx_observer **out_observer,
    GBX_BORROW gbx_error *error);

/**
 * Ends the observer. NULL is fine.
 *
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_observer_close(GBX_OWN gbx_observer *observer);

/**
 * Tells the name that an isolate was opened with.
 *
 * @return NUL-terminated UTF-8, lent until the isolate is closed.
 * @threads one at a time.   @since 0.1
 */
GBX_API const char *gbx_isolate_name(GBX_BORROW const gbx_isolate *isolate);

#ifdef __cplusplus
}
#endif
#endif
