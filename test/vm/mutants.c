/* test/vm/mutants.c - the selection of one mutant of vm/ and vmx/ (lib/mutants/mutate.h): by its name in the variable
 * VM_MUTANT. With `list` there, the program prints all of them and ends. */
#include "lib/mutants/mutate.h"

#ifdef VM_MUTATION
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/seam.h"

enum vm_mutant vm_mutant_selected;

/* Where a test has no bench, nobody comes in between. */
__attribute__((weak)) void (*bench_seam)(void);

static const struct {
	const char *name, *what;
} mutants[] = {
#define M(name, what) { #name, what },
	VM_MUTANTS(M)
#undef M
};

__attribute__((constructor)) static void select_mutant(void)
{
	const char *name = getenv("VM_MUTANT");

	if (!name)
		return;
	for (unsigned n = 0; n < VM_MUTANT_COUNT; n++) {
		if (!strcmp(name, "list"))
			printf("%s\t%s\n", mutants[n].name, mutants[n].what);
		else if (!strcmp(name, mutants[n].name)) {
			vm_mutant_selected = (enum vm_mutant)n;
			return;
		}
	}
	if (strcmp(name, "list"))
		fprintf(stderr, "there is no mutant %s\n", name);
	exit(strcmp(name, "list") ? 2 : 0);
}
#endif
