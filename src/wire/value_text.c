/* Values for people: the walk over containers. Iterative; a container's entries are finished
 * one by one and arranged when it closes. */
#include "base/check.h"
#include "base/limits.h"
#include "wire/show.h"

#include <errno.h>
#include <stdlib.h>

enum {
    DEPTH = 3,
    ITEMS = 100,
    CHARACTERS = 10000,
    WIDTH = 80,
    DEPTH_MAX = 1000,
    INDENT = 2,
    OPTIONS_MAX = 4096 /* bytes of a caller's options, to stop at nonsense */
};

/* What of a container comes next. */
enum phase {
    PHASE_ITEMS, /* of arrays, maps, sets, typed arrays, buffers */
    PHASE_PROPS, /* by key */
    PHASE_DONE
};

/* --- circular references ---------------------------------------------------------------- */

static void
show_circular(struct show *s, const gbx_value *node)
{
    size_t number = node_map_get(&s->circular, node);

    if (number == 0) {
        number = s->circular.count + 1;
        if (!node_map_add(&s->circular, node, number))
            s->status = GBX_ENOMEM;
    }
    style_on(s, STYLE_SPECIAL);
    buf_printf(&s->out, "[Circular *%zu]", number);
    style_off(s, STYLE_SPECIAL);
}

/* --- entering and leaving --------------------------------------------------------------- */

/* What stands before the bracket: "Map(2) ", or nothing for plain objects and arrays. */
static void
prefix_of(const gbx_value *node, char *out, size_t size)
{
    out[0] = '\0';
    if (node->kind == GBX_MAP || node->kind == GBX_SET || node->kind == GBX_TYPED_ARRAY)
        (void)snprintf(out, size, "%s(%zu) ", show_class(node), gbx_value_length(node));
    else if (is_buffer(node) || node->kind == GBX_DATA_VIEW)
        (void)snprintf(out, size, "%s ", show_class(node));
}

static bool
is_list(const gbx_value *node)
{
    return node->kind == GBX_ARRAY || node->kind == GBX_TYPED_ARRAY;
}

/* A property of an error that is shown apart: name, message and stack are in its head. */
static bool
is_apart(const struct prop *prop)
{
    static const char *const head[] = { "name", "message", "stack" };

    if (prop->value == NULL)
        return false;
    for (size_t i = 0; prop->index == NOT_INDEX && i < COUNT(head); i++)
        if (text_is(prop->key, head[i], strlen(head[i])))
            return false;
    return true;
}

static bool
has_more(const gbx_value *error)
{
    for (uint32_t i = 0; i < error->dict->count; i++)
        if (is_apart(&error->dict->props[i]))
            return true;
    return false;
}

static bool
is_empty(const gbx_value *node)
{
    switch (node->kind) {
    case GBX_ARRAY:
        return node->array->length == 0 && dict_length(&node->array->props) == 0;
    case GBX_TYPED_ARRAY:
    case GBX_OBJECT:
    case GBX_MAP:
    case GBX_SET:
        return gbx_value_length(node) == 0;
    default:
        return false;
    }
}

static void
push_frame(struct show *s, const gbx_value *node, uint32_t indent)
{
    bool props = node->kind == GBX_OBJECT || node->kind == GBX_ERROR;

    if (node->kind == GBX_ARRAY)
        dict_order(&node->array->props);
    else if (props || node->kind == GBX_MAP || node->kind == GBX_SET)
        dict_order(node->dict);
    /* The mark is scratch, not part of the value; see put_value(). */
    ((gbx_value *)(uintptr_t)node)->mark = s->frame_count;
    s->frames[s->frame_count++] = (struct show_frame){ .node = node,
        .text = s->out.len,
        .entries = s->entry_count,
        .indent = indent,
        .phase = props ? PHASE_PROPS : PHASE_ITEMS };
    s->deepest = s->frame_count;
}

