#include "host/cpu/insn_slot.h"

#include "host/cpu/percpu.h"
#include "host/cpu/x86.h"

#define SLOT_SIZE 64
#define OPCODE_RET 0xc3

extern uint8_t insn_slots[CPUS_MAX][SLOT_SIZE];
_Static_assert(CPUS_MAX * SLOT_SIZE == 4 * PAGE_SIZE, "insn_slot_entry.S makes four pages of them");
extern const char insn_fault[];
unsigned insn_enter(struct insn_registers *s, const void *slot);

/* The write to CR0 that ends it also makes the CPU fetch the new bytes (SDM, "Handling Self- and Cross-Modifying
 * Code"). */
static void fill_slot(uint8_t *slot, const uint8_t *code, unsigned length)
{
	uint64_t cr0 = read_cr0();

	write_cr0(cr0 & ~CR0_WP);
	memcpy(slot, code, length);
	slot[length] = OPCODE_RET;
	write_cr0(cr0);
}

unsigned insn_run(const uint8_t *code, unsigned length, struct insn_registers *s)
{
	uint8_t *slot = insn_slots[this_cpu()->id];

	BUG_ON(length > INSN_LENGTH_MAX);
	fill_slot(slot, code, length);
	s->rip = (uintptr_t)slot;
	return insn_enter(s, slot);
}

bool insn_faulted(struct interrupt_frame *f)
{
	if (f->rip != (uintptr_t)insn_slots[this_cpu()->id])
		return false;
	if (f->vector == VECTOR_NMI || f->vector == VECTOR_DF || f->vector == VECTOR_MC)
		return false;
	f->rip = (uintptr_t)insn_fault;
	f->rax = f->vector;
	return true;
}
