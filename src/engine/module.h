/* module.h - what module_map.cc, module_load.cc and module_call.cc tell one another.
 *
 * Threads: the engine's thread only.
 */
#ifndef ENGINE_MODULE_H
#define ENGINE_MODULE_H

#include "engine/priv.h"

#include "base/limits.h"

/* A module of the host's. It is there as long as the host holds its number, and after that as long
 * as V8 has the module, whose import.meta is asked for late. */
struct module_entry {
    uint32_t context;
    int hash; /* V8's, of the module */
    enum engine_module_kind kind;
    v8::Global<v8::Module> module;  /* weak without a number; empty: it did not compile */
    v8::Global<v8::Value> contents; /* why; or what is exported; or, of WebAssembly, an array of
                                     * module and constructor of instances */
    v8::Global<v8::Value> meta;     /* empty: just the url */
};

/* The host's module of that number, or null. */
struct module_entry *module_find(uint32_t id);
/* Throws why it cannot be used, if so. */
bool module_compiled(const struct module_entry *entry);

/* Compiles one with a number that is free. False: it did not, and why is pending; unless that was
 * the end of all execution, it has its number. */
bool module_compile(v8::Local<v8::Context> context, uint32_t id,
    const struct engine_module *source, v8::TryCatch &caught);
/* Compiles a source that has no number. */
v8::MaybeLocal<v8::Module> module_parse(const struct engine_source *source);

/* Fills import.meta. */
void module_meta(
    v8::Local<v8::Context> context, v8::Local<v8::Module> module, v8::Local<v8::Object> meta);

/* What comes of a load. */
enum load_goal {
    LOAD_LINK,    /* linked: undefined */
    LOAD_RUN,     /* evaluated: undefined */
    LOAD_EXPORTS, /* evaluated: what module_result() takes */
    LOAD_IMPORT   /* evaluated: the namespace, for the guest */
};
/* The promise of a module that is loaded, linked and, by its goal, run. Empty: an exception is
 * pending. */
v8::MaybeLocal<v8::Promise> load_module(
    v8::Local<v8::Context> context, v8::Local<v8::Module> root, enum load_goal goal);
/* The same of whatever the host finds for a specifier. */
v8::MaybeLocal<v8::Promise> load_import(
    v8::Local<v8::Context> context, struct span specifier, enum load_goal goal);
void loads_forget_context(uint32_t id);

#endif
