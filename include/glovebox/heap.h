/* glovebox/heap.h - V8 heap snapshots, read and asked. A library of its own: libglovebox-heap.
 *
 * Reads what glovebox, Node.js and Chromium write (.heapsnapshot, also compressed with zstd),
 * whoever made it: a file that is cut, damaged or hostile is refused with the byte and the
 * section. All numbers are those of Chrome DevTools: sizes include the backing stores that an
 * object owns, classes are by constructor and place, plain objects by the properties that many
 * of them share.
 *
 * A node is a number from 0, the root, to node_count - 1; an edge one from 0 to edge_count - 1,
 * and those of a node follow each other. An opened heap is never changed: several threads may
 * ask it at once, but for what is said to be made at the first call. /
 */
#ifndef GLOVEBOX_HEAP_H
#define GLOVEBOX_HEAP_H

#include <glovebox/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbx_heap gbx_heap;

/* Called at the beginning of each section of a snapshot that is read, and now and then within it.
 * `total` is the size of the file, or 0 when that is not known; `done` counts what was
 * decompressed, to within 128 KiB. Another answer than 0 gives up. */
typedef int32_t (*gbx_heap_progress)(
    const char *section, uint64_t done, uint64_t total, void *data);

enum {
    GBX_HEAP_ONE_THREAD = 1, /* start no thread */
    GBX_HEAP_PACKED = 2      /* of gbx_heap_convert() only: compress with zstd */
};

/* Zero is the default. Fields are only ever appended. */
typedef struct gbx_heap_options {
    uint32_t size;              /* sizeof(gbx_heap_options); GBX_HEAP_OPTIONS_INIT sets it */
    uint32_t flags;             /* GBX_HEAP_... bits */
    gbx_heap_progress progress; /* may be NULL */
    void *data;                 /* handed to it */
} gbx_heap_options;
#define GBX_HEAP_OPTIONS_INIT                   \
    {                                           \
        sizeof(gbx_heap_options), 0, NULL, NULL \
    }

/**
 * Reads a snapshot and computes all its sizes, distances, classes and dominators.
 *
 * Takes about 0.1 s and 150 MB for 100 MB of file.
 *
 * @param path      of the file.
 * @param options   copied; NULL for the defaults.
 * @param out_heap  set only on GBX_OK; release with gbx_heap_close().
 * @param error     filled on failure only; may be NULL. What is wrong in the file is said with the
 *                  section and the byte.
 * @return GBX_OK; GBX_EINVAL: it is no whole snapshot, or an option is wrong; GBX_EUNSUPPORTED;
 *         GBX_ETERMINATED: progress gave up; GBX_ENOMEM; GBX_ESYS.
 * @blocks as said.   @threads any.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_heap_open_file(GBX_BORROW const char *path,
    GBX_BORROW const gbx_heap_options *options, GBX_OWN gbx_heap **out_heap, gbx_error *error);

/**
 * Does the same with what a descriptor has from where it stands: a file, a pipe, a socket.
 *
 * @param fd        stays the caller's.
 * @param options   as for gbx_heap_open_file().
 * @param out_heap  likewise.
 * @param error     likewise.
 * @return as gbx_heap_open_file().
 * @blocks until the writer of a pipe has ended.   @threads any.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_heap_open_fd(int32_t fd,
    GBX_BORROW const gbx_heap_options *options, GBX_OWN gbx_heap **out_heap, gbx_error *error);

/**
 * Does the same with bytes in memory, which are needed during the call only.
 *
 * @param bytes     of a snapshot.
 * @param len       how many.
 * @param options   as for gbx_heap_open_file().
 * @param out_heap  likewise.
 * @param error     likewise.
 * @return as gbx_heap_open_file().
 * @blocks as said there.   @threads any.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_heap_open_memory(GBX_BORROW const void *bytes, uint64_t len,
    GBX_BORROW const gbx_heap_options *options, GBX_OWN gbx_heap **out_heap, gbx_error *error);

/**
 * Frees a heap and all that it lent. NULL is fine.
 *
 * @threads one, when no other uses it.   @since 0.1
 */
GBX_API void gbx_heap_close(GBX_OWN gbx_heap *heap);

/* Sums over all nodes, in bytes where nothing else is said. What is neither native nor one of
 * code to system is other JavaScript objects. */
