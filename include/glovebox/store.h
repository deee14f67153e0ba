/* glovebox/store.h - a directory that keeps heap snapshots, with an index of what they are. A
 * library of its own: libglovebox-store.
 *
 * The directory holds, side by side:
 *
 *     LABEL.YYYYMMDDThhmmss.uuuuuuZ.ID.heapsnapshot.zst   a snapshot: whole, compressed with zstd
 *     index.sqlite                                        what is known of each
 *     .incoming-...                                       a snapshot that is being written
 *
 * A label has bytes other than letters, digits, - and _ as %XX. The time is UTC, so names of one
 * label sort by time. The files are what counts: what has such a name and was put there by hand is
 * taken up, what was removed by hand is forgotten, a lost or damaged index is made anew from them
 * (its file is set aside as index.sqlite.damaged). Everything else in the directory is left alone.
 *
 * A snapshot has its name when it is whole and on the disk, and not before: a process that is
 * killed at any moment leaves no half of one, and loses none that it had. Any number of processes
 * may have a store open and write to it.
 */
#ifndef GLOVEBOX_STORE_H
#define GLOVEBOX_STORE_H

#include <glovebox/status.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct gbx_store gbx_store;

enum gbx_store_flags {
    /* Nothing is written, locked or made; the index must be there and whole. */
    GBX_STORE_READ_ONLY = 1,
    /* The directory is not made if it is not there. */
    GBX_STORE_MUST_EXIST = 2
};

/* What is kept. Zero is the default. Fields are only ever appended. */
typedef struct gbx_store_options {
    uint32_t size;       /* sizeof(gbx_store_options); GBX_STORE_OPTIONS_INIT sets it */
    uint32_t flags;      /* set of enum gbx_store_flags */
    uint64_t keep;       /* of each label, the newest so many; 0: all */
    uint64_t max_age_us; /* what is older is removed; 0: never */
    uint64_t max_bytes;  /* of all files: the oldest go first, the newest stays whatever its
                          * size; 0: no limit */
} gbx_store_options;
#define GBX_STORE_OPTIONS_INIT                \
    {                                         \
        sizeof(gbx_store_options), 0, 0, 0, 0 \
    }

/**
 * Opens a store; makes the directory and the index if they are not there.
 *
 * What killed processes left half written is removed; what was put into the directory or removed by
 * hand is noted, as by gbx_store_sync().
 *
 * @param directory  for as long as the store is open.
 * @param options    copied; NULL for the defaults. What is to be kept is seen to whenever this
 *                   store adds something, and when it is opened.
 * @param out_store  set only on GBX_OK; release with gbx_store_close().
 * @param error      filled on failure only; may be NULL.
 * @return GBX_OK; GBX_EINVAL: an option is wrong, index.sqlite is something else's, or, read-only,
 *         there is no store or its index is damaged; GBX_EUNSUPPORTED: a later version has made it;
 *         GBX_EBUSY: another process holds it up; GBX_ENOMEM; GBX_ESYS.
 * @blocks while others write to the index, up to 10 s.   @threads any.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_store_open(GBX_BORROW const char *directory,
    GBX_BORROW const gbx_store_options *options, GBX_OWN gbx_store **out_store,
    gbx_error *error);

/**
 * Closes a store; series that write into it hold it. NULL is fine.
 *
 * @threads one at a time.   @since 0.1
 */
GBX_API void gbx_store_close(GBX_OWN gbx_store *store);

/* Why a snapshot was taken. */
enum gbx_store_reason {
    GBX_STORE_UNKNOWN = 0, /* the index was lost */
    GBX_STORE_ADDED = 1,   /* gbx_store_add(), or put there by hand */
    GBX_STORE_ASKED = 2,   /* gbx_series_take() */
    GBX_STORE_TIME = 3,    /* gbx_series_options.every_us */
    GBX_STORE_GROWTH = 4,  /* gbx_series_options.growth_bytes */
    GBX_STORE_LIMIT = 5    /* the isolate reached its memory limit: gbx_store_limit_path() */
};

enum gbx_store_state {
    GBX_STORE_UNREAD = 0, /* its classes are not known yet: gbx_store_classes() reads it */
    GBX_STORE_READ = 1,
    GBX_STORE_DAMAGED = 2 /* it is no heap snapshot */
};

/* A snapshot, as the index knows it. */
typedef struct gbx_store_entry {
    uint64_t id;             /* never given again */
    uint64_t taken_us;       /* when, since 1970, UTC */
    uint64_t file_bytes;     /* compressed */
    uint64_t heap_bytes;     /* the sum of its nodes' sizes; 0 while it is unread */
    uint64_t resident_bytes; /* of the isolate's process at that time; 0: unknown */
    uint32_t nodes;          /* 0 while it is unread */
    uint32_t reason;         /* enum gbx_store_reason */
    uint32_t state;          /* enum gbx_store_state */
    uint32_t reserved;       /* 0 */
    const char *label;       /* UTF-8; lent, as path is, as long as the list */
    const char *path;        /* the directory, as it was given, and the file's name */
} gbx_store_entry;

