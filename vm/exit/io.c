/* vm/exit/io.c - IN, OUT, INS, OUTS. SDM, "Exit Qualification for I/O Instructions". */
#include "vm/vm.h"

#include "lib/mutants/mutate.h"

#define IO_SIZE MASK(2, 0) /* minus one */
#define IO_IN BIT(3)
#define IO_STRING BIT(4)

/* 16 and 32 bits. IN changes AX, or EAX and then clears the upper half of RAX, as every 32-bit result does. */
static void access_wide(struct vcpu *v, uint64_t q)
{
	struct pio_space *pio = &v->vm->pio;
	uint64_t *rax = &v->vmx.gpr[GPR_RAX];
	uint16_t port = (uint16_t)(q >> 16);
	unsigned size = q & IO_SIZE & BIT(1) ? 4 : 2; /* 3 and 1, minus one; there is no other */
	uint32_t value;

	if (!(q & IO_IN)) {
		pio_out(pio, port, size, (uint32_t)*rax);
		return;
	}
	value = pio_in(pio, port, size);
	*rax = size == 2 ? (*rax & ~0xffffull) | (value & 0xffff) : value;
}

static inline void access_byte(struct vcpu *v, struct vm *vm, uint64_t q)
{
	uint8_t *al = (uint8_t *)&v->vmx.gpr[GPR_RAX];
	uint16_t port = (uint16_t)(q >> 16);

	if (q & IO_IN)
		*al = (uint8_t)pio_in_byte(&vm->pio, port);
	else
		pio_out_byte(&vm->pio, port, *al);
}

static inline __attribute__((always_inline)) void access(struct vcpu *v, struct vm *vm, uint64_t q)
{
	spin_lock(&vm->device_lock);
	if (likely(!(q & IO_SIZE)))
		access_byte(v, vm, q);
	else
		access_wide(v, q);
	spin_unlock(&vm->device_lock);
	if (unlikely(vm->input_waiting))
		platform_feed_uart(vm);
	exit_skip(v);
}

/* The trap of a breakpoint comes after the instruction, as that of a single step. */
static __attribute__((noinline, cold)) void access_watched(struct vcpu *v, struct vm *vm, uint64_t q)
{
	bool hit;

	breakpoints_begin(v);
	hit = v->breakpoints && breakpoints_on_port(v, (uint16_t)(q >> 16), (q & IO_SIZE) + 1);
	access(v, vm, q);
	if (VM_KEPT(IO_BREAKPOINT, hit))
		breakpoints_trap(v);
}

/* What guests do most is a byte at a time. */
void exit_io(struct vcpu *v)
{
	uint64_t q = vmread(VMCS_EXIT_QUALIFICATION);

	if (unlikely(q & IO_STRING))
		emulation_step(v);
	else if (unlikely(vmread(VMCS_GUEST_DR7) & DR7_ENABLED))
		access_watched(v, v->vm, q);
	else
		access(v, v->vm, q);
}
