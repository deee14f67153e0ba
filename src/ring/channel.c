#include "ring/channel.h"

#include "base/fd.h"
#include "base/limits.h"

#include <fcntl.h>
#include <sys/mman.h>

enum {
    NOTE_OFFSET = 4096,
    RINGS_OFFSET = 8192,
    CHANNEL_BYTES = RINGS_OFFSET + 3 * RING_BYTES,
};
_Static_assert(sizeof(struct channel_shared) <= NOTE_OFFSET, "positions fit their page");
_Static_assert(sizeof(struct channel_note) <= RINGS_OFFSET - NOTE_OFFSET, "so does the note");

int
channel_memory_new(void)
{
    GBX_AUTOFD fd = memfd_create("glovebox-channel", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || ftruncate(fd, CHANNEL_BYTES) < 0)
        return -1;
    /* Without these the cell could shrink the file and kill the host with SIGBUS. */
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -1;
    return steal_fd(&fd);
}

static void
set_up(struct channel *channel, void *map, bool host)
{
    uint8_t *base = map;
    uint8_t *bytes = base + RINGS_OFFSET;
    struct channel_shared *shared = map;

    channel->map = base;
    channel->map_bytes = CHANNEL_BYTES;
    channel->shared = shared;
    channel->note = (struct channel_note *)(void *)(base + NOTE_OFFSET);
    ring_init(host ? &channel->out : &channel->in, &shared->to_cell, bytes, RING_BYTES);
    ring_init(
        host ? &channel->in : &channel->out, &shared->to_host, bytes + RING_BYTES, RING_BYTES);
    ring_init(&channel->snapshot, &shared->snapshot, bytes + 2 * RING_BYTES, RING_BYTES);
    channel->stop_seen = 0;
}

bool
channel_map(struct channel *channel, int fd, bool host)
{
    void *map = mmap(NULL, CHANNEL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (map == MAP_FAILED)
        return false;
    set_up(channel, map, host);
    return true;
}

bool
channel_remap(struct channel *channel, int fd)
{
    void *map = mmap(
        channel->map, CHANNEL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);

    if (map == MAP_FAILED)
        return false;
    set_up(channel, map, false);
    return true;
}

void
channel_unmap(struct channel *channel)
{
    if (channel->map != NULL)
        (void)munmap(channel->map, channel->map_bytes);
    channel->map = NULL;
}

void
channel_unmap_rings(struct channel *channel)
{
    if (channel->map_bytes > NOTE_OFFSET)
        (void)munmap(channel->map + NOTE_OFFSET, channel->map_bytes - NOTE_OFFSET);
    channel->map_bytes = NOTE_OFFSET;
    channel->note = NULL;
}
