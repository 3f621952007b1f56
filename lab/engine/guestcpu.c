/* lab/engine/guestcpu.c - the CPU as the guest's kernel sees it: see lab/os/guestcpu.h. */
#include "lab/os/guestcpu.h"

#include <stdio.h>

#include "lab/machine/machine.h"
#include "model/arch.h"

/* ---- memory ---- */

static uint64_t *word_at(const struct lab_cpu *cpu, uint64_t gpa)
{
	BUG_ON(gpa >> PAGE_SHIFT >= cpu->ram.pages || gpa & 7);
	return (uint64_t *)(void *)(cpu->ram.bytes + gpa);
}

static void note_stored(struct lab_cpu *cpu, uint64_t gpa)
{
	cpu->ram.stored[gpa >> PAGE_SHIFT >> 6] |= BIT(gpa >> PAGE_SHIFT & 63);
}

void lab_cpu_poke(struct lab_cpu *cpu, uint64_t gpa, uint64_t value)
{
	note_stored(cpu, gpa);
	*word_at(cpu, gpa) = value;
}

uint64_t lab_cpu_peek(const struct lab_cpu *cpu, uint64_t gpa)
{
	return *word_at(cpu, gpa);
}

/* ---- the start ---- */

const char *lab_cpu_why(const struct lab_cpu *cpu)
{
	return cpu->why;
}

bool lab_cpu_start(struct lab_cpu *cpu, uint64_t cr3, uint64_t cr4)
{
	struct walk_regs regs = { .cr0 = X_CR0_PE | X_CR0_ET | X_CR0_WP | X_CR0_PG,
				  .cr3 = cr3,
				  .cr4 = cr4 | X_CR4_PAE,
				  .efer = X_EFER_LME | X_EFER_LMA | X_EFER_NXE,
				  .maxphyaddr = 46,
				  .has_1g = true,
				  .cs_l = true };

	if (!cpu->native && cr4 & cpu->vm.ops->cr4_unsupported) {
		snprintf(cpu->why, sizeof(cpu->why), "guests under %s have no PCIDs", cpu->vm.ops->name);
		return false;
	}
	if (cr4 & X_CR4_LA57 && !cpu->m->config->machine.la57) {
		snprintf(cpu->why, sizeof(cpu->why), "the CPU has no 5-level paging");
		return false;
	}
	cpu->cr3 = cr3;
	cpu->cr4 = regs.cr4;
	if (!lab_vcpus_init(cpu, &regs)) {
		snprintf(cpu->why, sizeof(cpu->why), "there is no memory for the mechanism's tables");
		return false;
	}
	cpu->vcpu_ready = !cpu->native;
	lab_enter(cpu);
	return true;
}

struct lab_guest_features lab_cpu_features(const struct lab_cpu *cpu)
{
	const struct lab_config *c = cpu->m->config;
	bool hidden = !cpu->native && cpu->vm.ops->cr4_unsupported & X_CR4_PCIDE;

	return (struct lab_guest_features){ .levels = (unsigned)c->guest.levels,
					    .cpus = (unsigned)c->guest.cpus,
					    .pcid = c->machine.pcid && c->guest.pcid && !hidden,
					    .invpcid =
						    c->machine.invpcid && c->machine.pcid && c->guest.pcid && !hidden,
					    .pages_1g = true,
					    .memory = c->guest.memory };
}

/* ---- accesses of the kernel ---- */

static void count(struct lab_cpu *cpu, enum lab_kind kind)
{
	struct lab_result *r = &cpu->m->counts->r;

	r->accesses++;
	r->kernel_accesses++;
	r->reads += kind == LAB_READ;
	r->writes += kind == LAB_WRITE;
	r->fetches += kind == LAB_FETCH;
}

/* How it ended; an emulated access has not been entered again after yet. */
static enum lab_ended kernel_access(struct lab_cpu *cpu, uint64_t gva, enum lab_kind kind, struct lab_translation *t)
{
	enum lab_ended ended;

	count(cpu, kind);
	ended = lab_access(cpu, gva, kind, false, t);
	if (ended == LAB_DONE && kind != LAB_FETCH)
		lab_data(cpu->m, t->hpa);
	return ended;
}

static uint64_t direct(const struct lab_cpu *cpu, uint64_t gpa)
{
	return (cpu->cr4 & X_CR4_LA57 ? LAB_DIRECT_MAP_5LEVEL : LAB_DIRECT_MAP) + gpa;
}

uint64_t lab_cpu_read_pte(struct lab_cpu *cpu, uint64_t gpa)
{
	struct lab_translation t;

	if (kernel_access(cpu, direct(cpu, gpa), LAB_READ, &t) == LAB_EMULATED)
		lab_enter(cpu);
	return *word_at(cpu, gpa);
}

/* A store, wherever it is made. */
static bool store(struct lab_cpu *cpu, uint64_t gpa, uint64_t value)
{
	struct lab_translation t;
	enum lab_ended ended = kernel_access(cpu, direct(cpu, gpa), LAB_WRITE, &t);

	note_stored(cpu, gpa);
	if (ended == LAB_DONE)
		*word_at(cpu, gpa) = value;
	if (ended == LAB_EMULATED) {
		if (mmu_guest_write(&cpu->vm, GPA(gpa), &value, sizeof(value)) != sizeof(value))
			lab_fail(cpu->m->error, "a store to guest-physical 0x%llx was lost", (unsigned long long)gpa);
		lab_enter(cpu);
	}
	return ended == LAB_DONE;
}

void lab_cpu_write_pte(struct lab_cpu *cpu, uint64_t gpa, uint64_t value)
{
	store(cpu, gpa, value);
}

