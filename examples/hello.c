/* hello.c - the shortest whole program. */
#include <glovebox/glovebox.h>

#include <stdio.h>

int
main(void)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_runtime *runtime = NULL;
    gbx_isolate *isolate = NULL;
    gbx_value *value = NULL;

    if (gbx_runtime_open(NULL, &runtime, &error) == GBX_OK &&
        gbx_isolate_open(runtime, NULL, &isolate, &error) == GBX_OK &&
        gbx_eval(gbx_isolate_context(isolate), "[1, 2, 3].map(x => x * x)", NULL, &value,
            &error) == GBX_OK)
        error.status = gbx_value_print(value, stdout);
    else
        (void)fprintf(stderr, "hello: %s\n", error.message);
    gbx_value_free(value);
    gbx_isolate_close(isolate);
    gbx_runtime_close(runtime);
    return error.status == GBX_OK ? 0 : 1;
}
