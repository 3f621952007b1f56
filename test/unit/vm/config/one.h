/* One virtual machine's description, which is read, or refused by a sentence. */
#ifndef VELLUM_TEST_CONFIG_ONE_H
#define VELLUM_TEST_CONFIG_ONE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "vm/config/config.h"

static struct vm_config vms[1];

static inline void good(const char *text)
{
	char error[300] = "";

	if (config_parse(text, strlen(text), vms, 1, error, sizeof(error)) != 1)
		fail_msg("%s", error);
}

static inline void bad(const char *text, const char *sentence)
{
	char error[300] = "";

	assert_int_equal(config_parse(text, strlen(text), vms, 1, error, sizeof(error)), -1);
	assert_string_equal(error, sentence);
}

#endif
