/* Values of options: what cannot be one ends the program with one sentence that names the option. */
#ifndef VELLUM_TOOL_VALUE_H
#define VELLUM_TOOL_VALUE_H

#include <stdint.h>

/* A number from low to high. */
uint64_t number_between(const char *option, const char *value, uint64_t low, uint64_t high);
/* Bytes, written with K, M or G. */
uint64_t bytes_given(const char *option, const char *value);
/* One of the choices, which a null pointer ends. */
const char *one_of(const char *option, const char *value, const char *const *choices);

#endif
