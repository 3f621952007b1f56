#include "vm/debug/debug.h"

#include "host/cpu/x86.h"
#include "lib/mutants/mutate.h"
#include "vm/vm.h"

#define INT3 0xcc

/* ---- stopping and going on ---- */

static void ask_all(struct vm *vm)
{
	struct vcpu *v;

	for_each_vcpu(v, vm)
		vcpu_request(v, REQUEST_DEBUG);
}

bool debug_is_stopped(const struct vm *vm)
{
	const struct vcpu *v;

	for_each_vcpu(v, vm)
		if (__atomic_load_n(&v->running, __ATOMIC_SEQ_CST))
			return false;
	return __atomic_load_n(&vm->paused, __ATOMIC_SEQ_CST);
}

void debug_attach(struct vm *vm)
{
	struct vcpu *v;

	for_each_vcpu(v, vm)
		v->debug.stop = DEBUG_PAUSED;
	__atomic_store_n(&vm->debug.attached, true, __ATOMIC_SEQ_CST);
	vm_pause(vm, true);
	ask_all(vm);
}

void debug_go(struct vm *vm, struct vcpu *v, bool step, bool hold_others)
{
	struct vcpu *u;

	for_each_vcpu(u, vm) {
		u->debug.stop = DEBUG_RUNS;
		u->debug.step = step && u == v;
		u->debug.begun = false;
		u->debug.held = VM_KEPT(DEBUG_HOLDS, hold_others && u != v);
	}
	ask_all(vm);
	vm_pause(vm, false);
}

static void clear_trap(struct vcpu *v)
{
	if (!v->debug.trap)
		return;
	VM_MUTANT(DEBUG_CLEARS_TF, hvm_set_rflags(&v->hvm, hvm_rflags(&v->hvm) & ~RFLAGS_TF));
	hvm_set_pending_debug(&v->hvm, hvm_pending_debug(&v->hvm) & ~PENDING_DEBUG_BS);
	v->debug.trap = false;
}

void debug_leave(struct vcpu *v)
{
	v->debug.step = v->debug.begun = false;
	clear_trap(v);
}

void debug_stop(struct vcpu *v, enum debug_stop why, uint64_t address)
{
	struct vcpu_debug *d = &v->debug;

	d->stop = (uint8_t)why;
	d->address = address;
	d->step = d->begun = false;
	clear_trap(v);
	vcpu_note(v, REQUEST_DEBUG);
	vm_pause(v->vm, true);
}

/* ---- breakpoints in registers ---- */

static uint64_t bits_of(unsigned n)
{
	return DR7_ENABLES(n) | 15ull << DR7_RW_SHIFT(n);
}

static uint64_t taken_bits(const struct vcpu *v)
{
	uint64_t bits = 0;

	for (unsigned n = 0; n < 4; n++)
		if (v->debug.taken & BIT(n))
			bits |= bits_of(n);
	return bits;
}

uint64_t debug_dr7(const struct vcpu *v)
{
	uint64_t taken = taken_bits(v);

	return (hvm_dr7(&v->hvm) & ~taken) | (v->debug.dr7 & taken);
}

uint64_t debug_dr(const struct vcpu *v, unsigned n)
{
	return VM_LEFT_OUT_OR(DEBUG_DR_READ, v->debug.taken & BIT(n)) ? v->debug.dr[n] : resident_breakpoint(n);
}

void debug_set_dr(struct vcpu *v, unsigned n, uint64_t value)
{
	if (VM_LEFT_OUT_OR(DEBUG_DR_WRITE, v->debug.taken & BIT(n)))
		v->debug.dr[n] = value;
	else
		resident_set_breakpoint(n, value);
}

/* All of them are the guest's. */
static void give_back(struct vcpu *v)
{
	uint64_t dr7 = debug_dr7(v);

	for (unsigned n = 0; n < 4; n++)
		if (v->debug.taken & BIT(n))
			resident_set_breakpoint(n, v->debug.dr[n]);
	v->debug.taken = 0;
	hvm_set_dr7(&v->hvm, dr7);
}

void debug_forget(struct vcpu *v)
{
	give_back(v);
	vcpu_note(v, REQUEST_DEBUG);
}

/* By LEN of DR7 (SDM, "Debug Control Register (DR7)"). */
static uint64_t length_code(unsigned length)
{
	return length == 8 ? 2 : length - 1;
}

