/* The switch between virtual machines (dev/net/switch.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "dev/net/switch.h"

#define PORTS 4

static struct net net;
static struct net_port *port[PORTS];
static unsigned noticed[PORTS], crowds[PORTS], outside;
static bool no_way;
static uint8_t last_outside[NET_FRAME_MAX];

static void notice(void *ctx) { noticed[(uintptr_t)ctx]++; }
static void crowded(void *ctx) { crowds[(uintptr_t)ctx]++; }

static bool uplink(const uint8_t *frame, uint32_t bytes)
{
	outside++;
	memcpy(last_outside, frame, bytes);
	return !no_way;
}

static void address(uint8_t *a, unsigned n)
{
	const uint8_t own[NET_ADDRESS] = { 0x52, 0x54, 0, 0, (uint8_t)n, 1 };

	memcpy(a, own, NET_ADDRESS);
}

static int setup(void **state)
{
	uint8_t a[NET_ADDRESS];

	(void)state;
	memset(&net, 0, sizeof(net));
	memset(noticed, 0, sizeof(noticed));
	memset(crowds, 0, sizeof(crowds));
	outside = 0;
	no_way = false;
	for (unsigned n = 0; n < PORTS; n++) {
		port[n] = calloc(1, sizeof(struct net_port));
		port[n]->notice = notice;
		port[n]->crowded = crowded;
		port[n]->ctx = (void *)(uintptr_t)n;
		address(a, n);
		assert_true(net_join(&net, port[n], a));
		net_open(port[n]);
		net_look(port[n]);
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (unsigned n = 0; n < PORTS; n++)
		free(port[n]);
	return 0;
}

static uint8_t *frame(unsigned to, unsigned from, uint8_t byte)
{
	static uint8_t f[NET_FRAME_MAX + 1];

	address(f, to);
	address(f + NET_SOURCE, from);
	memset(f + NET_FRAME_MIN, byte, sizeof(f) - NET_FRAME_MIN);
	return f;
}

static uint8_t *group(unsigned from, uint8_t byte)
{
	uint8_t *f = frame(0, from, byte);

	memset(f, 0xff, NET_ADDRESS);
	return f;
}

/* The one frame that a port has; -1: none. */
static int got(unsigned n)
{
	struct net_frame *f = net_first(port[n]);
	int byte = f ? net_data(f)[f->bytes - 1] : -1;

	if (f)
		net_take(port[n]);
	return byte;
}

/* Ports that have one frame, as a set of bits; all are then empty. */
static unsigned who_got(uint8_t byte)
{
	unsigned set = 0;

	for (unsigned n = 0; n < PORTS; n++) {
		int b = got(n);

		assert_true(b == -1 || b == byte);
		set |= b >= 0 ? 1u << n : 0;
		assert_int_equal(got(n), -1);
	}
	return set;
}

/* NS2. */
static void where_to(void **state)
{
	(void)state;
	net_send(port[0], frame(2, 0, 7), 100);
	assert_int_equal(who_got(7), 4);
	net_send(port[1], group(1, 8), 60);
	assert_int_equal(who_got(8), 0xd);
	net_send(port[1], frame(1, 1, 9), 60); /* to itself */
	assert_int_equal(who_got(9), 0);
	assert_int_equal(port[1]->account.dropped_unknown, 0);
	net_send(port[1], frame(9, 1, 9), 60);
	assert_int_equal(who_got(9), 0);
	assert_int_equal(port[1]->account.dropped_unknown, 1);
	net_close(port[2]);
	assert_int_equal(port[0]->account.dropped_unknown, 0);
	net_send(port[0], frame(2, 0, 7), 100);
	assert_int_equal(who_got(7), 0);
	assert_int_equal(port[0]->account.dropped_unknown, 1);
	assert_int_equal(net_waiting(port[2]), 0);
	net_open(port[2]);
	net_send(port[0], frame(2, 0, 7), 100);
	assert_int_equal(net_waiting(port[2]), 1);
	assert_int_equal(who_got(7), 1u << 2);
	assert_int_equal(net_waiting(port[2]), 0);
	net_send(port[0], frame(2, 0, 7), 100);
	net_discard(port[2]);
	assert_int_equal(net_waiting(port[2]), 0);
	assert_int_equal(port[2]->account.dropped_full, 1);
	assert_int_equal(port[0]->account.sent, 4);
	assert_int_equal(port[0]->account.bytes_sent, 400);
}

