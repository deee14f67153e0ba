/* cmd_heap_graph.c - node, retainers, path, dominators, contain: answers about one node. */
#include "base/check.h"
#include "cli/heap.h"

#include <stdlib.h>
#include <string.h>

/* The node of a class that retains most. */
static bool
largest_of_class(gbx_heap *heap, uint32_t nodes, const char *class, uint32_t *out_node)
{
    uint64_t most = 0;
    bool found = false;
    gbx_heap_totals totals;

    if (gbx_heap_get_totals(heap, &totals) != GBX_OK)
        return false;
    char *wanted =
        calloc(totals.classes, 1); /* several may have the name, of different files */
    for (uint32_t i = 0; wanted != NULL && i < totals.classes; i++) {
        char *name = heap_name(heap, i, gbx_heap_class_name);
        wanted[i] = name != NULL && strcmp(name, class) == 0;
        free(name);
    }
    for (uint32_t v = 0; wanted != NULL && v < nodes; v++) {
        gbx_heap_node n;
        if (gbx_heap_get_node(heap, v, &n) != GBX_OK || wanted[n.class_index] == 0 ||
            (found && n.retained <= most))
            continue;
        most = n.retained;
        *out_node = v;
        found = true;
    }
    free(wanted);
    return found;
}

int
heap_find_node(struct heap_run *run, uint32_t *out_node)
{
    const char *word = run->word_count > 0 ? run->words[0] : "@1";
    const char *digits = word[0] == '@' ? word + 1 : word;
    gbx_heap_totals totals;
    char *end = NULL;

    if (run->word_count == 0) {
        *out_node = 0;
        return OUTCOME_OK;
    }
    unsigned long id = strtoul(digits, &end, 10);
    if (digits[0] >= '0' && digits[0] <= '9' && *end == '\0') {
        gbx_status status =
            id > UINT32_MAX ? GBX_EINVAL : gbx_heap_find(run->heaps[0], (uint32_t)id, out_node);
        if (status == GBX_ENOMEM)
            return heap_no_memory();
        return status == GBX_OK ? OUTCOME_OK
                                : complain(OUTCOME_USAGE, "heap: there is no node %s", word);
    }
    if (gbx_heap_get_totals(run->heaps[0], &totals) != GBX_OK)
        return heap_no_memory();
    if (!largest_of_class(run->heaps[0], totals.nodes, word, out_node))
        return complain(OUTCOME_USAGE, "heap: there is no class %s; a node's id is @ID", word);
    return OUTCOME_OK;
}

/* --- rows ------------------------------------------------------------------------------- */

static const struct column node_columns[] = { { "id", "id", COLUMN_ID },
    { "distance", "distance", COLUMN_DISTANCE }, { "shallow", "shallow", COLUMN_BYTES },
    { "retained", "retained", COLUMN_BYTES }, { "type", "", COLUMN_TEXT },
    { "class", "", COLUMN_TEXT }, { "name", "name", COLUMN_TEXT } };

/* The same for people, who see a node as one text. */
static const struct column text_columns[] = { { "id", "id", COLUMN_ID },
    { "distance", "distance", COLUMN_DISTANCE }, { "shallow", "shallow", COLUMN_BYTES },
    { "retained", "retained", COLUMN_BYTES }, { "name", "name", COLUMN_TEXT } };
static const struct column edge_columns[] = { { "id", "id", COLUMN_ID },
    { "distance", "distance", COLUMN_DISTANCE }, { "shallow", "shallow", COLUMN_BYTES },
    { "retained", "retained", COLUMN_BYTES }, { "type", "", COLUMN_TEXT },
    { "class", "", COLUMN_TEXT }, { "name", "", COLUMN_TEXT }, { "edge", "", COLUMN_TEXT },
    { "edge_type", "", COLUMN_TEXT } };

static struct table
node_table(const struct heap_run *run, bool edges)
{
    if (!run->options.json)
        return (struct table){ .columns = text_columns, .column_count = COUNT(text_columns) };
    return (struct table){ .columns = edges ? edge_columns : node_columns,
        .column_count = edges ? COUNT(edge_columns) : COUNT(node_columns) };
}

