/* lib/mutants/mutate.h - the names of the checks, requeues, windows, truncations and blocking rules of vm/, vmx/
 * and dev/, each of which a mutation build can leave out. As mmu/mutate.h for the heart.
 *
 * In every normal build VM_MUTANT(NAME, statement) is the statement, VM_KEPT(NAME, condition) and VM_LEFT_OUT_OR(NAME,
 * condition) are the condition. With -DVM_MUTATION, while NAME is the mutant that was selected at run time, the
 * statement is skipped, VM_KEPT is false and VM_LEFT_OUT_OR is true; then some unit test must fail, or what was left
 * out is excess. `make mutate` goes through the list. */
#ifndef VELLUM_LIB_MUTATE_H
#define VELLUM_LIB_MUTATE_H

#include "lib/mutants/debug.h"
#include "lib/mutants/devices.h"
#include "lib/mutants/exits.h"
#include "lib/mutants/ide.h"
#include "lib/mutants/live.h"
#include "lib/mutants/memory.h"
#include "lib/mutants/move.h"
#include "lib/mutants/run.h"
#include "lib/mutants/snapshot.h"
#include "lib/mutants/start.h"
#include "lib/mutants/svm.h"
#include "lib/mutants/trace.h"
#include "lib/mutants/video.h"

/* M(name, what is left out) */
#define VM_MUTANTS(M) \
	M(NONE, "nothing") \
	VM_MUTANTS_EXITS(M) \
	VM_MUTANTS_RUN(M) \
	VM_MUTANTS_MOVE(M) \
	VM_MUTANTS_LIVE(M) \
	VM_MUTANTS_MEMORY(M) \
	VM_MUTANTS_START(M) \
	VM_MUTANTS_DEBUG(M) \
	VM_MUTANTS_TRACE(M) \
	VM_MUTANTS_IDE(M) \
	VM_MUTANTS_DEVICES(M) \
	VM_MUTANTS_SNAPSHOT(M) \
	VM_MUTANTS_VIDEO(M) \
	VM_MUTANTS_SVM(M)

#ifdef VM_MUTATION
#include "lib/base.h"
#define M(name, what) VM_MUTANT_##name,
enum vm_mutant { VM_MUTANTS(M) VM_MUTANT_COUNT };
#undef M
extern enum vm_mutant vm_mutant_selected;
#define VM_MUTANT(name, ...) \
	do { \
		if (vm_mutant_selected != VM_MUTANT_##name) { \
			__VA_ARGS__; \
		} \
	} while (0)
#define VM_KEPT(name, cond) ((cond) && vm_mutant_selected != VM_MUTANT_##name)
#define VM_LEFT_OUT_OR(name, cond) ((cond) || vm_mutant_selected == VM_MUTANT_##name)
#else
#define VM_MUTANT(name, ...) \
	do { \
		__VA_ARGS__; \
	} while (0)
#define VM_KEPT(name, cond) (cond)
#define VM_LEFT_OUT_OR(name, cond) (cond)
#endif

#endif
