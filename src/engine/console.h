/* console.h - what the files of the guest's console share.
 *
 * Threads: the engine's thread only.
 */
#ifndef ENGINE_CONSOLE_H
#define ENGINE_CONSOLE_H

#include "engine/render.h"

typedef std::vector<v8::Local<v8::Value>> console_arguments;

/* The text of console.log(...arguments): a format string if the first is one, else each
 * argument by itself, with a space between. */
wide console_format(v8::Local<v8::Context> context, const console_arguments &arguments);
/* A box drawn around rows and columns; false: `data` isn't one for a table. */
bool console_table(
    v8::Local<v8::Context> context, const console_arguments &arguments, wide *text);

#endif
