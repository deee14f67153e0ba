#include "cli/outcome.h"

#include <stddef.h>

const struct outcome outcomes[] = {
#define X(name, code, kind, text) { code, kind, text },
    OUTCOME_LIST(X)
#undef X
        { 0, NULL, NULL },
};

const char *
outcome_kind(int code)
{
    for (const struct outcome *o = outcomes; o->text != NULL; o++)
        if (o->code == code)
            return o->kind;
    return "system";
}

int
outcome_of(gbx_status status)
{
    switch (status) {
    case GBX_OK:
        return OUTCOME_OK;
    case GBX_ETHROW:
    case GBX_EHOST:
        return OUTCOME_THREW;
    case GBX_ETIMEOUT:
        return OUTCOME_TIMEOUT;
    case GBX_ECPU:
        return OUTCOME_CPU;
    case GBX_EMEMORY:
        return OUTCOME_MEMORY;
    case GBX_ECRASHED:
    case GBX_ELOST:
    case GBX_ETERMINATED:
    case GBX_EDISPOSED:
        return OUTCOME_CRASHED;
    case GBX_EPROTO:
        return OUTCOME_PROTOCOL;
    case GBX_EVIOLATION:
        return OUTCOME_VIOLATION;
    case GBX_ECLONE:
    case GBX_ETOOBIG:
        return OUTCOME_CLONE;
    case GBX_EENGINE:
    case GBX_ESEAL:
        return OUTCOME_ENGINE;
    default:
        return OUTCOME_SYSTEM;
    }
}
