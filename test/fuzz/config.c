/* Descriptions of virtual machines under libFuzzer: what config_parse() takes, it takes again as config_print() writes
 * it, and it is the same machine (C1, C2 in vm/config/config.h). */
#include "test/fuzz/input.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/config/config.h"

#define MACHINES_MAX 4

static void again(const struct vm_config *c)
{
	static struct vm_config back;
	static char text[1 << 16]; /* eight modules are 24 KB */
	char error[300];
	size_t n = config_print(c, &(struct config_files){ .kernel = NULL }, text, sizeof(text));

	if (n >= sizeof(text) || config_parse(text, n, &back, 1, error, sizeof(error)) != 1) {
		fprintf(stderr, "what was printed is not read back (%s):\n%s", error, text);
		abort();
	}
	back.given = c->given;
	if (memcmp(&back, c, sizeof(back))) {
		fprintf(stderr, "what was read back is another machine:\n%s", text);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vm_config configs[MACHINES_MAX];
	char error[300] = "";
	char *text = malloc(size ? size : 1);
	int n;

	memcpy(text, data, size);
	memset(configs, 0, sizeof(configs));
	n = config_parse(text, size, configs, MACHINES_MAX, error, sizeof(error));
	free(text);
	if (n == 0 || n > MACHINES_MAX || (n < 0 && (!error[0] || strchr(error, '\n')))) {
		fprintf(stderr, "%d machines, error \"%s\"\n", n, error);
		abort();
	}
	for (int i = 0; i < n; i++)
		again(&configs[i]);
	return 0;
}
