#include "guest/test/base/pages.h"

void do_read(void *p) { (void)*(volatile uint8_t *)p; }
void do_write(void *p) { *(volatile uint8_t *)p = 0xc3; }
void do_execute(void *p) { ((void (*)(void))p)(); }

static unsigned call(void (*fn)(void *), word p, bool user)
{
	return user ? trap_call_user(fn, (void *)p) : trap_call(fn, (void *)p);
}

void expect_fault(const char *what, void (*fn)(void *), word p, bool user, uint32_t error)
{
	unsigned got = call(fn, p, user);

	CHECK(got == TRAP(PF), "%s: trap %u, not a page fault", what, got);
	if (got != TRAP(PF))
		return;
	CHECK(trap.error == error, "%s: error code 0x%x, not 0x%x", what, trap.error, error);
	CHECK(trap.flags & RFLAGS_RF, "%s: the flags saved are 0x%lx, without RF", what, trap.flags);
	CHECK(trap.cr2 == p, "%s: CR2 0x%lx, not 0x%lx", what, trap.cr2, p);
}

void expect_good(const char *what, void (*fn)(void *), word p, bool user)
{
	unsigned got = call(fn, p, user);

	CHECK(got == NO_TRAP, "%s: trap %u, error 0x%x, CR2 0x%lx", what, got, trap.error, trap.cr2);
}
