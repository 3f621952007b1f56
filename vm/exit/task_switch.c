/* vm/exit/task_switch.c - hardware task switches, all of which exit, between TSSs of 16 and of 32 bits. 32-bit kernels
 * still have one: the double fault, whose gate leads to a task with a stack of its own. SDM, "Task Switching" and, for
 * what the CPU has checked before the exit, "Treatment of Task Switches".
 *
 * First both TSSs are looked up and checked: what is wrong there is an exception of the old task, and nothing has
 * changed. Then the new task takes over. What is wrong with its segments is an exception of its own. */
#include "vm/exit/task.h"
#include "vm/exit/length.h"

#include "lib/mutants/mutate.h"

#define UPPER_HALF 0xffff0000u /* of a register loaded from 16 bits, which the manual leaves open: as Bochs has it */

/* NULL: the type is not that of a TSS. */
static const struct tss_format *format_of(uint32_t access)
{
	static const struct tss_format formats[] = {
		{ .type = TYPE_TSS16,
		  .bytes = 44,
		  .width = 2,
		  .ip = 0x0e,
		  .flags = 0x10,
		  .gpr = 0x12,
		  .selector = 0x22,
		  .segments = 4 },
		{ .type = TYPE_TSS32,
		  .bytes = 104,
		  .width = 4,
		  .cr3 = 0x1c,
		  .ip = 0x20,
		  .flags = 0x24,
		  .gpr = 0x28,
		  .selector = 0x48,
		  .segments = 6,
		  .trap = 0x64 },
	};

	for (unsigned n = 0; n < ARRAY_SIZE(formats); n++)
		if ((access & (SEGMENT_S | SEGMENT_TYPE) & ~TYPE_BUSY) == formats[n].type)
			return &formats[n];
	return NULL;
}

/* The old task ends: its TSS is not busy any more. */
static bool leaves(const struct task *t) { return t->source == HVM_TASK_JMP || t->source == HVM_TASK_IRET; }

/* The old task goes on later: the new TSS has a link to it. */
static bool nests(const struct task *t) { return t->source == HVM_TASK_CALL || t->source == HVM_TASK_GATE; }

static unsigned saved_bytes(const struct tss_format *f)
{
	return f->selector + f->width * f->segments - (unsigned)f->ip;
}

static bool prepare_old(struct task *t)
{
	struct segment_state tr = hvm_segment(&t->v->hvm, SEG_TR);

	/* SDM, "Invalid TSS Conditions": the limit of the current one. */
	t->old_format = format_of(tr.access);
	if (!t->old_format || tr.limit < t->old_format->bytes - 1u)
		return task_refuse(t, VECTOR_TS, tr.selector);
	/* A nested task leaves it alone, whatever the GDT holds by now. */
	if (VM_LEFT_OUT_OR(TASK_OLD_ALONE, leaves(t)) &&
	    !task_descriptor(t, tr.selector, true, &t->old_raw, &t->old_descriptor))
		return false;
	/* Of the old TSS what lies from EIP to the last selector. */
	if (!task_find(t->v, (uint32_t)tr.base + t->old_format->ip, saved_bytes(t->old_format), TASK_WRITES, &t->old))
		return false;
	task_copy_in(t->v, &t->old, t->old_tss + t->old_format->ip);
	return true;
}

/* SDM, "Task Switching", table "Exception Conditions Checked During a Task Switch". */
static bool prepare_new(struct task *t)
{
	uint8_t wrong = t->source == HVM_TASK_IRET ? VECTOR_TS : VECTOR_GP;

	if ((t->selector & SELECTOR_TI) || !(t->selector & SELECTOR_INDEX))
		return task_refuse(t, VECTOR_TS, t->selector);
	/* For IRET it is busy already. */
	if (!task_descriptor(t, t->selector, VM_LEFT_OUT_OR(TASK_BUSY_ALONE, t->source != HVM_TASK_IRET), &t->new_raw,
			     &t->new_descriptor))
		return false;
	t->tr = task_unpack(t->selector, t->new_raw);
	t->new_format = format_of(t->tr.access);
	if (!t->new_format || VM_KEPT(TASK_CHECK_BUSY, !(t->tr.access & TYPE_BUSY) != (t->source != HVM_TASK_IRET)))
		return task_refuse(t, wrong, t->selector);
	if (VM_KEPT(TASK_CHECK_PRESENT, !(t->tr.access & SEGMENT_P)))
		return task_refuse(t, VECTOR_NP, t->selector);
	if (VM_KEPT(TASK_CHECK_LIMIT, t->tr.limit < t->new_format->bytes - 1u))
		return task_refuse(t, VECTOR_TS, t->selector);
	if (!task_find(t->v, (uint32_t)t->tr.base, t->new_format->bytes, TASK_READS, &t->new))
		return false;
	if (VM_KEPT(TASK_LINK_WRITE, nests(t)) && !task_find(t->v, (uint32_t)t->tr.base, 2, TASK_WRITES, &t->link))
		return false;
	task_copy_in(t->v, &t->new, t->new_tss);
	t->tr.access |= TYPE_BUSY;
	return true;
}

