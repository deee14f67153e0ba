/* date.h - dates as JavaScript's toISOString() writes them. */
#ifndef WIRE_DATE_H
#define WIRE_DATE_H

#include <stddef.h>

enum {
    DATE_TEXT_MAX = 32 /* with the NUL; the longest is +275760-09-13T00:00:00.000Z */
};

/* `ms` is a valid date: whole milliseconds, at most 8.64e15 from 1970. */
size_t date_to_text(double ms, char out[DATE_TEXT_MAX]);

#endif
