#include "dev/bus/msix.h"
#include "lib/mutants/mutate.h"

void msix_reset(struct msix *m)
{
	m->enabled = m->masked = false;
	m->pending = 0;
	memset(m->entry, 0, sizeof(m->entry));
	for (unsigned n = 0; n < m->vectors; n++)
		m->entry[n][3] = MSIX_MASKED;
}

/* PCI Local Bus Specification, "MSI-X Capability and Table Structures": Function Mask, and Mask of the vector's own. */
static bool may_send(const struct msix *m, unsigned n)
{
	return m->enabled && !m->masked && VM_LEFT_OUT_OR(MSIX_MASK, !(m->entry[n][3] & MSIX_MASKED));
}

static void send(struct msix *m, unsigned n)
{
	m->pending &= ~(uint32_t)BIT(n);
	m->send(m->ctx, (uint64_t)m->entry[n][1] << 32 | m->entry[n][0], m->entry[n][2]);
}

/* A mask may have gone (MX1). */
static void send_pending(struct msix *m)
{
	for (unsigned n = 0; n < m->vectors; n++)
		if ((m->pending & BIT(n)) && may_send(m, n))
			send(m, n);
}

void msix_control(struct msix *m, uint16_t control)
{
	m->enabled = control & MSIX_ENABLE;
	m->masked = control & MSIX_MASK_ALL;
	if (!m->enabled)
		m->pending = 0;
	send_pending(m);
}

/* A vector that the table has not is none (MX1): the guest has written which one. What is masked waits (PCI Local Bus
 * Specification, "MSI-X Capability and Table Structures"). */
void msix_raise(struct msix *m, unsigned vector)
{
	if (VM_KEPT(MSIX_VECTOR, vector >= m->vectors) || !m->enabled)
		return;
	if (may_send(m, vector))
		send(m, vector);
	else
		m->pending |= (uint32_t)BIT(vector);
}

/* The doubleword at an offset of the BAR. */
static uint32_t word(const struct msix *m, uint64_t offset)
{
	if (offset < MSIX_TABLE + m->vectors * MSIX_ENTRY_BYTES)
		return m->entry[offset / MSIX_ENTRY_BYTES][offset / 4 % 4];
	return offset == MSIX_PBA ? m->pending : 0;
}

/* "MSI-X Table": doublewords, and quadwords; what is smaller gets its part. */
uint64_t msix_read(void *dev, uint64_t offset, unsigned size)
{
	const struct msix *m = dev;
	uint64_t low = word(m, align_down(offset, 4));

	if (size == 8 && offset % 8 == 0)
		return low | (uint64_t)word(m, offset + 4) << 32;
	return low >> (8 * (offset % 4)) & MASK(8 * size - 1, 0);
}

static void write_word(struct msix *m, uint64_t offset, uint32_t value)
{
	unsigned field = offset / 4 % 4;

	if (offset >= MSIX_TABLE + m->vectors * MSIX_ENTRY_BYTES)
		return;
	m->entry[offset / MSIX_ENTRY_BYTES][field] = field == 3 ? value & MSIX_MASKED : value;
}

void msix_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct msix *m = dev;

	if (offset % 4 || size < 4)
		return;
	write_word(m, offset, (uint32_t)value);
	if (size == 8)
		write_word(m, offset + 4, (uint32_t)(value >> 32));
	send_pending(m);
}
