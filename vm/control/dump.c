/* vm/control/dump.c - a virtual CPU's registers and controls, and pieces of a guest's memory. */
#include "vm/control/control.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/control/packed.h"

static void show_general(struct json *j, const struct vcpu *v)
{
	static const char *const names[GPR_COUNT] = { "rax", "rcx", "rdx", "rbx", NULL, "rbp", "rsi", "rdi",
						      "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };

	json_open(j, "registers", '{');
	for (unsigned n = 0; n < GPR_COUNT; n++)
		if (names[n])
			json_hex(j, names[n], v->hvm.gpr[n]);
	json_hex(j, "rsp", hvm_rsp(&v->hvm));
	json_hex(j, "rip", hvm_rip(&v->hvm));
	json_hex(j, "rflags", hvm_rflags(&v->hvm));
	json_close(j, '{');
}

static void show_system(struct json *j, struct vcpu *v)
{
	const struct walk_regs *r = &v->mmu.regs;
	bool owner = v->cpu->resident == v;

	json_open(j, "control", '{');
	json_hex(j, "cr0", r->cr0);
	json_hex(j, "cr2", VM_LEFT_OUT_OR(DUMP_OWNER, owner) ? read_cr2() : v->saved_cr2);
	json_hex(j, "cr3", r->cr3);
	json_hex(j, "cr4", r->cr4);
	json_hex(j, "efer", r->efer);
	json_hex(j, "pat", hvm_pat(&v->hvm));
	json_hex(j, "xcr0", v->xcr0);
	json_hex(j, "dr7", debug_dr7(v));
	json_text(j, "paging", control_paging_mode(r));
	json_number(j, "cpl", r->cpl);
	json_close(j, '{');
	json_open(j, "interrupts", '{');
	json_hex(j, "interruptibility", hvm_blocking(&v->hvm));
	json_hex(j, "to_inject", v->event.info);
	json_number(j, "tpr", lapic_tpr(&v->lapic));
	json_close(j, '{');
}

static void show_table_register(struct json *j, const char *name, struct table_register r)
{
	json_open(j, name, '{');
	json_hex(j, "base", r.base);
	json_hex(j, "limit", r.limit);
	json_close(j, '{');
}

static void show_segments(struct json *j, const struct vcpu *v)
{
	static const char *const names[] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr" };

	json_open(j, "segments", '{');
	for (enum segment n = SEG_ES; n <= SEG_TR; n++) {
		struct segment_state s = hvm_segment(&v->hvm, n);

		json_open(j, names[n], '{');
		json_hex(j, "selector", s.selector);
		json_hex(j, "base", s.base);
		json_hex(j, "limit", s.limit);
		json_hex(j, "access", s.access);
		json_close(j, '{');
	}
	show_table_register(j, "gdtr", hvm_gdtr(&v->hvm));
	show_table_register(j, "idtr", hvm_idtr(&v->hvm));
	json_close(j, '{');
}

/* What the CPU really runs with, where the guest sees something else, and what exits. */
static void show_controls(struct json *j, const struct vcpu *v)
{
	const char *name;
	uint64_t value;

	json_open(j, "vmcs", '{');
	for (unsigned n = 0; (name = hvm_control(&v->hvm, n, &value)); n++)
		json_hex(j, name, value);
	json_hex(j, "eptp", v->mmu.root.nested);
	json_number(j, "vpid", v->mmu.root.vpid);
	json_close(j, '{');
}

static void show_tables(struct json *j, const struct vcpu *v)
{
	const struct mmu_vm *vm = &v->vm->mmu;

	json_open(j, "tables", '{');
	json_text(j, "mmu", vm->ops->name);
	json_number(j, "pages", mmu_table_pages(vm));
	json_hex(j, "root", v->mmu.intercepts.ept ? v->mmu.root.nested : v->mmu.root.cr3);
	json_number(j, "switches", vm->counters.switches);
	json_number(j, "faults", mmu_counters(vm).faults);
	json_open(j, "slots", '[');
	for (unsigned n = 0; n < vm->slots.count; n++) {
		const struct slot *s = &vm->slots.slot[n];

		json_open(j, NULL, '{');
		json_hex(j, "gpa", gfn_gpa(s->base).v);
		json_hex(j, "bytes", s->pages << PAGE_SHIFT);
		json_text(j, "kind", slot_kind_name(s->kind));
		json_close(j, '{');
	}
	json_close(j, '[');
	json_close(j, '{');
}

bool control_dump(struct vcpu *v, struct json *j, char *error, size_t size)
{
	if (VM_KEPT(DUMP_STARTED, !v->started)) {
		fmt(error, size, "%s has not begun to run yet", v->vm->config->name);
		return false;
	}
	json_open(j, NULL, '{');
	json_text(j, "vm", v->vm->config->name);
	json_text(j, "state", control_state(v->vm));
	json_text(j, "mmu", v->vm->mmu.ops->name);
	json_number(j, "vcpu", v->id);
	json_number(j, "cpu", v->cpu->id);
	show_general(j, v);
	show_system(j, v);
	show_segments(j, v);
	show_controls(j, v);
	show_tables(j, v);
	json_close(j, '{');
	return true;
}

/* ---- memory ---- */

#define ZEROES_MOST (1u << 20) /* that one answer tells of: what is looked at for it is bounded */

/* The guest-physical address of the byte at addr; false: the guest has nothing there. */
static bool locate(struct vcpu *v, enum control_space space, uint64_t addr, gpa_t *gpa)
{
	struct walk_result w;

	*gpa = GPA(addr);
	if (space == CONTROL_GPA)
		return true;
	w = control_walk(v, GVA(addr));
	*gpa = w.gpa;
	return w.ok;
}

/* Reads until a page that is not there. Devices are not asked: reading them can change them. */
static size_t read_bytes(struct vcpu *v, const struct control_request *r, uint8_t *out)
{
	size_t done = 0;

	while (done < r->length) {
		uint64_t at = r->address + done;
		size_t n = min_u64(r->length - done,
				   VM_LEFT_OUT_OR(DUMP_PAGES, false) ? SIZE_MAX : PAGE_SIZE - (at & (PAGE_SIZE - 1))),
		       got;
		gpa_t gpa;

		if (!locate(v, r->space, at, &gpa))
			break;
		got = mmu_guest_read(&v->vm->mmu, gpa, out + done, n);
		debug_hide(v->vm, gpa, out + done, got);
		done += got;
		if (got < n)
			break;
	}
	return done;
}

static bool all_zero(const uint8_t *bytes, size_t n)
{
	return !n || (!bytes[0] && memcmp(bytes, bytes + 1, n - 1) == 0);
}

/* How many bytes are 0 from where r begins, whose n bytes are; a part of memory that is empty needs one request. */
static uint64_t zeroes(struct vcpu *v, const struct control_request *r, uint8_t *bytes, size_t n)
{
	struct control_request next = *r;
	uint64_t sum = n;

	while (n == r->length && VM_LEFT_OUT_OR(MEMORY_ZEROES, sum < ZEROES_MOST)) {
		next.address += n;
		n = read_bytes(v, &next, bytes);
		if (!all_zero(bytes, n))
			break;
		sum += n;
	}
	return sum;
}

bool control_memory(struct vcpu *v, const struct control_request *r, struct json *j, char *error, size_t size)
{
	static uint8_t bytes[CONTROL_MEMORY_MAX]; /* one request at a time */
	const char *space = r->space == CONTROL_GPA ? "gpa" : "gva";
	size_t n = read_bytes(v, r, bytes);

	if (VM_KEPT(DUMP_NOTHING, n == 0)) {
		fmt(error, size, "there is no memory at %s 0x%lx", space, r->address);
		return false;
	}
	json_open(j, NULL, '{');
	json_text(j, "vm", v->vm->config->name);
	json_hex(j, space, r->address);
	json_number(j, "length", n);
	json_bool(j, "complete", n == r->length);
	if (r->command == CONTROL_MEMORY && all_zero(bytes, n))
		json_number(j, "zeroes", zeroes(v, r, bytes, n));
	else if (r->command == CONTROL_MEMORY)
		json_packed(j, "packed", bytes, n);
	else
		json_bytes(j, "bytes", bytes, n);
	json_close(j, '{');
	return true;
}
