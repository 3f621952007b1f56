/* lab/config/config_text.h - the types of settings (lab/config/config.h lists them, and what their text looks like). */
#ifndef VELLUM_LAB_CONFIG_TEXT_H
#define VELLUM_LAB_CONFIG_TEXT_H

#include <stddef.h>

#include "lab/config/config.h"

enum lab_type {
	LAB_TYPE_COUNT,
	LAB_TYPE_CYCLES,
	LAB_TYPE_RATIO,
	LAB_TYPE_FLAG,
	LAB_TYPE_SHAPE,
	LAB_TYPE_BYTES,
	LAB_TYPE_PAGES,
	LAB_TYPE_HOLDS,
	LAB_TYPE_NAME,
	LAB_TYPE_TEXT,
};

#define LAB_NAME_SIZE 64
#define LAB_TEXT_SIZE 512

/* Bytes of a value. */
size_t lab_type_size(enum lab_type type);
/* false: text is no such value; *out is unspecified then. */
bool lab_type_parse(enum lab_type type, const char *text, void *out);
/* The value as lab_type_parse takes it; the caller frees. NULL: no memory. */
char *lab_type_print(enum lab_type type, const void *value);
/* What a value may be, for an error's sentence. */
const char *lab_type_takes(enum lab_type type);

#endif
