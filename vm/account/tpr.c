/* vm/account/tpr.c - what virtualizing the guest's TPR has cost, by method, of a virtual machine whose method may have
 * changed. What its CPU serves without an exit is nobody's to count. */
#include "vm/vm.h"

#include "lib/mutants/mutate.h"

static uint64_t exits_of_kind(const struct vm *vm, enum hvm_exit_kind kind)
{
	uint64_t sum = 0;

	for (unsigned code = 0; code < HVM_EXIT_CODES; code++)
		if (hvm_exit_kind(code) == kind)
			sum += stats_exit(vm, code).count;
	return sum;
}

/* By all methods. */
static struct tpr_account until_now(const struct vm *vm)
{
	struct lapic_tpr_count made = stats_tpr(vm);

	return (struct tpr_account){ .reads = made.reads, .writes = made.writes,
				     .threshold = exits_of_kind(vm, HVM_EXIT_TPR_BELOW) + vm->patch.told,
				     .eois = exits_of_kind(vm, HVM_EXIT_EOI) };
}

/* What came after since is added. */
static void add_since(struct tpr_account *a, const struct tpr_account *now, const struct tpr_account *since)
{
	a->reads += now->reads - since->reads;
	a->writes += now->writes - since->writes;
	a->threshold += now->threshold - since->threshold;
	a->eois += now->eois - since->eois;
}

void account_tpr(struct vm *vm, unsigned next)
{
	struct tpr_account now = until_now(vm);

	if (vm->tpr.account.had[vm->tpr.method])
		VM_MUTANT(ACCOUNT_TPR, add_since(&vm->tpr.account.of[vm->tpr.method], &now, &vm->tpr.account.since));
	vm->tpr.account.since = now;
	vm->tpr.account.had[next] = true;
}

bool stats_tpr_method(const struct vm *vm, unsigned method, struct tpr_account *account)
{
	struct tpr_account now = until_now(vm);

	*account = vm->tpr.account.of[method];
	if (vm->tpr.method == method)
		add_since(account, &now, &vm->tpr.account.since);
	return vm->tpr.account.had[method];
}

uint64_t stats_left(const struct vm *vm, unsigned reason)
{
	struct tpr_account all = { .reads = 0 };

	if (reason != PATCH_LEFT_cpus)
		return vm->patch.left[reason];
	if (VM_KEPT(ACCOUNT_LEFT, vm->vcpu_count == 1))
		return 0;
	stats_tpr_method(vm, CONFIG_TPR_PATCH, &all);
	return all.reads + all.writes;
}
