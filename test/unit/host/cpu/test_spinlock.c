/* Locks between real threads, and what is counted of waiting. Each thread is a CPU: what is its own is reached through
 * GS, as on the machine. */
#include <asm/prctl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "host/cpu/percpu.h"
#include "host/cpu/spinlock.h"

#define CPUS 4

static struct percpu cpu[CPUS];
static struct spinlock spin;
static struct fair_lock fair;
static bool flag;
static unsigned order[CPUS], done;
static uint64_t sum;

static void be_cpu(unsigned n)
{
	cpu[n].self = &cpu[n];
	assert_int_equal(syscall(SYS_arch_prctl, ARCH_SET_GS, &cpu[n]), 0);
}

static int set_up(void **state)
{
	(void)state;
	memset(cpu, 0, sizeof(cpu));
	spin = (struct spinlock){ false };
	fair = (struct fair_lock){ 0, 0 };
	done = 0;
	sum = 0;
	be_cpu(0);
	return 0;
}

/* Long enough that who waits has begun to. */
static void let_them_wait(void)
{
	for (unsigned i = 0; i < 1000; i++)
		sched_yield();
}

static void *take_spin(void *n)
{
	be_cpu((unsigned)(uintptr_t)n);
	spin_lock(&spin);
	__atomic_store_n(&flag, true, __ATOMIC_SEQ_CST);
	spin_unlock(&spin);
	return NULL;
}

static void test_spin(void **state)
{
	pthread_t thread;

	(void)state;
	spin_lock(&spin);
	assert_false(spin_trylock(&spin));
	spin_unlock(&spin);
	assert_int_equal(cpu[0].lock_waits, 0); /* WL1: it was free */
	assert_true(spin_trylock(&spin));
	flag = false;
	assert_int_equal(pthread_create(&thread, NULL, take_spin, (void *)1), 0);
	while (!__atomic_load_n(&cpu[1].self, __ATOMIC_SEQ_CST))
		sched_yield();
	let_them_wait();
	assert_false(__atomic_load_n(&flag, __ATOMIC_SEQ_CST));
	spin_unlock(&spin);
	pthread_join(thread, NULL);
	assert_true(flag);
	assert_int_equal(cpu[1].lock_waits, 1);
	assert_true(cpu[1].lock_ticks > 0);
	assert_int_equal(cpu[0].lock_ticks, 0);
}

static void *take_fair(void *n)
{
	be_cpu((unsigned)(uintptr_t)n);
	fair_lock(&fair);
	order[done++] = (unsigned)(uintptr_t)n;
	fair_unlock(&fair);
	return NULL;
}

/* WL2 */
static void test_fair(void **state)
{
	pthread_t thread[CPUS];

	(void)state;
	fair_lock(&fair);
	for (uintptr_t n = CPUS - 1; n > 0; n--) {
		uint32_t drawn = fair.tickets;

		assert_int_equal(pthread_create(&thread[n], NULL, take_fair, (void *)n), 0);
		while (__atomic_load_n(&fair.tickets, __ATOMIC_SEQ_CST) == drawn)
			sched_yield();
	}
	let_them_wait();
	assert_int_equal(done, 0);
	fair_unlock(&fair);
	for (unsigned n = 1; n < CPUS; n++)
		pthread_join(thread[n], NULL);
	for (unsigned n = 0; n < CPUS - 1; n++)
		assert_int_equal(order[n], CPUS - 1 - n);
	for (unsigned n = 1; n < CPUS; n++)
		assert_int_equal(cpu[n].lock_waits, 1);
	assert_int_equal(cpu[0].lock_waits, 0);
}

/* Tickets run over, and go on. */
static void *add(void *n)
{
	be_cpu((unsigned)(uintptr_t)n);
	for (unsigned i = 0; i < 1000; i++) {
		fair_lock(&fair);
		sum++;
		fair_unlock(&fair);
	}
	return NULL;
}

static void test_many(void **state)
{
	pthread_t thread[2];

	(void)state;
	fair = (struct fair_lock){ UINT32_MAX - 100, UINT32_MAX - 100 };
	for (uintptr_t n = 1; n <= 2; n++)
		assert_int_equal(pthread_create(&thread[n - 1], NULL, add, (void *)n), 0);
	pthread_join(thread[0], NULL);
	pthread_join(thread[1], NULL);
	assert_int_equal(sum, 2000);
}

static void *clear_flag(void *n)
{
	(void)n;
	let_them_wait();
	__atomic_store_n(&flag, false, __ATOMIC_SEQ_CST);
	return NULL;
}

static void test_flag(void **state)
{
	pthread_t thread;

	(void)state;
	flag = false;
	flag_wait(&flag);
	assert_int_equal(cpu[0].lock_waits, 0);
	flag = true;
	assert_int_equal(pthread_create(&thread, NULL, clear_flag, NULL), 0);
	flag_wait(&flag);
	pthread_join(thread, NULL);
	assert_false(flag);
	assert_int_equal(cpu[0].lock_waits, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_spin, set_up),
		cmocka_unit_test_setup(test_fair, set_up),
		cmocka_unit_test_setup(test_many, set_up),
		cmocka_unit_test_setup(test_flag, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
