/* code.c - the soak's actions that give guests code, and find what it imports. */
#include "soak/steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- scripts and closures -------------------------------------------------------------------- */

static const char script_source[] = "globalThis.runs = (globalThis.runs || 0) + 1";

/* With a cache or without; on_answer() keeps what comes. */
void
soak_do_script(struct soak_slot *slot)
{
    const void *bytes = NULL;
    size_t len = 0;

    if (slot->soak->cache != NULL && soak_chance(slot->soak, 2) == 0 &&
        gbx_value_get_bytes(slot->soak->cache, &bytes, &len) != GBX_OK)
        abort();
    soak_expect(slot, "compile",
        gbx_script_compile(
            slot->isolate, script_source, sizeof script_source - 1, bytes, len, NULL),
        GBX_OK);
}

void
soak_do_run_script(struct soak_slot *slot)
{
    gbx_script *script = slot->scripts[soak_chance(slot->soak, SOAK_SCRIPTS)];
    gbx_call_options options = GBX_CALL_OPTIONS_INIT;

    options.flags = soak_chance(slot->soak, 2) == 0 ? GBX_RESULT_REFERENCE : 0;
    /* The slot's isolate may be another than when it was compiled. */
    if (script != NULL)
        soak_expect(slot, "run script", gbx_script_run(script, soak_context(slot), &options),
            GBX_EINVAL);
}

void
soak_do_cache(struct soak_slot *slot)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_future *future =
        gbx_script_cache(slot->isolate, script_source, sizeof script_source - 1, NULL);
    gbx_status status = gbx_future_wait(future, -1, &error);

    if (status == GBX_OK) {
        gbx_value_free(slot->soak->cache);
        slot->soak->cache = gbx_future_take_value(future);
    } else if (!soak_allows(slot->soak, status)) {
        soak_wrong(slot->soak, "code cache", status, error.message);
    }
    gbx_future_free(future);
}

void
soak_do_closure(struct soak_slot *slot)
{
    static const char source[] = "let n = 0; for (const x of $0) n += x; return n + $1";
    gbx_value *array = gbx_value_new_array(), *one = gbx_value_new_number(1);
    const gbx_value *arguments[] = { array, one };

    for (int i = 0; i < 3; i++)
        if (gbx_value_append(array, gbx_value_new_number(i)) != GBX_OK)
            abort();
    soak_expect(slot, "closure",
        gbx_context_eval_closure(
            soak_context(slot), source, sizeof source - 1, arguments, 2, NULL),
        GBX_OK);
    gbx_value_free(array);
    gbx_value_free(one);
}

/* --- modules --------------------------------------------------------------------------------- */

static void
answer(gbx_import *import)
{
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    const char *specifier = gbx_import_specifier(import);
    char source[256], name[64];

    (void)snprintf(name, sizeof name, "%s", specifier);
    /* Of ten, each imports the next: a cycle. Some of them make a mistake, or wait for ever. */
    int number = name[0] == 'm' ? name[1] - '0' : 0;
    (void)snprintf(source, sizeof source, "import 'm%d'; export const n = %d; %s",
        (number + 1) % 10, number,
        number == 5   ? "globalThis.meddle?.();"
        : number == 8 ? "await null;"
        : number == 9 ? "if (globalThis.never) throw new Error('never');"
                      : "");
    options.name = name;
    gbx_import_source(import, source, strlen(source), &options);
}

void
soak_load(gbx_import *import, void *data)
{
    struct soak *soak = data;
    unsigned at = soak_chance(soak, SOAK_IMPORTS);

    if (gbx_import_specifier(import)[0] != 'm') {
        gbx_import_fail(import, "Error", "there is no such module");
    } else if (soak_chance(soak, 3) > 0) {
        answer(import);
    } else {
        gbx_import *before = soak->imports[at];
        soak->imports[at] = import;
        if (before != NULL)
            answer(before);
    }
}

void
soak_settle_imports(struct soak *soak)
{
    for (int i = 0; i < SOAK_IMPORTS; i++) {
        gbx_import *import = soak->imports[i];
        soak->imports[i] = NULL;
        if (import != NULL && soak_chance(soak, 4) == 0)
            gbx_import_fail(import, "Error", "not today");
        else if (import != NULL)
            answer(import);
    }
}

void
soak_do_module(struct soak_slot *slot)
{
    static const char source[] = "import { n } from 'm3'; export default n + 1;";
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    gbx_module *module = NULL;

    options.name = "main";
    soak_expect(slot, "module",
        gbx_module_compile(soak_context(slot), source, sizeof source - 1, &options, &module),
        GBX_ETHROW);
    if (module == NULL)
        return;
    soak_expect(slot, "evaluate", gbx_module_evaluate(module, NULL), GBX_ETHROW);
    if (soak_chance(slot->soak, 2) == 0)
        soak_expect(slot, "export", gbx_module_get(module, "default", NULL), GBX_EINVAL);
    gbx_module_close(module);
}

void
soak_do_import(struct soak_slot *slot)
{
    soak_eval(slot, "import('m' + Math.floor(Math.random() * 10)).then(m => m.n)", GBX_AWAIT,
        500000, GBX_ETHROW);
}

/* Only a second context may have them. */
void
soak_do_files(struct soak_slot *slot)
{
    if (slot->other != NULL)
        soak_expect(
            slot, "files", gbx_context_import(slot->other, "./a.mjs", NULL), GBX_ETHROW);
}
