/* test/unit/lab/os_cpu.c - see the header. A bug of the OS ends the test by an assertion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "test/unit/lab/os_cpu.h"

static uint64_t *word(struct lab_cpu *cpu, uint64_t gpa)
{
	uint64_t frame = gpa >> 12;

	assert_true(gpa < cpu->features.memory && !(gpa & 7));
	if (!cpu->frame[frame])
		cpu->frame[frame] = calloc(512, 8);
	assert_non_null(cpu->frame[frame]);
	return &cpu->frame[frame][gpa >> 3 & 511];
}

uint64_t lab_cpu_peek(const struct lab_cpu *cpu, uint64_t gpa)
{
	assert_true(gpa < cpu->features.memory);
	return cpu->frame[gpa >> 12] ? cpu->frame[gpa >> 12][gpa >> 3 & 511] : 0;
}

void lab_cpu_poke(struct lab_cpu *cpu, uint64_t gpa, uint64_t value) { *word(cpu, gpa) = value; }

bool lab_cpu_start(struct lab_cpu *cpu, uint64_t cr3, uint64_t cr4)
{
	cpu->cr3 = cr3;
	for (unsigned i = 0; i < CPUS; i++)
		cpu->cr3_of[i] = cr3;
	cpu->cr4 = cr4;
	return true;
}

const char *lab_cpu_why(const struct lab_cpu *cpu)
{
	(void)cpu;
	return "";
}

/* A walk: the entry for the 4-KByte page, with the rights of all levels, and the size of the page that holds it; 0:
 * not present. */
static uint64_t walk_to(struct lab_cpu *cpu, uint64_t va, unsigned *size)
{
	uint64_t table = cpu->cr3 & PTE_ADDRESS, rights = PTE_P | PTE_W | PTE_U, nx = 0;

	for (unsigned level = cpu->features.levels;; level--) {
		unsigned shift = 12 + 9 * (level - 1);
		uint64_t value = lab_cpu_peek(cpu, table + (va >> shift & 511) * 8);

		if (!(value & PTE_P))
			return 0;
		rights &= value;
		nx |= value & PTE_NX;
		if (level == 1 || (value & PTE_PS)) {
			assert_true(level <= 3);
			*size = shift;
			assert_int_equal(value & PTE_ADDRESS & ((1ull << shift) - 1), 0);
			return (((value & PTE_ADDRESS) | (va & ((1ull << shift) - 1))) & PTE_ADDRESS) | rights | nx |
			       (value & PTE_G);
		}
		table = value & PTE_ADDRESS;
	}
}

static uint64_t walk(struct lab_cpu *cpu, uint64_t va)
{
	unsigned size;

	return walk_to(cpu, va, &size);
}

static unsigned pcid(const struct lab_cpu *cpu) { return cpu->cr4 & 1u << 17 ? cpu->cr3 & 0xfff : 0; }

static struct cpu_entry *look_up(struct lab_cpu *cpu, uint64_t va)
{
	struct cpu_entry *e = &cpu->tlb[((va >> 12) ^ (va >> 21) ^ pcid(cpu) * 37) % CPU_TLB];

	return e->valid && e->page == va >> 12 && (e->global || e->pcid == pcid(cpu)) ? e : NULL;
}

/* What the TLB says must be what the tables say: as the frame is concerned, exactly, and no right more. */
static uint64_t translate(struct lab_cpu *cpu, uint64_t va)
{
	struct cpu_entry *e = look_up(cpu, va);
	unsigned size = 0;
	uint64_t now = walk_to(cpu, va, &size);

	if (e) {
		assert_int_equal(e->value & PTE_ADDRESS, now & PTE_ADDRESS);
		assert_true(now & PTE_P);
		assert_int_equal(e->value & ~now & (PTE_W | PTE_U), 0);
		assert_true((e->value & PTE_NX) || !(now & PTE_NX));
		return e->value;
	}
	if (now & PTE_P) {
		e = &cpu->tlb[((va >> 12) ^ (va >> 21) ^ pcid(cpu) * 37) % CPU_TLB];
		*e = (struct cpu_entry){ true, now & PTE_G, pcid(cpu), va >> 12, now, size };
	}
	return now;
}

void cpu_check(struct lab_cpu *cpu)
{
	for (unsigned i = 0; i < CPU_TLB; i++)
		if (cpu->tlb[i].valid && cpu->tlb[i].pcid == pcid(cpu))
			translate(cpu, cpu->tlb[i].page << 12);
}

bool cpu_access(struct lab_cpu *cpu, uint64_t va, bool write, uint64_t *frame, uint32_t *error)
{
	uint64_t value = translate(cpu, va);
	struct cpu_entry *e;

	if ((value & PTE_P) && (value & PTE_U) && (!write || (value & PTE_W))) {
		*frame = (value & PTE_ADDRESS) >> 12;
		return true;
	}
	*error = (uint32_t)((value & PTE_P ? PFERR_P : 0) | (write ? PFERR_W : 0) | PFERR_U);
	e = look_up(cpu, va);
	if (e)
		e->valid = false;
	cpu->faults++;
	return false;
}

