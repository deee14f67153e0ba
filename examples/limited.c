/* limited.c - a host function that the guest may call, and limits that it cannot pass. */
#include <glovebox/glovebox.h>

#include <stdio.h>

/* square(x): what the guest sends is data, and may be of any kind. */
static gbx_status
square(gbx_callback *callback, void *data)
{
    double x;

    (void)data;
    if (gbx_value_get_number(gbx_callback_argument(callback, 0), &x) != GBX_OK)
        return gbx_callback_throw(callback, "TypeError", "square() takes a number");
    gbx_value *answer = gbx_value_new_number(x * x);
    gbx_status status = gbx_callback_return(callback, answer);
    gbx_value_free(answer);
    return status;
}

static void
try(gbx_isolate *isolate, const char *source)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_value *value = NULL;

    printf("%-26s -> ", source);
    if (gbx_eval(gbx_isolate_context(isolate), source, NULL, &value, &error) != GBX_OK)
        printf("%d: %s\n", error.status, error.message);
    else if (gbx_value_print(value, stdout) != GBX_OK)
        printf("nothing to show\n");
    gbx_value_free(value);
}

int
main(void)
{
    gbx_isolate_options options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_runtime *runtime = NULL;
    gbx_isolate *isolate = NULL;

    options.memory_limit_bytes = 16 << 20;
    options.timeout_us = 1000000;
    if (gbx_runtime_open(NULL, &runtime, &error) != GBX_OK ||
        gbx_isolate_open(runtime, &options, &isolate, &error) != GBX_OK)
        return fprintf(stderr, "limited: %s\n", error.message), 1;
    gbx_future_free(
        gbx_context_set_function(gbx_isolate_context(isolate), "square", square, NULL));
    try(isolate, "square(12)");
    try(isolate, "square('twelve')");
    try(isolate, "for (;;) square(1)");
    try(isolate, "'still alive'");
    try(isolate, "a = []; for (;;) a.push(1)");
    gbx_isolate_close(isolate);
    gbx_runtime_close(runtime);
    return 0;
}
