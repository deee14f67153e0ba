/* show.h - what the parts of gbx_value_to_text() share: show_leaf.c writes what has no
 * contents, show_layout.c arranges the entries of a container, value_text.c walks.
 *
 * Runs in:  host.
 * Trusts:   no text of a value: whatever could act on a terminal is escaped. The only control
 *           characters that come out are newlines of the layout and our own colours.
 * Threads:  one at a time.
 *
 * The rules are those of Node's util.inspect(), so that people find what they know.
 */
#ifndef WIRE_SHOW_H
#define WIRE_SHOW_H

#include "base/buf.h"
#include "wire/node_map.h"
#include "wire/value.h"

enum show_style {
    STYLE_NONE,
    STYLE_NUMBER, /* and booleans and BigInts */
    STYLE_STRING,
    STYLE_UNDEFINED,
    STYLE_NULL,
    STYLE_SPECIAL, /* what stands for something that is not shown */
    STYLE_DATE,
    STYLE_REGEXP
};

/* One line-up item of a container, complete, as bytes of show.out. */
struct show_entry {
    size_t start, len;
    uint32_t units;   /* UTF-16, colours not counted: what line lengths are measured in */
    uint32_t columns; /* on a terminal */
    bool newline;     /* has one */
};

/* A container that is being written. Its finished entries are the last of show.entries, and
 * nothing behind `text` in show.out belongs to another one. */
struct show_frame {
    const gbx_value *node;
    size_t text;     /* where its text begins in show.out */
    size_t item;     /* where the current entry begins */
    size_t entries;  /* its first one */
    uint32_t indent; /* columns */
    uint32_t at;     /* props or items done */
    uint32_t index;  /* of an array: the element that comes next */
    uint8_t phase;   /* enum phase of value_text.c */
    bool open;       /* an entry has begun */
    bool value_next; /* of a map's entry: the key is written */
};

struct show {
    struct buf out;
    struct buf scratch; /* one container while it is arranged */
    struct show_entry *entries;
    size_t entry_count, entry_capacity;
    struct show_frame *frames;
    uint32_t frame_count;
    uint32_t deepest;         /* level of the container that was entered last */
    struct node_map circular; /* nodes that something inside them refers to, numbered from 1 */
    gbx_status status;
    bool color;
    uint32_t depth, items, characters, width;
};

/* --- show_leaf.c ----------------------------------------------------------------------- */

void style_on(struct show *s, enum show_style style);
void style_off(struct show *s, enum show_style style);
void show_word(struct show *s, enum show_style style, const char *word);
/* In quotes; a long one is broken at its newlines. */
void show_string(struct show *s, const struct text *text, uint32_t indent, bool styled);
/* A key as it stands in an object. */
void show_key(struct show *s, const struct prop *prop);
/* Without quotes: newlines and tabs stay, every newline is followed by `indent` spaces. */
void show_plain(struct show *s, const char *text, size_t len, uint32_t indent);
void show_number(struct show *s, double number);
/* An element of a BigInt64Array or BigUint64Array. */
void show_bigint64(struct show *s, const uint8_t *p, bool has_sign);
/* Anything that has no contents. False: it has some (or may have), nothing was written. */
bool show_leaf(struct show *s, const gbx_value *node, uint32_t indent);
/* What heads an error: its stack, or "[Name: message]". */
void show_error_head(struct show *s, const gbx_value *error, uint32_t indent);
/* The name of the class: "Object", "Uint8Array". */
const char *show_class(const gbx_value *node);

/* --- show_layout.c --------------------------------------------------------------------- */

/* Ends the entry that began at `start` in show.out. */
void show_entry_end(struct show *s, size_t start);
void show_measure(const uint8_t *p, size_t len, struct show_entry *out);
/* Replaces the frame's entries by the whole container: `base` (may be empty) stands before the
 * bracket. `level` counts containers, the outermost is 1. */
void show_arrange(struct show *s, const struct show_frame *frame, struct span base,
    const char *open, const char *close, uint32_t level);

#endif
