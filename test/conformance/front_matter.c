#include "conformance/front_matter.h"

#include <stdio.h>
#include <string.h>

/* Takes one item of a list that `key` has. False: no room. */
static bool
take(struct front_matter *out, const char *key, const char *item)
{
    if (strcmp(key, "includes") == 0) {
        if (out->includes == INCLUDES_MAX)
            return false;
        (void)snprintf(out->include[out->includes++], NAME_MAX_BYTES, "%s", item);
    } else if (strcmp(key, "features") == 0) {
        size_t used = strlen(out->features);
        if (used + strlen(item) + 3 > sizeof out->features)
            return false;
        (void)snprintf(out->features + used, sizeof out->features - used, "%s%s,",
            used == 0 ? "," : "", item);
    } else if (strcmp(key, "flags") == 0) {
        out->only_strict |= strcmp(item, "onlyStrict") == 0;
        out->no_strict |= strcmp(item, "noStrict") == 0;
        out->module |= strcmp(item, "module") == 0;
        out->raw |= strcmp(item, "raw") == 0;
        out->async |= strcmp(item, "async") == 0;
    } else if (strcmp(key, "negative") == 0 && strncmp(item, "type:", 5) == 0) {
        (void)snprintf(
            out->negative, sizeof out->negative, "%s", item + 5 + strspn(item + 5, " "));
    }
    return true;
}

/* The items of `[a, b]`, of `- a`, or of a line as it is. */
static bool
take_all(struct front_matter *out, const char *key, char *text)
{
    char *rest = NULL;
    const char *between = text[0] == '[' ? "[], " : "";

    text += strncmp(text, "- ", 2) == 0 ? 2 : 0;
    for (char *item = strtok_r(text, *between != '\0' ? between : "\r", &rest); item != NULL;
         item = strtok_r(NULL, *between != '\0' ? between : "\r", &rest))
        if (!take(out, key, item))
            return false;
    return true;
}

bool
front_matter_read(const char *source, struct front_matter *out)
{
    const char *at = strstr(source, "/*---"), *end = at == NULL ? NULL : strstr(at, "---*/");
    char key[NAME_MAX_BYTES] = "", line[4096];

    memset(out, 0, sizeof *out);
    if (end == NULL)
        return false;
    for (at += 5; at < end; at += strcspn(at, "\r\n") + 1) {
        size_t n = strcspn(at, "\r\n"), indent = strspn(at, " ");
        if (n >= sizeof line || indent >= n)
            continue;
        memcpy(line, at + indent, n - indent);
        line[n - indent] = '\0';
        char *colon = indent == 0 ? strchr(line, ':') : NULL, *items = line;
        if (colon != NULL) {
            *colon = '\0';
            (void)snprintf(key, sizeof key, "%.*s", (int)sizeof key - 1, line);
            items = colon + 1 + strspn(colon + 1, " ");
        }
        if (!take_all(out, key, items))
            return false;
    }
    return true;
}

bool
front_matter_has(const struct front_matter *test, const char *feature)
{
    char item[NAME_MAX_BYTES + 2];

    (void)snprintf(item, sizeof item, ",%s,", feature);
    return strstr(test->features, item) != NULL;
}