static char *
text_of(const char *format, const char *a, const char *b, const char *c)
{
    struct buf text = { .max = UINT32_MAX };

    /* The format's three, in this order. */
    for (const char *p = format; *p != '\0'; p++)
        if (*p == 'a' || *p == 'b' || *p == 'c')
            buf_text(&text, *p == 'a' ? a : *p == 'b' ? b : c);
        else
            buf_byte(&text, (uint8_t)*p);
    return heap_text_of(&text);
}

/* A node as people see it: its name, and its class where that says more. */
static char *
node_text(const gbx_heap *heap, uint32_t v, const gbx_heap_node *n)
{
    char *name = heap_name(heap, v, gbx_heap_node_name);
    char *class = heap_name(heap, n->class_index, gbx_heap_class_name);
    char *text = NULL;

    if (name != NULL && class != NULL) {
        if (strstr(n->type, "string") != NULL)
            text = text_of("\"a\"", name, class, "");
        else if (strcmp(name, class) == 0)
            text = text_of("a", name, class, "");
        else
            text = text_of("b a", name, class, "");
    }
    free(name);
    free(class);
    return text;
}

/* A row about a node, and about the edge that leads to or from it. `edge` may be UINT32_MAX. */
static bool
add_row(struct heap_run *run, struct table *t, uint32_t v, uint32_t edge)
{
    const gbx_heap *heap = run->heaps[0];
    gbx_heap_node n;
    gbx_heap_edge e = { .type = "" };

    if (gbx_heap_get_node(heap, v, &n) != GBX_OK)
        return false;
    char *name =
        run->options.json ? heap_name(heap, v, gbx_heap_node_name) : node_text(heap, v, &n);
    char *by = edge == UINT32_MAX ? NULL : heap_name(heap, edge, gbx_heap_edge_name);
    if (name != NULL && !heap_is_wanted(run, name)) {
        free(name);
        free(by);
        return false;
    }
    table_number(t, n.id);
    table_number(t, n.distance);
    table_number(t, (int64_t)n.shallow);
    table_number(t, (int64_t)n.retained);
    if (!run->options.json) {
        table_text(t, by == NULL || name == NULL ? name : text_of("a  b", by, name, ""));
        if (by != NULL)
            free(name);
        free(by);
        return true;
    }
    table_text(t, strdup(n.type));
    table_text(t, heap_name(heap, n.class_index, gbx_heap_class_name));
    table_text(t, name);
    if (edge != UINT32_MAX && gbx_heap_get_edge(heap, edge, &e) == GBX_OK) {
        table_text(t, by);
        table_text(t, strdup(e.type));
    }
    return true;
}

/* --- the subcommands -------------------------------------------------------------------- */

int
heap_node(struct heap_run *run)
{
    struct table t = node_table(run, false);
    uint32_t node = 0;
    gbx_heap_node n;
    int outcome = heap_find_node(run, &node);

    if (outcome != OUTCOME_OK)
        return outcome;
    run->options.filter = NULL;
    (void)add_row(run, &t, node, UINT32_MAX);
    outcome = table_print(&t, run);
    if (outcome != OUTCOME_OK || run->options.json ||
        gbx_heap_get_node(run->heaps[0], node, &n) != GBX_OK)
        return outcome;
    out_printf(out(), "\n%s, %u edges", n.type, n.edge_count);
    if (n.line > 0)
        out_printf(out(), ", script %u line %u column %u", n.script, n.line, n.column);
    out_text(out(), n.detached == 2 ? ", detached\n" : "\n");
    return OUTCOME_OK;
}