/* Writes what has no contents, or enters a container. */
static void
put_value(struct show *s, const gbx_value *node, uint32_t indent)
{
    char prefix[48];

    if (show_leaf(s, node, indent))
        return;
    if (node->mark < s->frame_count && s->frames[node->mark].node == node) {
        show_circular(s, node);
        return;
    }
    if (node->kind == GBX_ERROR && !has_more(node)) {
        show_error_head(s, node, indent);
    } else if (is_empty(node)) {
        prefix_of(node, prefix, sizeof prefix);
        buf_printf(&s->out, "%s%s", prefix, is_list(node) ? "[]" : "{}");
    } else if (s->frame_count == s->depth) {
        style_on(s, STYLE_SPECIAL);
        buf_printf(&s->out, "[%s]", show_class(node));
        style_off(s, STYLE_SPECIAL);
    } else {
        push_frame(s, node, indent);
    }
}

static void
close_frame(struct show *s)
{
    const struct show_frame frame = s->frames[s->frame_count - 1];
    size_t number = node_map_get(&s->circular, frame.node);
    size_t start = s->out.len;
    char open[48];

    if (number != 0) {
        style_on(s, STYLE_SPECIAL);
        buf_printf(&s->out, "<ref *%zu>", number);
        style_off(s, STYLE_SPECIAL);
    }
    if (frame.node->kind == GBX_ERROR) {
        buf_text(&s->out, number != 0 ? " " : "");
        show_error_head(s, frame.node, frame.indent);
    }
    prefix_of(frame.node, open, sizeof open - 1);
    strcat(open, is_list(frame.node) ? "[" : "{");
    struct span base = span_of(s->out.p + start, s->out.len - start);
    show_arrange(s, &frame, base, open, is_list(frame.node) ? "]" : "}", s->frame_count);
    s->frame_count--;
}

/* --- entries ---------------------------------------------------------------------------- */

static void
begin(struct show *s, struct show_frame *frame)
{
    frame->item = s->out.len;
    frame->open = true;
}

/* A whole entry that says how much is not shown. */
static void
put_more(struct show *s, struct show_frame *frame, uint64_t count)
{
    begin(s, frame);
    buf_printf(
        &s->out, "... %llu more item%s", (unsigned long long)count, count > 1 ? "s" : "");
}

/* The first element at or after `index`; the length when there is none. */
static uint32_t
next_element(const struct array *array, struct show_frame *frame)
{
    for (uint32_t i = frame->index; i < array->count; i++)
        if (array->items[i] != NULL)
            return i;
    while (frame->at < array->sparse && array->props.props[frame->at].index < frame->index)
        frame->at++;
    return frame->at < array->sparse ? array->props.props[frame->at].index : array->length;
}

static void
step_array(struct show *s, struct show_frame *frame)
{
    const struct array *array = frame->node->array;
    uint32_t next;

    if (frame->index == array->length) {
        frame->phase = PHASE_PROPS;
        frame->at = array->sparse;
    } else if (s->entry_count - frame->entries >= s->items) {
        put_more(s, frame, array->length - frame->index);
        frame->index = array->length;
    } else if ((next = next_element(array, frame)) > frame->index) {
        begin(s, frame);
        style_on(s, STYLE_UNDEFINED);
        buf_printf(&s->out, "<%u empty item%s>", next - frame->index,
            next - frame->index > 1 ? "s" : "");
        style_off(s, STYLE_UNDEFINED);
        frame->index = next;
    } else {
        begin(s, frame);
        put_value(s, array_at(array, frame->index++), frame->indent + INDENT);
    }
}

static void
step_props(struct show *s, struct show_frame *frame, const struct dict *dict)
{
    bool error = frame->node->kind == GBX_ERROR;

    while (error && frame->at < dict->count && !is_apart(&dict->props[frame->at]))
        frame->at++;
    if (frame->at >= dict->count) {
        frame->phase = PHASE_DONE;
        return;
    }
    const struct prop *prop = &dict->props[frame->at++];
    begin(s, frame);
    if (error && prop->index == NOT_INDEX && text_is(prop->key, "cause", 5))
        buf_text(&s->out, "[cause]: ");
    else
        show_key(s, prop);
    put_value(s, prop->value, frame->indent + INDENT);
}

