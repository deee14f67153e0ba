/* redact.c - a snapshot without what a program has in its strings.
 *
 * What V8 uses as a name somewhere stays: names of its own nodes and edges, and some that
 * JavaScript has, listed below. A name of V8's may have one of the program's in it: those of
 * WeakMap edges and of DOM elements. All else becomes what keyed_text() makes of it. */
#include "base/check.h"
#include "base/error.h"
#include "heap/keyed.h"
#include "heap/write.h"

#include <errno.h>
#include <glovebox/heap_write.h>
#include <stdlib.h>
#include <sys/random.h>

/* Sorted. A text that is neither of the program nor in a place where V8 alone writes. */
static const char *const known[] = { "", "(bound arguments)", "(code)", "(concatenated string)",
    "(constant pool)", "(object elements)", "(object properties)", "(shared function info)",
    "(sliced string)", "<dummy>", "AggregateError", "Array", "Array Iterator", "ArrayBuffer",
    "AsyncFunction", "AsyncGenerator", "AsyncGeneratorFunction", "Atomics", "BigInt",
    "BigInt64Array", "BigUint64Array", "Boolean", "DataView", "Date", "Error", "EvalError",
    "FinalizationRegistry", "Float16Array", "Float32Array", "Float64Array", "Function",
    "Generator", "GeneratorFunction", "Int16Array", "Int32Array", "Int8Array", "Intl",
    "Iterator", "JSON", "Map", "Map Iterator", "Math", "Number", "Object", "Object (global*)",
    "Promise", "Proxy", "RangeError", "ReferenceError", "Reflect", "RegExp",
    "RegExp String Iterator", "Set", "Set Iterator", "SharedArrayBuffer", "String",
    "String Iterator", "Symbol", "SyntaxError", "TypeError", "URIError", "Uint16Array",
    "Uint32Array", "Uint8Array", "Uint8ClampedArray", "WeakMap", "WeakRef", "WeakSet",
    "WebAssembly", "Window", "__proto__", "bigint", "bound_argument_0", "constructor",
    "global (global)", "global (global*)", "global_object", "heap number", "length", "message",
    "name", "native_bind", "native_context", "private symbol", "prototype", "smi number",
    "stack", "symbol", "system / Context", "system / NativeContext" };

enum fate {
    FATE_REDACT,
    FATE_KEEP,
    FATE_PAIR,   /* of a WeakMap edge */
    FATE_ELEMENT /* "<div id=secret>": its first word stays */
};

struct redaction {
    const struct gbx_heap *h;
    struct keyed keyed;
    uint8_t *fate;   /* by string */
    uint32_t *slots; /* strings that stay, + 1, hashed */
    size_t slot_count;
};

static int
compare_known(const void *key, const void *item)
{
    const struct span *s = key;
    const char *text = *(const char *const *)item;
    size_t len = strlen(text);
    int order = memcmp(s->p, text, s->len < len ? s->len : len);

    return order != 0 ? order : (s->len > len) - (s->len < len);
}

static bool
is_known(struct span s)
{
    return s.len == 0 ||
           bsearch(&s, known, COUNT(known), sizeof known[0], compare_known) != NULL;
}

/* --- what V8 names ---------------------------------------------------------------------- */

static bool
is_words(struct span s)
{
    for (size_t i = 0; i < s.len; i++)
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_ :()*",
                s.p[i]) == NULL ||
            s.p[i] == '\0')
            return false;
    return true;
}

static struct span
behind(struct span s, const char *head)
{
    size_t n = strlen(head);

    return span_starts(s, head) ? span_of(s.p + n, s.len - n) : span_of(NULL, 0);
}

/* "system / Map (SeqOneByteString)", "Node / TickInfo". */
static bool
is_system(struct span s)
{
    struct span rest = behind(s, "system / ");

    if (rest.len == 0)
        rest = behind(s, "Node / ");
    if (rest.len == 0)
        rest = behind(s, "Blink / ");
    return rest.len > 0 && is_words(rest);
}

/* "system / Context / scope @123", as newer V8 has it. */
static bool
is_scope(struct span s)
{
    struct span id = behind(s, "system / Context / scope @");

    for (size_t i = 0; i < id.len; i++)
        if ((uint32_t)id.p[i] - '0' >= 10)
            return false;
    return id.len > 0;
}

