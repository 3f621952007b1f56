/* vm/control/debug.c - what a debugger asks for (vm/debug/debug.h): the requests `debug VM[.VCPU] WORD ...`. */
#include "vm/control/control.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/debug/debug.h"

struct asked {
	struct vcpu *v;
	const struct control_request *r;
	struct json *j;
	char *error;
	size_t size;
};

static bool refuse(const struct asked *a, const char *why)
{
	fmt(a->error, a->size, "%s: %s", a->v->vm->config->name, why);
	return false;
}

/* ---- what there is ---- */

static const char *const stop_names[DEBUG_STOPS] = { "runs", "paused", "stepped", "soft", "hard", "watch", "access" };

static bool say_status(const struct asked *a)
{
	const struct vm *vm = a->v->vm;
	const struct vcpu *v;

	json_open(a->j, NULL, '{');
	json_text(a->j, "vm", vm->config->name);
	json_bool(a->j, "attached", vm->debug.attached);
	json_bool(a->j, "stopped", debug_is_stopped(vm));
	json_open(a->j, "vcpus", '[');
	for_each_vcpu(v, vm) {
		json_open(a->j, NULL, '{');
		json_text(a->j, "why", stop_names[v->debug.stop]);
		json_hex(a->j, "address", v->debug.address);
		json_bool(a->j, "halted", v->halted);
		json_close(a->j, '{');
	}
	json_close(a->j, '[');
	json_close(a->j, '{');
	return true;
}

/* rax to r15 in the order of their encoding, rip, rflags; es, cs, ss, ds, fs, gs; the bases of FS, GS, and of GS behind
 * SWAPGS; cr0, cr2, cr3, cr4, cr8, efer. */
static unsigned collect(struct vcpu *v, uint64_t *out)
{
	const struct walk_regs *r = &v->mmu.regs;
	unsigned n = 0;

	resident_release(v);
	for (; n < GPR_COUNT; n++)
		out[n] = n == GPR_RSP ? hvm_rsp(&v->hvm) : v->hvm.gpr[n];
	out[n++] = hvm_rip(&v->hvm);
	out[n++] = hvm_rflags(&v->hvm);
	for (enum segment s = SEG_ES; s <= SEG_GS; s++)
		out[n++] = hvm_segment(&v->hvm, s).selector;
	out[n++] = hvm_segment(&v->hvm, SEG_FS).base;
	out[n++] = hvm_segment(&v->hvm, SEG_GS).base;
	if (!hvm_own_msr(&v->hvm, MSR_KERNEL_GS_BASE, &out[n]))
		out[n] = v->saved_msr[SAVED_KERNEL_GS_BASE];
	n++;
	out[n++] = r->cr0;
	out[n++] = v->saved_cr2;
	out[n++] = r->cr3;
	out[n++] = r->cr4;
	out[n++] = lapic_tpr(&v->lapic) >> 4;
	out[n++] = r->efer;
	return n;
}

/* What the guest has not used yet is not in the area: XSTATE_BV says so, and it is zero (SDM, "XSAVE Header"). */
static void say_ymm(const struct asked *a)
{
	static const uint8_t unused[XSAVE_YMM_BYTES];
	const uint8_t *area = a->v->fpu;
	bool used = VM_KEPT(DEBUG_YMM_UNUSED, area[XSAVE_XSTATE_BV] & XCR0_AVX);

	json_bytes(a->j, "ymm", used ? area + a->v->vm->cpuid.xsave[2].ebx : unused, XSAVE_YMM_BYTES);
}

static bool say_registers(const struct asked *a)
{
	uint64_t values[GPR_COUNT + 32];
	unsigned n = collect(a->v, values);

	json_open(a->j, NULL, '{');
	json_text(a->j, "vm", a->v->vm->config->name);
	json_bool(a->j, "long", a->v->mmu.regs.efer & EFER_LMA);
	json_bytes(a->j, "registers", (const uint8_t *)values, n * sizeof(values[0]));
	json_bytes(a->j, "fpu", a->v->fpu, FXSAVE_REGISTERS);
	if (a->v->vm->cpuid.xcr0_offered & XCR0_AVX)
		say_ymm(a);
	json_hex(a->j, "code_base", hvm_in_64bit_code(&a->v->hvm) ? 0 : hvm_segment(&a->v->hvm, SEG_CS).base);
	json_close(a->j, '{');
	return true;
}

