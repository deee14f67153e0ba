/* fuzz_json.c - any bytes as JSON; what is accepted must come out the same for ever after. */
#include "base/check.h"
#include "base/limits.h"
#include "fuzz.h"
#include "wire/clone.h"

#include <stdlib.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gbx_value *value = NULL, *again = NULL, *copy = NULL;
    gbx_error error = GBX_ERROR_INIT;
    char *first = NULL, *second = NULL;
    size_t len = 0;

    gbx_status status = gbx_value_from_json((const char *)data, size, &value, &error);
    if (status != GBX_OK) {
        GBX_CHECK(value == NULL && error.status == status && error.message[0] != '\0');
        GBX_CHECK(status != GBX_EINVAL || (error.line > 0 && error.column > 0));
        return 0;
    }
    GBX_CHECK(gbx_value_to_json(value, 0, &first, &len, &error) == GBX_OK);
    GBX_CHECK(gbx_value_from_json(first, len, &again, &error) == GBX_OK);
    GBX_CHECK(gbx_value_to_json(again, 0, &second, NULL, &error) == GBX_OK);
    GBX_CHECK(strcmp(first, second) == 0);
    GBX_CHECK(gbx_value_copy(value, &copy) == GBX_OK);
    GBX_CHECK(gbx_value_equal(value, copy) == 1);
    free(first);
    free(second);
    gbx_value_free(value);
    gbx_value_free(again);
    gbx_value_free(copy);
    return 0;
}