typedef struct gbx_heap_totals {
    uint32_t nodes, edges, strings, classes; /* counts */
    uint64_t file_bytes;                     /* of the snapshot, decompressed */
    uint64_t total;                          /* all; what the root retains, and extra_native */
    uint64_t extra_native;                   /* outside of the heap, as the file says */
    uint64_t native, typed_arrays;           /* native includes both the others */
    uint64_t code, strings_bytes, arrays, system;
} gbx_heap_totals;

/**
 * Tells the sums.
 *
 * @param out_totals  filled.
 * @return GBX_OK; GBX_ENOMEM: lists of retainers are made at the first call.
 * @blocks for the first call: 50 ms for a million edges.   @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_heap_get_totals(
    GBX_BORROW gbx_heap *heap, GBX_BORROW gbx_heap_totals *out_totals);

#define GBX_HEAP_UNREACHED (-5)      /* distance: no edge leads there */
#define GBX_HEAP_SYSTEM    100000000 /* distance: this and more is reached from V8's roots only */

typedef struct gbx_heap_node {
    const char *type;     /* as the file calls it; lent until the heap is closed */
    uint32_t id;          /* the same in all snapshots of an isolate */
    uint32_t class_index; /* for gbx_heap_class_name() */
    uint64_t shallow;     /* bytes */
    uint64_t retained;    /* bytes that would be freed with it */
    int32_t distance;     /* edges from a root; GBX_HEAP_... */
    uint32_t dominator;   /* the node without which it would be free; the root's is the root */
    uint32_t first_edge;  /* of edge_count that follow each other */
    uint32_t edge_count;
    uint32_t detached;     /* 0: unknown; 1: of a document; 2: of none any more */
    uint32_t script;       /* where its constructor or function is; 0: unknown */
    uint32_t line, column; /* counted from 1 */
} gbx_heap_node;

/**
 * Tells about a node.
 *
 * @param node      its number.
 * @param out_node  filled on GBX_OK.
 * @return GBX_OK; GBX_EINVAL: there is no such node.
 * @threads any.   @since 0.1
 */
GBX_API gbx_status gbx_heap_get_node(
    GBX_BORROW const gbx_heap *heap, uint32_t node, GBX_BORROW gbx_heap_node *out_node);

/**
 * Finds the node with an id.
 *
 * @param id        of gbx_heap_node.
 * @param out_node  its number, on GBX_OK.
 * @return GBX_OK; GBX_EINVAL: there is none; GBX_ENOMEM: an index is made at the first call.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_heap_find(GBX_BORROW gbx_heap *heap, uint32_t id, uint32_t *out_node);

typedef struct gbx_heap_edge {
    const char *type;  /* as the file calls it; lent until the heap is closed */
    uint32_t from, to; /* nodes */
    uint32_t index;    /* of elements and hidden ones; else 0 */
    uint32_t named;    /* 1: gbx_heap_edge_name() has its name */
} gbx_heap_edge;

/**
 * Tells about an edge.
 *
 * @param edge      its number.
 * @param out_edge  filled on GBX_OK.
 * @return GBX_OK; GBX_EINVAL: there is no such edge.
 * @threads any.   @since 0.1
 */
GBX_API gbx_status gbx_heap_get_edge(
    GBX_BORROW const gbx_heap *heap, uint32_t edge, GBX_BORROW gbx_heap_edge *out_edge);

/**
 * Writes the name that DevTools shows for a node: a string's text, a function's name, the
 * properties of a plain object.
 *
 * The text is UTF-8; lone surrogates became U+FFFD. It is cut at a character's end where `size`
 * ends, and ends with a NUL. It may have control characters, and NULs, in it: what a guest named
 * so.
 *
 * @param node  its number; one that is not there has no name.
 * @param out   `size` bytes; may be NULL if that is 0.
 * @param size  0 writes nothing.
 * @return bytes of the whole name, without the NUL.
 * @threads any.   @since 0.1
 */
GBX_API uint64_t gbx_heap_node_name(
    GBX_BORROW const gbx_heap *heap, uint32_t node, GBX_BORROW char *out, uint64_t size);

/**
 * Writes an edge as one would in a program: .name, [3], or {name} for what only V8 sees.
 *
 * @param edge  its number.
 * @param out   as for gbx_heap_node_name().
 * @param size  likewise.
 * @return bytes of the whole text, without the NUL.
 * @threads any.   @since 0.1
 */
