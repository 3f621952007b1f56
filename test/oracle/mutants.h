/* test/oracle/mutants.h - which mutant of mmu/ the program is, where it was built with them. */
#ifndef VELLUM_TEST_ORACLE_MUTANTS_H
#define VELLUM_TEST_ORACLE_MUTANTS_H

#include <stdbool.h>

/* false: there is none of that name. */
bool mutant_select(const char *name);
void mutants_list(void);

#endif
