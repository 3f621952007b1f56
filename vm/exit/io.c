/* vm/exit/io.c - IN, OUT, INS, OUTS. */
#include "vm/vm.h"
#include "vm/device/console.h"

#include "lib/mutants/mutate.h"

/* 16 and 32 bits. IN changes AX, or EAX and then clears the upper half of RAX, as every 32-bit result does. */
static void access_wide(struct vcpu *v, hvm_io_t io)
{
	struct pio_space *pio = &v->vm->pio;
	uint64_t *rax = &v->hvm.gpr[GPR_RAX];
	unsigned size = hvm_io_size(io);
	uint32_t value;

	if (!hvm_io_in(io)) {
		pio_out(pio, hvm_io_port(io), size, (uint32_t)*rax);
		return;
	}
	value = pio_in(pio, hvm_io_port(io), size);
	*rax = size == 2 ? (*rax & ~0xffffull) | (value & 0xffff) : value;
}

static inline void access_byte(struct vcpu *v, struct vm *vm, hvm_io_t io)
{
	uint8_t *al = (uint8_t *)&v->hvm.gpr[GPR_RAX];

	if (hvm_io_in(io))
		*al = (uint8_t)pio_in_byte(&vm->pio, hvm_io_port(io));
	else
		pio_out_byte(&vm->pio, hvm_io_port(io), *al);
}

static ALWAYS_INLINE void access(struct vcpu *v, struct vm *vm, hvm_io_t io)
{
	spin_lock(&vm->device_lock);
	if (likely(hvm_io_is_byte(io)))
		access_byte(v, vm, io);
	else
		access_wide(v, io);
	spin_unlock(&vm->device_lock);
	if (unlikely(vm->input_waiting))
		platform_feed_uart(vm);
	exit_skip(v);
}

/* The trap of a breakpoint comes after the instruction, as that of a single step. */
static __attribute__((noinline, cold)) void access_watched(struct vcpu *v, struct vm *vm, hvm_io_t io)
{
	bool hit;

	breakpoints_begin(v);
	hit = v->breakpoints && breakpoints_on_port(v, hvm_io_port(io), hvm_io_size(io));
	access(v, vm, io);
	if (VM_KEPT(IO_BREAKPOINT, hit))
		breakpoints_trap(v);
}

/* What guests do most is a byte at a time. The CPU has checked IOPL and the permission bitmap before the exit (SDM,
 * "Relative Priority of Faults and VM Exits"). */
void exit_io(struct vcpu *v)
{
	hvm_io_t io = hvm_exit_io(&v->hvm);

	if (unlikely(hvm_io_string(io)))
		emulation_step(v);
	else if (unlikely(hvm_dr7(&v->hvm) & DR7_ENABLED))
		access_watched(v, v->vm, io);
	else
		access(v, v->vm, io);
}