/**
 * Lists the snapshots, oldest first.
 *
 * @param label        only those of it; NULL: all.
 * @param out_entries  to be freed with free(), and their texts with it; NULL if there are none.
 * @param out_count    how many.
 * @param error        filled on failure only; may be NULL.
 * @return GBX_OK; GBX_EBUSY: another process holds it up; GBX_EINVAL: the index is damaged;
 *         GBX_ENOMEM; GBX_ESYS.
 * @blocks while others write to the index, up to 10 s.   @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_store_list(GBX_BORROW gbx_store *store,
    GBX_BORROW const char *label, GBX_OWN gbx_store_entry **out_entries, uint32_t *out_count,
    gbx_error *error);

/* A row of DevTools' Summary. */
typedef struct gbx_store_class {
    const char *name;  /* UTF-8; lent as long as the list */
    uint64_t count;    /* of nodes */
    uint64_t shallow;  /* bytes, their sum */
    uint64_t retained; /* bytes that would be freed with all of them */
} gbx_store_class;

/**
 * Tells the classes of a snapshot that retain most: 32 of them at most.
 *
 * The first time the snapshot is read, which takes about 0.1 s and 150 MB of memory for 100 MB of
 * it decompressed; a cell that was taken over may have written what takes much more. Then the index
 * has them.
 *
 * @param id         of its entry.
 * @param out_rows   to be freed with free(), and their texts with it; NULL if there are none.
 * @param out_count  how many.
 * @param error      filled on failure only; may be NULL.
 * @return GBX_OK; GBX_EINVAL: there is no such snapshot, or it is damaged; GBX_EBUSY; GBX_ENOMEM;
 *         GBX_ESYS.
 * @blocks as said.   @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_store_classes(GBX_BORROW gbx_store *store, uint64_t id,
    GBX_OWN gbx_store_class **out_rows, uint32_t *out_count, gbx_error *error);

/**
 * Copies a snapshot into the store, and reads it as gbx_store_classes() does. Its time is that of
 * the file's last change.
 *
 * @param path    of a heap snapshot, plain or compressed.
 * @param label   1 to 63 bytes of UTF-8.
 * @param out_id  of its entry; may be NULL.
 * @param error   filled on failure only; may be NULL. What was there stays as it is then.
 * @return GBX_OK; GBX_EINVAL: it is no whole snapshot, the label is wrong, or the store is
 *         read-only; GBX_EBUSY: another process holds it up; GBX_ENOMEM; GBX_ESYS.
 * @blocks while it is read and copied.   @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_store_add(GBX_BORROW gbx_store *store, GBX_BORROW const char *path,
    GBX_BORROW const char *label, uint64_t *out_id, gbx_error *error);

/**
 * Removes a snapshot.
 *
 * @param id     of its entry.
 * @param error  filled on failure only; may be NULL.
 * @return GBX_OK; GBX_EINVAL: there is no such snapshot, or the store is read-only; GBX_EBUSY:
 *         another process holds it up; GBX_ENOMEM; GBX_ESYS.
 * @blocks while others write to the index, up to 10 s.   @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_store_remove(GBX_BORROW gbx_store *store, uint64_t id, gbx_error *error);

/**
 * Brings the index up to the directory: takes up snapshots that were put there, by
 * gbx_store_limit_path() or by hand, forgets those that are gone, removes what killed processes
 * left half written and what is no longer to be kept.
 *
 * @param error  filled on failure only; may be NULL.
 * @return GBX_OK; GBX_EINVAL: the store is read-only, or its index is damaged; GBX_EBUSY: another
 *         process holds it up; GBX_ENOMEM; GBX_ESYS.
 * @blocks while others write to the index, up to 10 s.   @threads one at a time.   @since 0.1
 */
GBX_API gbx_status gbx_store_sync(GBX_BORROW gbx_store *store, gbx_error *error);

/**
 * Makes up a path in the store for gbx_isolate_options.limit_snapshot. What was written there is
 * taken up by the next gbx_store_sync() or gbx_store_open(), in whatever process, and gets its name
 * by that.
 *
 * @param label     1 to 63 bytes of UTF-8.
 * @param out_path  to be freed with free(); of no two isolates the same.
 * @param error     filled on failure only; may be NULL.
 * @return GBX_OK; GBX_EINVAL: the label is wrong, or the store is read-only; GBX_ENOMEM; GBX_ESYS.
 * @threads one at a time.   @since 0.1
 */
GBX_API GBX_NODROP gbx_status gbx_store_limit_path(GBX_BORROW gbx_store *store,
    GBX_BORROW const char *label, GBX_OWN char **out_path, gbx_error *error);

#ifdef __cplusplus
}
#endif
#endif
