/* 32 bits: the instructions that write and read the TPR: by the APIC's page, by the MSR. */
#define TPR_ALIAS 0xfffe0080
#define MORE_REGISTERS
	/* The arguments are where they are wanted (regparm). */
	.macro	way_begin
	save_preserved
	.endm
#include "guest/test/irql/irql-ways.h"

	.macro	write_at kind, at
	way	\kind, ".byte 0xa3; .long \at"
	way	\kind, ".byte 0x89, 0x05; .long \at"
	write_absolute WIDE, \kind, \at
	.endm
	list	ways
	write_at WAY_MMIO|WAY_FIXED, TPR_USUAL
	write_at WAY_MMIO|WAY_ALIAS, TPR_ALIAS
	write_relative WIDE
	write_msr
	list_end

	.macro	read_at kind, at
	look	\kind, ".byte 0xa1; .long \at"
	look	\kind, ".byte 0x8b, 0x05; .long \at"
	read_absolute WIDE, \kind, \at
	.endm
	list	looks
	read_at WAY_MMIO|WAY_FIXED, TPR_USUAL
	read_at WAY_MMIO|WAY_ALIAS, TPR_ALIAS
	read_relative WIDE
	read_msr
	list_end

	ways_data
