/* dev/irq/ioapic.c - the redirection table. Intel 82093AA data sheet; the EOI register as in the ICHs (version
 * 0x20). */
#include "dev/irq/ioapic.h"

#include "dev/irq/seam.h"
#include "lib/mutants/mutate.h"

#define VERSION (0x20u | (IOAPIC_PINS - 1) << 16)

#define ID_BITS 0xfu
#define ENTRY_READ_ONLY (REDIRECTION_STATUS | REDIRECTION_REMOTE_IRR)
#define ENTRY_WRITABLE (MASK(63, 56) | MASK(16, 0)) /* the rest is reserved */

static bool send_entry(struct ioapic *io, uint64_t entry)
{
	struct apic_message m = {
		.dest = (uint32_t)(entry >> 56),
		.vector = (uint8_t)entry,
		.delivery = apic_delivery_of(entry),
		.logical = entry & REDIRECTION_LOGICAL,
		.level = entry & REDIRECTION_LEVEL,
		.assert = true,
	};
	if (m.delivery == APIC_SIPI)
		return false; /* 82093AA data sheet, "I/O Redirection Table Registers": reserved here */
	return io->send(io->ctx, &m);
}

static uint64_t entry_of(const struct ioapic *io, unsigned pin)
{
	return __atomic_load_n(&io->redirection[pin], __ATOMIC_SEQ_CST);
}

/* IO3. false: the entry is no longer *was; it is now. */
static bool exchange(struct ioapic *io, unsigned pin, uint64_t *was, uint64_t entry)
{
	if (VM_LEFT_OUT_OR(IOAPIC_EXCHANGE, false)) {
		__atomic_store_n(&io->redirection[pin], entry, __ATOMIC_SEQ_CST);
		return true;
	}
	return __atomic_compare_exchange_n(&io->redirection[pin], was, entry, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_SEQ_CST);
}

/* Sets remote IRR of an entry that is to be sent for: level-triggered, its pin asserted, not waiting for its EOI (IO1,
 * IO3). entry: as it is now, and was before that. */
static bool claim(struct ioapic *io, unsigned pin, uint64_t *entry)
{
	do {
		lapic_seam();
		if ((*entry & (REDIRECTION_LEVEL | REDIRECTION_MASKED)) != REDIRECTION_LEVEL ||
		    !(__atomic_load_n(&io->pins, __ATOMIC_SEQ_CST) >> pin & 1) ||
		    VM_KEPT(IOAPIC_WAITS, *entry & REDIRECTION_REMOTE_IRR))
			return false;
		lapic_seam();
	} while (!exchange(io, pin, entry, *entry | REDIRECTION_REMOTE_IRR));
	return true;
}

/* Remote IRR stays set only when a local APIC has taken the message: nobody would send the EOI that clears it. Who
 * changed the entry before it was cleared left the pin to us. */
static void service_level(struct ioapic *io, unsigned pin)
{
	uint64_t entry = entry_of(io, pin), sent;

	do {
		if (!claim(io, pin, &entry))
			return;
		lapic_seam();
		if (send_entry(io, entry))
			return;
		sent = entry;
		lapic_seam();
		entry = __atomic_fetch_and(&io->redirection[pin], ~REDIRECTION_REMOTE_IRR, __ATOMIC_SEQ_CST);
		entry &= ~REDIRECTION_REMOTE_IRR;
	} while (VM_KEPT(IOAPIC_UNSENT, entry != sent));
}

void ioapic_set_pin(struct ioapic *io, unsigned pin, bool level)
{
	if (pin >= IOAPIC_PINS)
		return;
	uint32_t bit = 1u << pin;
	bool rising = level && !(io->pins & bit);
	uint64_t entry;

	if (level)
		__atomic_fetch_or(&io->pins, bit, __ATOMIC_SEQ_CST);
	else
		__atomic_fetch_and(&io->pins, ~bit, __ATOMIC_SEQ_CST);
	entry = entry_of(io, pin);
	if (entry & REDIRECTION_LEVEL)
		service_level(io, pin);
	else if (rising && !(entry & REDIRECTION_MASKED))
		send_entry(io, entry);
}

