/* module_load.cc - graphs of modules: asked for, linked, run.
 *
 * Runs in:  cell.
 * Trusts:   no number that comes from the host.
 * Threads:  the engine's thread only.
 *
 * As browsers do: every import of every module is asked for as soon as the module is there, all of
 * them at a time; when nothing is open any more V8 links the graph and runs it. No guest code runs
 * before that. A load remembers what it was told only until then: what could not be linked is asked
 * for again by the next, and what is linked never.
 */
#include "engine/module.h"

#include <unordered_map>
#include <vector>

struct node {
    v8::Global<v8::Module> module;
    std::vector<v8::Global<v8::Module>> imports; /* by V8's order; empty: not told yet */
};

struct load {
    uint32_t context;
    enum load_goal goal;
    uint32_t open; /* requests */
    v8::Global<v8::Promise::Resolver> promise;
    std::vector<struct node> nodes;                /* the root is the first */
    std::unordered_multimap<int, uint32_t> places; /* in `nodes`, by V8's hash */
};

/* An import that the host has been asked for. */
struct request {
    uint32_t load;
    uint32_t node, import; /* that it is for; of the root there is no node yet */
    bool root;
    bool any; /* whether JSON or not */
    bool json;
};

static std::unordered_map<uint32_t, struct load> loads;
static uint32_t loads_made;
static std::unordered_map<uint32_t, struct request> requests; /* by the ids of the hook */
static std::unordered_map<uint32_t, bool> loaders;            /* contexts that have one */
static struct load *linking;                                  /* while V8 links */
static uint32_t evaluating;                                   /* evaluations on the stack */

/* --- texts ---------------------------------------------------------------------------- */

/* As the error of an import: "what 'specifier'". */
static v8::Local<v8::String>
words(const char *what, v8::Local<v8::Value> specifier, const char *rest)
{
    v8::Local<v8::String> text = text_of(what);

    if (specifier->IsString())
        text = v8::String::Concat(eng.isolate, text, specifier.As<v8::String>());
    return text.IsEmpty() ? v8::String::Empty(eng.isolate)
                          : v8::String::Concat(eng.isolate, text, text_of(rest));
}

static bool
throw_type_error(const char *what, v8::Local<v8::Value> specifier, const char *rest)
{
    eng.isolate->ThrowException(v8::Exception::TypeError(words(what, specifier, rest)));
    return false;
}

/* A string that crosses to the host. False: it is too long, or has a NUL, which no name has. */
static bool
crossing_text(v8::Local<v8::Value> text, struct buf *out)
{
    size_t most = NAME_BYTES_MAX + 4; /* cut there, between characters, it is still too long */

    out->max = most;
    if (!text->IsString())
        return true;
    text_append(out, text.As<v8::String>(), most);
    return !out->failed && out->len <= NAME_BYTES_MAX &&
           (out->len == 0 || memchr(out->p, 0, out->len) == nullptr);
}

/* What one attribute is in V8's list: key, value, and of a declaration also where it stands. */
enum {
    DECLARED = 3,
    CALLED = 2
};

/* The language wants one error for what is declared, another for an argument of import(). */
static bool
refuse_attribute(const char *what, v8::Local<v8::String> name, int step)
{
    v8::Local<v8::String> text = words(what, name, "' is not supported");

    eng.isolate->ThrowException(
        step == DECLARED ? v8::Exception::SyntaxError(text) : v8::Exception::TypeError(text));
    return false;
}

/* Whether the attributes, `step` things each, ask for JSON. False: an exception is pending. */
static bool
read_attributes(v8::Local<v8::FixedArray> attributes, int step, bool *json)
{
    *json = false;
    for (int i = 0; i < attributes->Length(); i += step) {
        v8::Local<v8::String> key = attributes->Get(i).As<v8::Value>().As<v8::String>();
        v8::Local<v8::String> value = attributes->Get(i + 1).As<v8::Value>().As<v8::String>();
        if (!key->StringEquals(text_of("type")))
            return refuse_attribute("the import attribute '", key, step);
        if (!value->StringEquals(text_of("json")))
            return refuse_attribute("the import type '", value, step);
        *json = true;
    }
    return true;
}

/* --- asking --------------------------------------------------------------------------- */

/* False: an exception is pending. */
static bool
ask(uint32_t context, const struct request *request, struct span specifier,
    struct span referrer)
{
    struct span type = span_text(request->json ? "json" : "");
    uint32_t id = 0;

