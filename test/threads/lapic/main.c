/* lapic_threads: real threads, one for each vCPU and one for a device, over dev/irq/, for the thread sanitizer. Each
 * vCPU looks at its local APIC only when it has been kicked, as the run loop does (L3, L6 in dev/irq/lapic.h): so an
 * interrupt that is lost, or posted without a kick, is never answered, and who sent it waits for ever. Between two that
 * it sends, each uses its own registers, which need no lock either (L7). */
#include "dev/irq/lapic.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define VCPUS 4u
#define FROM_VCPU(n) (0x40u + 0x10u * (n)) /* each sends a vector of its own */
#define FROM_DEVICE 0x90u
#define FROM_TIMER 0xa0u
#define FROM_SELF 0xb0u
#define PATIENCE 200000000ull

struct vcpu {
	struct lapic lapic;
	struct timers timers;
	pthread_t thread;
	uint64_t clock;
	unsigned id;
	bool requested;     /* between threads */
	unsigned got[256];  /* atomic: how often a vector has been taken */
	uint64_t sent, eois;
};

static struct vcpu vcpu[VCPUS];
static struct apic_bus bus;
static pthread_mutex_t device_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned rounds = 2000;
static bool over;

static void kick(void *ctx, struct lapic *l)
{
	struct vcpu *v = ctx;

	(void)l;
	__atomic_store_n(&v->requested, true, __ATOMIC_SEQ_CST);
}

static void ipi(void *ctx, struct lapic *from, const struct apic_message *m)
{
	(void)ctx;
	apic_bus_send(&bus, m, from);
}

/* For level-triggered ones only. */
static void eoi(void *ctx, struct lapic *l, uint8_t vector)
{
	struct vcpu *v = ctx;

	(void)l;
	(void)vector;
	v->eois++;
}

static void signal(void *ctx, struct lapic *l, enum apic_delivery what, uint8_t vector)
{
	(void)ctx;
	(void)l;
	(void)what;
	(void)vector;
}

static const struct lapic_host host = { ipi, eoi, kick, signal };
static uint64_t now(void *ctx) { return *(const uint64_t *)ctx; }

static void end_of_interrupt(struct vcpu *v)
{
	BUG_ON(!lapic_msr_write_unlocked(&v->lapic, MSR_X2APIC_EOI, 0));
}

/* Before an entry. */
static void take(struct vcpu *v)
{
	int vector;

	while ((vector = lapic_pending(&v->lapic)) >= 0) {
		lapic_ack(&v->lapic, (uint8_t)vector);
		__atomic_fetch_add(&v->got[vector], 1, __ATOMIC_SEQ_CST);
		end_of_interrupt(v);
	}
}

static void look(struct vcpu *v)
{
	if (__atomic_exchange_n(&v->requested, false, __ATOMIC_SEQ_CST))
		take(v);
}

/* Until all of those in to have taken vector once more than before; v, who waits, serves its own meanwhile. */
static void wait_for(struct vcpu *v, unsigned to, unsigned vector, const unsigned *before)
{
	for (unsigned n = 0; n < VCPUS; n++) {
		uint64_t tries = 0;

		while ((to >> n & 1) && __atomic_load_n(&vcpu[n].got[vector], __ATOMIC_SEQ_CST) == before[n]) {
			if (++tries > PATIENCE) {
				fprintf(stderr, "lapic_threads: vCPU %u never took vector 0x%x\n", n, vector);
				abort();
			}
			if (v)
				look(v);
			sched_yield();
		}
	}
}

static void remember(unsigned vector, unsigned *before)
{
	for (unsigned n = 0; n < VCPUS; n++)
		before[n] = __atomic_load_n(&vcpu[n].got[vector], __ATOMIC_SEQ_CST);
}

/* One at a time of each sender: to one, to some by their logical destination, to all others. */
static void send(struct vcpu *v, unsigned round)
{
	unsigned vector = FROM_VCPU(v->id), to, before[VCPUS];
	uint64_t icr = ICR_ASSERT | vector;

	if (round % 3 == 0) {
		to = (v->id + 1 + round / 3 % (VCPUS - 1)) % VCPUS;
		icr |= (uint64_t)to << 32;
		to = 1u << to;
	} else if (round % 3 == 1) {
		to = 0xa >> (v->id & 1);
		icr |= (uint64_t)to << 32 | 0x800;
	} else {
		to = 0xf & ~(1u << v->id);
		icr |= 0xc0000;
	}
	remember(vector, before);
	BUG_ON(!lapic_msr_write_unlocked(&v->lapic, MSR_X2APIC_ICR, icr));
	wait_for(v, to, vector, before);
	__atomic_fetch_add(&v->sent, 1, __ATOMIC_SEQ_CST);
}

static void write_msr(struct vcpu *v, uint32_t msr, uint64_t value)
{
	BUG_ON(!lapic_msr_write_unlocked(&v->lapic, msr, value));
}