/* "(RecordWrite builtin code)" */
static bool
is_builtin(struct span s)
{
    static const char end[] = " builtin code)";
    size_t n = sizeof end - 1;

    return s.len > n && s.p[0] == '(' && memcmp(s.p + s.len - n, end, n) == 0 && is_words(s);
}

static bool
is_word(struct span s)
{
    return is_words(s) && memchr(s.p, ' ', s.len) == NULL && memchr(s.p, ':', s.len) == NULL;
}

static bool
is_element(struct span s)
{
    return span_starts(s, "<") || span_starts(s, "Detached <");
}

static enum fate
fate_of_node(const struct gbx_heap *h, uint32_t v)
{
    struct span name = heap_raw_name(h, v);

    switch (h->node_type[v]) {
    case NODE_HIDDEN:
    case NODE_ARRAY:
    case NODE_SYNTHETIC:
    case NODE_SHAPE:
        return FATE_KEEP;
    case NODE_NATIVE:
        if (is_element(name))
            return FATE_ELEMENT;
        return is_system(name) || is_word(name) ? FATE_KEEP : FATE_REDACT;
    case NODE_CODE:
        return is_system(name) || is_builtin(name) ? FATE_KEEP : FATE_REDACT;
    case NODE_OBJECT:
        return is_system(name) || is_scope(name) ? FATE_KEEP : FATE_REDACT;
    default:
        return FATE_REDACT;
    }
}

static enum fate
fate_of_edge(const struct gbx_heap *h, uint32_t e)
{
    static const char part[] = " / part of key (";
    struct pair_name pair;

    if (h->edge_type[e] != EDGE_INTERNAL && h->edge_type[e] != EDGE_SHORTCUT &&
        h->edge_type[e] != EDGE_WEAK)
        return FATE_REDACT;
    struct span name = heap_string(h, h->edge_name[e]);
    if (memmem(name.p, name.len, part, sizeof part - 1) == NULL)
        return FATE_KEEP;
    return heap_parse_pair(name, &pair) ? FATE_PAIR : FATE_REDACT;
}

static bool
index_kept(struct redaction *r, uint32_t kept)
{
    const struct gbx_heap *h = r->h;

    r->slot_count = 64;
    while (r->slot_count < (size_t)kept * 2)
        r->slot_count *= 2;
    r->slots = memory_new(r->slot_count, sizeof *r->slots);
    for (uint32_t i = 0; r->slots != NULL && i < h->strings.count; i++) {
        if (r->fate[i] != FATE_KEEP)
            continue;
        size_t slot = span_hash(heap_string(h, i)) & (r->slot_count - 1);
        while (r->slots[slot] != 0)
            slot = (slot + 1) & (r->slot_count - 1);
        r->slots[slot] = i + 1;
    }
    return r->slots != NULL;
}

static bool
stays(const struct redaction *r, struct span s)
{
    size_t slot = span_hash(s) & (r->slot_count - 1);

    for (; r->slots[slot] != 0; slot = (slot + 1) & (r->slot_count - 1))
        if (span_equal(heap_string(r->h, r->slots[slot] - 1), s))
            return true;
    return is_known(s);
}

static bool
decide(struct redaction *r)
{
    const struct gbx_heap *h = r->h;
    uint32_t kept = 0;

    r->fate = memory_new(h->strings.count, sizeof *r->fate);
    if (r->fate == NULL)
        return false;
    for (uint32_t v = 0; v < h->node_count; v++)
        if (r->fate[h->node_name[v]] == FATE_REDACT)
            r->fate[h->node_name[v]] = (uint8_t)fate_of_node(h, v);
    for (uint32_t e = 0; e < h->edge_count; e++)
        if (edge_is_named(h->edge_type[e]) && r->fate[h->edge_name[e]] == FATE_REDACT)
            r->fate[h->edge_name[e]] = (uint8_t)fate_of_edge(h, e);
    for (uint32_t i = 0; i < h->strings.count; i++) {
        if (r->fate[i] == FATE_REDACT && is_known(heap_string(h, i)))
            r->fate[i] = FATE_KEEP;
        kept += r->fate[i] == FATE_KEEP;
    }
    return index_kept(r, kept);
}