/* The kernel reaches memory through its direct map, in whatever tables are loaded. */
static void check_direct(struct lab_cpu *cpu, uint64_t gpa)
{
	uint64_t value = walk(cpu, (cpu->features.levels == 5 ? LAB_DIRECT_MAP_5LEVEL : LAB_DIRECT_MAP) + gpa);

	assert_int_equal(value & (PTE_P | PTE_W | PTE_U), PTE_P | PTE_W);
	assert_int_equal(value & PTE_ADDRESS, gpa & PTE_ADDRESS);
}

uint64_t lab_cpu_read_pte(struct lab_cpu *cpu, uint64_t gpa)
{
	check_direct(cpu, gpa);
	return *word(cpu, gpa);
}

void lab_cpu_write_pte(struct lab_cpu *cpu, uint64_t gpa, uint64_t value)
{
	check_direct(cpu, gpa);
	*word(cpu, gpa) = value;
}

void lab_cpu_zero(struct lab_cpu *cpu, uint64_t gpa, uint64_t bytes)
{
	for (uint64_t at = gpa; at < gpa + bytes; at += 4096) {
		check_direct(cpu, at);
		cpu->tag[at >> 12] = 0;
		if (cpu->frame[at >> 12])
			memset(cpu->frame[at >> 12], 0, 4096);
	}
}

void lab_cpu_copy(struct lab_cpu *cpu, uint64_t to, uint64_t from, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at += 4096) {
		check_direct(cpu, to + at);
		check_direct(cpu, from + at);
		cpu->tag[(to + at) >> 12] = cpu->tag[(from + at) >> 12];
	}
}

void lab_cpu_touch(struct lab_cpu *cpu, uint64_t gva, bool write)
{
	(void)write;
	assert_true(translate(cpu, gva) & PTE_P);
}

void lab_cpu_work(struct lab_cpu *cpu, unsigned which, uint64_t instructions)
{
	(void)instructions;
	assert_true(walk(cpu, LAB_KERNEL_TEXT + 4096 * (which % 512)) & PTE_P);
}

static void drop(struct lab_cpu *cpu, bool all, unsigned id)
{
	for (unsigned i = 0; i < CPU_TLB; i++)
		if (all || (!cpu->tlb[i].global && cpu->tlb[i].pcid == id))
			cpu->tlb[i].valid = false;
}

void lab_cpu_load_cr3(struct lab_cpu *cpu, uint64_t value)
{
	bool tagged = cpu->cr4 & 1u << 17;

	assert_true(tagged || !(value >> 63));
	cpu->cr3 = value & ~PTE_NX;
	cpu->loads++;
	cpu->kept += value >> 63;
	if (!(value >> 63))
		drop(cpu, false, pcid(cpu));
}

void lab_cpu_invlpg(struct lab_cpu *cpu, uint64_t gva)
{
	cpu->pages_flushed++;
	/* All pieces of a large page, of which the OS names any address; of a small one, that page alone. */
	for (unsigned i = 0; i < CPU_TLB; i++)
		if (cpu->tlb[i].valid && (cpu->tlb[i].global || cpu->tlb[i].pcid == pcid(cpu)) &&
		    cpu->tlb[i].page << 12 >> cpu->tlb[i].shift == gva >> cpu->tlb[i].shift)
			cpu->tlb[i].valid = false;
}

void lab_cpu_invpcid(struct lab_cpu *cpu, unsigned type, unsigned id, uint64_t gva)
{
	assert_int_equal(type, 0);
	for (unsigned i = 0; i < CPU_TLB; i++)
		if (cpu->tlb[i].pcid == id && !cpu->tlb[i].global &&
		    cpu->tlb[i].page << 12 >> cpu->tlb[i].shift == gva >> cpu->tlb[i].shift)
			cpu->tlb[i].valid = false;
}

void lab_cpu_send_ipi(struct lab_cpu *cpu) { cpu->ipis++; }
void lab_cpu_end_interrupt(struct lab_cpu *cpu) { cpu->ended++; }
void lab_cpu_arm_timer(struct lab_cpu *cpu) { cpu->armed++; }

void lab_cpu_run_on(struct lab_cpu *cpu, unsigned to, bool halts)
{
	(void)halts;
	assert_true(to < cpu->features.cpus && to != cpu->on);
	cpu->cr3_of[cpu->on] = cpu->cr3;
	cpu->on = to;
	cpu->cr3 = cpu->cr3_of[to];
	cpu->tlb = cpu->tlbs[to];
	cpu->moves++;
}

struct lab_guest_features lab_cpu_features(const struct lab_cpu *cpu) { return cpu->features; }

void cpu_reset(struct lab_cpu *cpu, unsigned levels, bool tagged, uint64_t memory)
{
	for (unsigned i = 0; i < 1 << 20; i++)
		free(cpu->frame[i]);
	memset(cpu, 0, sizeof(*cpu));
	cpu->tlb = cpu->tlbs[0];
	cpu->features = (struct lab_guest_features){
		.cpus = 1, .levels = levels, .pcid = tagged, .invpcid = tagged, .pages_1g = true, .memory = memory
	};
}
