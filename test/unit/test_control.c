#include "base/control.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static int ends[2];

static void
make_pair(void)
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

static void
close_pair(void)
{
    (void)close(ends[0]);
    (void)close(ends[1]);
}

TestSuite(control, .init = make_pair, .fini = close_pair);

static const struct control plain = { .kind = CONTROL_FORK, .id = 7, .fds = { -1, -1 } };

static bool
same_file(int a, int b)
{
    char x = 0;

    /* What is written to one pipe end comes out of the other. */
    return write(a, "x", 1) == 1 && read(b, &x, 1) == 1 && x == 'x';
}

Test(control, carries_numbers_and_text)
{
    struct control sent = plain, got;

    for (int i = 0; i < TEMPLATE_OPTIONS; i++)
        sent.number[i] = UINT64_MAX - (uint64_t)i;
    strcpy(sent.text, "14.6");
    cr_assert_eq(control_send(ends[0], &sent), 0);
    cr_assert_eq(control_receive(ends[1], &got, true), 0);
    cr_assert_eq(got.kind, CONTROL_FORK);
    cr_assert_eq(got.id, 7);
    cr_assert_arr_eq(got.number, sent.number, sizeof got.number);
    cr_assert_str_eq(got.text, "14.6");
    cr_assert(got.fds[0] == -1 && got.fds[1] == -1);
}

Test(control, carries_descriptors_that_close_on_exec)
{
    int pipes[2][2];
    struct control sent = plain, got;

    cr_assert_eq(pipe(pipes[0]), 0);
    cr_assert_eq(pipe(pipes[1]), 0);
    for (int count = 1; count <= 2; count++) {
        for (int i = 0; i < count; i++)
            sent.fds[i] = pipes[i][1];
        cr_assert_eq(control_send(ends[0], &sent), 0);
        cr_assert_eq(control_receive(ends[1], &got, true), 0);
        for (int i = 0; i < count; i++) {
            cr_assert(same_file(got.fds[i], pipes[i][0]));
            cr_assert_eq(fcntl(got.fds[i], F_GETFD), FD_CLOEXEC);
            (void)close(got.fds[i]);
        }
    }
}

Test(control, says_when_there_is_nothing_yet)
{
    struct control got;

    cr_assert_eq(control_receive(ends[1], &got, false), EAGAIN);
    cr_assert(got.fds[0] == -1 && got.fds[1] == -1);
}

Test(control, says_when_the_peer_is_gone)
{
    struct control got;

    (void)signal(SIGPIPE, SIG_DFL);
    (void)close(ends[0]);
    cr_assert_eq(control_receive(ends[1], &got, true), ECONNRESET);
    cr_assert_eq(control_send(ends[1], &plain), EPIPE);
}

/* A packet of any other length is refused, and what it carried is closed. */
Test(control, refuses_a_packet_of_another_length)
{
    static char bytes[sizeof(struct control) + 64];
    size_t whole = offsetof(struct control, fds);
    struct control got;

    for (size_t len = 1; len <= whole + 40; len++) {
        cr_assert_eq(send(ends[0], bytes, len, 0), (ssize_t)len);
        cr_assert_eq(control_receive(ends[1], &got, true), len == whole ? 0 : EBADMSG);
    }
}

static void
send_bytes_with_fds(const void *bytes, size_t len, int fd, size_t count)
{
    union {
        char bytes[CMSG_SPACE(4 * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = { (void *)(uintptr_t)bytes, len };
    struct msghdr message = { .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = CMSG_SPACE(count * sizeof(int)) };

    memset(&control, 0, sizeof control);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (size_t i = 0; i < count; i++)
        memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
    cr_assert_eq(sendmsg(ends[0], &message, 0), (ssize_t)len);
}

static int
lowest_free_fd(void)
{
    int fd = dup(0);

    (void)close(fd);
    return fd;
}

Test(control, keeps_no_descriptor_of_a_packet_that_it_refuses)
{
    struct control got;
    int before = lowest_free_fd();

    send_bytes_with_fds("short", 5, 0, 2);
    cr_assert_eq(control_receive(ends[1], &got, true), EBADMSG);
    for (size_t count = 3; count <= 4; count++) {
        send_bytes_with_fds(&plain, offsetof(struct control, fds), 0, count);
        cr_assert_eq(control_receive(ends[1], &got, true), EBADMSG);
    }
    cr_assert(got.fds[0] == -1 && got.fds[1] == -1);
    cr_assert_eq(lowest_free_fd(), before);
}

/* Who has no descriptor left must not lose the packet, too. */
Test(control, takes_a_packet_without_the_descriptors_that_it_has_no_room_for)
{
    struct control sent = plain, got;
    struct rlimit limit;

    sent.fds[0] = sent.fds[1] = 0;
    cr_assert_eq(control_send(ends[0], &sent), 0);
    cr_assert_eq(control_send(ends[0], &sent), 0);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int room = 1; room >= 0; room--) {
        rlim_t usual = limit.rlim_cur;
        limit.rlim_cur = (rlim_t)(lowest_free_fd() + room);
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        int error = control_receive(ends[1], &got, true);
        limit.rlim_cur = usual;
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        cr_assert_eq(error, 0);
        cr_assert_eq(got.id, sent.id);
        cr_assert_eq(got.fds[0] >= 0, room == 1);
        cr_assert_eq(got.fds[1], -1);
        if (room == 1)
            (void)close(got.fds[0]);
    }
}

Test(control, ends_a_text_that_the_peer_did_not_end)
{
    struct control sent = plain, got;

    memset(sent.text, 'x', sizeof sent.text);
    cr_assert_eq(control_send(ends[0], &sent), 0);
    cr_assert_eq(control_receive(ends[1], &got, true), 0);
    cr_assert_eq(strlen(got.text), CONTROL_TEXT - 1);
}