GBX_API uint64_t gbx_heap_edge_name(
    GBX_BORROW const gbx_heap *heap, uint32_t edge, GBX_BORROW char *out, uint64_t size);

/**
 * Writes the name of a class: a constructor's, or "{a, b}" for a shape of plain objects.
 *
 * @param class_index  of gbx_heap_node or gbx_heap_class.
 * @param out          as for gbx_heap_node_name().
 * @param size         likewise.
 * @return bytes of the whole text, without the NUL.
 * @threads any.   @since 0.1
 */
GBX_API uint64_t gbx_heap_class_name(
    GBX_BORROW const gbx_heap *heap, uint32_t class_index, GBX_BORROW char *out, uint64_t size);

typedef struct gbx_heap_class {
    uint32_t class_index;  /* for gbx_heap_class_name() */
    uint32_t count;        /* nodes with a size */
    uint64_t shallow;      /* bytes, their sum */
    uint64_t retained;     /* bytes that are freed with all of them: nothing counts twice */
    int32_t distance;      /* the least */
    uint32_t script;       /* where the constructor is; 0: unknown */
    uint32_t line, column; /* counted from 1 */
} gbx_heap_class;

/**
 * Lends DevTools' Summary: a row for each class that has a node with a size, by retained size.
 *
 * @param out_rows   until the heap is closed.
 * @param out_count  how many.
 * @return GBX_OK; GBX_ENOMEM: it is made at the first call.
 * @blocks for the first call: 50 ms for a million nodes.   @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_heap_summary(
    GBX_BORROW gbx_heap *heap, GBX_BORROW const gbx_heap_class **out_rows, uint32_t *out_count);

/**
 * Lends the edges that lead to a node, in the order of the file, all types.
 *
 * @param node       its number.
 * @param out_edges  until the heap is closed.
 * @param out_count  how many.
 * @return GBX_OK; GBX_EINVAL: there is no such node; GBX_ENOMEM: made at the first call.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_heap_retainers(GBX_BORROW gbx_heap *heap, uint32_t node,
    GBX_BORROW const uint32_t **out_edges, uint32_t *out_count);

/**
 * Lends the nodes that a node dominates immediately, largest retained size first.
 *
 * @param node       its number.
 * @param out_nodes  until the heap is closed.
 * @param out_count  how many.
 * @return GBX_OK; GBX_EINVAL: there is no such node; GBX_ENOMEM: made at the first call.
 * @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_heap_dominated(GBX_BORROW gbx_heap *heap, uint32_t node,
    GBX_BORROW const uint32_t **out_nodes, uint32_t *out_count);

/**
 * Finds a shortest way from a root to a node, over edges that keep it alive.
 *
 * @param node       its number.
 * @param out_edges  to be freed with free(); the first leaves a root or the root itself. NULL if
 *                   there is none: the node is the root, or not reached.
 * @param out_count  how many.
 * @return GBX_OK; GBX_EINVAL: there is no such node; GBX_ENOMEM.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_heap_path(GBX_BORROW gbx_heap *heap, uint32_t node,
    GBX_OWN uint32_t **out_edges, uint32_t *out_count);

typedef struct gbx_heap_change {
    uint32_t class_index;    /* of `current`, or of `base` if in_base is 1 */
    uint32_t in_base;        /* 1: no node of the class is in `current` */
    uint32_t added, removed; /* nodes, by their ids */
    uint64_t added_bytes, removed_bytes;
} gbx_heap_change;

/**
 * Compares two snapshots of one isolate, as DevTools' Comparison does.
 *
 * @param base       the earlier one.
 * @param current    the later one.
 * @param out_rows   to be freed with free(): classes with a change, most added bytes first. NULL if
 *                   there are none.
 * @param out_count  how many.
 * @return GBX_OK; GBX_ENOMEM.
 * @threads one at a time, and no other call on either heap meanwhile.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_heap_diff(GBX_BORROW gbx_heap *base,
    GBX_BORROW gbx_heap *current, GBX_OWN gbx_heap_change **out_rows, uint32_t *out_count);

typedef struct gbx_heap_same {
    uint32_t node;     /* one of them */
    uint32_t count;    /* strings of the same text */
    uint64_t shallow;  /* bytes, of all */
    uint64_t retained; /* bytes, of all */
} gbx_heap_same;

