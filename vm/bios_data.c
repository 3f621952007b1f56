/* vm/bios_data.c - what a firmware would have left in the memory of a guest that starts at its kernel: boot loaders'
 * guests read the BIOS data area, and some of them go back to real mode and call the BIOS. IBM Personal System/2 and
 * Personal Computer BIOS Interface Technical Reference, "BIOS Data Area" and "Interrupts". */
#include "vm/vm.h"

#include "lib/uart.h"
#include "vm/load/image.h"

#define BDA_COM1 0x400u
#define BDA_EBDA_SEGMENT 0x40eu
#define BDA_EQUIPMENT 0x410u
#define BDA_MEMORY_KB 0x413u
#define EQUIPMENT_COPROCESSOR 0x0002u
#define EQUIPMENT_ONE_SERIAL 0x0200u

/* Where a PC's BIOS has an IRET for interrupts that it does not serve. A guest that calls the BIOS finds every flag and
 * register as it was, and takes it for one without the service. */
#define DUMMY_SEGMENT 0xf000u
#define DUMMY_OFFSET 0xff53u
#define IRET 0xcfu
#define IVT_VECTORS 256u

static bool write(struct vm *vm, uint64_t gpa, const void *data, size_t n)
{
	return mmu_guest_write(&vm->mmu, GPA(gpa), data, n) == n;
}

static bool write_u16(struct vm *vm, uint64_t gpa, uint16_t value) { return write(vm, gpa, &value, sizeof(value)); }

static bool write_vectors(struct vm *vm)
{
	static const uint8_t iret = IRET;
	uint32_t vector[IVT_VECTORS];

	for (unsigned i = 0; i < IVT_VECTORS; i++)
		vector[i] = DUMMY_SEGMENT << 16 | DUMMY_OFFSET;
	return write(vm, 0, vector, sizeof(vector)) && write(vm, (DUMMY_SEGMENT << 4) + DUMMY_OFFSET, &iret, 1);
}

bool bios_data_write(struct vm *vm)
{
	return write_vectors(vm) && write_u16(vm, BDA_COM1, COM1_PORT) &&
	       write_u16(vm, BDA_EBDA_SEGMENT, LOADER_EBDA >> 4) &&
	       write_u16(vm, BDA_EQUIPMENT, EQUIPMENT_COPROCESSOR | EQUIPMENT_ONE_SERIAL) &&
	       write_u16(vm, BDA_MEMORY_KB, LOADER_EBDA >> 10);
}
