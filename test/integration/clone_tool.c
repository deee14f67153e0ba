/* clone_tool.c - our codec as a filter, for clone_oracle.js.
 *
 * Reads records of a u32 length and that many bytes of structured clone until the end of stdin.
 * Answers each with: i32 status; u32 length, our encoding of it; i32 status, u32 length, its
 * JSON; u32 length, our encoding of what that JSON reads as; u32 length, the value's text. All
 * little-endian; empty where a step failed.
 */
#include "base/check.h"
#include "base/limits.h"
#include "wire/clone.h"

#include <stdlib.h>

static void
put_block(const void *bytes, size_t len)
{
    uint32_t n = (uint32_t)len;

    GBX_CHECK(fwrite(&n, sizeof n, 1, stdout) == 1);
    GBX_CHECK(len == 0 || fwrite(bytes, 1, len, stdout) == len);
}

static void
put_status(gbx_status status)
{
    GBX_CHECK(fwrite(&status, sizeof status, 1, stdout) == 1);
}

/* Whatever was read must equal a second reading, and its copy. */
static void
check_equal(struct span bytes, const gbx_value *value)
{
    gbx_value *again, *copy;

    GBX_CHECK(clone_read(bytes, NULL, &again, NULL) == GBX_OK);
    GBX_CHECK(gbx_value_equal(value, again) == 1);
    GBX_CHECK(gbx_value_copy(again, &copy) == GBX_OK);
    gbx_value_free(again);
    GBX_CHECK(gbx_value_equal(value, copy) == 1);
    gbx_value_free(copy);
}

static void
put_reread(const char *json, size_t len)
{
    struct buf out = { .max = VALUE_BYTES_MAX };
    gbx_value *value;

    if (json != NULL) {
        GBX_CHECK(gbx_value_from_json(json, len, &value, NULL) == GBX_OK);
        GBX_CHECK(clone_write(value, &out) == GBX_OK);
        gbx_value_free(value);
    }
    put_block(out.p, out.len);
    buf_done(&out);
}

static void
answer(struct span bytes, uint32_t indent)
{
    struct buf out = { .max = VALUE_BYTES_MAX };
    gbx_value *value = NULL;
    char *json = NULL, *text = NULL;
    size_t json_len = 0, text_len = 0;
    const char *why;

    gbx_status status = clone_read(bytes, NULL, &value, &why);
    put_status(status);
    if (status != GBX_OK) {
        put_block(why, strlen(why));
        put_status(status);
        put_block("", 0);
        put_block("", 0);
        put_block("", 0);
        return;
    }
    check_equal(bytes, value);
    GBX_CHECK(clone_write(value, &out) == GBX_OK);
    put_block(out.p, out.len);
    put_status(gbx_value_to_json(value, indent, &json, &json_len, NULL));
    put_block(json, json_len);
    put_reread(json, json_len);
    GBX_CHECK(gbx_value_to_text(value, NULL, &text, &text_len) == GBX_OK);
    put_block(text, text_len);
    free(json);
    free(text);
    buf_done(&out);
    gbx_value_free(value);
}

int
main(void)
{
    uint32_t len;

    for (uint32_t n = 0; fread(&len, sizeof len, 1, stdin) == 1; n++) {
        /* Exactly as long as it is, so that a sanitizer sees one byte too far. */
        uint8_t *bytes = malloc(len == 0 ? 1 : len);
        GBX_CHECK(bytes != NULL && fread(bytes, 1, len, stdin) == len);
        answer(span_of(bytes, len), n % 4);
        free(bytes);
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
