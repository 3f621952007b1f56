/* vm/exit_io.c - IN, OUT, INS, OUTS. SDM, "Exit Qualification for I/O Instructions". */
#include "vm/vm.h"

#define IO_SIZE MASK(2, 0) /* minus one */
#define IO_IN BIT(3)
#define IO_STRING BIT(4)

void exit_io(struct vcpu *v)
{
	uint64_t q = vmread(VMCS_EXIT_QUALIFICATION);
	unsigned size = (unsigned)(q & IO_SIZE) + 1;
	uint16_t port = (uint16_t)(q >> 16);
	struct vm *vm = v->vm;
	uint64_t *rax = &v->vmx.gpr[GPR_RAX];

	if (unlikely(q & IO_STRING)) {
		emulation_step(v);
		return;
	}
	spin_lock(&vm->device_lock);
	if (q & IO_IN) {
		uint32_t value = pio_in(&vm->pio, port, size);

		if (size == 4)
			*rax = value;
		else
			*rax = (*rax & ~MASK(8 * size - 1, 0)) | (value & MASK(8 * size - 1, 0));
	} else {
		pio_out(&vm->pio, port, size, (uint32_t)*rax);
	}
	spin_unlock(&vm->device_lock);
	if (unlikely(vm->input_waiting))
		platform_feed_uart(vm);
	exit_skip(v);
}
