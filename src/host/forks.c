/* forks.c - what a cell must ask for: forks, memory for its heap snapshots, a thread.
 *
 * The kernel holds a cell in such a call until we have said yes or no (seccomp's user
 * notification). We say yes once for each background snapshot, and once for each twin: see twin.c.
 *
 * V8's copy of the object graph is not the guest's doing, so the cell's template lifts the limits
 * of memory first. Those of a snapshot child are lifted while the cell is held, for the child to
 * inherit, and go back when the cell says that it has forked.
 */
#include "host/snapshot.h"

#include "base/clock.h"
#include "base/fd.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

/* --- memory ---------------------------------------------------------------------------------- */

static int
order_memory(struct cell *cell, bool lift, uint64_t bytes)
{
    struct control order = { .kind = CONTROL_MEMORY, .id = cell->id, .fds = { -1, -1 } };

    order.number[0] = lift;
    order.number[1] = bytes;
    cell->memory_lifted = lift;
    int error = cell->template == NULL ? ESRCH : control_send(cell->template->socket, &order);
    cell->memory_orders += error == 0;
    return error;
}

gbx_status
cell_lift_memory(struct cell *cell, uint64_t most_bytes)
{
    uint64_t until = now_us() + START_TIMEOUT_US;

    if (!cell->memory_lifted)
        cell->data_bytes = cell_data_bytes(cell);
    int error = order_memory(cell, true, most_bytes);
    while (error == 0 && cell->memory_orders > 0 && cell->template != NULL)
        error = template_take(cell->template, until);
    return error == 0 && cell->template != NULL ? GBX_OK : GBX_ELOST;
}

void
cell_restore_memory(struct cell *cell, bool keep)
{
    if (!cell->memory_lifted)
        return;
    uint64_t now = keep ? cell_data_bytes(cell) : 0;
    if (now > cell->data_bytes)
        cell->kept_bytes += now - cell->data_bytes;
    (void)order_memory(cell, false, cell->kept_bytes);
}

/* --- forks ----------------------------------------------------------------------------------- */

bool
cell_cannot_fork(const struct cell *cell)
{
    return cell->template != NULL && cell->template->forks_fd < 0;
}

/* The cell whose pid asks, or NULL: a snapshot child, or one that has died meanwhile. *unsure: or
 * one whose pid we had no descriptor to read. */
static struct cell *
asker(struct template *template, pid_t pid, bool *unsure)
{
    uint32_t cursor = 0, id;
    struct cell *cell;

    while ((cell = table_next(&template->cells, &cursor, &id)) != NULL) {
        if (cell->exited || cell->pidfd < 0)
            continue;
        if (cell_pid(cell) == pid)
            return cell;
        *unsure |= cell->pid == 0 && !has_ended(cell->pidfd, 0);
    }
    return NULL;
}

static bool
template_is_open(const struct gbx_runtime *runtime, const struct template *template)
{
    const struct template *t = runtime->templates;

    while (t != NULL && t != template)
        t = t->next;
    return t != NULL;
}

static bool
still_asks(const struct template *template, const struct seccomp_notif *question)
{
    return ioctl(template->forks_fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &question->id) == 0;
}

/* Nobody asked for this call: only code that is not ours makes it. While it is held there, its pid
 * is its own. */
static void
kill_asker(
    const struct template *template, struct cell *cell, const struct seccomp_notif *question)
{
    if (cell != NULL) {
        cell_kill(cell);
        return;
    }
    GBX_AUTOFD pidfd = (int)syscall(SYS_pidfd_open, question->pid, 0);
    if (pidfd >= 0 && still_asks(template, question))
        (void)syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
}

enum verdict {
    APPROVED,
    REFUSED,   /* it asks in vain, and did no wrong */
    POSTPONED, /* it may ask again */
    VIOLATION  /* nobody asked it to */
};

static enum verdict
judge_snapshot(struct cell *cell)
{
    if (cell == NULL || !cell->fork_asked)
        return VIOLATION;
    cell->fork_asked = false;
    /* Without the memory the snapshot may fail, and says so. */
    const struct snapshot *s = cell->isolate != NULL ? cell->isolate->snapshot : NULL;
    if (s != NULL)
        (void)cell_lift_memory(cell, s->memory_bytes);
    return APPROVED;
}

