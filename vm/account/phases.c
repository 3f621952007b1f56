/* vm/account/phases.c - accounts of parts of a run (vm/account/account.h): the phases of a guest's work, as the guest
 * marks them; its time under each mechanism, once it has gone over to another. */
#include "vm/vm.h"

#include "host/memory/frames.h"
#include "lib/mutants/mutate.h"

/* The account of a phase is opened by taking the vCPU's counters away from it and closed by adding them: unsigned
 * arithmetic makes the difference right, and no copy of them is kept. */
struct phases {
	unsigned open; /* 0: none */
	struct account account[PHASES_MAX];
};

static void add_words(uint64_t *to, const uint64_t *from, size_t bytes, bool minus)
{
	for (size_t i = 0; i < bytes / sizeof(*to); i++) {
		uint64_t word = __atomic_load_n(&from[i], __ATOMIC_RELAXED); /* VM1: other CPUs count */

		to[i] += minus ? 0 - word : word;
	}
}

/* ran: ticks that the vCPUs have had CPUs until now. */
static void add_now(struct account *a, const struct vm *vm, uint64_t ran, bool minus)
{
	struct mmu_counters mmu = mmu_counters(&vm->mmu);
	const struct vcpu *v;

	add_words(&a->run_ticks, &ran, sizeof(ran), minus);
	for_each_vcpu(v, vm)
		add_words(&a->exits->count, &v->exits->count, sizeof(v->exits), minus);
	add_words((uint64_t *)&a->mmu, (const uint64_t *)&mmu, sizeof(a->mmu), minus);
	a->table_pages = mmu_table_pages(&vm->mmu);
}

static void go_to(struct vm *vm, struct phases *p, unsigned phase, uint64_t ran)
{
	if (VM_KEPT(PHASE_CLOSED, p->open))
		add_now(&p->account[p->open], vm, ran, false);
	p->open = phase;
	if (VM_KEPT(PHASE_OPENED, phase))
		add_now(&p->account[phase], vm, ran, true);
}

static bool have_room(struct phases **phases)
{
	uint64_t pages = pages_for(sizeof(struct phases));
	hfn_t f;

	if (*phases)
		return true;
	f = frames_alloc_run(pages, 1);
	if (hfn_is_none(f))
		return false;
	*phases = frames_ptr(f);
	VM_MUTANT(PHASE_CLEAR, memset(*phases, 0, sizeof(**phases)));
	return true;
}

static void mark(void *ctx, uint16_t port, unsigned size, uint32_t value)
{
	struct vm *vm = ctx;
	uint8_t phase = (uint8_t)value;

	(void)port;
	(void)size;
	if (have_room(&vm->phases))
		go_to(vm, vm->phases, VM_LEFT_OUT_OR(PHASE_RANGE, phase < PHASES_MAX) ? phase : 0, stats_vm_ran(vm));
}

static uint32_t no_mark(void *ctx, uint16_t port, unsigned size)
{
	(void)ctx;
	(void)port;
	return (uint32_t)MASK(8 * size - 1, 0);
}

bool phases_init(struct vm *vm)
{
	static const struct pio_ops ops = { no_mark, mark };

	return pio_add(&vm->pio, MARK_PORT, 1, &ops, vm);
}

static void give_back(struct phases **phases)
{
	if (*phases)
		frames_give(*phases, sizeof(struct phases));
	*phases = NULL;
}

void phases_free(struct vm *vm)
{
	give_back(&vm->phases);
	give_back(&vm->under);
}

void phases_end(struct vm *vm)
{
	struct vcpu *v;
	uint64_t ran = 0;

	for_each_vcpu(v, vm)
		ran += v->run_ticks;
	if (vm->phases)
		VM_MUTANT(PHASE_END, go_to(vm, vm->phases, 0, ran));
	if (vm->under)
		VM_MUTANT(UNDER_END, go_to(vm, vm->under, 0, ran));
}

/* A mechanism's number among the accounts: 1 and up. */
static unsigned number_of(const struct mmu_ops *ops)
{
	unsigned n = 0;

	while (mmu_mechanisms[n] != ops)
		n++;
	return n + 1;
}

/* Until the first change there is no account but that of the run, which becomes the first mechanism's. Without memory
 * for them, there are none. */
void account_mechanism(struct vm *vm, const struct mmu_ops *before)
{
	bool first = !vm->under;

	if (!have_room(&vm->under))
		return;
	if (first)
		vm->under->open = number_of(before);
	go_to(vm, vm->under, number_of(vm->mmu.ops), stats_vm_ran(vm));
}

static const struct account *account_of(const struct phases *p, unsigned n) { return p && n ? &p->account[n] : NULL; }

const struct account *phases_account(const struct vm *vm, unsigned phase) { return account_of(vm->phases, phase); }

const struct account *mechanism_account(const struct vm *vm, const struct mmu_ops *ops)
{
	return account_of(vm->under, number_of(ops));
}

static bool until_now(const struct vm *vm, const struct phases *p, unsigned n, struct account *account)
{
	const struct account *a = account_of(p, n);

	if (!a)
		return false;
	*account = *a;
	if (VM_KEPT(PHASE_OPEN, p->open == n))
		add_now(account, vm, stats_vm_ran(vm), false);
	return VM_LEFT_OUT_OR(PHASE_NONE, account->run_ticks != 0);
}

bool phases_until_now(const struct vm *vm, unsigned phase, struct account *account)
{
	return until_now(vm, vm->phases, phase, account);
}

bool mechanism_until_now(const struct vm *vm, const struct mmu_ops *ops, struct account *account)
{
	return until_now(vm, vm->under, number_of(ops), account);
}