/* The last one that neither the guest uses nor we; -1: the guest has them all. */
static int free_register(const struct vcpu *v, uint64_t dr7)
{
	for (int n = 3; n >= 0; n--)
		if (!(v->debug.taken & BIT(n)) && VM_LEFT_OUT_OR(DEBUG_GUEST_FIRST, !(dr7 & DR7_ENABLES(n))))
			return n;
	return -1;
}

/* SDM, "Debug Control Register (DR7)". Global enable bits: a task switch of the guest's leaves them. */
static void take_registers(struct vcpu *v)
{
	struct vcpu_debug *d = &v->debug;
	uint64_t guest = d->dr7 = hvm_dr7(&v->hvm), dr7 = guest;

	for (unsigned i = 0; i < DEBUG_HARD_MAX; i++) {
		const struct debug_hard *h = &v->vm->debug.hard[i];
		int n = h->used ? free_register(v, guest) : -1;

		if (n < 0)
			continue;
		d->dr[n] = resident_breakpoint((unsigned)n);
		d->taken |= (uint8_t)BIT(n);
		d->hard[n] = (uint8_t)i;
		resident_set_breakpoint((unsigned)n, h->address);
		dr7 &= ~bits_of((unsigned)n);
		dr7 |= DR7_GLOBAL(n) | (uint64_t)h->kind << DR7_RW_SHIFT(n) |
		       length_code(h->length) << DR7_LEN_SHIFT(n);
	}
	hvm_set_dr7(&v->hvm, dr7);
}

void debug_set_dr7(struct vcpu *v, uint64_t value)
{
	give_back(v);
	hvm_set_dr7(&v->hvm, value);
	if (v->vm->debug.attached) {
		take_registers(v);
		vcpu_note(v, REQUEST_DEBUG);
	}
}

/* SDM, "Breakpoint Field Recognition": lengths, and alignment to them. */
const char *debug_insert_hard(struct vm *vm, unsigned kind, uint64_t address, uint64_t length)
{
	bool whole = length == 1 || length == 2 || length == 4 || length == 8;

	if (!whole || (address & (length - 1)))
		return "a watched piece has 1, 2, 4 or 8 bytes, and is aligned to that";
	for (unsigned i = 0; i < DEBUG_HARD_MAX; i++) {
		if (vm->debug.hard[i].used)
			continue;
		vm->debug.hard[i] = (struct debug_hard){ true, (uint8_t)kind, (uint8_t)length, address };
		ask_all(vm);
		return NULL;
	}
	return "there are 4 of them already";
}

bool debug_remove_hard(struct vm *vm, unsigned kind, uint64_t address, uint64_t length)
{
	for (unsigned i = 0; i < DEBUG_HARD_MAX; i++) {
		struct debug_hard *h = &vm->debug.hard[i];

		if (!h->used || h->kind != kind || h->address != address || h->length != length)
			continue;
		h->used = false;
		ask_all(vm);
		return true;
	}
	return false;
}

/* ---- breakpoints in memory ---- */

static bool has_soft(const struct vm *vm)
{
	for (unsigned i = 0; i < DEBUG_SOFT_MAX; i++)
		if (vm->debug.soft[i].used)
			return true;
	return false;
}

static bool soft_at(const struct vm *vm, gpa_t gpa)
{
	for (unsigned i = 0; i < DEBUG_SOFT_MAX; i++)
		if (vm->debug.soft[i].used && vm->debug.soft[i].gpa.v == gpa.v)
			return true;
	return false;
}

/* As debuggers do, whatever the page's rights are. */
static bool find(struct vcpu *v, uint64_t gva, gpa_t *gpa)
{
	struct walk_regs regs = v->mmu.regs;
	struct walk_result w;

	regs.cr4 &= ~(uint64_t)(CR4_SMAP | CR4_PKE);
	w = mmu_walk(&v->vm->mmu, &regs, GVA(gva), (struct access){ .write = false }, false);
	*gpa = w.gpa;
	return w.ok;
}

const char *debug_insert_soft(struct vcpu *v, uint64_t gva)
{
	struct vm *vm = v->vm;
	uint8_t int3 = INT3, own;
	gpa_t gpa;

	if (!find(v, gva, &gpa) || mmu_guest_read(&vm->mmu, gpa, &own, 1) != 1)
		return "there is no memory";
	/* Twice at one place: by two addresses. */
	debug_hide(vm, gpa, &own, 1);
	for (unsigned i = 0; i < DEBUG_SOFT_MAX; i++) {
		if (vm->debug.soft[i].used)
			continue;
		if (mmu_guest_write(&vm->mmu, gpa, &int3, 1) != 1)
			return "the memory there cannot be written";
		vm->debug.soft[i].used = true;
		vm->debug.soft[i].own = own;
		vm->debug.soft[i].gva = gva;
		vm->debug.soft[i].gpa = gpa;
		ask_all(vm);
		return NULL;
	}
	return "there are too many of them already";
}