static void
step_collection(struct show *s, struct show_frame *frame)
{
    const struct dict *dict = frame->node->dict;
    uint32_t limit = dict->count < s->items ? dict->count : s->items;

    if (frame->value_next) {
        frame->value_next = false;
        buf_text(&s->out, " => ");
        put_value(s, dict->props[frame->at++].value, frame->indent + INDENT);
    } else if (frame->at < limit) {
        bool map = frame->node->kind == GBX_MAP;
        const gbx_value *node = dict->props[frame->at].node;
        begin(s, frame);
        frame->value_next = map;
        frame->at += map ? 0 : 1;
        put_value(s, node, frame->indent + INDENT);
    } else {
        if (dict->count > limit)
            put_more(s, frame, dict->count - limit);
        frame->phase = PHASE_DONE;
    }
}

static void
step_elements(struct show *s, struct show_frame *frame)
{
    const struct view *view = frame->node->view;
    uint64_t length = view->len / element_size(view->type);
    const uint8_t *p = view->buffer->buffer->bytes + view->offset;

    for (uint64_t i = 0; i < length && i < s->items; i++, p += element_size(view->type)) {
        size_t start = s->out.len;
        if (view->type >= GBX_BIGINT64)
            show_bigint64(s, p, view->type == GBX_BIGINT64);
        else
            show_number(s, element_number(view->type, p));
        show_entry_end(s, start);
    }
    if (length > s->items)
        put_more(s, frame, length - s->items);
    frame->phase = PHASE_DONE;
}

static void
put_size(struct show *s, const char *name, uint64_t size)
{
    size_t start = s->out.len;

    show_word(s, STYLE_STRING, name);
    buf_text(&s->out, ": ");
    show_number(s, (double)size);
    show_entry_end(s, start);
}

static void
step_buffer(struct show *s, struct show_frame *frame)
{
    const struct buffer *buffer = frame->node->buffer;
    size_t start = s->out.len;

    show_word(s, STYLE_SPECIAL, "[Uint8Contents]");
    buf_text(&s->out, ": <");
    for (uint64_t i = 0; i < buffer->len && i < s->items; i++)
        buf_printf(&s->out, "%s%02x", i == 0 ? "" : " ", buffer->bytes[i]);
    if (buffer->len > s->items)
        buf_printf(&s->out, " ... %llu more byte%s",
            (unsigned long long)(buffer->len - s->items),
            buffer->len - s->items > 1 ? "s" : "");
    buf_text(&s->out, ">");
    show_entry_end(s, start);
    put_size(s, "[byteLength]", buffer->len);
    frame->phase = PHASE_DONE;
}

static void
step_data_view(struct show *s, struct show_frame *frame)
{
    const struct view *view = frame->node->view;

    put_size(s, "[byteLength]", view->len);
    put_size(s, "[byteOffset]", view->offset);
    frame->phase = PHASE_DONE;
    begin(s, frame);
    show_word(s, STYLE_STRING, "[buffer]");
    buf_text(&s->out, ": ");
    put_value(s, view->buffer, frame->indent + INDENT);
}

static void
step_items(struct show *s, struct show_frame *frame)
{
    switch (frame->node->kind) {
    case GBX_ARRAY:
        step_array(s, frame);
        break;
    case GBX_TYPED_ARRAY:
        step_elements(s, frame);
        break;
    case GBX_ARRAY_BUFFER:
    case GBX_SHARED_ARRAY_BUFFER:
        step_buffer(s, frame);
        break;
    case GBX_DATA_VIEW:
        step_data_view(s, frame);
        break;
    default:
        step_collection(s, frame);
        break;
    }
}

/* One step of the innermost container. Entering another one keeps `frame` valid: all frames
 * are allocated at the start. */
