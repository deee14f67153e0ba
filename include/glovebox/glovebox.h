/* glovebox/glovebox.h - all of libglovebox. */
#ifndef GLOVEBOX_GLOVEBOX_H
#define GLOVEBOX_GLOVEBOX_H

#include <glovebox/context.h>
#include <glovebox/copy.h>
#include <glovebox/files.h>
#include <glovebox/fork.h>
#include <glovebox/function.h>
#include <glovebox/future.h>
#include <glovebox/inspector.h>
#include <glovebox/isolate.h>
#include <glovebox/module.h>
#include <glovebox/observe.h>
#include <glovebox/profile.h>
#include <glovebox/reference.h>
#include <glovebox/runtime.h>
#include <glovebox/script.h>
#include <glovebox/shared.h>
#include <glovebox/status.h>
#include <glovebox/template.h>
#include <glovebox/usage.h>
#include <glovebox/value.h>

#endif
