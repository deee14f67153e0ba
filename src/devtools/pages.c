/* pages.c - what stands below /json. */
#include "devtools/guard.h"
#include "devtools/protocol.h"
#include "devtools/server.h"

/* A JSON string of UTF-8 text. */
static void
put_string(struct buf *out, const char *text)
{
    buf_byte(out, '"');
    for (const char *p = text; *p != '\0'; p++)
        if (*p == '"' || *p == '\\')
            buf_printf(out, "\\%c", *p);
        else if ((unsigned char)*p < ' ')
            buf_printf(out, "\\u%04x", (unsigned)*p);
        else
            buf_byte(out, (uint8_t)*p);
    buf_byte(out, '"');
}

static void
put_target(struct buf *out, const struct target *target, struct span host)
{
    /* By the name that the client knows us by: the port may have been forwarded. */
    buf_printf(out,
        "{\n  \"description\": \"glovebox isolate\",\n"
        "  \"devtoolsFrontendUrl\": \"devtools://devtools/bundled/js_app.html"
        "?experiments=true&v8only=true&ws=%.*s/%s\",\n  \"id\": \"%s\",\n  \"title\": ",
        (int)host.len, (const char *)host.p, target->id, target->id);
    put_string(out, gbx_isolate_name(target->isolate));
    buf_printf(out,
        ",\n  \"type\": \"node\",\n  \"url\": \"\",\n"
        "  \"webSocketDebuggerUrl\": \"ws://%.*s/%s\"\n}",
        (int)host.len, (const char *)host.p, target->id);
}

static void
put_list(struct buf *out, const struct server *server, struct span host)
{
    buf_byte(out, '[');
    for (const struct target *t = server->targets; t != NULL; t = t->next) {
        buf_text(out, t == server->targets ? " " : ", ");
        put_target(out, t, host);
    }
    buf_text(out, " ]\n");
}

static void
put_version(struct buf *out, const struct server *server)
{
    buf_printf(out,
        "{\n  \"Browser\": \"glovebox/%u.%u.%u\",\n  \"Protocol-Version\": \"1.3\",\n"
        "  \"V8-Version\": ",
        GBX_VERSION / 10000, GBX_VERSION / 100 % 100, GBX_VERSION % 100);
    put_string(out, server->version);
    buf_text(out, "\n}\n");
}

static bool
is_path(struct span path, const char *text)
{
    return guard_same(path, span_text(text));
}

bool
page_write(struct buf *out, const struct server *server, struct span path, struct span host)
{
    if (is_path(path, "/json") || is_path(path, "/json/list"))
        put_list(out, server, host);
    else if (is_path(path, "/json/version"))
        put_version(out, server);
    else if (is_path(path, "/json/protocol"))
        buf_append(out, protocol_json, protocol_json_len);
    else
        return false;
    return true;
}