static void
step(struct show *s)
{
    struct show_frame *frame = &s->frames[s->frame_count - 1];

    if (frame->open && !frame->value_next) {
        show_entry_end(s, frame->item);
        frame->open = false;
    }
    if (frame->phase == PHASE_ITEMS)
        step_items(s, frame);
    else if (frame->phase == PHASE_PROPS)
        step_props(s, frame,
            frame->node->kind == GBX_ARRAY ? &frame->node->array->props : frame->node->dict);
    else
        close_frame(s);
}

/* --- options ---------------------------------------------------------------------------- */

/* A shorter struct is an older caller's; a longer one is fine if what we do not know is zero. */
static gbx_status
read_options(const gbx_text_options *given, gbx_text_options *out)
{
    *out = (gbx_text_options){ 0 };
    if (given != NULL) {
        const uint8_t *bytes = (const uint8_t *)given;
        if (given->size < sizeof given->size || given->size > OPTIONS_MAX)
            return GBX_EINVAL;
        for (size_t i = sizeof *out; i < given->size; i++)
            if (bytes[i] != 0)
                return GBX_EUNSUPPORTED;
        memcpy(out, given, given->size < sizeof *out ? given->size : sizeof *out);
    }
    if ((out->flags & ~(uint32_t)(GBX_TEXT_COLOR | GBX_TEXT_BARE)) != 0)
        return GBX_EUNSUPPORTED;
    if (out->depth > DEPTH_MAX)
        return GBX_EINVAL;
    out->depth = out->depth == 0 ? DEPTH : out->depth;
    out->items = out->items == 0 ? ITEMS : out->items;
    out->characters = out->characters == 0 ? CHARACTERS : out->characters;
    out->width = out->width == 0 ? WIDTH : out->width;
    return GBX_OK;
}

gbx_status
gbx_value_to_text(
    const gbx_value *value, const gbx_text_options *given, char **out_text, size_t *out_len)
{
    gbx_text_options options;
    gbx_status status = value == NULL ? GBX_EINVAL : read_options(given, &options);

    if (status != GBX_OK)
        return status;
    struct show s = { .out = { .max = VALUE_TEXT_MAX },
        .scratch = { .max = VALUE_TEXT_MAX },
        .color = (options.flags & GBX_TEXT_COLOR) != 0,
        .depth = options.depth,
        .items = options.items,
        .characters = options.characters,
        .width = options.width };
    s.frames = malloc(options.depth * sizeof *s.frames);
    if (s.frames == NULL)
        return GBX_ENOMEM;
    errno = 0; /* a full buffer does not say whether memory or its ceiling was the reason */
    if ((options.flags & GBX_TEXT_BARE) != 0 && value->kind == GBX_STRING)
        show_plain(&s, value->text->bytes, value->text->len, 0);
    else
        put_value(&s, value, 0);
    while (s.frame_count > 0 && s.status == GBX_OK && !s.out.failed)
        step(&s);
    size_t len = s.out.len;
    buf_byte(&s.out, '\0');
    if (s.out.failed && s.status == GBX_OK)
        s.status = errno == ENOMEM ? GBX_ENOMEM : GBX_ETOOBIG;
    free(s.frames);
    free(s.entries);
    node_map_done(&s.circular);
    buf_done(&s.scratch);
    if (s.status != GBX_OK) {
        buf_done(&s.out);
        return s.status;
    }
    *out_text = (char *)s.out.p;
    if (out_len != NULL)
        *out_len = len;
    return GBX_OK;
}

gbx_status
gbx_value_print(const gbx_value *value, FILE *file)
{
    char *text;
    size_t len;

    gbx_status status = gbx_value_to_text(value, NULL, &text, &len);
    if (status != GBX_OK)
        return status;
    text[len] = '\n'; /* in place of the NUL */
    if (fwrite(text, 1, len + 1, file) != len + 1)
        status = GBX_ESYS;
    free(text);
    return status;
}
