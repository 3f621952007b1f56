#include "host/trap/fault.h"

#include "host/cpu/percpu.h"
#include "host/cpu/x86.h"
#include "host/device/console.h"

extern char code_end[], rodata_end[], image_start[];

static bool in_page(const char *page, uint64_t address) { return address - (uintptr_t)page < PAGE_SIZE; }

/* The stack of this CPU whose guard page was touched; NULL: none. CR2 is what the first access touched; a double fault
 * comes where the page fault could not be pushed either, below the saved RSP. */
static const char *overrun(const struct interrupt_frame *f)
{
	const struct percpu *p = this_cpu();

	for (unsigned i = 0; i < STACKS; i++)
		if (in_page(p->stack[i].guard, read_cr2()) ||
		    (f->vector == VECTOR_DF && in_page(p->stack[i].guard, f->rsp - 1)))
			return stack_name(i);
	return NULL;
}

static const char *page_fault(const struct interrupt_frame *f)
{
	uint64_t address = read_cr2();

	if (address < PAGE_SIZE)
		return f->error & PFERR_I ? "a NULL pointer was called" : "a NULL pointer was followed";
	if (f->error & PFERR_I)
		return "what is no code was called";
	if ((f->error & PFERR_W) && (f->error & PFERR_P) && address >= (uintptr_t)image_start &&
	    address < (uintptr_t)rodata_end)
		return address < (uintptr_t)code_end ? "its own code was written to"
						     : "its own constants were written to";
	return f->error & PFERR_P ? "an access that its own tables forbid" : "an access to what is not mapped";
}

static void say_registers(const struct interrupt_frame *f)
{
	console_log("vector %lu error 0x%lx rip 0x%lx cr2 0x%lx rflags 0x%lx cpu %u", f->vector, f->error, f->rip,
		    read_cr2(), f->rflags, this_cpu()->id);
	console_log("rax 0x%lx rbx 0x%lx rcx 0x%lx rdx 0x%lx rsi 0x%lx rdi 0x%lx rbp 0x%lx rsp 0x%lx", f->rax, f->rbx,
		    f->rcx, f->rdx, f->rsi, f->rdi, f->rbp, f->rsp);
	console_log("r8 0x%lx r9 0x%lx r10 0x%lx r11 0x%lx r12 0x%lx r13 0x%lx r14 0x%lx r15 0x%lx", f->r8, f->r9,
		    f->r10, f->r11, f->r12, f->r13, f->r14, f->r15);
}

_Noreturn void fault_report(const struct interrupt_frame *f)
{
	const char *stack = f->vector == VECTOR_DF || f->vector == VECTOR_PF ? overrun(f) : NULL;

	console_break_locks();
	say_registers(f);
	if (stack)
		console_panic("the hypervisor's %s ran over, on CPU %u, at rip 0x%lx", stack, this_cpu()->id, f->rip);
	if (f->vector == VECTOR_PF)
		console_panic("fault in the hypervisor: %s: address 0x%lx, rip 0x%lx", page_fault(f), read_cr2(),
			      f->rip);
	console_panic("fault in the hypervisor: vector %lu error 0x%lx rip 0x%lx", f->vector, f->error, f->rip);
}
