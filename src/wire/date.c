#include "wire/date.h"

#include <stdint.h>
#include <stdio.h>

#define MS_PER_DAY INT64_C(86400000)

size_t
date_to_text(double number, char out[DATE_TEXT_MAX])
{
    int64_t ms = (int64_t)number;
    int64_t days = ms / MS_PER_DAY - (ms % MS_PER_DAY < 0);
    int64_t rest = ms - days * MS_PER_DAY;

    /* Days to a civil date, with years that begin in March so that the leap day comes last;
     * eras of 400 years repeat (Hinnant, "chrono-compatible low-level date algorithms"). */
    int64_t shifted = days + 719468;
    int64_t era = shifted / 146097 - (shifted % 146097 < 0);
    int64_t day = shifted - era * 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t of_year = day - (365 * year + year / 4 - year / 100);
    int month = (int)((5 * of_year + 2) / 153);
    int of_month = (int)(of_year - (153 * month + 2) / 5 + 1);
    month += month < 10 ? 3 : -9;
    year += era * 400 + (month <= 2);

    int n = year < 0 || year > 9999 ? snprintf(out, DATE_TEXT_MAX, "%+07d", (int)year)
                                    : snprintf(out, DATE_TEXT_MAX, "%04d", (int)year);
    int seconds = (int)(rest / 1000);
    n += snprintf(out + n, DATE_TEXT_MAX - (size_t)n, "-%02d-%02dT%02d:%02d:%02d.%03dZ", month,
        of_month, seconds / 3600, seconds / 60 % 60, seconds % 60, (int)(rest % 1000));
    return (size_t)n;
}
