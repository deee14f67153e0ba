/* sweep.c - every system call by its number, 0 to 1023, with zeroes, each in a sealed cell of its
 * own: what the rules let through is answered, all else ends the cell as a violation. And a
 * thousand cells draw a thousand random numbers.
 *
 *     sweep folder        of the cells that have been broken into
 */
#include "hostile/filter_oracle.h"
#include "integration/attack.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    NUMBERS = 1024
};

static double drawn[NUMBERS];
static unsigned failures;

static void
fail_call(long number, const char *what, const gbx_error *error)
{
    failures++;
    printf(
        "# call %ld: %s: %s, %s\n", number, what, attack_status(error->status), error->message);
}

/* True: the rules let it through, and it ends its caller all the same, or never returns. */
static bool
ends(long number)
{
    return number == SYS_exit || number == SYS_exit_group || number == SYS_rt_sigreturn;
}

/* The kernel never asks a filter about these: uretprobe and uprobe, which only its own trampolines
 * can use (x86-64, from Linux 6.14 on). They are answered with an errno or a signal. */
static bool
is_of_the_kernel(long number)
{
#if defined(__x86_64__)
    return number == 335 || number == 336;
#else
    return number < 0;
#endif
}

static double
eval(gbx_isolate *isolate, const char *source, gbx_error *error)
{
    gbx_call_options call = GBX_CALL_OPTIONS_INIT;
    gbx_value *value = NULL;
    double number = -1e9;

    call.timeout_us = strstr(source, "!") != NULL ? 500000 : 0;
    if (gbx_eval(gbx_isolate_context(isolate), source, &call, &value, error) == GBX_OK &&
        gbx_value_get_number(value, &number) != GBX_OK)
        number = -1e9;
    gbx_value_free(value);
    return number;
}

static gbx_status
nothing(gbx_callback *callback, void *data)
{
    (void)callback;
    (void)data;
    return GBX_OK;
}

static void
call(long number)
{
    static const uint64_t zeroes[6];
    struct attack_report report = { .wrong = "" };
    gbx_error error = GBX_ERROR_INIT;
    gbx_isolate *isolate = NULL;
    char source[64];
    uint32_t wanted = oracle(SANDBOX_FORK, number, zeroes, 1);

    if (gbx_isolate_open(attack_runtime(), NULL, &isolate, &error) != GBX_OK)
        return fail_call(number, "no cell", &error);
    attack_give(isolate, "echo", nothing, NULL, &report);
    drawn[number] = eval(isolate, "Math.random()", &error);
    (void)snprintf(source, sizeof source, "echo('!syscall', %ld)", number);
    double answer = eval(isolate, source, &error);
    if (is_of_the_kernel(number)) {
        if (error.status == GBX_OK && answer >= 0)
            fail_call(number, "it did something", &error);
    } else if (wanted == SECCOMP_RET_KILL_PROCESS) {
        if (error.status != GBX_EVIOLATION)
            fail_call(number, "it is not in the rules", &error);
    } else if (ends(number)) {
        if (error.status == GBX_OK || error.status == GBX_EVIOLATION)
            fail_call(number, "it does not end its cell", &error);
    } else if (error.status != GBX_OK) {
        fail_call(number, "the rules let it through", &error);
    } else if (wanted != SECCOMP_RET_ALLOW && answer != -(double)(wanted & SECCOMP_RET_DATA)) {
        fail_call(number, "another errno than the rules say", &error);
    }
    gbx_isolate_close(isolate);
}

static int
order(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

int
main(int argc, char **argv)
{
    char libexec[512];
    unsigned same = 0;

    if (argc < 2)
        return 2;
    (void)snprintf(libexec, sizeof libexec, "%s/hostile", argv[1]);
    if (!attack_begin_with(libexec, GBX_REQUIRE_STRICT))
        return 1;
    for (long number = 0; number < NUMBERS; number++)
        call(number);
    attack_end();
    printf("%sok 1 - every call by its number\n", failures != 0 ? "not " : "");
    qsort(drawn, NUMBERS, sizeof drawn[0], order);
    for (size_t i = 1; i < NUMBERS; i++)
        same += drawn[i] == drawn[i - 1];
    printf("%sok 2 - cells draw different random numbers\n1..2\n", same != 0 ? "not " : "");
    return failures == 0 && same == 0 ? 0 : 1;
}
