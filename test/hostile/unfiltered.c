/* unfiltered.c - a cell without its filter, so that namespaces and landlock stand alone. Linked in
 * front of sandbox_filter_cell(); see hostile.c. */
#include "sandbox/sandbox.h"

#include <errno.h>

void __wrap_sandbox_filter_cell(enum sandbox_profile profile, struct layers *layers);

void
__wrap_sandbox_filter_cell(enum sandbox_profile profile, struct layers *layers)
{
    (void)profile;
    layers_note(layers, LAYER_FILTER, EOPNOTSUPP);
}