/* Where the guest has written meanwhile, there is nothing to be undone. */
static void remove_at(struct vm *vm, unsigned i)
{
	gpa_t gpa = vm->debug.soft[i].gpa;
	uint8_t now;

	vm->debug.soft[i].used = false;
	if (!soft_at(vm, gpa) && mmu_guest_read(&vm->mmu, gpa, &now, 1) == 1 &&
	    VM_LEFT_OUT_OR(DEBUG_WRITTEN, now == INT3))
		VM_MUTANT(DEBUG_RESTORES, mmu_guest_write(&vm->mmu, gpa, &vm->debug.soft[i].own, 1));
}

bool debug_remove_soft(struct vm *vm, uint64_t gva)
{
	for (unsigned i = 0; i < DEBUG_SOFT_MAX; i++)
		if (vm->debug.soft[i].used && vm->debug.soft[i].gva == gva) {
			remove_at(vm, i);
			ask_all(vm);
			return true;
		}
	return false;
}

void debug_hide(const struct vm *vm, gpa_t gpa, uint8_t *bytes, size_t n)
{
	for (unsigned i = 0; vm->debug.attached && i < DEBUG_SOFT_MAX; i++) {
		uint64_t at = vm->debug.soft[i].gpa.v - gpa.v;

		if (vm->debug.soft[i].used && at < n && bytes[at] == INT3)
			VM_MUTANT(DEBUG_HIDES, bytes[at] = vm->debug.soft[i].own);
	}
}

size_t debug_write(struct vm *vm, gpa_t gpa, const uint8_t *bytes, size_t n)
{
	size_t done = mmu_guest_write(&vm->mmu, gpa, bytes, n);
	uint8_t int3 = INT3;

	for (unsigned i = 0; i < DEBUG_SOFT_MAX; i++) {
		uint64_t at = vm->debug.soft[i].gpa.v - gpa.v;

		if (!vm->debug.soft[i].used || at >= done)
			continue;
		vm->debug.soft[i].own = bytes[at];
		VM_MUTANT(DEBUG_STAYS, mmu_guest_write(&vm->mmu, vm->debug.soft[i].gpa, &int3, 1));
	}
	return done;
}

void debug_detach(struct vm *vm)
{
	struct vcpu *v;

	for (unsigned i = 0; i < DEBUG_SOFT_MAX; i++)
		if (vm->debug.soft[i].used)
			remove_at(vm, i);
	memset(vm->debug.hard, 0, sizeof(vm->debug.hard));
	for_each_vcpu(v, vm)
		v->debug.held = v->debug.step = false;
	__atomic_store_n(&vm->debug.attached, false, __ATOMIC_SEQ_CST);
	debug_go(vm, NULL, false, false);
}

/* ---- for the run loop ---- */

/* No interrupt comes in front of the instruction: a debugger's user wants to see that, and not the timer's handler. As
 * behind an STI (SDM, "Masking Maskable Hardware Interrupts"), which VM entry refuses with IF 0, with an event to
 * inject, and with TF ("Checks on Guest Non-Register State"). */
static void hold_interrupts(struct vcpu *v)
{
	uint64_t flags = hvm_rflags(&v->hvm), blocking = hvm_blocking(&v->hvm);

	if ((flags & RFLAGS_IF) && !(flags & RFLAGS_TF) && !v->halted && !(v->event.info & EVENT_VALID) &&
	    !(blocking & (BLOCKING_STI | BLOCKING_MOV_SS)))
		VM_MUTANT(DEBUG_NO_INTERRUPT, hvm_set_blocking(&v->hvm, blocking | BLOCKING_STI));
}

/* Where an instruction is done by the hypervisor, the CPU has not stepped: RIP tells. */
static bool has_stepped(const struct vcpu *v)
{
	return v->debug.begun && VM_KEPT(DEBUG_RIP, hvm_rip(&v->hvm) != v->debug.step_rip);
}

/* Where the CPU has no way of its own, by the guest's TF. With that and blocking, BS waits (SDM, "Checks on Guest
 * Non-Register State"). */
