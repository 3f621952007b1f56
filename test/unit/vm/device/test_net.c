/* Network cards of virtual machines, and the networks between them (vm/device/net.c). */
#include "test/unit/vm/device/virtio_driver.h"

#include <stdio.h>

#include "host/device/nic.h"
#include "vm/device/net.h"
#include "vm/sched/schedule.h"

#define IN VIRTIO_NET_IN
#define OUT VIRTIO_NET_OUT
#define HEADER 12u
#define FRAME (HEADER + 60u)

static void begin(unsigned vms)
{
	bench_new(&(struct bench_config){ .cpu = BENCH_HASWELL, .mmu = "ept", .vms = vms, .description = "net lan\n" });
	check_entry(0);
}

static struct virtio_pci *card(unsigned n) { return &bench.vm[n]->nets[0].pci; }
static struct net_account *account(unsigned n) { return &bench.vm[n]->nets[0].port->port.account; }
static struct vcpu *vcpu(unsigned n) { return vm_boot_vcpu(bench.vm[n]); }

/* A frame of the one that runs to another, offered n times. */
static void frames(unsigned from, unsigned to, unsigned n)
{
	uint8_t f[FRAME] = { 0 };
	const uint8_t a[2][NET_ADDRESS] = { { 0x52, 0x54, 0, 0, (uint8_t)to, 1 },
					    { 0x52, 0x54, 0, 0, (uint8_t)from, 1 } };

	memcpy(f + HEADER, a, sizeof(a));
	f[FRAME - 1] = 0x77;
	put(DATA, f, sizeof(f));
	describe_buffer(OUT, 0, DATA, FRAME, 0, 0);
	while (n--)
		offer(OUT, 0);
	tell(OUT);
}

static void rooms(unsigned n)
{
	while (n--) {
		describe_buffer(IN, n, DATA + 0x1000 + 0x100 * n, 0x100, VIRTQ_DESC_F_WRITE, 0);
		offer(IN, n);
	}
}

/* B runs, has buffers, and waits; then A runs. */
static void two(void)
{
	begin(2);
	until(vcpu(1));
	use_device(bench.vm[1], card(1));
	rooms(32);
	tell(IN);
	until(vcpu(0));
	use_device(bench.vm[0], card(0));
}

static void between_two(void **state)
{
	char line[80];

	(void)state;
	two();
	assert_false(vcpu(1)->requests & REQUEST_DEVICES);
	frames(0, 1, 1);
	assert_int_equal(used_count(OUT), 1);
	assert_true(vcpu(1)->requests & REQUEST_DEVICES);
	until(vcpu(1));
	of = bench.vm[1];
	assert_int_equal(used_count(IN), 1);
	assert_int_equal(*ram(DATA + 0x1000 + 0x100 * 31 + FRAME - 1), 0x77);
	assert_int_equal(account(1)->received, 1);
	STEP(ask("t1 stats 0\n"));
	snprintf(line, sizeof(line), "\"nets\":{\"0\":{\"sent\":1,\"bytes_sent\":60,\"received\":0");
	assert_true(answered("t1", line));
	bench_exit_simple(EXIT_TRIPLE_FAULT, 0);
	for (unsigned n = 0; n < 20 && !bench.vm[1]->all_told; n++)
		next_slice();
	assert_true(said("stat 1 nets.0.received 1\n"));
	finish();
}

/* It sleeps, and is woken. */
static void one_that_sleeps(void **state)
{
	(void)state;
	two();
	until(vcpu(1));
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	STEP(bench_exit_simple(EXIT_HLT, 1));
	assert_ptr_equal(bench.v, vcpu(0));
	assert_true(vcpu(1)->asleep);
	of = bench.vm[0];
	device = card(0);
	frames(0, 1, 1);
	assert_false(vcpu(1)->asleep);
	bench_exit_simple(EXIT_HLT, 1);
	of = bench.vm[1];
	for (unsigned n = 0; n < 10 && used_count(IN) == 0; n++)
		bench_timer();
	assert_int_equal(used_count(IN), 1);
	finish();
}

