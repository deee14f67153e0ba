#include "base/buf.h"
#include "base/error.h"

#include <criterion/criterion.h>

Test(status, has_a_text)
{
    cr_assert_str_eq(gbx_strstatus(GBX_OK), "success");
}
