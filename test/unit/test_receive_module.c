/* What a cell may ask of a loader, and what its host makes of that. */
#include "hostile.h"

#include "base/check.h"

#include <stdlib.h>

static struct fake_cell f;
static gbx_import *imports[4];
static size_t calls;

static void
open_cell(void)
{
    fake_cell_open(&f, NULL, FAKE_PROCESS);
}

static void
close_cell(void)
{
    fake_cell_close(&f);
}

TestSuite(receive_module, .init = open_cell, .fini = close_cell);

static void
keep(gbx_import *import, void *data)
{
    (void)data;
    imports[calls++ % COUNT(imports)] = import;
}

static void
set_loader(gbx_loader loader)
{
    struct frame frame;

    cr_assert_eq(gbx_context_set_loader(gbx_isolate_context(f.isolate), loader, NULL), GBX_OK);
    cr_assert(fake_cell_hear(&f, &frame));
    cr_assert_eq(frame.type, MESSAGE_LOADER);
}

static void
say_resolve(uint32_t id, uint32_t context, struct span type, struct span specifier)
{
    put_resolve(&f.out, tag(id),
        &(struct msg_resolve){ .context = context,
            .type = type,
            .specifier = specifier,
            .referrer = span_text("from") });
    fake_cell_say(&f);
}

static void
say_import(uint32_t id)
{
    say_resolve(id, 1, span_of(NULL, 0), span_text("./a.mjs"));
}

/* The next message of the host is the answer to an import. */
static struct msg_resolved
hear_answer(void)
{
    struct frame frame;
    struct msg_resolved m;

    do
        cr_assert(fake_cell_hear(&f, &frame));
    while (frame.type != MESSAGE_RESOLVED);
    cr_assert_eq(get_resolved(frame.body, &m), GBX_OK);
    put_result(&f.out, tag(frame.id), &(struct msg_result){ .value = { NULL, 0 } });
    return m;
}

Test(receive_module, an_import_reaches_the_loader_and_is_answered_once)
{
    set_loader(keep);
    say_resolve(7, 1, span_text("json"), span_text("./a.json"));
    still_trusted(&f);
    cr_assert_eq(calls, 1);
    cr_assert_str_eq(gbx_import_specifier(imports[0]), "./a.json");
    cr_assert_str_eq(gbx_import_referrer(imports[0]), "from");
    cr_assert_str_eq(gbx_import_type(imports[0]), "json");
    cr_assert_eq(gbx_import_context(imports[0]), gbx_isolate_context(f.isolate));
    gbx_import_fail(imports[0], "RangeError", "no");
    struct msg_resolved m = hear_answer();
    cr_assert_eq(m.request, 7);
    cr_assert_eq(m.module, 0);
    cr_assert_eq(f.isolate->imports, 0);
    fake_cell_say(&f);
    still_trusted(&f);
    /* The settlement is answered, and only once. */
    put_result(
        &f.out, tag(1u << TABLE_INDEX_BITS), &(struct msg_result){ .value = { NULL, 0 } });
    fake_cell_say(&f);
    condemned(&f, "the answer to a request that is not open");
}

/* The cell's numbers are its own: two imports of one number are two imports. */
Test(receive_module, the_same_number_twice_harms_nobody)
{
    set_loader(keep);
    say_import(3);
    say_import(3);
    still_trusted(&f);
    cr_assert_eq(calls, 2);
    cr_assert_eq(f.isolate->imports, 2);
    gbx_import_fail(imports[0], NULL, NULL);
    gbx_import_fail(imports[1], NULL, NULL);
    cr_assert_eq(hear_answer().request, 3);
    cr_assert_eq(hear_answer().request, 3);
    fake_cell_say(&f);
    still_trusted(&f);
    cr_assert_eq(f.isolate->imports, 0);
}

Test(receive_module, there_is_no_import_without_a_loader)
{
    say_import(1);
    condemned(&f, "an import in a context without a loader");
}

Test(receive_module, a_loader_that_has_gone_is_an_answer)
{
    set_loader(keep);
    set_loader(NULL);
    say_import(1);
    still_trusted(&f);
    cr_assert_eq(calls, 0);
    struct msg_resolved m = hear_answer();
    cr_assert_eq(m.module, 0);
    cr_assert_gt(m.message.len, 0);
}

Test(receive_module, there_is_no_import_in_a_context_that_never_was)
{
    set_loader(keep);
    say_resolve(1, 1u << TABLE_INDEX_BITS, span_of(NULL, 0), span_text("a"));
    condemned(&f, "an import in a context that never was");
}

Test(receive_module, a_context_that_was_closed_is_an_answer)
{
    gbx_context *context = NULL;
    struct frame frame;

    cr_assert_eq(gbx_context_open(f.isolate, &context, NULL), GBX_OK);
    uint32_t id = context->id;
    cr_assert_eq(gbx_context_set_loader(context, keep, NULL), GBX_OK);
    say_resolve(2, id, span_of(NULL, 0), span_text("a"));
    cr_assert_eq(calls, 1);
    gbx_context_close(context);
    while (fake_cell_hear(&f, &frame))
        ;
    cr_assert_null(gbx_import_context(imports[0]));
    cr_assert_eq(gbx_import_loaded(imports[0], "a"), 0);
    gbx_import_source(imports[0], "", 0, NULL);
    cr_assert_eq(hear_answer().request, 2);
    say_resolve(3, id, span_of(NULL, 0), span_text("a"));
    still_trusted(&f);
    cr_assert_eq(hear_answer().request, 3);
    cr_assert_eq(calls, 1);
}

