/* vm/life/state.c - what a virtual CPU was doing when its machine came to a bad end, in the log: registers, the
 * exceptions of a triple fault (vm/exit/chain.c), and where its exits were looked at one by one (vm/account/trace.h),
 * the last of them. */
#include "vm/vm.h"

#include "host/device/console.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

#define LAST_EXITS 64u

static const char *exception_name(uint32_t vector)
{
	static const char *const names[] = { "DE", "DB", "NMI", "BP", "OF", "BR", "UD", "NM", "DF", "9", "TS", "NP",
					     "SS", "GP", "PF", "15", "MF", "AC", "MC", "XM", "VE", "CP" };

	return vector < sizeof(names) / sizeof(names[0]) ? names[vector] : "?";
}

/* In the delivery of what it was raised. */
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

	if (c->over && !c->count)
		console_log("%s: no exception comes again: it was in the delivery of an interrupt", name);
	for (unsigned n = 0; n < c->count; n++) {
		uint32_t vector = c->of[n].info & EVENT_VECTOR;
		char error[32] = "", address[40] = "", delivered[64];

		if (c->of[n].info & EVENT_HAS_ERROR)
			fmt(error, sizeof(error), ", error 0x%x", c->of[n].error);
		if (vector == VECTOR_PF)
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

/* The last is the one that it has ended with. */
static void tell_exits(struct vcpu *v)
{
	struct trace *t = v->traced.by;
	const struct trace_record *r;

	if (!t || v->traced.codes)
		return;
	trace_bring_up_to_date(v);
	r = (uint64_t)(t->at - t->first) > LAST_EXITS ? t->at - LAST_EXITS : t->first;
	for (; r < t->at; r++)
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
