#include "host/paths.h"

#include <criterion/criterion.h>

Test(paths, refuses_a_directory_without_the_cell)
{
    struct paths found;
    gbx_error error = GBX_ERROR_INIT;

    setenv("GLOVEBOX_LIBEXEC", "/nonexistent", 1);
    cr_assert_eq(paths_find(NULL, &found, &error), GBX_EENGINE);
}
