/* vm/memory/mechanism.c - which mechanism virtualizes a VM's memory: the one that was asked for, or the best that the
 * CPU has. */
#include "vm/vm.h"

#include "host/device/console.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

const char *mechanism_lacks(const struct mmu_ops *ops) { return ops->unsupported(&machine.caps.mmu); }

const struct mmu_ops *mechanism_named(const char *name, const char **why)
{
	const struct mmu_ops *ops = mmu_mechanism_by_name(name);

	*why = ops ? mechanism_lacks(ops) : "there is no such mechanism; vellum ctl list names those that there are";
	return *why ? NULL : ops;
}

/* The best one that the CPU can run; *why: what it lacks for the best of all, NULL if this is that. */
static const struct mmu_ops *best(const char **why)
{
	const char *lacks;

	*why = NULL;
	for (unsigned i = 0; mmu_mechanisms[i]; i++) {
		lacks = mechanism_lacks(mmu_mechanisms[i]);
		if (VM_LEFT_OUT_OR(BEST_LACKS, !lacks))
			return mmu_mechanisms[i];
		if (!*why)
			*why = lacks;
	}
	return NULL;
}

/* What the CPU has of EPT and VPID, as a list. */
static void describe(const struct vm *vm, const struct mmu_ops *ops, char *text, size_t size)
{
	const struct mmu_caps *c = &machine.caps.mmu;
	const char *unrestricted = !c->unrestricted_guest			  ? "no unrestricted guest"
				   : vm->config->unrestricted == CONFIG_OFF ? "unrestricted guest not used"
									    : "unrestricted guest";

	if (!ops->nested)
		fmt(text, size, "%s", tag_usable(c) ? "VPID" : "no VPID");
	else
		fmt(text, size, "pages of 4K%s%s, %s%s, %s, %s", c->ept_2m ? ", 2M" : "", c->ept_1g ? ", 1G" : "",
		    c->ept_5level ? "4 or 5 levels, " : "", c->ept_ad || c->npt ? "A/D flags" : "no A/D flags",
		    tag_usable(c) ? "VPID" : "no VPID", unrestricted);
}

static void announce(const struct vm *vm, const struct mmu_ops *ops, const struct mmu_ops *first, const char *lacks)
{
	const char *name = vm->config->name;
	char cpu[100];

	describe(vm, ops, cpu, sizeof(cpu));
	if (vm->config->mmu[0] && ops != first)
		console_log("%s: mmu %s, as asked for; the best that this CPU can run is %s (%s)", name, ops->name,
			    first->name, cpu);
	else if (vm->config->mmu[0])
		console_log("%s: mmu %s, as asked for (%s)", name, ops->name, cpu);
	else if (lacks)
		console_log("%s: mmu %s, because %s (%s)", name, ops->name, lacks, cpu);
	else
		console_log("%s: mmu %s, the best there is, because the CPU can run it (%s)", name, ops->name, cpu);
}

/* NULL, or what the CPU lacks to run the nested mechanism as the configuration asks: whatever the mechanism is, it may
 * go over to that one later. */
static const char *nested_lacks(const struct mmu_config *config)
{
	for (unsigned i = 0; mmu_mechanisms[i]; i++)
		if (mmu_mechanisms[i]->nested)
			return mmu_unsupported(mmu_mechanisms[i], &machine.caps.mmu, config);
	return NULL;
}

/* Options that ask for what the CPU lacks. */
static bool options_supported(struct vm *vm, const struct mmu_ops *ops, const struct mmu_config *config)
{
	const struct mmu_caps *caps = &machine.caps.mmu;
	const struct vm_config *c = vm->config;
	const char *lacks = c->ept_levels == 5 ? nested_lacks(config) : NULL;
	const char *no_log = mmu_log_unsupported(caps, config->log);

	if (VM_KEPT(WANTS_VPID, c->vpid == CONFIG_ON) && !tag_usable(caps)) {
		vm_end(vm, VM_STATUS_UNSUPPORTED, "vpid on cannot be had: this CPU has no VPID; leave the setting out");
		return false;
	}
	if (VM_KEPT(WANTS_UNRESTRICTED, c->unrestricted == CONFIG_ON) && !caps->unrestricted_guest) {
		vm_end(vm, VM_STATUS_UNSUPPORTED,
		       "unrestricted on cannot be had: this CPU has no \"unrestricted guest\"; leave the setting out");
		return false;
	}
	if (VM_KEPT(WANTS_LEVELS, lacks)) {
		vm_end(vm, VM_STATUS_UNSUPPORTED, "ept-levels 5 cannot be had: %s; use 4 or auto", lacks);
		return false;
	}
	if (VM_KEPT(WANTS_LOG, no_log)) {
		vm_end(vm, VM_STATUS_UNSUPPORTED, "dirty %s cannot be had: %s; use %swp or auto",
		       config_dirties[c->dirty], no_log, mmu_log_unsupported(caps, MMU_LOG_FLAGS) ? "" : "ad, ");
		return false;
	}
	if (ops->nested &&
	    (VM_KEPT(WANTS_1G, c->page_bits == PAGE_LIMIT_1G && !caps->ept_1g) ||
	     VM_KEPT(WANTS_2M, c->page_bits == PAGE_LIMIT_2M && !caps->ept_2m))) {
		vm_end(vm, VM_STATUS_UNSUPPORTED,
		       "pages %s cannot be had: this CPU's EPT has no pages of that size; use %s4k or auto",
		       c->page_bits == PAGE_LIMIT_1G ? "1g" : "2m", caps->ept_2m ? "2m, " : "");
		return false;
	}
	return true;
}

bool mechanism_runs_real_mode(const struct vm *vm, const struct mmu_ops *ops)
{
	return VM_LEFT_OUT_OR(REAL_EPT, ops->nested) && VM_LEFT_OUT_OR(REAL_UNRESTRICTED, mmu_unrestricted(&vm->mmu));
}

const struct mmu_ops *mechanism_choose(struct vm *vm, const struct mmu_config *config)
{
	const char *lacks, *why;
	const struct mmu_ops *first = best(&lacks), *ops = first;

	if (!first) {
		vm_end(vm, VM_STATUS_UNSUPPORTED, "no mechanism can be used on this CPU: %s", lacks);
		return NULL;
	}
	if (vm->config->mmu[0]) {
		ops = mechanism_named(vm->config->mmu, &why);
		if (VM_KEPT(WANTS_MMU, !ops)) {
			vm_end(vm, VM_STATUS_UNSUPPORTED,
			       "mmu %s cannot be used: %s; use mmu %s, or leave the setting out", vm->config->mmu, why,
			       first->name);
			return NULL;
		}
	}
	if (!options_supported(vm, ops, config))
		return NULL;
	announce(vm, ops, first, lacks);
	return ops;
}
