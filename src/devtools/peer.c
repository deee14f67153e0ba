/* peer.c - whose a loopback connection is.
 *
 * TCP has no SO_PEERCRED. But the other end is a socket of this machine, too, and sock_diag(7)
 * tells the owner of one that is named by its two addresses.
 */
#include "base/fd.h"
#include "devtools/server.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>

struct question {
    struct nlmsghdr head;
    struct inet_diag_req_v2 body;
};

union address {
    struct sockaddr_storage storage;
    struct sockaddr_in in4;
    struct sockaddr_in6 in6;
};

static void
put_address(const union address *address, __be16 *port, __be32 to[4])
{
    if (address->storage.ss_family == AF_INET6) {
        *port = address->in6.sin6_port;
        memcpy(to, &address->in6.sin6_addr, sizeof address->in6.sin6_addr);
    } else {
        *port = address->in4.sin_port;
        to[0] = address->in4.sin_addr.s_addr;
    }
}

/* The question for the socket at the other end of `fd`. */
static bool
ask_about(int fd, struct question *out)
{
    union address here, there;
    socklen_t len = sizeof here;

    if (getsockname(fd, (struct sockaddr *)&here, &len) < 0)
        return false;
    len = sizeof there;
    if (getpeername(fd, (struct sockaddr *)&there, &len) < 0)
        return false;
    *out = (struct question){
        .head = { .nlmsg_len = sizeof *out,
            .nlmsg_type = SOCK_DIAG_BY_FAMILY,
            .nlmsg_flags = NLM_F_REQUEST },
        .body = { .sdiag_family = (uint8_t)there.storage.ss_family,
            .sdiag_protocol = IPPROTO_TCP,
            .idiag_states = UINT32_MAX },
    };
    struct inet_diag_sockid *id = &out->body.id;
    put_address(&there, &id->idiag_sport, id->idiag_src);
    put_address(&here, &id->idiag_dport, id->idiag_dst);
    id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
    return true;
}

bool
peer_is_foreign(int fd)
{
    struct question question;
    struct {
        struct nlmsghdr head;
        struct inet_diag_msg body;
        uint8_t more[512]; /* attributes that were not asked for */
    } answer;
    GBX_AUTOFD netlink = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    if (netlink < 0 || !ask_about(fd, &question) ||
        send(netlink, &question, sizeof question, 0) != (ssize_t)sizeof question)
        return false;
    /* Answered within send(). */
    ssize_t n = recv(netlink, &answer, sizeof answer, MSG_DONTWAIT);
    if (n < (ssize_t)(sizeof answer.head + sizeof answer.body) ||
        answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY)
        return false;
    return answer.body.idiag_uid != 0 && answer.body.idiag_uid != geteuid();
}