/* Half of a backlog: who fills it makes room for who reads it. */
static void one_that_is_crowded(void **state)
{
	(void)state;
	two();
	for (unsigned n = 0; n < NET_BACKLOG / 32 && bench.v == vcpu(0); n++)
		frames(0, 1, 32);
	assert_ptr_equal(bench.v, vcpu(1));
	assert_int_equal(account(1)->dropped_full, 0);
	finish();
}

/* VN2: what is too much for one turn is done in several, before the guest goes on. */
static void several_turns(void **state)
{
	(void)state;
	two();
	frames(0, 1, 0);
	for (unsigned n = 0; n < 50; n++)
		describe_buffer(OUT, n, DATA + n, n < 49 ? 1 : FRAME, n < 49 ? VIRTQ_DESC_F_NEXT : 0, n + 1);
	for (unsigned n = 0; n < 40; n++)
		offer(OUT, 0);
	tell(OUT);
	until(vcpu(0));
	assert_int_equal(used_count(OUT), 40);
	finish();
}

/* VN4: nobody is there any more, and what was there is given back. */
static void one_that_ends(void **state)
{
	(void)state;
	two();
	until(vcpu(1));
	bench_exit_simple(EXIT_TRIPLE_FAULT, 0);
	for (unsigned n = 0; n < 20 && !bench.vm[1]->all_told; n++)
		next_slice();
	assert_ptr_equal(bench.v, vcpu(0));
	assert_null(machine.place[1].ports[0].vm);
	of = bench.vm[0];
	device = card(0);
	frames(0, 1, 1);
	assert_int_equal(used_count(OUT), 1);
	assert_null(net_first(&machine.place[1].ports[0].port));
	/* Nor is anybody told. */
	machine.place[1].ports[0].port.notice(machine.place[1].ports[0].port.ctx);
	machine.place[1].ports[0].port.crowded(machine.place[1].ports[0].port.ctx);
	finish();
}

/* What is for nobody on the network with a way out goes there, and what comes from there to who it is for. */
static void a_way_out(void **state)
{
	static const char both[] = "net user\nnet lan\n";
	uint8_t in[60] = { 0x52, 0x54, 0, 0, 0, 1, 2 };
	struct vm_port *port;

	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept", .description = both });
	assert_null(bench.why_not);
	check_entry(0);
	port = machine.place[0].ports;
	use_device(bench.vm[0], card(0));
	rooms(8);
	frames(0, 9, 1);
	assert_int_equal(bench.bytes_out, 60);
	assert_int_equal(account(0)->dropped_unknown, 0);
	nic_frame(in, sizeof(in));
	assert_int_equal(net_waiting(&port[0].port), 1);
	/* The other network is another. */
	in[5] = 2;
	nic_frame(in, sizeof(in));
	assert_int_equal(net_waiting(&port[1].port), 0);
	assert_null(port[1].port.net->uplink);
	finish();

	/* Only who names it needs a card. */
	bench_new(&(struct bench_config){ .mmu = "ept", .description = both });
	bench.no_card = true;
	assert_string_equal(nets_find_way_out(), "the bench has no card");
	finish();
	bench_new(&(struct bench_config){ .mmu = "ept", .description = "net lan\n" });
	bench.no_card = true;
	assert_null(nets_find_way_out());
	finish();
}

static void what_is_refused(void **state)
{
	static const char one[] = "net lan,mac=52:54:00:00:00:07\n";

	(void)state;
	bench_new(&(struct bench_config){ .mmu = "ept", .description = one });
	bench_create(&(struct bench_config){ .mmu = "ept", .description = "net other,mac=52:54:00:00:00:07\n" });
	assert_null(bench.why_not);
	bench_create(&(struct bench_config){ .mmu = "ept", .description = one });
	assert_non_null(bench.why_not);
	assert_non_null(strstr(bench.why_not, "cannot be on network lan: that has another card with the same address"));
	machine.place[2].ports[0].vm = NULL;
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(between_two), cmocka_unit_test(one_that_sleeps),
		cmocka_unit_test(one_that_is_crowded), cmocka_unit_test(several_turns),
		cmocka_unit_test(one_that_ends), cmocka_unit_test(a_way_out), cmocka_unit_test(what_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
