/* dev/test/testdev.h - a test device that conformance guests know: a latch at 0xe0-0xe3, "drop the mapping of this
 * guest page" at 0xe4, interrupt lines at 0x2000+n, 64 KB of RAM-like MMIO at 0xff000000. Offered on request only. */
#ifndef VELLUM_DEV_TESTDEV_H
#define VELLUM_DEV_TESTDEV_H

#include "dev/dev.h"
#include "lib/ports.h"

#define TESTDEV_LINES 24u

struct testdev {
	uint8_t latch[4];
	uint32_t levels;
	struct irq_line line[TESTDEV_LINES];
	/* outl gpa to 0xe4: drop the host's mapping of that guest page. */
	void (*drop)(void *ctx, uint64_t gpa);
	void *ctx;
	uint8_t mem[TESTDEV_MMIO_SIZE];
};

/* lines: line[n] is raised and lowered by port 0x2000 + n. false: a port range or the region is taken. */
bool testdev_init(struct testdev *t, struct pio_space *pio, struct mmio_space *mmio,
		  const struct irq_line lines[TESTDEV_LINES], void (*drop)(void *ctx, uint64_t gpa), void *ctx);
void testdev_reset(struct testdev *t);

#endif