void ioapic_eoi(struct ioapic *io, uint8_t vector)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t entry = entry_of(io, pin);

		if ((uint8_t)entry != vector || !(entry & REDIRECTION_REMOTE_IRR))
			continue;
		__atomic_fetch_and(&io->redirection[pin], ~REDIRECTION_REMOTE_IRR, __ATOMIC_SEQ_CST);
		lapic_seam();
		VM_MUTANT(IOAPIC_EOI_LOOKS, service_level(io, pin));
	}
}

static void entry_write(struct ioapic *io, unsigned pin, uint64_t value, uint64_t written)
{
	uint64_t old = entry_of(io, pin), change = written & ENTRY_WRITABLE & ~ENTRY_READ_ONLY, entry;

	do {
		entry = (old & ~change) | (value & change);
		if (!(entry & REDIRECTION_LEVEL)) /* such an entry has no remote IRR: how old drivers clear it */
			entry &= ~REDIRECTION_REMOTE_IRR;
		lapic_seam();
	} while (!exchange(io, pin, &old, entry));
	VM_MUTANT(IOAPIC_UNMASKED, service_level(io, pin)); /* IO2 */
}

/* The guest selects any of 256 indices (CVE-2013-1798): those without a register read as ones, and take no write. */
static uint32_t index_read(const struct ioapic *io)
{
	unsigned slot = io->select - IOAPIC_INDEX_TABLE;
	switch (io->select) {
	case IOAPIC_INDEX_ID:
	case IOAPIC_INDEX_ARBITRATION:
		return (uint32_t)io->id << 24;
	case IOAPIC_INDEX_VERSION:
		return VERSION;
	default:
		if (io->select < IOAPIC_INDEX_TABLE || slot >= 2 * IOAPIC_PINS)
			return 0xffffffff;
		return (uint32_t)(io->redirection[slot / 2] >> (slot & 1 ? 32 : 0));
	}
}

/* "IOAPIC Identification Register": four bits; the others are reserved. */
static void set_id(struct ioapic *io, uint32_t id)
{
	io->id = (uint8_t)id;
	VM_MUTANT(IOAPIC_ID, io->id &= ID_BITS);
}

static void index_write(struct ioapic *io, uint32_t value)
{
	unsigned slot = io->select - IOAPIC_INDEX_TABLE;
	if (io->select == IOAPIC_INDEX_ID)
		set_id(io, value >> 24);
	else if (io->select >= IOAPIC_INDEX_TABLE && slot < 2 * IOAPIC_PINS && (slot & 1))
		entry_write(io, slot / 2, (uint64_t)value << 32, MASK(63, 32));
	else if (io->select >= IOAPIC_INDEX_TABLE && slot < 2 * IOAPIC_PINS)
		entry_write(io, slot / 2, value, MASK(31, 0));
}

static uint64_t ioapic_read(void *dev, uint64_t offset, unsigned size)
{
	struct ioapic *io = dev;
	uint32_t value = 0;
	if ((offset & ~3ull) == IOAPIC_SELECT)
		value = io->select;
	else if ((offset & ~3ull) == IOAPIC_WINDOW)
		value = index_read(io);
	value >>= 8 * (offset & 3);
	return size < 4 ? value & MASK(8 * size - 1, 0) : value;
}

static void ioapic_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct ioapic *io = dev;
	(void)size;
	if (offset == IOAPIC_SELECT)
		io->select = (uint8_t)value;
	else if (offset == IOAPIC_WINDOW)
		index_write(io, (uint32_t)value);
	else if (offset == IOAPIC_EOI)
		ioapic_eoi(io, (uint8_t)value);
}

bool ioapic_unmaskable(const struct ioapic *io)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		unsigned delivery = apic_delivery_of(io->redirection[pin]);

		if (!(io->redirection[pin] & REDIRECTION_MASKED) && (delivery == APIC_NMI || delivery == APIC_INIT))
			return true;
	}
	return false;
}

void ioapic_reset(struct ioapic *io)
{
	io->select = 0;
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		io->redirection[pin] = REDIRECTION_MASKED;
}

bool ioapic_init(struct ioapic *io, struct mmio_space *mmio, uint64_t base, uint8_t id,
	bool (*send)(void *ctx, const struct apic_message *m), void *ctx)
{
	static const struct mmio_ops ops = { ioapic_read, ioapic_write };
	*io = (struct ioapic){ .send = send, .ctx = ctx };
	set_id(io, id);
	ioapic_reset(io);
	return mmio_add(mmio, base, PAGE_SIZE, &ops, io);
}