/* ---- doing it ---- */

/* SDM, "Task Switching", table "Effect of a Task Switch on Busy Flag, NT Flag, Previous Task Link Field, and TS
 * Flag". */
static void save_old(struct task *t)
{
	const struct tss_format *f = t->old_format;
	uint64_t rflags = hvm_rflags(&t->v->hvm);

	if (t->source == HVM_TASK_IRET)
		VM_MUTANT(TASK_NT, rflags &= ~RFLAGS_NT);
	if (t->faulted)
		/* as in an image on a stack (event_sets_rf); Bochs' exits lack it */
		VM_MUTANT(TASK_RF, rflags |= RFLAGS_RF);
	task_put(f, t->old_tss, f->ip, t->resume);
	task_put(f, t->old_tss, f->flags, (uint32_t)rflags);
	t->v->hvm.gpr[GPR_RSP] = hvm_rsp(&t->v->hvm);
	for (unsigned n = 0; n < 8; n++)
		task_put(f, t->old_tss, f->gpr + f->width * n, (uint32_t)t->v->hvm.gpr[n]);
	for (enum segment n = SEG_ES; n < f->segments; n++)
		memcpy(t->old_tss + f->selector + f->width * n, &(uint16_t){ hvm_segment(&t->v->hvm, n).selector }, 2);
	task_copy_out(t->v, &t->old, t->old_tss + f->ip);
	if (VM_KEPT(TASK_FREE, leaves(t))) {
		t->old_raw &= ~DESCRIPTOR_BUSY;
		task_copy_out(t->v, &t->old_descriptor, &t->old_raw);
	}
}

/* The same table; and what of the flags and of DR7 a task switch changes ("Task Switching", "Debug Control Register
 * (DR7)"). */
static void enter_new(struct task *t)
{
	const struct tss_format *f = t->new_format;
	uint64_t rflags = task_get(f, t->new_tss, f->flags);

	VM_MUTANT(TASK_FLAGS, rflags = (rflags & RFLAGS_KNOWN) | RFLAGS_FIXED);
	if (VM_KEPT(TASK_LINK, nests(t))) {
		task_copy_out(t->v, &t->link, &(uint16_t){ hvm_segment(&t->v->hvm, SEG_TR).selector });
		rflags |= RFLAGS_NT;
	}
	VM_MUTANT(TASK_BUSY, t->new_raw |= DESCRIPTOR_BUSY);
	if (t->source != HVM_TASK_IRET)
		task_copy_out(t->v, &t->new_descriptor, &t->new_raw);
	for (unsigned n = 0; n < 8; n++)
		t->v->hvm.gpr[n] = task_get(f, t->new_tss, f->gpr + f->width * n) | (f->width == 2 ? UPPER_HALF : 0);
	hvm_set_rsp(&t->v->hvm, t->v->hvm.gpr[GPR_RSP]);
	hvm_set_rip(&t->v->hvm, task_get(f, t->new_tss, f->ip));
	hvm_set_rflags(&t->v->hvm, rflags);
	hvm_set_segment(&t->v->hvm, SEG_TR, &t->tr);
	VM_MUTANT(TASK_DR7, hvm_set_dr7(&t->v->hvm, hvm_dr7(&t->v->hvm) & ~DR7_LOCAL));
	VM_MUTANT(TASK_BLOCKING,
		  hvm_set_blocking(&t->v->hvm, hvm_blocking(&t->v->hvm) & ~(BLOCKING_STI | BLOCKING_MOV_SS)));
}

static bool stack_holds(const struct segment_state *ss, uint32_t at, unsigned n)
{
	uint32_t last = at + n - 1;

	if (ss->access & TYPE_EXPAND_DOWN)
		return at > ss->limit && last >= at && (last <= 0xffff || (ss->access & SEGMENT_DB));
	return last >= at && last <= ss->limit;
}

