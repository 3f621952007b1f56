/* vm/life/end.c - a virtual machine is over: who says so first says why. Its vCPUs stop before their next entries. */
#include "vm/vm.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

#define RESETS_TOLD_MOST 8

/* Is this the first end of vm? */
static bool is_first_end(struct vm *vm)
{
	return VM_LEFT_OUT_OR(END_FIRST, !__atomic_exchange_n(&vm->ending, true, __ATOMIC_SEQ_CST));
}

static void end_once(struct vm *vm, int status, const char *format, va_list ap)
{
	struct vcpu *v;

	fmt_v(vm->end_text, sizeof(vm->end_text), format, ap);
	vm->status = status;
	__atomic_store_n(&vm->ended, true, __ATOMIC_RELEASE);
	for_each_vcpu(v, vm)
		VM_MUTANT(END_STOP, vcpu_request(v, REQUEST_STOP));
}

void vm_end(struct vm *vm, int status, const char *format, ...)
{
	va_list ap;

	if (!is_first_end(vm))
		return;
	va_start(ap, format);
	end_once(vm, status, format, ap);
	va_end(ap);
}

void vm_reset(struct vm *vm, bool asked, const char *format, ...)
{
	va_list ap;

	if (!is_first_end(vm))
		return;
	vm->again = asked || VM_KEPT(RESET_BOOTS, vm->config->on_reset == CONFIG_RESET_BOOT);
	va_start(ap, format);
	end_once(vm, VM_STATUS_OK, format, ap);
	va_end(ap);
}

/* A guest that begins again may do so for ever, and a log is read by people: the first of them are told whole. */
static bool is_told_whole(const struct vm *vm)
{
	struct vm_place *place = &machine.place[vm->id];

	if (VM_KEPT(RESETS_TOLD, place->resets_told == RESETS_TOLD_MOST))
		return false;
	place->resets_told++;
	return true;
}

/* SDM, "Interrupt 8 - Double Fault Exception (#DF)": an exception in the delivery of #DF is shutdown, which a PC's
 * chipset answers by a reset. */
void vm_triple_fault(struct vcpu *v)
{
	uint64_t rip = hvm_rip(&v->hvm);
	bool again = VM_KEPT(TRIPLE_RESETS, v->vm->config->on_reset == CONFIG_RESET_BOOT);

	if (!again || is_told_whole(v->vm))
		VM_MUTANT(TRIPLE_TELLS, vm_tell_state(v));
	if (again)
		vm_reset(v->vm, false, "reset by a triple fault at rip 0x%lx", rip);
	else
		vm_end(v->vm, VM_STATUS_TRIPLE_FAULT, "stopped: triple fault at rip 0x%lx", rip);
}