/* NS1, and what is no frame. */
static void what_is_dropped(void **state)
{
	(void)state;
	net_send(port[0], frame(2, 1, 7), 100);
	assert_int_equal(port[0]->account.dropped_source, 1);
	net_send(port[0], frame(2, 0, 7), NET_FRAME_MIN - 1);
	net_send(port[0], frame(2, 0, 7), NET_FRAME_MAX + 1);
	assert_int_equal(port[0]->account.dropped_malformed, 2);
	assert_int_equal(who_got(7), 0);
	assert_int_equal(port[0]->account.sent, 0);
	net_send(port[0], frame(2, 0, 7), NET_FRAME_MAX);
	assert_int_equal(net_first(port[2])->bytes, NET_FRAME_MAX);
	assert_int_equal(who_got(7), 4);
}

static void the_way_out(void **state)
{
	(void)state;
	net.uplink = uplink;
	net_send(port[0], frame(2, 0, 7), 100);
	assert_int_equal(outside, 0);
	assert_int_equal(who_got(7), 4);
	net_send(port[0], frame(9, 0, 7), 100);
	assert_int_equal(outside, 1);
	assert_memory_equal(last_outside, frame(9, 0, 7), 100);
	assert_int_equal(who_got(7), 0);
	net_send(port[0], group(0, 7), 100);
	assert_int_equal(outside, 2);
	assert_int_equal(who_got(7), 0xe);
	no_way = true;
	net_send(port[0], frame(9, 0, 7), 100);
	assert_int_equal(port[0]->account.dropped_full, 1);
	/* And in. */
	net_from_outside(&net, frame(3, 9, 5), 60);
	assert_int_equal(who_got(5), 8);
	net_from_outside(&net, group(9, 5), 60);
	assert_int_equal(who_got(5), 0xf);
	net_from_outside(&net, frame(8, 9, 5), 60); /* nobody's */
	net_from_outside(&net, frame(3, 1, 5), 60); /* a port's own address comes from elsewhere */
	net_from_outside(&net, frame(3, 9, 5), NET_FRAME_MIN - 1);
	net_from_outside(&net, frame(3, 9, 5), NET_FRAME_MAX + 1);
	assert_int_equal(who_got(5), 0);
	assert_int_equal(outside, 3);
}

/* NS3, NS4. */
static void backlogs(void **state)
{
	(void)state;
	for (unsigned n = 0; n < NET_BACKLOG + 3; n++)
		net_send(port[0], frame(1, 0, (uint8_t)n), 60 + n);
	assert_int_equal(noticed[1], 1);
	assert_int_equal(crowds[1], 1);
	assert_int_equal(port[1]->account.dropped_full, 3);
	assert_int_equal(port[0]->account.sent, NET_BACKLOG + 3);
	for (unsigned n = 0; n < NET_BACKLOG; n++) {
		assert_int_equal(net_first(port[1])->bytes, 60 + n);
		assert_int_equal(got(1), n);
	}
	assert_int_equal(got(1), -1);
	net_send(port[0], frame(1, 0, 1), 60);
	assert_int_equal(noticed[1], 1); /* it has not looked */
	net_look(port[1]);
	net_send(port[0], frame(1, 0, 2), 60);
	assert_int_equal(noticed[1], 2);
	net_look(port[1]);
	net_hush(port[1]);
	net_send(port[0], frame(1, 0, 3), 60);
	assert_int_equal(noticed[1], 2);
	net_discard(port[1]);
	assert_int_equal(got(1), -1);
	net_send(port[0], frame(1, 0, 4), 60);
	assert_int_equal(noticed[1], 3);
	/* Who comes after finds nothing that was for another. */
	net_close(port[1]);
	net_open(port[1]);
	assert_int_equal(got(1), -1);
	assert_int_equal(port[1]->account.dropped_full, 0);
}

static void who_may_join(void **state)
{
	static struct net_port more[NET_PORTS_MAX];
	uint8_t a[NET_ADDRESS];

	(void)state;
	address(a, 1);
	assert_false(net_join(&net, &more[0], a));
	for (unsigned n = PORTS; n < NET_PORTS_MAX; n++) {
		address(a, n);
		assert_true(net_join(&net, &more[n], a));
	}
	address(a, NET_PORTS_MAX);
	assert_false(net_join(&net, &more[0], a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(where_to, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(the_way_out, setup, teardown),
		cmocka_unit_test_setup_teardown(backlogs, setup, teardown),
		cmocka_unit_test_setup_teardown(who_may_join, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