/* The error code of the exception that the gate was for goes onto the new task's stack, at its level. false: that was a
 * fault of its own. */
static bool push_error(struct task *t)
{
	struct segment_state ss = hvm_segment(&t->v->hvm, SEG_SS);
	bool wide = ss.access & SEGMENT_DB;
	unsigned n = t->new_format->width;
	uint32_t esp = (uint32_t)hvm_rsp(&t->v->hvm), to = wide ? esp - n : (esp & 0xffff0000) | ((esp - n) & 0xffff);
	uint32_t at = wide ? to : to & 0xffff;
	struct access access = { .write = true,
				 .user = VM_KEPT(TASK_STACK_LEVEL, access_dpl(ss.access) == 3) };
	struct span s;

	/* SDM, "Interrupt 12 - Stack Fault Exception (#SS)": in the new task, whose stack it is. */
	if (VM_KEPT(TASK_STACK_LIMIT, !stack_holds(&ss, at, n)))
		return task_refuse(t, VECTOR_SS, 0);
	t->v->mmu.regs.ac = hvm_rflags(&t->v->hvm) & RFLAGS_AC;
	if (!task_find(t->v, (uint32_t)(ss.base + at), n, access, &s))
		return false;
	task_copy_out(t->v, &s, &t->error);
	hvm_set_rsp(&t->v->hvm, to);
	return true;
}

/* What the exit tells of the switch; takes the event that caused it. */
static void describe(struct task *t, struct vcpu *v)
{
	struct hvm_task_switch s = hvm_exit_task_switch(&v->hvm);
	uint64_t info = hvm_exit_delivery(&v->hvm);
	bool software;

	t->v = v;
	t->selector = s.selector;
	t->source = s.source;
	exit_requeue_event(v);
	/* Behind an instruction that caused it; a fault or an interrupt comes back to where it was. */
	software = VM_KEPT(TASK_RESUME, t->source != HVM_TASK_GATE || v->event.length);
	t->resume = (uint32_t)(hvm_rip(&v->hvm) + (software ? exit_length(v) : 0));
	t->has_error = t->source == HVM_TASK_GATE && (info & EVENT_VALID) && (info & EVENT_HAS_ERROR);
	t->faulted = t->source == HVM_TASK_GATE && (info & EVENT_VALID) && event_sets_rf((uint32_t)info);
	t->error = v->event.error;
}

/* The new task wants a #DB before its first instruction (SDM, "Task-Switch Exception Condition"). The guest's DR6 is in
 * the CPU (vm/cpu/resident.c). */
static void trap_into(struct vcpu *v)
{
	write_dr6(read_dr6() | DR6_BT);
	event_exception(v, VECTOR_DB, false, 0);
}

void exit_task_switch(struct vcpu *v)
{
	struct task t = { 0 };
	bool nmi;

	describe(&t, v);
	hvm_sync_paging(&v->hvm, &v->mmu);
	if (!prepare_old(&t) || !prepare_new(&t))
		return;
	nmi = t.source == HVM_TASK_GATE && (v->event.info & EVENT_TYPE) == EVENT_TYPE_NMI &&
	      (v->event.info & EVENT_VALID);
	/* While a CR3 that is refused (PDPTEs under PAE paging) still is an exception of the old task's. */
	if (t.new_format->cr3 && (v->mmu.regs.cr0 & CR0_PG) && VM_KEPT(TASK_CR3, true) &&
	    !cr_write(v, 3, task_get(t.new_format, t.new_tss, t.new_format->cr3)))
		return;
	save_old(&t);
	VM_MUTANT(TASK_SAVED, task_copy_in(v, &t.new, t.new_tss)); /* they may overlap */
	enter_new(&t);
	VM_MUTANT(TASK_TS, cr_write(v, 0, v->mmu.regs.cr0 | CR0_TS));
	if (VM_KEPT(TASK_NMI, nmi))
		hvm_set_blocking(&v->hvm, hvm_blocking(&v->hvm) | BLOCKING_NMI);
	if (!task_segments(&t) || (VM_KEPT(TASK_ERROR, t.has_error) && !push_error(&t)))
		return;
	if (VM_KEPT(TASK_DELIVERED, t.source == HVM_TASK_GATE))
		v->event.info = 0;
	if (VM_KEPT(TASK_TRAP, t.new_format->trap) && (t.new_tss[t.new_format->trap] & 1))
		trap_into(v);
}
