/* dev/test/testdev.h - a test device that conformance guests know: a latch at 0xe0-0xe3, "drop the mapping of this
 * guest page" at 0xe4, "take the right to write from it" at 0xe8, interrupt lines at 0x2000+n, 64 KB of RAM-like
 * MMIO at 0xff000000. Offered on request only. */
#ifndef VELLUM_DEV_TESTDEV_H
#define VELLUM_DEV_TESTDEV_H

#include "dev/dev.h"
#include "lib/ports.h"

#define TESTDEV_LINES 24u

/* What the host does to a page of the guest when outl says its address: any address, of memory or not. */
struct testdev_host {
	void (*drop)(void *ctx, uint64_t gpa);
	void (*protect)(void *ctx, uint64_t gpa);
	void *ctx;
};

struct testdev {
	uint8_t latch[4];
	uint32_t levels;
	struct irq_line line[TESTDEV_LINES];
	struct testdev_host host;
	uint8_t mem[TESTDEV_MMIO_SIZE];
};

/* lines: line[n] is raised and lowered by port 0x2000 + n. false: a port range or the region is taken. */
bool testdev_init(struct testdev *t, struct pio_space *pio, struct mmio_space *mmio,
		  const struct irq_line lines[TESTDEV_LINES], const struct testdev_host *host);
FOR_TESTS void testdev_reset(struct testdev *t);
/* dev/test/testdev_state.c */
void testdev_state(struct fields *s, struct testdev *t);

#endif
