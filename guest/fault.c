/* Loads and stores that may fault, and the fault's reason. */
#define _GNU_SOURCE
#include "guest.h"

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

static sigjmp_buf escape;
static volatile sig_atomic_t armed;
static volatile sig_atomic_t code;
static const volatile void *volatile expected;

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	if (!armed) {
		signal(number, SIG_DFL);
		raise(number);
		return;
	}
	armed = 0;
	code = info->si_addr == (void *)(uintptr_t)expected ? info->si_code : -1;
	siglongjmp(escape, 1);
}

void faults_init(void)
{
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

int try_store(volatile unsigned char *address, unsigned char value)
{
	expected = address;
	if (sigsetjmp(escape, 0) != 0)
		return code;
	armed = 1;
	*address = value;
	armed = 0;
	return 0;
}

int try_load(const volatile unsigned char *address, unsigned char *value)
{
	expected = address;
	if (sigsetjmp(escape, 0) != 0)
		return code;
	armed = 1;
	*value = *address;
	armed = 0;
	return 0;
}