/* ---- what is done ---- */

static bool set(const struct asked *a)
{
	const char *why = debug_set_register(a->v, a->r->name, a->r->bytes, a->r->count);

	return why ? refuse(a, why) : say_status(a);
}

static bool write_memory(const struct asked *a, bool physical)
{
	for (unsigned done = 0; done < a->r->count;) {
		uint64_t at = a->r->address + done;
		size_t n = min_u64(a->r->count - done, PAGE_SIZE - (at & (PAGE_SIZE - 1)));
		struct walk_result w = { .ok = true, .gpa = GPA(at) };

		if (!physical)
			w = control_walk(a->v, GVA(at));
		if (!w.ok || debug_write(a->v->vm, w.gpa, a->r->bytes + done, n) != n)
			return refuse(a, "there is no memory that can be written");
		done += (unsigned)n;
	}
	return say_status(a);
}

static bool change_breakpoint(const struct asked *a, bool insert)
{
	static const struct { const char *name; unsigned kind; } kinds[] = {
		{ "hard", DR7_RW_FETCH }, { "watch", DR7_RW_WRITE }, { "access", DR7_RW_ACCESS },
	};
	struct vm *vm = a->v->vm;
	const char *why = "the kinds of breakpoints are soft, hard, watch and access";

	if (strcmp(a->r->name, "soft") == 0)
		why = insert ? debug_insert_soft(a->v, a->r->address)
			     : debug_remove_soft(vm, a->r->address) ? NULL : "there is no such breakpoint";
	for (unsigned n = 0; n < ARRAY_SIZE(kinds); n++)
		if (strcmp(a->r->name, kinds[n].name) == 0)
			why = insert ? debug_insert_hard(vm, kinds[n].kind, a->r->address, a->r->length)
				     : debug_remove_hard(vm, kinds[n].kind, a->r->address, a->r->length)
				     ? NULL : "there is no such breakpoint";
	return why ? refuse(a, why) : say_status(a);
}

static bool attach(const struct asked *a)
{
	if (a->v->vm->debug.attached)
		debug_detach(a->v->vm); /* by who has gone without a word */
	debug_attach(a->v->vm);
	return say_status(a);
}

static bool while_stopped(const struct asked *a)
{
	const char *word = a->r->word;
	struct vm *vm = a->v->vm;

	if (strcmp(word, "registers") == 0)
		return say_registers(a);
	if (strcmp(word, "set") == 0)
		return set(a);
	if (strcmp(word, "write") == 0 || strcmp(word, "writep") == 0)
		return write_memory(a, word[5]);
	if (strcmp(word, "insert") == 0 || strcmp(word, "remove") == 0)
		return change_breakpoint(a, word[0] == 'i');
	if (strcmp(word, "continue") == 0)
		debug_go(vm, NULL, false, false);
	else if (strcmp(word, "continuealone") == 0)
		debug_go(vm, a->v, false, true);
	else if (strcmp(word, "step") == 0 || strcmp(word, "stepalone") == 0)
		debug_go(vm, a->v, true, word[4]);
	else if (strcmp(word, "detach") == 0)
		debug_detach(vm);
	else
		return refuse(a, "there are status, attach, detach, pause, continue, continuealone, step, stepalone, "
				 "registers, set, write, writep, insert and remove");
	return say_status(a);
}

/* What needs a VM that stands still is refused while it runs. */
bool control_debug(struct vcpu *v, const struct control_request *r, struct json *j, char *error, size_t size)
{
	const struct asked a = { v, r, j, error, size };

	if (strcmp(r->word, "status") == 0)
		return say_status(&a);
	if (strcmp(r->word, "attach") == 0)
		return attach(&a);
	if (VM_KEPT(DEBUG_ATTACHED, !v->vm->debug.attached))
		return refuse(&a, "no debugger is attached");
	if (strcmp(r->word, "pause") == 0) {
		vm_pause(v->vm, true);
		return say_status(&a);
	}
	if (VM_KEPT(DEBUG_STOPPED, !debug_is_stopped(v->vm)) && strcmp(r->word, "detach") != 0)
		return refuse(&a, "it runs");
	return while_stopped(&a);
}
