/* unwalled.c - a cell without namespaces, landlock and another user, so that the filter stands
 * alone. Linked in front of their functions; see hostile.c. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <sys/prctl.h>

void __wrap_sandbox_enter(struct layers *layers);
void __wrap_sandbox_seal_zygote(struct layers *layers);
void __wrap_landlock_enclose(struct layers *layers);

void
__wrap_sandbox_enter(struct layers *layers)
{
    for (enum sandbox_layer i = LAYER_USER; i < LAYERS; i++)
        layers_note(layers, i, EOPNOTSUPP);
}

/* What is left is what a filter needs. */
void
__wrap_sandbox_seal_zygote(struct layers *layers)
{
    layers_note(
        layers, LAYER_PRIVILEGES, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? errno : 0);
}

void
__wrap_landlock_enclose(struct layers *layers)
{
    layers_note(layers, LAYER_FILES, EOPNOTSUPP);
    layers_note(layers, LAYER_SIGNALS, EOPNOTSUPP);
}
