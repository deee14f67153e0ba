/* replay.c - runs a fuzz target over a directory of inputs, and over every beginning of each.
 *
 * libFuzzer's own main() does the first half as well, but needs clang.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    INPUT_MAX = 1 << 20, /* bytes of one input; seeds are small */
    CUT_MAX = 4096,      /* an input past this is not cut at every byte: that is quadratic */
};

static size_t
read_file(const char *folder, const char *name, uint8_t *bytes)
{
    char path[4096];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    size_t len = fread(bytes, 1, INPUT_MAX, file);
    (void)fclose(file);
    return len;
}

/* A copy of exactly `len` bytes, so that reading past them is seen. */
static void
run(const uint8_t *bytes, size_t len)
{
    uint8_t *copy = malloc(len == 0 ? 1 : len);

    if (copy == NULL)
        abort();
    for (size_t i = 0; i < len; i++)
        copy[i] = bytes[i];
    (void)LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

int
main(int argc, char **argv)
{
    static uint8_t bytes[INPUT_MAX];
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    unsigned count = 0;

    if (folder == NULL) {
        (void)fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
        return 1;
    }
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        size_t len = read_file(argv[1], entry->d_name, bytes);
        for (size_t cut = 0; len <= CUT_MAX && cut < len; cut++)
            run(bytes, cut);
        run(bytes, len);
        count++;
    }
    (void)closedir(folder);
    (void)printf("%u inputs\n", count);
    return count == 0; /* an empty corpus proves nothing */
}
