/* The run as JSON, with the stable names of docs/json.md. */
#ifndef VELLUM_TOOL_JSON_H
#define VELLUM_TOOL_JSON_H

#include "tool/base/result.h"

/* The whole text, ending in a newline; the caller frees. */
char *json_text(const struct run_result *result, int status);

#endif
