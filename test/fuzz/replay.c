/* Replays a fuzzer's corpus as a unit test: no engine, the files of test/fuzz/corpus/NAME in the order of their names,
 * where the program is called fuzz_NAME. It runs in the root of the tree. */
#include "test/fuzz/input.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define INPUT_MAX 65536

static const char *name;

static void replay_file(const char *path)
{
	uint8_t *data = malloc(INPUT_MAX), *exact;
	FILE *f = fopen(path, "rb");
	size_t n;

	assert_non_null(f);
	n = fread(data, 1, INPUT_MAX, f);
	fclose(f);
	/* Nothing behind the last byte, for the sanitizer to see. */
	exact = malloc(n ? n : 1);
	memcpy(exact, data, n);
	free(data);
	LLVMFuzzerTestOneInput(exact, n);
	free(exact);
}

static void the_corpus_passes(void **state)
{
	char directory[128], path[512];
	struct dirent **entry;
	int count, files = 0;

	(void)state;
	snprintf(directory, sizeof(directory), "test/fuzz/corpus/%s", name);
	count = scandir(directory, &entry, NULL, alphasort);
	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		if (entry[i]->d_name[0] != '.') {
			snprintf(path, sizeof(path), "%s/%s", directory, entry[i]->d_name);
			replay_file(path);
			files++;
		}
		free(entry[i]);
	}
	free(entry);
	assert_true(files > 0);
	printf("%d inputs\n", files);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_corpus_passes) };

	(void)argc;
	name = strstr(argv[0], "fuzz_");
	name = name ? name + 5 : "";
	return cmocka_run_group_tests(tests, NULL, NULL);
}
