/* check.h - our own invariants, checked in every build. Never for input, never for what a cell
 * sent: a failed check aborts, in the host too. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#ifdef __cplusplus
extern "C" {
#endif

__attribute__((noreturn)) void check_failed(const char *file, int line, const char *what);

#define GBX_CHECK(condition) \
    ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#ifdef __cplusplus
}
#endif
#endif
