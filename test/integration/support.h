/* support.h - what the integration tests share: a world to run in, and the proof that nothing is
 * left of it: no process, no descriptor.
 *
 * Every test runs in a process of its own (Criterion), so the checks of one see only its own
 * leavings. A failed expectation ends the test.
 */
#ifndef TEST_INTEGRATION_SUPPORT_H
#define TEST_INTEGRATION_SUPPORT_H

#include <criterion/criterion.h>
#include <glovebox/glovebox.h>

#include <stdbool.h>
#include <sys/types.h>

/* Test() of something that must leave nothing behind. No fixture does it: what fails in a
 * fixture's end does not fail the test. */
#define CleanTest(subject, behaviour)         \
    static void subject##__##behaviour(void); \
    Test(subject, behaviour, .timeout = 100)  \
    {                                         \
        support_begin();                      \
        subject##__##behaviour();             \
        support_end();                        \
    }                                         \
    static void subject##__##behaviour(void)
void support_begin(void);
void support_end(void);

struct world {
    gbx_runtime *runtime;
    gbx_isolate *isolate;
    gbx_context *context; /* the isolate's own */
};

/* A runtime without a pool and one isolate in it; `options` as for gbx_isolate_open(). */
struct world world_open(const gbx_isolate_options *options);
/* Closes what is not NULL. */
void world_close(struct world *world);
/* Another isolate of the same runtime. */
gbx_isolate *world_isolate(const struct world *world, const gbx_isolate_options *options);

/* Each evaluates, expects success, and answers what came. */
gbx_value *eval(gbx_context *context, const char *source); /* owned by the caller */
double eval_number(gbx_context *context, const char *source);
void eval_only(gbx_context *context, const char *source); /* whatever came is dropped */
/* Evaluates to a string, which must be `text`. */
void expect_text(gbx_context *context, const char *source, const char *text);
/* Evaluates and expects a failure; fills *error, which may be NULL. */
void expect_failure(
    gbx_context *context, const char *source, gbx_status status, gbx_error *error);

/* Starts an evaluation with GBX_CALL flags. */
gbx_future *start(gbx_context *context, const char *source, uint32_t flags);
/* The same with limits in microseconds; 0: the isolate's. */
gbx_future *start_limited(
    gbx_context *context, const char *source, uint64_t timeout_us, uint64_t cpu_us);
/* Serves the isolate of an open future until `*count` is `wanted`. */
void wait_until(gbx_future *open, const size_t *count, size_t wanted);
/* Waits for a future, expects `status`, frees it. */
void settle(gbx_future *future, gbx_status status);
/* Waits, expects success, frees it, answers its value (owned by the caller). */
gbx_value *settle_value(gbx_future *future);
double settle_number(gbx_future *future);
/* Gives the guest a host function and waits for that. */
void give(gbx_context *context, const char *path, gbx_function function, void *data);

/* What `source` comes to, by reference; closed by the caller. */
gbx_reference *refer(gbx_context *context, const char *source);
void reference_set_number(
    gbx_reference *reference, const char *key, double number, gbx_status status);
/* Waits for a boolean that must be this one. */
void expect_boolean(gbx_future *future, int32_t wanted);

/* For host functions: answers with a number. */
gbx_status answer_number(gbx_callback *callback, double number);
/* The isolate lives and does what it is told. */
void expect_usable(const struct world *world);

/* Of a value that must be a number, or a string that must be `text`. */
double number_of(const gbx_value *value);
void expect_string(const gbx_value *value, const char *text);

void sleep_ms(long ms);
/* Dispatches until `done`; fails the test after 60 s. */
void dispatch_until(gbx_runtime *runtime, const bool *done);

/* A descendant of this process with this name (/proc/pid/comm); 0: none. Waits up to
 * `timeout_ms` for one to appear. */
pid_t process_named(const char *name, int timeout_ms);
/* A child of another process; 0: it has none. */
pid_t process_child(pid_t of);
/* True if the process descends from this one. */
bool process_descends(pid_t pid);
/* Descriptors that are open now. */
size_t descriptors_open(void);
/* Bytes that malloc has given out; with a sanitizer, which looks for leaks itself, 0. */
size_t malloc_in_use(void);

/* A directory of the test's own, removed with all in it at the end. */
const char *scratch_directory(void);
/* How many entries it has. */
size_t scratch_entries(void);
/* What a heap snapshot file has, compressed or not, by a reader that is not ours: memlab. Fails the
 * test if it is none. */
void snapshot_counts(const char *path, long *out_nodes, long *out_edges);
long snapshot_nodes(const char *path);

#endif