int
heap_contain(struct heap_run *run)
{
    struct table t = node_table(run, true);
    uint32_t node = 0;
    gbx_heap_node n;
    gbx_heap_edge e;
    int outcome = heap_find_node(run, &node);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (gbx_heap_get_node(run->heaps[0], node, &n) != GBX_OK)
        return heap_no_memory();
    for (uint32_t i = 0; i < n.edge_count; i++)
        if (gbx_heap_get_edge(run->heaps[0], n.first_edge + i, &e) == GBX_OK &&
            strcmp(e.type, "invisible") != 0)
            (void)add_row(run, &t, e.to, n.first_edge + i);
    return table_print(&t, run);
}

int
heap_retainers(struct heap_run *run)
{
    struct table t = node_table(run, true);
    const uint32_t *edges = NULL;
    uint32_t node = 0, count = 0;
    gbx_heap_edge e;
    int outcome = heap_find_node(run, &node);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (gbx_heap_retainers(run->heaps[0], node, &edges, &count) != GBX_OK)
        return heap_no_memory();
    for (uint32_t i = 0; i < count; i++)
        if (gbx_heap_get_edge(run->heaps[0], edges[i], &e) == GBX_OK && e.from != 0 &&
            strcmp(e.type, "weak") != 0 && strcmp(e.type, "invisible") != 0)
            (void)add_row(run, &t, e.from, edges[i]);
    return table_print(&t, run);
}

int
heap_dominators(struct heap_run *run)
{
    struct table t = node_table(run, false);
    const uint32_t *nodes = NULL;
    uint32_t node = 0, count = 0;
    int outcome = heap_find_node(run, &node);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (gbx_heap_dominated(run->heaps[0], node, &nodes, &count) != GBX_OK)
        return heap_no_memory();
    for (uint32_t i = 0; i < count; i++)
        (void)add_row(run, &t, nodes[i], UINT32_MAX);
    return table_print(&t, run);
}

/* "Session @41 is alive because ..." */
static void
say_why(struct heap_run *run, uint32_t node, const uint32_t *edges, uint32_t count)
{
    gbx_heap *heap = run->heaps[0];
    gbx_heap_node n;
    gbx_heap_edge e;

    if (gbx_heap_get_node(heap, node, &n) != GBX_OK)
        return;
    if (count == 0) {
        out_text(out(), n.distance == GBX_HEAP_UNREACHED
                            ? "Nothing keeps it alive: it is garbage, or held weakly.\n"
                            : "It is a root.\n");
        return;
    }
    if (gbx_heap_get_edge(heap, edges[0], &e) != GBX_OK ||
        gbx_heap_get_node(heap, e.from, &n) != GBX_OK)
        return;
    char *from = node_text(heap, e.from, &n);
    if (gbx_heap_get_node(heap, node, &n) == GBX_OK && from != NULL) {
        out_printf(out(), "\n@%u is alive since %s", n.id,
            n.distance >= GBX_HEAP_SYSTEM ? "V8 itself, by " : "");
        heap_put_text(from, 60);
        out_text(out(), " leads to it");
        if (n.dominator != 0 && gbx_heap_get_node(heap, n.dominator, &n) == GBX_OK)
            out_printf(out(), "; it would be freed with @%u", n.id);
        out_text(out(), ".\n");
    }
    free(from);
}

int
heap_path(struct heap_run *run)
{
    struct table t = node_table(run, true);
    uint32_t *edges = NULL;
    uint32_t node = 0, count = 0;
    gbx_heap_edge e;
    int outcome = heap_find_node(run, &node);

    if (outcome != OUTCOME_OK)
        return outcome;
    if (gbx_heap_path(run->heaps[0], node, &edges, &count) != GBX_OK)
        return heap_no_memory();
    run->options.filter = run->options.sort = NULL;
    run->top = 0;
    for (uint32_t i = 0; i < count; i++)
        if (gbx_heap_get_edge(run->heaps[0], edges[i], &e) == GBX_OK) {
            if (i == 0 && !run->options.json)
                (void)add_row(run, &t, e.from, UINT32_MAX);
            (void)add_row(run, &t, e.to, edges[i]);
        }
    outcome = table_print(&t, run);
    if (outcome == OUTCOME_OK && !run->options.json)
        say_why(run, node, edges, count);
    free(edges);
    return outcome;
}
