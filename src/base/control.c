#include "base/control.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Both ends are the same build on the same machine, and the struct has no padding: it crosses
 * as it is, without its fds. */
enum {
    PACKET_BYTES = offsetof(struct control, fds)
};
_Static_assert(
    sizeof(struct layers) == 4 + LAYERS && LAYERS % 4 == 0 &&
        offsetof(struct control, number) == 8 &&
        offsetof(struct control, layers) == 8 + 8 * TEMPLATE_OPTIONS &&
        PACKET_BYTES == 8 + 8 * TEMPLATE_OPTIONS + sizeof(struct layers) + CONTROL_TEXT,
    "no padding may cross");

int
control_send(int socket, const struct control *packet)
{
    union {
        char bytes[CMSG_SPACE(sizeof packet->fds)];
        struct cmsghdr align;
    } control;
    struct iovec part = { (void *)(uintptr_t)packet, PACKET_BYTES };
    struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
    size_t count = packet->fds[0] < 0 ? 0 : packet->fds[1] < 0 ? 1 : 2;

    if (count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), packet->fds, count * sizeof(int));
    }
    ssize_t n;
    do
        n = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n < 0 ? errno : 0;
}

static void
take_fds(struct msghdr *message, struct control *out)
{
    for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h != NULL; h = CMSG_NXTHDR(message, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
            if (out->fds[0] < 0)
                out->fds[0] = fd;
            else if (out->fds[1] < 0)
                out->fds[1] = fd;
            else
                (void)close(fd);
        }
    }
}

int
control_receive(int socket, struct control *out, bool block)
{
    union {
        char bytes[CMSG_SPACE(sizeof out->fds)];
        struct cmsghdr align;
    } control;
    struct iovec part = { out, PACKET_BYTES };
    struct msghdr message = { .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes };
    ssize_t n;

    out->fds[0] = out->fds[1] = -1;
    do
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | (block ? 0 : MSG_DONTWAIT));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno;
    take_fds(&message, out);
    /* More than there may be; or fewer than were sent, when we have no room for one: then they are
     * missing, and the packet is whole all the same. */
    bool too_many = (message.msg_flags & MSG_CTRUNC) != 0 && out->fds[1] >= 0;
    if (n == PACKET_BYTES && (message.msg_flags & MSG_TRUNC) == 0 && !too_many) {
        out->text[CONTROL_TEXT - 1] = '\0';
        return 0;
    }
    for (int i = 0; i < 2; i++)
        if (out->fds[i] >= 0)
            (void)close(out->fds[i]);
    out->fds[0] = out->fds[1] = -1;
    return n == 0 ? ECONNRESET : EBADMSG;
}