static void prepare_step(struct vcpu *v)
{
	v->debug.begun = true;
	v->debug.step_rip = hvm_rip(&v->hvm);
	hold_interrupts(v);
	if (!machine.caps.steps && !v->emulated && !(hvm_rflags(&v->hvm) & RFLAGS_TF)) {
		v->debug.trap = true;
		hvm_set_rflags(&v->hvm, hvm_rflags(&v->hvm) | RFLAGS_TF);
		if (hvm_blocking(&v->hvm) & (BLOCKING_STI | BLOCKING_MOV_SS))
			hvm_set_pending_debug(&v->hvm, hvm_pending_debug(&v->hvm) | PENDING_DEBUG_BS);
	}
	/* DB4; who sleeps goes on being stepped when it is woken. */
	if (!v->halted)
		vcpu_note(v, REQUEST_DEBUG);
}

bool debug_serve(struct vcpu *v)
{
	const struct vm_debug *d = &v->vm->debug;
	bool stepped;

	if (v->chain.looks)
		debug_leave(v);
	stepped = v->debug.step && has_stepped(v);
	give_back(v);
	if (d->attached && VM_LEFT_OUT_OR(CHAIN_BREAKPOINTS, !v->chain.looks))
		take_registers(v);
	if (stepped)
		debug_stop(v, DEBUG_STEPPED, 0);
	else if (v->debug.step)
		prepare_step(v);
	else
		clear_trap(v);
	hvm_set_debug(&v->hvm, &(struct hvm_debug){ .step = machine.caps.steps && (v->debug.step || v->chain.looks),
						    .debug_registers = v->debug.taken,
						    .int3 = d->attached && has_soft(v->vm),
						    .exceptions = v->chain.looks });
	return stepped;
}

static uint64_t linear_rip(const struct vcpu *v)
{
	uint64_t rip = hvm_rip(&v->hvm);

	return hvm_in_64bit_code(&v->hvm) ? rip : (uint32_t)(rip + hvm_segment(&v->hvm, SEG_CS).base);
}

/* Is there an INT3 at RIP, and *mine: the debugger's? */
static bool at_int3(struct vcpu *v, bool *mine)
{
	uint8_t now = 0;
	gpa_t gpa;

	hvm_sync_paging(&v->hvm, &v->mmu);
	*mine = find(v, linear_rip(v), &gpa) && mmu_guest_read(&v->vm->mmu, gpa, &now, 1) == 1 && now == INT3 &&
		soft_at(v->vm, gpa);
	return now == INT3;
}

/* Where there is none any more it was the debugger's, who has taken it away since the exit: the guest's own instruction
 * is still to be done. */
bool debug_takes_int3(struct vcpu *v)
{
	bool mine, there = at_int3(v, &mine);

	if (mine && v->vm->debug.attached)
		debug_stop(v, DEBUG_SOFT, 0);
	return VM_KEPT(DEBUG_INT3, there) ? mine : true;
}

bool debug_on_fetch(struct vcpu *v)
{
	bool mine;

	if (!has_soft(v->vm) || !at_int3(v, &mine) || !mine)
		return false;
	debug_stop(v, DEBUG_SOFT, 0);
	return true;
}

static void stop_by(struct vcpu *v, unsigned n)
{
	static const uint8_t why[4] = { DEBUG_HARD, DEBUG_WATCH, DEBUG_HARD, DEBUG_ACCESS }; /* by DR7_RW_* */
	const struct debug_hard *h = &v->vm->debug.hard[v->debug.hard[n]];

	debug_stop(v, (enum debug_stop)why[h->kind & 3], h->address);
}

/* SDM, "Debug Status Register (DR6)": a CPU may tell of breakpoints that nobody has enabled; they are nobody's. */
bool debug_takes(struct vcpu *v, uint64_t *causes)
{
	uint64_t mine = *causes & v->debug.taken & DR6_BREAKPOINTS, dr7 = debug_dr7(v), enabled = 0;
	bool step = v->debug.trap && (*causes & PENDING_DEBUG_BS);

	for (unsigned n = 0; n < 4; n++)
		if (dr7 & DR7_ENABLES(n))
			enabled |= BIT(n);
	if (!mine && !step)
		return false;
	/* Who has gone since the exit is not told. */
	for (unsigned n = 0; n < 4 && v->vm->debug.attached; n++)
		if (mine & BIT(n))
			stop_by(v, n);
	if (!mine && v->vm->debug.attached)
		debug_stop(v, DEBUG_STEPPED, 0);
	*causes &= ~(mine | (step ? PENDING_DEBUG_BS : 0));
	return VM_LEFT_OUT_OR(DEBUG_LEAVES, !(*causes & (enabled | DR6_BD | DR6_BS | DR6_BT)));
}
