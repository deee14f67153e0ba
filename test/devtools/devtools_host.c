/* devtools_host.c - a program that lets a DevTools of the test's own in: `glovebox inspect`, but
 * for the origin of that page.
 *
 * usage: devtools_host ORIGIN FILE      prints the isolate's WebSocket address; ends when the
 *                                       script has ended and the debugger has gone
 */
#include <glovebox/devtools.h>
#include <glovebox/glovebox.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void
on_finished(gbx_future *future, void *data)
{
    (void)future;
    *(bool *)data = true;
}

static int
failed(const gbx_error *error)
{
    (void)fprintf(stderr, "devtools_host: %s\n", error->message);
    return 1;
}

int
main(int argc, char **argv)
{
    gbx_devtools_options options = GBX_DEVTOOLS_OPTIONS_INIT;
    gbx_isolate_options isolate_options = GBX_ISOLATE_OPTIONS_INIT;
    gbx_call_options call = GBX_CALL_OPTIONS_INIT;
    gbx_error error = GBX_ERROR_INIT;
    gbx_runtime *runtime = NULL;
    gbx_isolate *isolate = NULL;
    gbx_devtools *devtools = NULL;
    static char source[65536];
    bool finished = false;

    FILE *file = argc == 3 ? fopen(argv[2], "re") : NULL;
    if (file == NULL)
        return 2;
    size_t len = fread(source, 1, sizeof source, file);
    (void)fclose(file);
    options.origin = argv[1];
    isolate_options.flags = GBX_ISOLATE_WAIT | GBX_ISOLATE_PROFILING;
    isolate_options.name = call.file = "program.js";
    if (gbx_runtime_open(NULL, &runtime, &error) != GBX_OK ||
        gbx_devtools_open(runtime, &options, &devtools, &error) != GBX_OK ||
        gbx_isolate_open(runtime, &isolate_options, &isolate, &error) != GBX_OK)
        return failed(&error);
    (void)printf("%s\n", gbx_devtools_url(devtools, isolate, GBX_DEVTOOLS_WEBSOCKET));
    (void)fflush(stdout);
    gbx_future *future = gbx_context_eval(gbx_isolate_context(isolate), source, len, &call);
    gbx_future_then(future, on_finished, &finished);
    while (!finished || gbx_devtools_clients(devtools, isolate) > 0)
        (void)gbx_runtime_dispatch(runtime, -1);
    gbx_status status = gbx_future_status(future, &error);
    gbx_future_free(future);
    gbx_isolate_close(isolate);
    gbx_devtools_close(devtools);
    gbx_runtime_close(runtime);
    return status == GBX_OK ? 0 : failed(&error);
}
