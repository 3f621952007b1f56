/* JSON documents of the command, as text. */
#ifndef VELLUM_TOOL_JSON_TEXT_H
#define VELLUM_TOOL_JSON_TEXT_H

#include <stdint.h>

#include <cjson/cJSON.h>

/* Exact: a cJSON number is a double, which a count of ticks may outgrow. */
cJSON *json_exact(uint64_t value);
/* The document with a newline behind it, the caller's to free; root is deleted. */
char *json_printed(cJSON *root);

#endif
