/* vm/life/state.c - what a virtual CPU was doing when its machine came to a bad end, in the log: registers, the
 * exceptions of a triple fault (vm/exit/chain.c), and its last exits; where they were looked at one by one
 * (vm/account/trace.h), with what they were about. */
#include "vm/vm.h"

#include "host/device/console.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

#define EXITS_TOLD 64u

/* SDM, "Protected-Mode Exceptions and Interrupts". */
static const char *exception_name(uint32_t vector)
{
	static const char *const names[] = { "DE", "DB", "NMI", "BP", "OF", "BR", "UD", "NM", "DF", "9", "TS", "NP",
					     "SS", "GP", "PF", "15", "MF", "AC", "MC", "XM", "VE", "CP" };

	return vector < sizeof(names) / sizeof(names[0]) ? names[vector] : "?";
}

/* What was being delivered when it was raised. */
static void write_delivered(char *text, size_t size, uint32_t info)
{
	uint32_t type = info & EVENT_TYPE, vector = info & EVENT_VECTOR;

	if (!info)
		text[0] = '\0';
	else if (type == EVENT_TYPE_EXTERNAL || type == EVENT_TYPE_SOFTWARE_INTERRUPT)
		fmt(text, size, ", in the delivery of interrupt 0x%x", vector);
	else
		fmt(text, size, ", in the delivery of #%s", exception_name(vector));
}

/* vm/exit/chain.c has looked for them. */
static void tell_chain(const struct vcpu *v)
{
	const struct vcpu_chain *c = &v->chain;
	const char *name = v->vm->config->name;

	if (!c->over)
		return;
	if (!c->count)
		console_log("%s: no exception comes again: it was in the delivery of an interrupt", name);
	for (unsigned n = 0; n < c->count; n++) {
		uint32_t vector = c->of[n].info & EVENT_VECTOR;
		char error[32] = "", address[40] = "", delivered[64];

		if (c->of[n].info & EVENT_HAS_ERROR)
			fmt(error, sizeof(error), ", error 0x%x", c->of[n].error);
		if (vector == VECTOR_PF && c->of[n].cr2 != CHAIN_NO_ADDRESS)
			fmt(address, sizeof(address), ", address 0x%lx", c->of[n].cr2);
		write_delivered(delivered, sizeof(delivered), c->of[n].delivered);
		console_log("%s: exception #%s%s%s%s", name, exception_name(vector), error, address, delivered);
	}
}

static void tell_segment(const struct vcpu *v, const char *name, enum segment n)
{
	struct segment_state s = hvm_segment(&v->hvm, n);

	console_log("%s: %s 0x%x, base 0x%lx, limit 0x%x, access 0x%x", v->vm->config->name, name, s.selector, s.base,
		    s.limit, s.access);
}

static void tell_registers(const struct vcpu *v)
{
	const uint64_t *r = v->hvm.gpr;
	const char *name = v->vm->config->name;
	struct table_register gdt = hvm_gdtr(&v->hvm), idt = hvm_idtr(&v->hvm);

	console_log("%s: virtual CPU %u, rip 0x%lx, rsp 0x%lx, rflags 0x%lx, cpl %u", name, v->id, hvm_rip(&v->hvm),
		    hvm_rsp(&v->hvm), hvm_rflags(&v->hvm), hvm_cpl(&v->hvm));
	console_log("%s: cr0 0x%lx, cr2 0x%lx, cr3 0x%lx, cr4 0x%lx, efer 0x%lx", name, hvm_hardware_cr0(&v->hvm),
		    v->cpu->resident == v ? read_cr2() : v->saved_cr2, hvm_hardware_cr3(&v->hvm),
		    hvm_hardware_cr4(&v->hvm), v->mmu.regs.efer);
	console_log("%s: rax 0x%lx, rbx 0x%lx, rcx 0x%lx, rdx 0x%lx", name, r[GPR_RAX], r[GPR_RBX], r[GPR_RCX],
		    r[GPR_RDX]);
	console_log("%s: rsi 0x%lx, rdi 0x%lx, rbp 0x%lx", name, r[GPR_RSI], r[GPR_RDI], r[GPR_RBP]);
	for (unsigned n = GPR_R8; n < GPR_COUNT; n += 4)
		console_log("%s: r%u 0x%lx, r%u 0x%lx, r%u 0x%lx, r%u 0x%lx", name, n, r[n], n + 1, r[n + 1], n + 2,
			    r[n + 2], n + 3, r[n + 3]);
	tell_segment(v, "cs", SEG_CS);
	tell_segment(v, "ss", SEG_SS);
	tell_segment(v, "tr", SEG_TR);
	console_log("%s: gdt 0x%lx, limit 0x%x; idt 0x%lx, limit 0x%x", name, gdt.base, gdt.limit, idt.base, idt.limit);
}

/* The n-th of the last ones, counted back from the last, which is 1. */
static unsigned place_of(const struct vcpu_last *l, unsigned n) { return (l->next + LAST_EXITS - n) % LAST_EXITS; }

static unsigned noted(const struct vcpu_last *l)
{
	unsigned n = 0;

	while (n < EXITS_TOLD && l->code[place_of(l, n + 1)] != LAST_NONE)
		n++;
	return n;
}

/* Those that are the same as the one before are told with it: a guest that waits makes many. */
static void tell_noted(const struct vcpu *v)
{
	const struct vcpu_last *l = &v->last;
	unsigned times = 1;

	for (unsigned n = noted(l); n > 0; n--) {
		unsigned at = place_of(l, n), next = place_of(l, n - 1);
		const char *name = l->code[at] < HVM_EXIT_CODES ? hvm_exit_name(l->code[at]) : NULL;
		char more[32] = "";

		if (n > 1 && l->code[next] == l->code[at] && l->rip[next] == l->rip[at]) {
			times++;
			continue;
		}
		if (times > 1)
			fmt(more, sizeof(more), ", %u times", times);
		console_log("%s: exit %s at rip 0x%lx%s", v->vm->config->name, name ? name : "?", l->rip[at], more);
		times = 1;
	}
}

/* The last is the one that it has ended with. A chunk of records may have just gone to the disk, and another begun. */
static void tell_exits(struct vcpu *v)
{
	struct trace *t = v->traced.by;
	const struct trace_record *r;
	unsigned count = noted(&v->last);

	if (!t || v->traced.codes || t->at - t->first < count) {
		tell_noted(v);
		return;
	}
	trace_bring_up_to_date(v);
	for (r = t->at - count; r < t->at; r++)
		console_log("%s: exit %s 0x%lx at rip 0x%lx", v->vm->config->name,
			    hvm_exit_name(r->code < HVM_EXIT_CODES ? r->code : 0), r->address, r->rip);
}

void vm_tell_state(struct vcpu *v)
{
	/* Who has said the end says this. */
	if (VM_KEPT(STATE_ONCE, __atomic_load_n(&v->vm->ending, __ATOMIC_ACQUIRE)))
		return;
	tell_registers(v);
	tell_exits(v);
	tell_chain(v);
}