    if (!eng.isolate->IsExecutionTerminating())
        id = eng.hooks.resolve(eng.cell, context, type, specifier, referrer);
    if (id == 0) {
        eng.isolate->ThrowException(
            v8::Exception::RangeError(text_of("too many imports are under way")));
        return false;
    }
    requests[id] = *request;
    loads[request->load].open++;
    return true;
}

static bool
ask_texts(uint32_t context, const struct request *request, v8::Local<v8::String> specifier,
    v8::Local<v8::Value> referrer)
{
    struct buf texts[2] = {};
    bool asked = false;

    if (eng.hooks.resolve == nullptr || loaders.count(context) == 0)
        eng.isolate->ThrowException(v8::Exception::Error(
            words("imports are not supported here: cannot import '", specifier, "'")));
    else if (!crossing_text(specifier, &texts[0]))
        (void)throw_type_error(
            "a specifier is too long, or has a NUL character", v8::Undefined(eng.isolate), "");
    else {
        if (!crossing_text(referrer, &texts[1]))
            texts[1].len = 0;
        asked = ask(context, request, buf_span(&texts[0]), buf_span(&texts[1]));
    }
    buf_done(&texts[0]);
    buf_done(&texts[1]);
    return asked;
}

/* Asks for what a new module of the graph imports. False: an exception is pending. */
static bool
load_node(uint32_t id, v8::Local<v8::Module> module)
{
    struct load *load = &loads[id];
    auto place = static_cast<uint32_t>(load->nodes.size());
    int hash = module->GetIdentityHash();
    auto range = load->places.equal_range(hash);

    for (auto it = range.first; it != range.second; ++it)
        if (load->nodes[it->second].module == module)
            return true;
    load->places.emplace(hash, place);
    load->nodes.emplace_back();
    load->nodes[place].module.Reset(eng.isolate, module);
    if (!module->IsSourceTextModule() || module->GetStatus() != v8::Module::kUninstantiated)
        return true;
    v8::Local<v8::FixedArray> imports = module->GetModuleRequests();
    load->nodes[place].imports.resize(static_cast<size_t>(imports->Length()));
    for (int i = 0; i < imports->Length(); i++) {
        auto import = imports->Get(i).As<v8::ModuleRequest>();
        struct request request = { id, place, static_cast<uint32_t>(i), false, false, false };
        if (!read_attributes(import->GetImportAttributes(), DECLARED, &request.json) ||
            !ask_texts(
                load->context, &request, import->GetSpecifier(), module->GetResourceName()))
            return false;
    }
    return true;
}

/* --- running -------------------------------------------------------------------------- */

static v8::Local<v8::Value>
goal_value(enum load_goal goal, v8::Local<v8::Module> root)
{
    v8::Local<v8::Name> name = text_of("exports");

    if (goal == LOAD_LINK || goal == LOAD_RUN)
        return v8::Undefined(eng.isolate);
    v8::Local<v8::Value> exports = root->GetModuleNamespace();
    if (goal == LOAD_IMPORT)
        return exports;
    /* Nobody's `then` is to be called, the exports' own or one on Object.prototype. */
    return v8::Object::New(eng.isolate, v8::Null(eng.isolate), &name, &exports, 1);
}

/* The native reactions of an evaluation: they run as microtasks. Data: promise and value. */
static void
evaluated(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    v8::Local<v8::Context> context = eng.isolate->GetCurrentContext();
    v8::Local<v8::Array> data = info.Data().As<v8::Array>();
    v8::Local<v8::Value> promise, value;

    if (data->Get(context, 0).ToLocal(&promise) && data->Get(context, 1).ToLocal(&value))
        (void)promise.As<v8::Promise::Resolver>()->Resolve(context, value).FromMaybe(false);
}

static void
evaluation_failed(const v8::FunctionCallbackInfo<v8::Value> &info)
{
    v8::Local<v8::Context> context = eng.isolate->GetCurrentContext();

    (void)info.Data().As<v8::Promise::Resolver>()->Reject(context, info[0]).FromMaybe(false);
}

/* Evaluates, and settles the promise now or when the evaluation ends. False: an exception is
 * pending. */
