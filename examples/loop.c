/* loop.c - ten isolates in an event loop: one descriptor to poll, a callback for each answer. */
#include <glovebox/glovebox.h>

#include <poll.h>
#include <stdio.h>

enum {
    ISOLATES = 10
};

static unsigned open_answers;
static double sum;

static void
on_answer(gbx_future *future, void *data)
{
    gbx_error error = GBX_ERROR_INIT;
    double number = 0;

    if (gbx_future_status(future, &error) != GBX_OK ||
        gbx_value_get_number(gbx_future_value(future), &number) != GBX_OK)
        fprintf(stderr, "loop: isolate %u: %s\n", *(unsigned *)data, error.message);
    sum += number;
    open_answers--;
    gbx_future_free(future);
}

int
main(void)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_runtime *runtime = NULL;
    gbx_isolate *isolates[ISOLATES] = { NULL };
    unsigned numbers[ISOLATES];
    char source[64];

    if (gbx_runtime_open(NULL, &runtime, &error) != GBX_OK)
        return fprintf(stderr, "loop: %s\n", error.message), 1;
    for (unsigned i = 0; i < ISOLATES; i++) {
        if (gbx_isolate_open(runtime, NULL, &isolates[i], &error) != GBX_OK)
            return fprintf(stderr, "loop: %s\n", error.message), 1;
        numbers[i] = i;
        int len = snprintf(source, sizeof source, "let n = 0; while (n < 1e6) n++; n * %u", i);
        gbx_future *future =
            gbx_context_eval(gbx_isolate_context(isolates[i]), source, (size_t)len, NULL);
        open_answers++;
        gbx_future_then(future, on_answer, &numbers[i]);
    }
    while (open_answers > 0) {
        struct pollfd fd = { .fd = gbx_runtime_fd(runtime), .events = POLLIN };
        if (poll(&fd, 1, -1) < 0 || gbx_runtime_dispatch(runtime, 0) == GBX_ESYS)
            break; /* other descriptors would stand beside it */
    }
    printf("%u answers are open; the sum is %.0f\n", open_answers, sum);
    for (unsigned i = 0; i < ISOLATES; i++)
        gbx_isolate_close(isolates[i]);
    gbx_runtime_close(runtime);
    return open_answers > 0;
}
