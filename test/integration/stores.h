/* stores.h - what the tests of the store share. */
#ifndef TEST_INTEGRATION_STORES_H
#define TEST_INTEGRATION_STORES_H

#include "snapshots.h"

#include <glovebox/store.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A heap snapshot, made once for the test. */
static inline const char *
sample(void)
{
    static char path[256];

    if (path[0] == '\0') {
        struct world w = world_open(NULL);
        (void)snprintf(path, sizeof path, "%s", in_scratch("sample"));
        eval_only(w.context, "globalThis.Needle = class Needle {}; globalThis.haystack = "
                             "Array.from({ length: 100 }, () => new Needle())");
        settle(take(w.isolate, path, GBX_SNAPSHOT_ZSTD), GBX_OK);
        world_close(&w);
    }
    return path;
}

static inline gbx_store *
open_with(const gbx_store_options *options)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_store *store = NULL;

    cr_assert_eq(gbx_store_open(in_scratch("store"), options, &store, &error), GBX_OK, "%s",
        error.message);
    return store;
}

static inline uint64_t
add(gbx_store *store, const char *label)
{
    gbx_error error = GBX_ERROR_INIT;
    uint64_t id = 0;

    cr_assert_eq(
        gbx_store_add(store, sample(), label, &id, &error), GBX_OK, "%s", error.message);
    return id;
}

static inline uint32_t
list(gbx_store *store, const char *label, gbx_store_entry **out)
{
    gbx_error error = GBX_ERROR_INIT;
    uint32_t count = 0;

    cr_assert_eq(
        gbx_store_list(store, label, out, &count, &error), GBX_OK, "%s", error.message);
    return count;
}

static inline uint32_t
count_of(gbx_store *store, const char *label)
{
    gbx_store_entry *entries = NULL;
    uint32_t count = list(store, label, &entries);

    free(entries);
    return count;
}

static inline bool
has(gbx_store *store, uint64_t id)
{
    gbx_store_entry *entries = NULL;
    uint32_t count = list(store, NULL, &entries);
    bool found = false;

    for (uint32_t i = 0; i < count; i++)
        found |= entries[i].id == id;
    free(entries);
    return found;
}

static inline void
refuses(const char *directory, const gbx_store_options *options, gbx_status status,
    const char *text)
{
    gbx_error error = GBX_ERROR_INIT;
    gbx_store *store = NULL;
    gbx_status got = gbx_store_open(directory, options, &store, &error);

    cr_assert_eq(got, status, "%d: %s", got, error.message);
    cr_assert_not_null(strstr(error.message, text), "%s", error.message);
    cr_assert_null(store);
}

/* Names in the store's directory that begin so. */
static inline size_t
names_with(const char *prefix, const char *suffix)
{
    DIR *directory = opendir(in_scratch("store"));
    size_t count = 0;

    cr_assert_not_null(directory);
    for (const struct dirent *e; (e = readdir(directory)) != NULL;) {
        size_t len = strlen(e->d_name);
        count += strncmp(e->d_name, prefix, strlen(prefix)) == 0 && len >= strlen(suffix) &&
                 strcmp(e->d_name + len - strlen(suffix), suffix) == 0;
    }
    (void)closedir(directory);
    return count;
}

static inline void
write_file(const char *path, const void *bytes, size_t len)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
    (void)close(fd);
}

static inline const char *
in_store(const char *name)
{
    char both[128];

    (void)snprintf(both, sizeof both, "store/%s", name);
    return in_scratch(both);
}

#endif
