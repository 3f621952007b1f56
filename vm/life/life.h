/* vm/life/life.h - virtual machines come and go (vm/life/life.c). What is here is for the first CPU only, but for
 * vm_released() and the two that keep the machine up. */
#ifndef VELLUM_VM_LIFE_H
#define VELLUM_VM_LIFE_H

#include "vm/vm.h"

/* Makes and starts the virtual machines of the description, but for those that begin on request. */
void life_begin(void);
/* Makes the one of that number, which must not be there or have settled, and starts it. NULL, or why it cannot be
 * had: a sentence that lasts as long as the virtual machine. */
const char *life_start(unsigned id);
/* Gives back all of one that has settled. */
void life_forget(unsigned id);
/* Keeps the machine up, whatever virtual machines there are; and no longer. */
void life_hold(void);
void life_let_go(void);
/* Looks at those that were released: they are over, or begin again. */
void life_serve(void);
/* Between two exits, and after the idle loop woke up. */
static inline void life_poll(const struct percpu *cpu)
{
	if (unlikely(__atomic_load_n(&machine.unsettled, __ATOMIC_ACQUIRE)) && cpu->id == 0)
		life_serve();
}
/* vm, which holds nothing any more, is the first CPU's from now on; called on the CPU that released it. */
void vm_released(struct vm *vm);

#endif