/* The guest has reached its memory limit, and there is to be a snapshot of that. */
static enum verdict
judge_limit(struct cell *cell)
{
    if (cell == NULL || cell->isolate == NULL)
        return VIOLATION;
    switch (limit_asked(cell->isolate)) {
    case LIMIT_GO:
        (void)cell_lift_memory(cell, cell->isolate->snapshot->memory_bytes);
        return APPROVED;
    case LIMIT_LATER:
        return POSTPONED;
    case LIMIT_NEVER:
        return REFUSED;
    default:
        return VIOLATION;
    }
}

static enum verdict
judge_twin(struct cell *cell)
{
    if (cell != NULL && cell->twin != NULL && cell->twin->may_fork) {
        cell->twin->may_fork = false;
        return APPROVED;
    }
    if (cell == NULL || !cell->twin_given_up)
        return VIOLATION;
    cell->twin_given_up = false;
    return REFUSED;
}

/* A twin's watchdog, which it asks for as soon as it is a cell. */
static enum verdict
judge_thread(struct cell *cell)
{
    if (cell == NULL || !cell->thread_due)
        return VIOLATION;
    cell->thread_due = false;
    return APPROVED;
}

/* May free the template. */
static enum verdict
judge(struct template *template, struct cell *cell, const struct seccomp_notif *question)
{
    if (question->data.nr == SYS_setsid)
        return cell == NULL && twin_adopt(template, question) ? APPROVED : VIOLATION;
    switch ((uint32_t)question->data.args[0]) {
    case FORK_FLAGS:
        return (uint32_t)question->data.args[2] == LIMIT_MARK ? judge_limit(cell)
                                                              : judge_snapshot(cell);
    case TWIN_FLAGS:
        return judge_twin(cell);
    default:
        return judge_thread(cell);
    }
}

/* What is to be told to a cell's owner. */
static const char *
crime(const struct seccomp_notif *question)
{
    if (question->data.nr == SYS_setsid)
        return "the cell tried to become another one";
    if ((uint32_t)question->data.args[0] == THREAD_FLAGS)
        return "the cell tried to start a thread, and nobody asked it to";
    return "the cell tried to fork, and nobody asked it to";
}

/* Without this, an event that was seen to in a callback of another one would have us wait for the
 * next question for ever: the kernel knows no way to ask for one without waiting. Who asked and has
 * died since is no reason to wait either. */
static bool
is_asked(const struct template *template)
{
    struct pollfd fd = { .fd = template->forks_fd, .events = POLLIN };

    return poll(&fd, 1, 0) == 1 && (fd.revents & POLLIN) != 0;
}

void
template_answer_forks(struct template *template)
{
    struct gbx_runtime *runtime = template->runtime;
    struct seccomp_notif question;
    struct seccomp_notif_resp answer;

    memset(&question, 0, sizeof question);
    if (!is_asked(template) ||
        ioctl(template->forks_fd, SECCOMP_IOCTL_NOTIF_RECV, &question) < 0)
        return; /* it has died meanwhile */
    bool unsure = false;
    struct cell *cell = asker(template, (pid_t)question.pid, &unsure);
    enum verdict verdict = judge(template, cell, &question);
    /* Nobody is killed for what the host has run out of. */
    if (verdict == VIOLATION && cell == NULL && unsure)
        verdict = REFUSED;
    /* While we waited for it, the template may have been found gone, and been freed. */
    if (!template_is_open(runtime, template))
        return;
    memset(&answer, 0, sizeof answer);
    answer.id = question.id;
    if (verdict == APPROVED)
        answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    else
        answer.error = verdict == POSTPONED ? -EBUSY : -EPERM;
    if (verdict == VIOLATION)
        kill_asker(template, cell, &question);
    (void)ioctl(template->forks_fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    /* Last: callbacks of the death may find a zygote dead, and close all templates. */
    if (verdict == VIOLATION && cell != NULL && cell->isolate != NULL)
        isolate_condemn(cell->isolate, GBX_EVIOLATION, crime(&question));
}
