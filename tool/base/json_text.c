#include "tool/base/json_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "tool/base/util.h"

cJSON *json_exact(uint64_t value)
{
	char digits[24];

	snprintf(digits, sizeof digits, "%" PRIu64, value);
	return cJSON_CreateRaw(digits);
}

char *json_printed(cJSON *root)
{
	char *printed = cJSON_Print(root), *copy;

	if (printed == NULL)
		die(STATUS_FAILED, "out of memory");
	copy = text("%s\n", printed);
	free(printed);
	cJSON_Delete(root);
	return copy;
}