/* A page that once held a table may still be guarded as one: its words are written one by one until the page is
 * free. */
static void zero_page(struct lab_cpu *cpu, uint64_t gpa)
{
	uint64_t *stored = &cpu->ram.stored[gpa >> PAGE_SHIFT >> 6], bit = BIT(gpa >> PAGE_SHIFT & 63);

	for (unsigned i = 0; i < PAGE_SIZE / 8; i++) {
		if (!store(cpu, gpa + i * 8, 0))
			continue;
		if (*stored & bit)
			memset(word_at(cpu, gpa), 0, PAGE_SIZE);
		break;
	}
	*stored &= ~bit;
}

void lab_cpu_zero(struct lab_cpu *cpu, uint64_t gpa, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes && !cpu->m->error->text[0]; done += PAGE_SIZE) {
		if (cpu->ram.stored[(gpa + done) >> PAGE_SHIFT >> 6] & BIT((gpa + done) >> PAGE_SHIFT & 63))
			zero_page(cpu, gpa + done);
		else
			lab_cpu_touch(cpu, direct(cpu, gpa + done), true);
	}
	cpu->m->counts->copied_bytes += bytes;
}

void lab_cpu_copy(struct lab_cpu *cpu, uint64_t to, uint64_t from, uint64_t bytes)
{
	for (uint64_t done = 0; done < bytes; done += PAGE_SIZE)
		lab_cpu_touch(cpu, direct(cpu, from + done), false);
	lab_cpu_zero(cpu, to, bytes);
}

/* What the emulator does to a page that looks like a table and is none: what is there stays. */
static void emulate_in_place(struct lab_cpu *cpu, uint64_t gpa, bool write)
{
	uint64_t value = *word_at(cpu, gpa & ~7ull);

	if (write)
		mmu_guest_write(&cpu->vm, GPA(gpa & ~7ull), &value, sizeof(value));
	lab_enter(cpu);
}

void lab_cpu_touch(struct lab_cpu *cpu, uint64_t gva, bool write)
{
	struct lab_translation t;

	if (kernel_access(cpu, gva, write ? LAB_WRITE : LAB_READ, &t) == LAB_EMULATED)
		emulate_in_place(cpu, t.gpa, write);
}

void lab_emulated(struct lab_cpu *cpu, const struct lab_translation *t, enum lab_kind kind)
{
	emulate_in_place(cpu, t->gpa, kind == LAB_WRITE);
}

void lab_cpu_work(struct lab_cpu *cpu, unsigned which, uint64_t instructions)
{
	struct lab_translation t;

	cpu->m->counts->r.kernel_instructions += instructions;
	if (kernel_access(cpu, LAB_KERNEL_TEXT + PAGE_SIZE * (which % 512), LAB_FETCH, &t) == LAB_EMULATED)
		lab_enter(cpu);
}

/* ---- the instructions ---- */

static void failed(struct lab_cpu *cpu, struct mmu_result r, const char *what)
{
	if (r.outcome == MMU_STOP || r.outcome == MMU_INJECT)
		lab_fail(cpu->m->error, "the guest's %s failed: %s", what, r.outcome == MMU_STOP ? r.why : "#GP");
}

void lab_cpu_load_cr3(struct lab_cpu *cpu, uint64_t value)
{
	struct lab_machine *m = cpu->m;
	bool keep = value >> 63 && cpu->cr4 & X_CR4_PCIDE;
	struct lab_cover cover = { .linear = true, .vpid = m->now.vpid, .psc_all = true };

	m->counts->cr3_loads++;
	value &= ~X_CR3_KEEP;
	if (!cpu->native && cpu->vcpu->intercepts.cr3_load) {
		failed(cpu, mmu_set_cr3(cpu->vcpu, value), "MOV to CR3");
		lab_exited(cpu, LAB_EXIT_cr3, m->config->hv.path_cr3);
	} else if (!keep) {
		cover.pcid = cpu->cr4 & X_CR4_PCIDE ? value & 0xfff : 0;
		lab_invalidate(m, &cover, LAB_FLUSH_cr3);
	}
	cpu->cr3 = value;
	lab_enter(cpu);
}

void lab_cpu_invlpg(struct lab_cpu *cpu, uint64_t gva)
{
	struct lab_machine *m = cpu->m;
	struct lab_cover cover = { .linear = true,
				   .vpid = m->now.vpid,
				   .pcid = m->now.pcid,
				   .globals = true,
				   .one_address = true,
				   .psc_all = true,
				   .pieces = true,
				   .gva = gva };

	m->counts->invlpgs++;
	if (!cpu->native && cpu->vcpu->intercepts.invlpg) {
		mmu_invlpg(cpu->vcpu, GVA(gva));
		lab_exited(cpu, LAB_EXIT_invlpg, m->config->hv.path_invlpg);
		lab_enter(cpu);
	} else {
		lab_invalidate(m, &cover, LAB_FLUSH_invlpg);
	}
}

void lab_cpu_invpcid(struct lab_cpu *cpu, unsigned type, unsigned pcid, uint64_t gva)
{
	struct lab_machine *m = cpu->m;
	struct lab_cover cover = { .linear = true,
				   .vpid = m->now.vpid,
				   .pcid = (uint16_t)(pcid & 0xfff),
				   .one_address = type == 0,
				   .psc_all = type != 0,
				   .all_pcids = type >= 2,
				   .globals = type == 2,
				   .pieces = true,
				   .gva = gva };

	m->counts->invlpgs++;
	lab_invalidate(m, &cover, type == 0 ? LAB_FLUSH_invlpg : LAB_FLUSH_cr4);
}
