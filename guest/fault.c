/* Loads and stores that may fault, and the fault's reason. */
#define _GNU_SOURCE
#include "guest.h"

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>

static __thread sigjmp_buf escape;
static __thread volatile sig_atomic_t armed, code;
static __thread const volatile void *volatile expected;

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

/* The body of a function that tries an access. */
#define TRY(address, access) \
	expected = (address); \
	if (sigsetjmp(escape, 0) != 0) \
		return code; \
	armed = 1; \
	access; \
	armed = 0; \
	return 0

int try_store(volatile unsigned char *address, unsigned char value) { TRY(address, *address = value); }
int try_load(const volatile unsigned char *address, unsigned char *value) { TRY(address, *value = *address); }

int try_store_word(uint32_t *address, uint32_t value)
{
	TRY(address, __atomic_store_n(address, value, __ATOMIC_SEQ_CST));
}

int try_load_word(const uint32_t *address, uint32_t *value)
{
	TRY(address, *value = __atomic_load_n(address, __ATOMIC_SEQ_CST));
}
