/* test/unit/dev/irq/virtual_apic.h - the CPU's part of a local APIC that it virtualizes, as the SDM describes it: with
 * APIC-register virtualization and virtual-interrupt delivery, an access of the guest's to the page or to an MSR, and
 * what exits of it. Plainly, from the text of the chapter "APIC Virtualization and Virtual Interrupts"; it shares
 * nothing with dev/irq/ and vm/. */
#ifndef VELLUM_TEST_DEV_IRQ_VIRTUAL_APIC_H
#define VELLUM_TEST_DEV_IRQ_VIRTUAL_APIC_H

#include <stdbool.h>
#include <stdint.h>

struct virtual_apic {
	uint8_t *page;     /* the virtual-APIC page */
	uint8_t rvi, svi;  /* guest interrupt status */
	uint64_t eoi_exits[4]; /* the EOI-exit bitmap */
	bool recognized;   /* a virtual interrupt is pending */
};

/* The basic exit reasons that an access can have. */
enum { VIRTUAL_NO_EXIT = 0, VIRTUAL_APIC_ACCESS = 44, VIRTUAL_EOI = 45, VIRTUAL_APIC_WRITE = 56 };
struct virtual_exit {
	unsigned reason;
	unsigned number; /* the offset, or EOI's vector */
};

/* At VM entry; also behind everything here that may change it. */
void virtual_entry(struct virtual_apic *v);
/* size bytes at offset in the page. Of a read that does not exit: *value. */
struct virtual_exit virtual_read(struct virtual_apic *v, unsigned offset, unsigned size, uint32_t *value);
struct virtual_exit virtual_write(struct virtual_apic *v, unsigned offset, unsigned size, uint32_t value);
/* WRMSR in "virtualize x2APIC mode", where the bitmap lets it through: 0x808, 0x80b or 0x83f, whose reserved bits are
 * 0. */
struct virtual_exit virtual_wrmsr(struct virtual_apic *v, uint32_t msr, uint64_t value);
uint64_t virtual_rdmsr(const struct virtual_apic *v, uint32_t msr);
/* MOV to CR8. */
void virtual_set_tpr(struct virtual_apic *v, uint8_t tpr);
/* The guest can take an interrupt: its vector, -1 if there is none. */
int virtual_deliver(struct virtual_apic *v);

#endif