/* --- what becomes of it ----------------------------------------------------------------- */

/* What stays has its name for itself: where a text would become the same, it becomes what that
 * would. Since no two names become one, none that stays is come by twice. */
static void
redact_name(const struct redaction *r, struct span name, struct buf *out)
{
    struct buf text = { .max = UINT32_MAX }, next = { .max = UINT32_MAX };

    keyed_text(&r->keyed, name, &text);
    while (!text.failed && text.len > 0 && stays(r, buf_span(&text))) {
        buf_clear(&next);
        keyed_text(&r->keyed, buf_span(&text), &next);
        struct buf swap = text;
        text = next;
        next = swap;
    }
    if (text.failed)
        out->failed = true;
    else
        buf_append(out, text.p, text.len);
    buf_done(&text);
    buf_done(&next);
}

static void
redact_pair(const struct redaction *r, struct span name, struct buf *out)
{
    struct pair_name pair;

    if (!heap_parse_pair(name, &pair))
        return;
    buf_append(out, pair.number.p, pair.number.len);
    buf_text(out, " / part of key (");
    keyed_text(&r->keyed, pair.shared, out);
    buf_text(out, " @");
    buf_append(out, pair.key_id.p, pair.key_id.len);
    buf_text(out, ") -> value (value @");
    buf_append(out, pair.value_id.p, pair.value_id.len);
    buf_printf(out, ") pair in WeakMap (table @%llu)", (unsigned long long)pair.table);
}

static void
redact_element(const struct redaction *r, struct span name, struct buf *out)
{
    size_t from = span_starts(name, "Detached ") ? strlen("Detached ") : 0;
    const uint8_t *space = name.len > from ? memchr(name.p + from, ' ', name.len - from) : NULL;
    size_t head = space == NULL ? name.len : (size_t)(space - name.p) + 1;
    size_t end = name.len > head && name.p[name.len - 1] == '>' ? name.len - 1 : name.len;

    buf_append(out, name.p, head);
    if (space == NULL)
        return;
    keyed_text(&r->keyed, span_of(name.p + head, end - head), out);
    buf_byte(out, '>');
}

static bool
redact_text(void *data, uint32_t string, struct buf *out)
{
    const struct redaction *r = data;
    struct span s = heap_string(r->h, string);

    switch (r->fate[string]) {
    case FATE_KEEP:
        buf_append(out, s.p, s.len);
        break;
    case FATE_PAIR:
        redact_pair(r, s, out);
        break;
    case FATE_ELEMENT:
        redact_element(r, s, out);
        break;
    default:
        redact_name(r, s, out);
        break;
    }
    return !out->failed;
}

gbx_status
gbx_heap_redact(int32_t from, int32_t to, const uint8_t *key, const gbx_heap_options *options,
    gbx_error *error)
{
    gbx_heap_options own;
    uint8_t chosen[KEYED_BYTES];
    struct redaction r = { .h = NULL };
    gbx_heap *h = NULL;
    gbx_status status = heap_read_options(&own, options, GBX_HEAP_PACKED, error);

    _Static_assert(KEYED_BYTES == GBX_HEAP_KEY_BYTES, "the key is SipHash's");
    if (status != GBX_OK)
        return status;
    if (key == NULL && getrandom(chosen, sizeof chosen, 0) != sizeof chosen)
        return fail_errno(error, "cannot choose a key");
    keyed_init(&r.keyed, key == NULL ? chosen : key);
    explicit_bzero(chosen, sizeof chosen);
    status = heap_load_fd(from, &own, &h, error);
    if (status != GBX_OK)
        return status;
    r.h = h;
    struct heap_part part = { .detachedness = h->detached != NULL,
        .extra_native_bytes = h->extra_native_bytes,
        .text = redact_text,
        .data = &r };
    status = decide(&r) ? heap_write(h, &part, to, &own, error)
                        : fail(error, GBX_ENOMEM, "out of memory");
    memory_free(r.fate, h->strings.count, sizeof *r.fate);
    memory_free(r.slots, r.slot_count, sizeof *r.slots);
    explicit_bzero(&r.keyed, sizeof r.keyed);
    gbx_heap_close(h);
    return status;
}
