#include "dev/virtio/net.h"

#include "dev/virtio/chain.h"
#include "lib/mutants/mutate.h"

_Static_assert(sizeof(struct virtio_net_header) == 12 && sizeof(struct virtio_net_header) <= NET_HEADROOM,
	       "Device Operation");

static bool merges(const struct virtio_net *n) { return virtio_has(&n->device, VIRTIO_NET_F_MRG_RXBUF); }

static uint32_t header_bytes(const struct virtio_net *n)
{
	return merges(n) || virtio_has(&n->device, VIRTIO_F_VERSION_1) ? sizeof(struct virtio_net_header)
								       : sizeof(struct virtio_net_header) - 2;
}

/* What the guest has done is forbidden (VQ3). */
static void spoil(struct virtq *q) { q->broken = true; }

/* ---- to the switch ---- */

/* The chain at hand ("Packet Transmission"). */
static void transmit(struct virtio_net *n)
{
	struct virtq *q = &n->queue[VIRTIO_NET_OUT];
	struct virtq_chain *c = &n->chain;
	struct virtio_net_header header = { 0 };
	uint32_t before = header_bytes(n), bytes;

	if (VM_KEPT(NET_OUT_WRITABLE, c->writable) || !virtq_take(&n->device.memory, c, &header, before)) {
		spoil(q);
		return;
	}
	/* One more than a frame can have is as good as any: the switch drops it. */
	bytes = (uint32_t)min_u64(virtq_readable(c), sizeof(n->frame));
	if (!virtq_take(&n->device.memory, c, n->frame, bytes)) {
		spoil(q);
		return;
	}
	if (VM_KEPT(NET_OUT_OFFLOAD, header.flags || header.gso_type)) /* not agreed on: "Packet Transmission" */
		n->port->account.dropped_malformed++;
	else
		net_send(n->port, n->frame, bytes);
	virtq_push(q, c->head, 0);
}

static void process_out(struct virtio_net *n)
{
	struct virtq *q = &n->queue[VIRTIO_NET_OUT];

	for (unsigned work = 0; work < VIRTIO_NET_TURN; work++) {
		if (!virtq_pop(q, &n->chain)) {
			if (virtq_ask_notice(q))
				continue;
			virtio_tell(&n->device, VIRTIO_NET_OUT);
			return;
		}
		work += n->chain.readable;
		transmit(n);
	}
	VM_MUTANT(NET_OUT_TURN, n->ask(n->ctx)); /* VN2 */
	virtio_tell(&n->device, VIRTIO_NET_OUT);
}

/* ---- to the guest ---- */

enum outcome { TAKEN, DROPPED, NO_BUFFER };

/* Finds how many chains a frame needs, one of which is then at hand if that is all. */
static enum outcome gather(struct virtio_net *n, uint32_t bytes, unsigned *chains, unsigned *work)
{
	struct virtq *q = &n->queue[VIRTIO_NET_IN];
	uint16_t first = q->next_avail;
	uint64_t room = 0;

	for (unsigned tries = 0; room < bytes; tries++) {
		if (VM_KEPT(NET_MERGED, tries == VIRTIO_NET_MERGED)) { /* VN3 */
			virtq_go_back(q, first);
			return DROPPED;
		}
		if (!virtq_pop(q, &n->chain)) {
			if (virtq_ask_notice(q))
				continue;
			VM_MUTANT(NET_GO_BACK, virtq_go_back(q, first));
			return NO_BUFFER;
		}
		if (VM_KEPT(NET_IN_READABLE, n->chain.readable)) {
			spoil(q);
			return NO_BUFFER;
		}
		room += virtq_writable(&n->chain);
		*work += n->chain.writable;
		++*chains;
		/* "Setting Up Receive Buffers": one has room for a whole frame. */
		if (VM_KEPT(NET_IN_SMALL, !merges(n) && room < bytes)) {
			spoil(q);
			return NO_BUFFER;
		}
	}
	if (*chains > 1)
		virtq_go_back(q, first);
	return TAKEN;
}

