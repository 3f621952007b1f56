/* Which mutant of mmu/ the program is, where it was built with them. */
#include "test/oracle/mutants.h"

#include <stdio.h>
#include <string.h>

#include "lib/base.h"
#include "mmu/mutate.h"

#ifdef MUTATION
enum mmu_mutant mmu_mutant_selected;

bool mutant_select(const char *name)
{
	static const char *const names[] = {
#define M(mutant, what) #mutant,
		MMU_MUTANTS(M)
#undef M
	};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0) {
			mmu_mutant_selected = i;
			return true;
		}
	return false;
}

void mutants_list(void)
{
#define M(mutant, what) printf("%s\t%s\n", #mutant, what);
	MMU_MUTANTS(M)
#undef M
}
#endif