static bool
evaluate(v8::Local<v8::Context> context, v8::Local<v8::Module> root, enum load_goal goal,
    v8::Local<v8::Promise::Resolver> promise)
{
    v8::Local<v8::Value> result, value = goal_value(goal, root);
    v8::Local<v8::Function> well, badly;

    /* V8 evaluates one graph at a time: inside of a host function that a module's top level calls,
     * another could reach what is half done. Not from what imports nothing. */
    bool alone = !root->IsSourceTextModule() || root->GetModuleRequests()->Length() == 0;
    if (evaluating > 0 && (!alone || root->GetStatus() == v8::Module::kEvaluating)) {
        eng.isolate->ThrowException(v8::Exception::Error(
            text_of("no module can be evaluated while another one's top level runs")));
        return false;
    }
    evaluating++;
    bool ran = root->Evaluate(context).ToLocal(&result);
    evaluating--;
    if (!ran)
        return false;
    v8::Local<v8::Promise> ended = result.As<v8::Promise>();
    if (ended->State() == v8::Promise::kFulfilled)
        return promise->Resolve(context, value).FromMaybe(false);
    if (ended->State() == v8::Promise::kRejected) {
        ended->MarkAsHandled();
        return promise->Reject(context, ended->Result()).FromMaybe(false);
    }
    v8::Local<v8::Value> both[] = { promise, value };
    return v8::Function::New(context, evaluated, v8::Array::New(eng.isolate, both, 2))
               .ToLocal(&well) &&
           v8::Function::New(context, evaluation_failed, promise).ToLocal(&badly) &&
           !ended->Then(context, well, badly).IsEmpty();
}

static v8::MaybeLocal<v8::Module>
find_import(v8::Local<v8::Context>, size_t index, v8::Local<v8::Module> referrer)
{
    auto range = linking->places.equal_range(referrer->GetIdentityHash());

    for (auto it = range.first; it != range.second; ++it) {
        struct node *node = &linking->nodes[it->second];
        if (node->module == referrer && index < node->imports.size())
            return node->imports[index].Get(eng.isolate);
    }
    (void)throw_type_error(
        "a module was not loaded: '", referrer->GetResourceName(), "' imports it");
    return v8::MaybeLocal<v8::Module>();
}

/* All is there. False: an exception is pending. Ends the load in any case. */
static bool
load_complete(v8::Local<v8::Context> context, uint32_t id)
{
    auto found = loads.find(id);
    struct load load = std::move(found->second);
    v8::Local<v8::Module> root = load.nodes[0].module.Get(eng.isolate);
    v8::Local<v8::Promise::Resolver> promise = load.promise.Get(eng.isolate);

    loads.erase(found);
    linking = &load;
    bool linked = root->InstantiateModule(context, find_import).FromMaybe(false);
    linking = nullptr;
    if (!linked)
        return false;
    if (load.goal == LOAD_LINK)
        return promise->Resolve(context, v8::Undefined(eng.isolate)).FromMaybe(false);
    return evaluate(context, root, load.goal, promise);
}

/* --- loads ---------------------------------------------------------------------------- */

static uint32_t
load_new(v8::Local<v8::Context> context, enum load_goal goal,
    v8::Local<v8::Promise::Resolver> promise)
{
    struct load *load = &loads[++loads_made];

    load->context = context_id(context);
    load->goal = goal;
    load->promise.Reset(eng.isolate, promise);
    return loads_made;
}

v8::MaybeLocal<v8::Promise>
load_module(v8::Local<v8::Context> context, v8::Local<v8::Module> root, enum load_goal goal)
{
    v8::Local<v8::Promise::Resolver> promise;

    if (!v8::Promise::Resolver::New(context).ToLocal(&promise))
        return v8::MaybeLocal<v8::Promise>();
    uint32_t id = load_new(context, goal, promise);
    if (!load_node(id, root) || (loads[id].open == 0 && !load_complete(context, id))) {
        loads.erase(id);
        return v8::MaybeLocal<v8::Promise>();
    }
    return promise->GetPromise();
}

v8::MaybeLocal<v8::Promise>
load_import(v8::Local<v8::Context> context, struct span specifier, enum load_goal goal)
{
    v8::Local<v8::Promise::Resolver> promise;
    v8::Local<v8::String> text;

    if (!v8::Promise::Resolver::New(context).ToLocal(&promise) ||
        !text_new(specifier).ToLocal(&text))
        return v8::MaybeLocal<v8::Promise>();
    struct request request = { load_new(context, goal, promise), 0, 0, true, true, false };
    if (!ask_texts(context_id(context), &request, text, v8::Undefined(eng.isolate))) {
        loads.erase(request.load);
        return v8::MaybeLocal<v8::Promise>();
    }
    return promise->GetPromise();
}

/* The module that the host answered with, as the import wants it. False: an exception is
 * pending. */