/* Into the chain at hand, and perhaps into those behind it. */
static void fill(struct virtio_net *n, const uint8_t *p, uint32_t bytes, unsigned chains)
{
	struct virtq *q = &n->queue[VIRTIO_NET_IN];

	for (unsigned i = 0; i < chains; i++) {
		uint32_t part;

		/* The guest has changed them since. */
		if (chains > 1 && !virtq_pop(q, &n->chain)) {
			spoil(q);
			return;
		}
		part = (uint32_t)min_u64(bytes, virtq_writable(&n->chain));
		if (!virtq_fill(&n->device.memory, &n->chain, p, part)) {
			spoil(q);
			return;
		}
		virtq_put(q, i, n->chain.head, part);
		p += part;
		bytes -= part;
	}
	virtq_flush(q, chains);
}

static enum outcome receive(struct virtio_net *n, struct net_frame *f, unsigned *work)
{
	uint32_t before = header_bytes(n), bytes = f->bytes + before;
	struct virtio_net_header header = { 0 };
	uint8_t *p = f->whole + NET_HEADROOM - before;
	unsigned chains = 0;
	enum outcome outcome = gather(n, bytes, &chains, work);

	if (outcome != TAKEN)
		return outcome;
	header.buffers = (uint16_t)chains;
	memcpy(p, &header, before);
	fill(n, p, bytes, chains);
	n->port->account.received++;
	n->port->account.bytes_received += f->bytes;
	return TAKEN;
}

static void process_in(struct virtio_net *n)
{
	unsigned work = 0;
	struct net_frame *f;

	net_look(n->port);
	while ((f = net_first(n->port))) {
		enum outcome outcome;

		if (VM_KEPT(NET_IN_TURN, work >= VIRTIO_NET_TURN)) {
			n->ask(n->ctx); /* VN2 */
			break;
		}
		outcome = receive(n, f, &work);
		if (outcome == NO_BUFFER) {
			VM_MUTANT(NET_HUSH, net_hush(n->port));
			break;
		}
		if (outcome == DROPPED)
			n->port->account.dropped_malformed++;
		net_take(n->port);
		work++;
	}
	virtio_tell(&n->device, VIRTIO_NET_IN);
}

static void notify(struct virtio_device *d, unsigned queue)
{
	struct virtio_net *n = container_of(d, struct virtio_net, device);

	if (queue == VIRTIO_NET_OUT)
		process_out(n);
	else
		process_in(n);
}

void virtio_net_serve(struct virtio_net *n, bool memory)
{
	if (VM_LEFT_OUT_OR(NET_SERVE_READY, memory && virtio_ready(&n->device, VIRTIO_NET_IN)))
		process_in(n);
	else
		net_discard(n->port);
	if (memory && virtio_ready(&n->device, VIRTIO_NET_OUT))
		process_out(n);
}

/* What was for the driver of before. */
static void reset(struct virtio_device *d)
{
	VM_MUTANT(NET_RESET, net_discard(container_of(d, struct virtio_net, device)->port));
}

void virtio_net_init(struct virtio_net *n, struct net_port *port, const struct guest_memory *memory,
		     void (*ask)(void *ctx), void *ctx)
{
	static const struct virtio_ops ops = { notify, reset, NULL };

	n->port = port;
	n->ask = ask;
	n->ctx = ctx;
	memset(n->config, 0, sizeof(n->config));
	memcpy(n->config, port->address, NET_ADDRESS);
	n->config[VIRTIO_NET_CONFIG_STATUS] = VIRTIO_NET_S_LINK_UP;
	n->device = (struct virtio_device){
		.type = VIRTIO_ID_NET,
		.offered = BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_MRG_RXBUF) | BIT(VIRTIO_NET_F_STATUS) |
			   BIT(VIRTIO_F_ANY_LAYOUT) | BIT(VIRTIO_F_INDIRECT_DESC) | BIT(VIRTIO_F_EVENT_IDX) |
			   BIT(VIRTIO_F_VERSION_1),
		.queue = n->queue,
		.queues = VIRTIO_NET_QUEUES,
		.queue_size = VIRTIO_NET_QUEUE,
		.config = n->config,
		.config_bytes = sizeof(n->config),
		.ops = &ops,
		.memory = *memory,
	};
	virtio_init(&n->device);
}
