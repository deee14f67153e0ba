/* cdp.c - CDP commands that V8 may not see. Its CPU profiler starts a thread and aborts when it
 * can't; the filter of most cells lets it have none. Without Profiler.enable it starts none, for
 * no command and no console.profile() of the guest. */
#include "cell/cell.h"

#include "wire/value.h"

#include <string.h>

static bool
is_profiler(const gbx_value *command)
{
    const gbx_value *method = gbx_value_get(command, "method", strlen("method"));
    const char *name;

    return method != NULL && gbx_value_get_string(method, &name, NULL) == GBX_OK &&
           strncmp(name, "Profiler.", strlen("Profiler.")) == 0;
}

static void
refuse(struct cell *cell, uint32_t session, const gbx_value *command)
{
    const gbx_value *id = gbx_value_get(command, "id", strlen("id"));
    struct buf json = { .max = 1024 };
    double number = 0;

    if (id == NULL || gbx_value_get_number(id, &number) != GBX_OK)
        number = 0; /* nobody can wait for the answer to such a command */
    buf_printf(&json,
        "{\"id\":%.0f,\"error\":{\"code\":-32000,\"message\":\"the CPU profiler needs a "
        "thread: open "
        "the isolate with GBX_ISOLATE_PROFILING\"}}",
        number);
    if (!json.failed)
        cell_hooks.inspector_message(cell, session, buf_span(&json));
    buf_done(&json);
}

bool
cdp_refused(struct cell *cell, uint32_t session, struct span json)
{
    gbx_value *command = NULL;

    /* Nearly all commands are seen to be others without being read; an escape may hide the name. */
    if (cell->profiling ||
        (memmem(json.p, json.len, "Profiler.", strlen("Profiler.")) == NULL &&
            memchr(json.p, '\\', json.len) == NULL))
        return false;
    if (gbx_value_from_json((const char *)json.p, json.len, &command, NULL) != GBX_OK)
        return false;
    bool refused = is_profiler(command);
    if (refused)
        refuse(cell, session, command);
    gbx_value_free(command);
    return refused;
}
