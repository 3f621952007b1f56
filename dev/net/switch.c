#include "dev/net/switch.h"

#include "lib/mutants/mutate.h"

static bool same(const uint8_t *a, const uint8_t *b) { return memcmp(a, b, NET_ADDRESS) == 0; }

/* NULL: no port has it. */
static struct net_port *find(const struct net *net, const uint8_t *address)
{
	for (unsigned n = 0; n < net->ports; n++)
		if (same(net->port[n]->address, address))
			return net->port[n];
	return NULL;
}

bool net_join(struct net *net, struct net_port *port, const uint8_t *address)
{
	if (VM_KEPT(NET_PORTS, net->ports == NET_PORTS_MAX) || VM_KEPT(NET_TWICE, find(net, address)))
		return false;
	port->net = net;
	memcpy(port->address, address, NET_ADDRESS);
	net->port[net->ports++] = port;
	return true;
}

/* ---- backlogs ---- */

/* The place for one more frame, which is the caller's until it is ready; NULL: there is none (NS3). */
static struct net_frame *reserve(struct net_port *to)
{
	uint32_t head = __atomic_load_n(&to->head, __ATOMIC_RELAXED), waiting;

	do {
		waiting = head - __atomic_load_n(&to->tail, __ATOMIC_ACQUIRE);
		if (VM_KEPT(NET_FULL, waiting >= NET_BACKLOG))
			return NULL;
	} while (!__atomic_compare_exchange_n(&to->head, &head, head + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED));
	if (waiting == NET_BACKLOG / 2)
		VM_MUTANT(NET_CROWDED, to->crowded(to->ctx));
	return &to->backlog[head % NET_BACKLOG];
}

/* false: nobody reads the port. */
static bool deliver(struct net_port *to, const uint8_t *frame, uint32_t bytes)
{
	struct net_frame *slot;

	if (VM_KEPT(NET_CLOSED, !__atomic_load_n(&to->open, __ATOMIC_ACQUIRE)))
		return false;
	slot = reserve(to);
	if (!slot) {
		__atomic_add_fetch(&to->account.dropped_full, 1, __ATOMIC_RELAXED);
		return true;
	}
	memcpy(net_data(slot), frame, bytes);
	slot->bytes = bytes;
	__atomic_store_n(&slot->ready, 1, __ATOMIC_SEQ_CST);
	if (VM_LEFT_OUT_OR(NET_NOTICED, !__atomic_exchange_n(&to->noticed, true, __ATOMIC_SEQ_CST))) /* NS4 */
		to->notice(to->ctx);
	return true;
}

uint32_t net_waiting(const struct net_port *port)
{
	return __atomic_load_n(&port->head, __ATOMIC_RELAXED) - __atomic_load_n(&port->tail, __ATOMIC_RELAXED);
}

struct net_frame *net_first(struct net_port *port)
{
	struct net_frame *f = &port->backlog[port->tail % NET_BACKLOG];

	return __atomic_load_n(&f->ready, __ATOMIC_SEQ_CST) ? f : NULL;
}

void net_take(struct net_port *port)
{
	port->backlog[port->tail % NET_BACKLOG].ready = 0;
	__atomic_store_n(&port->tail, port->tail + 1, __ATOMIC_RELEASE);
}

void net_look(struct net_port *port) { __atomic_store_n(&port->noticed, false, __ATOMIC_SEQ_CST); }
void net_hush(struct net_port *port) { __atomic_store_n(&port->noticed, true, __ATOMIC_SEQ_CST); }

/* No more than there can be: others may go on sending. */
void net_discard(struct net_port *port)
{
	net_look(port);
	for (unsigned n = 0; n < NET_BACKLOG && net_first(port); n++) {
		net_take(port);
		VM_MUTANT(NET_DISCARD_COUNTED, __atomic_add_fetch(&port->account.dropped_full, 1, __ATOMIC_RELAXED));
	}
}

void net_open(struct net_port *port)
{
	VM_MUTANT(NET_OPEN_EMPTY, net_discard(port));
	memset(&port->account, 0, sizeof(port->account));
	__atomic_store_n(&port->open, true, __ATOMIC_RELEASE);
}

void net_close(struct net_port *port) { __atomic_store_n(&port->open, false, __ATOMIC_RELEASE); }

/* ---- the switch ---- */

static void to_all(struct net *net, const struct net_port *but, const uint8_t *frame, uint32_t bytes)
{
	for (unsigned n = 0; n < net->ports; n++)
		if (VM_LEFT_OUT_OR(NET_BACK, net->port[n] != but))
			deliver(net->port[n], frame, bytes);
}

static void outside(struct net_port *from, const uint8_t *frame, uint32_t bytes)
{
	if (!from->net->uplink(frame, bytes))
		__atomic_add_fetch(&from->account.dropped_full, 1, __ATOMIC_RELAXED);
}

static void forward(struct net_port *from, const uint8_t *frame, uint32_t bytes)
{
	struct net *net = from->net;
	struct net_port *to;

	if (frame[0] & NET_GROUP) {
		to_all(net, from, frame, bytes);
		if (net->uplink)
			outside(from, frame, bytes);
	} else if ((to = find(net, frame))) { /* NS2 */
		if (VM_LEFT_OUT_OR(NET_ITSELF, to != from) && !deliver(to, frame, bytes))
			VM_MUTANT(NET_CLOSED_COUNTED, from->account.dropped_unknown++);
	} else if (net->uplink) {
		outside(from, frame, bytes);
	} else {
		from->account.dropped_unknown++;
	}
}

/* IEEE 802.3, "Elements of the MAC frame and packet": addresses and a type at least, 1,500 bytes and a tag behind them
 * at most; NS1. */
void net_send(struct net_port *port, const uint8_t *frame, uint32_t bytes)
{
	if (VM_KEPT(NET_SHORT, bytes < NET_FRAME_MIN) || VM_KEPT(NET_LONG, bytes > NET_FRAME_MAX)) {
		port->account.dropped_malformed++;
	} else if (VM_KEPT(NET_SOURCE, !same(frame + NET_SOURCE, port->address))) { /* NS1 */
		port->account.dropped_source++;
	} else {
		port->account.sent++;
		port->account.bytes_sent += bytes;
		forward(port, frame, bytes);
	}
}

/* The same, of what comes by the uplink: none of the network's own addresses sends from there (NS1). */
void net_from_outside(struct net *net, const uint8_t *frame, uint32_t bytes)
{
	struct net_port *to;

	if (VM_KEPT(NET_OUTSIDE_SHORT, bytes < NET_FRAME_MIN) || VM_KEPT(NET_OUTSIDE_LONG, bytes > NET_FRAME_MAX) ||
	    VM_KEPT(NET_OUTSIDE_SOURCE, find(net, frame + NET_SOURCE)))
		return;
	if (frame[0] & NET_GROUP)
		to_all(net, NULL, frame, bytes);
	else if ((to = find(net, frame)))
		deliver(to, frame, bytes);
}
