/* front_matter.h - what a file of test262 says of itself, in the comment that begins and ends with
 * three dashes: YAML, of which only these forms occur: `key: value`, `key: [a, b]`, and a key with
 * indented lines below it. */
#ifndef TEST_CONFORMANCE_FRONT_MATTER_H
#define TEST_CONFORMANCE_FRONT_MATTER_H

#include <stdbool.h>
#include <stddef.h>

enum {
    INCLUDES_MAX = 24,
    NAME_MAX_BYTES = 64,
    FEATURES_MAX_BYTES = 1024
};

struct front_matter {
    bool only_strict, no_strict, module, raw, async;
    char negative[NAME_MAX_BYTES];     /* the error that it must end with; "": none */
    char features[FEATURES_MAX_BYTES]; /* each between commas */
    char include[INCLUDES_MAX][NAME_MAX_BYTES];
    size_t includes;
};

/* False: there is none, or it has more than there is room for. */
bool front_matter_read(const char *source, struct front_matter *out);
bool front_matter_has(const struct front_matter *test, const char *feature);

#endif
