/* dev/test/testdev.c - the test device's ports and memory. */
#include "dev/test/testdev.h"
#include "dev/bus/bytes.h"

static uint8_t latch_read(void *dev, uint16_t port)
{
	const struct testdev *t = dev;
	return t->latch[port & 3];
}

static void latch_write(void *dev, uint16_t port, uint8_t value)
{
	struct testdev *t = dev;
	t->latch[port & 3] = value;
}

BYTE_PORTS(latch)

static uint32_t nothing_in(void *dev, uint16_t port, unsigned size)
{
	(void)dev;
	(void)port;
	return (uint32_t)MASK(8 * size - 1, 0);
}

static void page_out(void *dev, uint16_t port, unsigned size, uint32_t value)
{
	const struct testdev *t = dev;
	if (size == 4 && port == TESTDEV_DROP)
		t->host.drop(t->host.ctx, value);
	else if (size == 4 && port == TESTDEV_PROTECT)
		t->host.protect(t->host.ctx, value);
}

/* The whole value goes to the line of the first port, whatever the access's size: guests use outl to consecutive
 * ports. */
static void lines_out(void *dev, uint16_t port, unsigned size, uint32_t value)
{
	struct testdev *t = dev;
	unsigned n = port - TESTDEV_LINE;
	(void)size;
	if (n >= TESTDEV_LINES)
		return;
	t->levels = (t->levels & ~(1u << n)) | (uint32_t)!!value << n;
	irq_set(&t->line[n], value);
}

static uint64_t mem_read(void *dev, uint64_t offset, unsigned size)
{
	const struct testdev *t = dev;
	uint64_t value = 0;
	memcpy(&value, &t->mem[offset], size);
	return value;
}

static void mem_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct testdev *t = dev;
	memcpy(&t->mem[offset], &value, size);
}

void testdev_reset(struct testdev *t)
{
	memset(t->latch, 0, sizeof(t->latch));
	memset(t->mem, 0, sizeof(t->mem));
	for (unsigned n = 0; n < TESTDEV_LINES; n++)
		if (t->levels >> n & 1)
			irq_set(&t->line[n], false);
	t->levels = 0;
}

bool testdev_init(struct testdev *t, struct pio_space *pio, struct mmio_space *mmio,
		  const struct irq_line lines[TESTDEV_LINES], const struct testdev_host *host)
{
	static const struct pio_ops latch = { latch_in, latch_out }, page = { nothing_in, page_out },
		line = { nothing_in, lines_out };
	static const struct mmio_ops mem = { mem_read, mem_write };
	t->host = *host;
	t->levels = 0;
	memcpy(t->line, lines, sizeof(t->line));
	testdev_reset(t);
	/* Three ports more than lines, so that outl to the last one stays in one piece. */
	return pio_add(pio, TESTDEV_LATCH, 4, &latch, t) && pio_add(pio, TESTDEV_DROP, 4, &page, t) &&
		pio_add(pio, TESTDEV_PROTECT, 4, &page, t) &&
		pio_add(pio, TESTDEV_LINE, TESTDEV_LINES + 3, &line, t) &&
		mmio_add(mmio, TESTDEV_MMIO_BASE, TESTDEV_MMIO_SIZE, &mem, t);
}
