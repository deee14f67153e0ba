/* clone_tags.h - the bytes of V8's structured-clone format, version 15.
 *
 * Written down from the behaviour of V8 14.6's v8::ValueSerializer;
 * test/integration/clone_oracle compares with that engine. A number in brackets is a LEB128
 * varint; a text is a tag of its own (ONE_BYTE, TWO_BYTE or UTF8).
 *
 * To a cell large buffers go apart, and to the host those that move, so that they can be used where
 * they arrive:
 *
 *     ATTACHED 0 0 0, u32 bytes of the clone, the clone, { u32 bytes, u8 padding, padding, bytes }
 *
 * in which TRANSFERRED names an attachment, each at most once. Numbers are little-endian, and an
 * attachment's bytes lie at a multiple of ATTACHED_ALIGN from the beginning of the message's body.
 * All other buffers stand where they belong.
 *
 * Everything that is an object has an id, counted from 0 in the order in which the encoder came
 * to it, a container before its contents, a view after its buffer. REFERENCE names an id.
 */
#ifndef WIRE_CLONE_TAGS_H
#define WIRE_CLONE_TAGS_H

enum {
    CLONE_VERSION = 15
};

enum {
    CLONE_ATTACHED = 0xFE, /* in front of a clone with attachments */
    ATTACHED_HEAD = 8,     /* bytes before that clone */
    ATTACHMENT_HEAD = 5,   /* bytes before an attachment's padding */
    ATTACHED_ALIGN = 16
};

enum clone_tag {
    TAG_VERSION = 0xFF, /* [version], once, in front */
    TAG_PADDING = 0,    /* in front of any tag; aligns what follows a TWO_BYTE to 2 */
    TAG_COUNT = '?',    /* [number], of no meaning, in front of a value */
    TAG_HOLE = '-',     /* only as an element of a DENSE */
    TAG_UNDEFINED = '_',
    TAG_NULL = '0',
    TAG_TRUE = 'T',
    TAG_FALSE = 'F',
    TAG_INT32 = 'I',         /* [zigzag] */
    TAG_UINT32 = 'U',        /* [number] */
    TAG_DOUBLE = 'N',        /* 8 bytes */
    TAG_BIGINT = 'Z',        /* [bytes * 2 + sign], bytes of the magnitude */
    TAG_UTF8 = 'S',          /* [bytes], bytes */
    TAG_ONE_BYTE = '"',      /* [bytes], Latin-1 */
    TAG_TWO_BYTE = 'c',      /* [bytes], UTF-16 */
    TAG_REFERENCE = '^',     /* [id] */
    TAG_OBJECT = 'o',        /* key, value, ... */
    TAG_OBJECT_END = '{',    /* [properties] */
    TAG_SPARSE = 'a',        /* [length], key, value, ... */
    TAG_SPARSE_END = '@',    /* [properties] [length] */
    TAG_DENSE = 'A',         /* [length], elements, key, value, ... */
    TAG_DENSE_END = '$',     /* [properties] [length] */
    TAG_DATE = 'D',          /* 8 bytes */
    TAG_TRUE_OBJECT = 'y',   /* */
    TAG_FALSE_OBJECT = 'x',  /* */
    TAG_NUMBER_OBJECT = 'n', /* 8 bytes */
    TAG_BIGINT_OBJECT = 'z', /* as BIGINT */
    TAG_STRING_OBJECT = 's', /* text */
    TAG_REGEXP = 'R',        /* text, [flags] */
    TAG_MAP = ';',           /* key, value, ... */
    TAG_MAP_END = ':',       /* [entries * 2] */
    TAG_SET = '\'',          /* member, ... */
    TAG_SET_END = ',',       /* [members] */
    TAG_BUFFER = 'B',        /* [bytes], bytes */
    TAG_RESIZABLE = '~',     /* [bytes] [max], bytes */
    TAG_TRANSFERRED = 't',   /* [attachment]: a buffer */
    TAG_VIEW = 'V',          /* right after its buffer: [type] [offset] [bytes] [flags] */
    TAG_ERROR = 'r',         /* [type]? [MESSAGE] text? [STACK] text? [CAUSE] value? [END] */
    TAG_WHOLE_ERROR = '!',   /* as OBJECT; ours, for struct clone_host.whole_errors alone */
    TAG_HOST = '\\', /* a record of ours: enum held_tag as a byte, and what belongs to it */
    /* Things that no host value can be. */
    TAG_SHARED_BUFFER = 'u',
    TAG_SHARED = 'p',
    TAG_WASM_MODULE = 'w',
    TAG_WASM_MEMORY = 'm',
};

enum clone_error_tag {
    ERROR_MESSAGE = 'm',
    ERROR_STACK = 's',
    ERROR_CAUSE = 'c',
    ERROR_END = '.'
};

enum {
    VIEW_TRACKING = 1, /* the length follows the buffer's */
    VIEW_RESIZABLE = 2 /* the buffer is resizable */
};

/* Types of views, by gbx_element_type; a DataView's is VIEW_DATA. */
#define VIEW_TYPES "bBCwWdDhfFqQ"
#define VIEW_DATA  '?'

/* Prototypes of errors that have a tag; every other name is written without. */
struct error_name {
    char tag;
    const char *name;
};
#define ERROR_NAMES                                                             \
    {                                                                           \
        { 'E', "EvalError" }, { 'R', "RangeError" }, { 'F', "ReferenceError" }, \
            { 'S', "SyntaxError" }, { 'T', "TypeError" }, { 'U', "URIError" },  \
    }

#endif