/* A count that ends, by one divisor and another, an interrupt to itself, both below the task priority until that goes
 * down again; and all there is to read, while others send. */
static void own_registers(struct vcpu *v, unsigned round)
{
	unsigned timer = v->got[FROM_TIMER], self = v->got[FROM_SELF];
	uint64_t value;

	write_msr(v, MSR_X2APIC_TPR, 0xf0);
	write_msr(v, MSR_X2APIC_LVT_TIMER, FROM_TIMER);
	write_msr(v, MSR_X2APIC_DIV_CONF, round & 3);
	write_msr(v, MSR_X2APIC(APIC_TIMER_INITIAL), 100);
	v->clock += 16;
	write_msr(v, MSR_X2APIC_DIV_CONF, TIMER_DIVIDE_BY_1);
	write_msr(v, MSR_X2APIC_SELF_IPI, FROM_SELF);
	v->clock += 100;
	timers_run(&v->timers, v->clock);
	for (uint32_t msr = MSR_X2APIC_FIRST; msr <= MSR_X2APIC_SELF_IPI; msr++)
		lapic_msr_read(&v->lapic, msr, &value);
	look(v);
	BUG_ON(v->got[FROM_TIMER] != timer || v->got[FROM_SELF] != self);
	write_msr(v, MSR_X2APIC_TPR, 0);
	take(v); /* as before each entry (L3): irq_maybe may be set by another already, whose request is on its way */
	BUG_ON(v->got[FROM_TIMER] != timer + 1 || v->got[FROM_SELF] != self + 1);
}

static void *run(void *ctx)
{
	struct vcpu *v = ctx;

	for (unsigned round = 0; round < rounds; round++) {
		look(v);
		own_registers(v, round);
		send(v, round);
	}
	while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST)) {
		look(v);
		sched_yield();
	}
	return NULL;
}

/* By its lock, to one of lowest priority, or to a certain one, by turns edge- and level-triggered. */
static void device(void)
{
	for (unsigned round = 0; round < rounds; round++) {
		struct apic_message m = { .dest = round % VCPUS, .vector = FROM_DEVICE + round % 2, .assert = true,
					  .level = round & 2, .wide = true, .delivery = APIC_FIXED };
		unsigned before[VCPUS];

		remember(m.vector, before);
		pthread_mutex_lock(&device_lock);
		BUG_ON(!apic_bus_send(&bus, &m, NULL));
		pthread_mutex_unlock(&device_lock);
		wait_for(NULL, 1u << m.dest, m.vector, before);
		m = (struct apic_message){ .dest = 0xffffffff, .vector = FROM_DEVICE + 2, .assert = true, .wide = true,
					   .delivery = APIC_LOWEST };
		BUG_ON(!apic_bus_send(&bus, &m, NULL)); /* as by ICR, without it */
	}
}

static void make(struct vcpu *v, unsigned id)
{
	v->id = id;
	v->timers = (struct timers){ .tsc_hz = 1000000000, .now = now, .ctx = &v->clock };
	lapic_init(&v->lapic, &v->timers, id, id == 0, LAPIC_X2APIC | LAPIC_TSC_DEADLINE, 40, &host, v);
	BUG_ON(!lapic_msr_write(&v->lapic, MSR_APIC_BASE, v->lapic.base | APIC_BASE_EXTD));
	BUG_ON(!lapic_msr_write(&v->lapic, MSR_X2APIC(APIC_SVR), SVR_ENABLED | 0xff));
	v->lapic.bus = &bus;
	bus.cpu[bus.count++] = &v->lapic;
}

int main(int argc, char **argv)
{
	uint64_t sent = 0, eois = 0;

	if (argc > 1)
		rounds = (unsigned)strtoul(argv[1], NULL, 10);
	for (unsigned n = 0; n < VCPUS; n++)
		make(&vcpu[n], n);
	for (unsigned n = 0; n < VCPUS; n++)
		if (pthread_create(&vcpu[n].thread, NULL, run, &vcpu[n]))
			abort();
	device();
	/* They answer each other until all have sent all. */
	while (true) {
		bool all = true;

		for (unsigned n = 0; n < VCPUS; n++)
			all &= __atomic_load_n(&vcpu[n].sent, __ATOMIC_RELAXED) >= rounds;
		if (all)
			break;
		sched_yield();
	}
	__atomic_store_n(&over, true, __ATOMIC_SEQ_CST);
	for (unsigned n = 0; n < VCPUS; n++) {
		pthread_join(vcpu[n].thread, NULL);
		sent += vcpu[n].sent;
		eois += vcpu[n].eois;
	}
	printf("lapic_threads: %lu interprocessor interrupts, each taken; %lu EOIs of level-triggered ones\n",
	       (unsigned long)sent, (unsigned long)eois);
	return eois == 0;
}