static void
refuses_texts(struct span type, struct span specifier)
{
    fake_cell_close(&f);
    fake_cell_open(&f, NULL, FAKE_PROCESS);
    set_loader(keep);
    say_resolve(1, 1, type, specifier);
    condemned(&f, "an import whose texts are none");
}

Test(receive_module, texts_are_names)
{
    static char text[NAME_BYTES_MAX + 1];

    memset(text, 'x', sizeof text);
    refuses_texts(span_text("css"), span_text("a"));
    refuses_texts(span_text("jsonp"), span_text("a"));
    refuses_texts(span_of(NULL, 0), span_of("a\0b", 3));
    refuses_texts(span_of(NULL, 0), span_of(text, sizeof text));
    fake_cell_close(&f);
    fake_cell_open(&f, NULL, FAKE_PROCESS);
    set_loader(keep);
    put_resolve(&f.out, tag(1),
        &(struct msg_resolve){
            .context = 1, .specifier = span_text("a"), .referrer = span_of("b\0c", 3) });
    fake_cell_say(&f);
    condemned(&f, "an import whose texts are none");
    cr_assert_eq(calls, 0);
    fake_cell_close(&f);
    fake_cell_open(&f, NULL, FAKE_PROCESS);
    set_loader(keep);
    say_resolve(1, 1, span_of(NULL, 0), span_of(text, sizeof text - 1));
    still_trusted(&f);
    gbx_import_fail(imports[0], NULL, NULL);
}

static gbx_import *flood[PROMISES_MAX];

static void
keep_all(gbx_import *import, void *data)
{
    (void)data;
    flood[calls++] = import;
}

Test(receive_module, imports_that_are_open_are_bounded)
{
    set_loader(keep_all);
    for (uint32_t i = 0; i < PROMISES_MAX; i++)
        say_import(i);
    still_trusted(&f);
    cr_assert_eq(calls, PROMISES_MAX);
    say_import(1);
    condemned(&f, "more imports than may be open");
    for (uint32_t i = 0; i < PROMISES_MAX; i++)
        gbx_import_fail(flood[i], NULL, NULL);
    cr_assert_eq(f.isolate->imports, 0);
}

/* Answers after the end do nothing, and hold nothing. */
Test(receive_module, an_import_outlives_its_isolate)
{
    set_loader(keep);
    say_import(1);
    say_import(2);
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;
    gbx_module *module = NULL;
    options.name = "m";
    gbx_future_free(
        gbx_module_compile(gbx_isolate_context(f.isolate), "", 0, &options, &module));
    cr_assert_not_null(module);
    gbx_isolate_close(f.isolate);
    f.isolate = NULL;
    gbx_import_module(imports[0], module);
    gbx_import_source(imports[1], "", 0, &options);
    gbx_module_close(module);
}

/* What a loader keeps by name, and its modules, are freed with their isolate (LeakSanitizer). */
static void
answer_source(gbx_import *import, void *data)
{
    gbx_module_options options = GBX_MODULE_OPTIONS_INIT;

    (void)data;
    calls++;
    options.name = gbx_import_specifier(import);
    gbx_import_source(import, "0", 1, &options);
}

Test(receive_module, a_name_is_compiled_once)
{
    struct frame frame;
    uint32_t compiled = 0, answers = 0;

    set_loader(answer_source);
    for (uint32_t i = 0; i < 3; i++)
        say_import(i);
    say_resolve(9, 1, span_of(NULL, 0), span_text("./0.mjs"));
    while (fake_cell_hear(&f, &frame)) {
        compiled += frame.type == MESSAGE_MODULE_COMPILE;
        answers += frame.type == MESSAGE_RESOLVED;
    }
    cr_assert_eq(calls, 4);
    cr_assert_eq(compiled, 2);
    cr_assert_eq(answers, 4);
    cr_assert_eq(f.isolate->modules.live, 2);
}

static void
closes(gbx_import *import, void *data)
{
    (void)data;
    calls++;
    gbx_isolate *isolate = f.isolate;
    f.isolate = NULL;
    gbx_isolate_close(isolate);
    gbx_import_fail(import, NULL, NULL);
}

Test(receive_module, a_loader_may_close_the_isolate)
{
    set_loader(closes);
    put_resolve(
        &f.out, tag(1), &(struct msg_resolve){ .context = 1, .specifier = span_text("a") });
    put_resolve(
        &f.out, tag(2), &(struct msg_resolve){ .context = 1, .specifier = span_text("b") });
    gbx_isolate *isolate = f.isolate;
    isolate_ref(isolate);
    (void)fake_cell_write(&f, buf_span(&f.out));
    (void)isolate_service(isolate);
    isolate_unref(isolate);
    cr_assert_eq(calls, 1);
    cr_assert_null(f.isolate);
}

/* The cell has ended: nobody waits for the answer, and no loader is bothered. */
Test(receive_module, an_import_of_a_dead_cell_reaches_no_loader)
{
    set_loader(keep);
    put_resolve(&f.out, tag(1),
        &(struct msg_resolve){ .context = 1, .specifier = span_text("./a.mjs") });
    cr_assert_eq(fake_cell_write(&f, buf_span(&f.out)), f.out.len);
    buf_clear(&f.out);
    isolate_ended(f.isolate);
    cr_assert_not_null(gbx_isolate_death(f.isolate));
    cr_assert_eq(calls, 0);
}
