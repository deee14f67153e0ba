/* thrown.h - what crosses of something thrown, from a guest and to one.
 *
 * Structured clone leaves most of an error behind: it has seven names and no properties. So what
 * is thrown goes as an item, a byte and what belongs to it; numbers are little-endian u32:
 *
 *     item:     VALUE [bytes], a clone
 *               ERROR name, message, stack, [properties], { text, item } for each
 *               LIST  [items], items: an array of errors
 *               ABOVE [depth]: the error that far from the outermost, which is 0, of those that
 *                     this one is in
 *     text:     [bytes], UTF-8; NO_TEXT: there is none
 *
 * How deep and how many: THROWN_DEPTH_MAX and THROWN_ITEMS_MAX.
 */
#ifndef BASE_THROWN_H
#define BASE_THROWN_H

enum thrown_kind {
    THROWN_VALUE,
    THROWN_ERROR,
    THROWN_LIST,
    THROWN_ABOVE
};

#define THROWN_NO_TEXT 0xFFFFFFFFu

#endif