/**
 * Finds strings that are there more than once.
 *
 * @param out_rows   to be freed with free(), most shallow bytes first; NULL if there are none.
 * @param out_count  how many.
 * @return GBX_OK; GBX_ENOMEM.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_heap_duplicates(
    GBX_BORROW const gbx_heap *heap, GBX_OWN gbx_heap_same **out_rows, uint32_t *out_count);

/**
 * Finds the strings that retain most, whole ones: those that are part of one other string only are
 * told with that.
 *
 * @param most       how many at most; 0: all.
 * @param out_nodes  to be freed with free(), most retained bytes first; NULL if there are none.
 * @param out_count  how many.
 * @return GBX_OK; GBX_ENOMEM.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_heap_large_strings(GBX_BORROW const gbx_heap *heap,
    uint32_t most, GBX_OWN uint32_t **out_nodes, uint32_t *out_count);

#define GBX_HEAP_NONE UINT32_MAX /* no node, or no edge */

typedef struct gbx_heap_closure {
    uint32_t context;   /* a node: the variables of a call that functions use after it */
    uint32_t functions; /* that have it as theirs; others may be in blocks within */
    uint32_t function;  /* one of them, or GBX_HEAP_NONE */
    uint32_t variable;  /* the edge of the one that retains most by it alone; or of the first */
    uint64_t retained;  /* bytes */
} gbx_heap_closure;

/**
 * Tells what functions keep alive by the variables that they use.
 *
 * @param out_rows   to be freed with free(): contexts with a variable, most retained bytes first;
 *                   NULL if there are none.
 * @param out_count  how many.
 * @return GBX_OK; GBX_ENOMEM.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_heap_closures(
    GBX_BORROW const gbx_heap *heap, GBX_OWN gbx_heap_closure **out_rows, uint32_t *out_count);

enum {
    GBX_HEAP_MAP = 1, /* these and subclasses */
    GBX_HEAP_SET,
    GBX_HEAP_WEAK_MAP,
    GBX_HEAP_WEAK_SET,
    GBX_HEAP_ARRAY,
    GBX_HEAP_DICTIONARY /* an object whose properties V8 hashes: many, or some were deleted */
};

typedef struct gbx_heap_collection {
    uint32_t node;
    uint32_t kind;     /* GBX_HEAP_... */
    uint32_t entries;  /* that are seen: those of small numbers only are not in a snapshot */
    uint32_t slots;    /* entries it has room for */
    uint64_t bytes;    /* of it and its table */
    uint64_t retained; /* bytes */
} gbx_heap_collection;

/**
 * Finds collections with room for 32 entries and more, and tells how full they are.
 *
 * @param out_rows   to be freed with free(), most retained bytes first; NULL if there are none.
 * @param out_count  how many.
 * @return GBX_OK; GBX_ENOMEM.
 * @threads any.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_heap_collections(GBX_BORROW const gbx_heap *heap,
    GBX_OWN gbx_heap_collection **out_rows, uint32_t *out_count);

/**
 * Copies a snapshot from one descriptor to another: unpacked, or packed with GBX_HEAP_PACKED. What
 * comes may be either. Its contents are not looked at.
 *
 * @param from     stays the caller's.
 * @param to       likewise; what was written stays there on failure.
 * @param options  copied; NULL for the defaults.
 * @param error    filled on failure only; may be NULL.
 * @return GBX_OK; GBX_EINVAL: what is packed is damaged, or an option is wrong; GBX_EUNSUPPORTED;
 *         GBX_ETERMINATED: progress gave up; GBX_ENOMEM; GBX_ESYS.
 * @blocks while it copies.   @threads any.   @since 0.1
 */
GBX_API gbx_status gbx_heap_convert(
    int32_t from, int32_t to, GBX_BORROW const gbx_heap_options *options, gbx_error *error);

/**
 * Tells which native context, that is which global object, a node belongs to.
 *
 * @param node  its number.
 * @return the node of the context; -1: none, or no such node; -2: several.
 * @threads any.   @since 0.1
 */
GBX_API int64_t gbx_heap_context(GBX_BORROW const gbx_heap *heap, uint32_t node);

#ifdef __cplusplus
}
#endif
#endif
