#include "support.h"

CleanTest(api, smoke)
{
    struct world w = world_open(NULL);
    cr_assert_eq(eval_number(w.context, "1 + 1"), 2);
    world_close(&w);
}