static bool
take(const struct request *request, uint32_t number)
{
    struct module_entry *entry = module_find(number);
    struct load *load = &loads[request->load];
    v8::Local<v8::Value> none = v8::Undefined(eng.isolate);

    if (entry == nullptr)
        return throw_type_error("the module has been closed", none, "");
    if (entry->context != load->context)
        return throw_type_error("the module is one of another context", none, "");
    if (!module_compiled(entry))
        return false;
    v8::Local<v8::Module> module = entry->module.Get(eng.isolate);
    if (!request->any && request->json && entry->kind != ENGINE_MODULE_JSON)
        return throw_type_error("'", module->GetResourceName(), "' is not JSON");
    if (!request->any && !request->json && entry->kind == ENGINE_MODULE_JSON)
        return throw_type_error(
            "'", module->GetResourceName(), "' is JSON: import it with { type: 'json' }");
    if (!request->root)
        load->nodes[request->node].imports[request->import].Reset(eng.isolate, module);
    return load_node(request->load, module);
}

/* Rejects the promise with what is caught, unless all execution ends. */
static void
fail_load(v8::Local<v8::Context> context, uint32_t id, v8::TryCatch &caught,
    v8::Local<v8::Promise::Resolver> promise)
{
    loads.erase(id);
    if (caught.HasTerminated() || !caught.HasCaught())
        return;
    v8::Local<v8::Value> why = caught.Exception();
    caught.Reset();
    (void)promise->Reject(context, why).FromMaybe(false);
}

bool
engine_resolved(uint32_t request, uint32_t module, struct span name, struct span message)
{
    auto found = requests.find(request);

    if (found == requests.end())
        return false;
    struct request asked = found->second;
    requests.erase(found);
    auto load = loads.find(asked.load);
    if (load == loads.end()) /* it has failed */
        return true;
    v8::HandleScope handles(eng.isolate);
    v8::Local<v8::Context> context = context_find(load->second.context);
    v8::Local<v8::Promise::Resolver> promise = load->second.promise.Get(eng.isolate);

    guest_entry entry(context);
    v8::TryCatch caught(eng.isolate);
    load->second.open--;
    if (module == 0)
        eng.isolate->ThrowException(host_error(context, name, message));
    if (module == 0 || !take(&asked, module) ||
        (loads[asked.load].open == 0 && !load_complete(context, asked.load)))
        fail_load(context, asked.load, caught, promise);
    if (caught.HasTerminated() || !microtasks_run())
        entry_terminated();
    return true;
}

void
engine_resolve_drop(uint32_t request)
{
    auto found = requests.find(request);

    if (found == requests.end())
        return;
    loads.erase(found->second.load);
    requests.erase(found);
}

void
engine_loader(uint32_t context, bool asks)
{
    if (asks)
        loaders[context] = true;
    else
        loaders.erase(context);
}

void
loaders_forget(void)
{
    loaders.clear();
}

void
loads_forget_context(uint32_t id)
{
    loaders.erase(id);
    for (auto it = loads.begin(); it != loads.end();)
        it = it->second.context == id ? loads.erase(it) : std::next(it);
}

/* --- what guests do ------------------------------------------------------------------- */

static v8::MaybeLocal<v8::Promise>
import_dynamic(v8::Local<v8::Context> context, v8::Local<v8::Data>,
    v8::Local<v8::Value> referrer, v8::Local<v8::String> specifier,
    v8::Local<v8::FixedArray> attributes)
{
    v8::TryCatch caught(eng.isolate);
    v8::Local<v8::Promise::Resolver> promise;
    struct request request = { 0, 0, 0, true, false, false };

    if (!v8::Promise::Resolver::New(context).ToLocal(&promise)) {
        caught.ReThrow();
        return v8::MaybeLocal<v8::Promise>();
    }
    if (read_attributes(attributes, CALLED, &request.json)) {
        request.load = load_new(context, LOAD_IMPORT, promise);
        if (ask_texts(context_id(context), &request, specifier, referrer))
            return promise->GetPromise();
    }
    fail_load(context, request.load, caught, promise);
    if (caught.HasTerminated()) {
        caught.ReThrow();
        return v8::MaybeLocal<v8::Promise>();
    }
    return promise->GetPromise();
}

void
module_install(v8::Isolate *isolate)
{
    isolate->SetHostImportModuleDynamicallyCallback(import_dynamic);
    isolate->SetHostInitializeImportMetaObjectCallback(module_meta);
}
