#include "dev/virtio/console.h"

#include "dev/virtio/chain.h"
#include "lib/mutants/mutate.h"

/* A chain to go on with. false: there is none. */
static bool next_output(struct virtio_console *c)
{
	struct virtq *q = &c->queue[VIRTIO_CONSOLE_OUT];

	if (!c->has_out && virtq_pop(q, &c->out)) {
		c->has_out = true;
		/* "Device Operation": the queue is for what the device reads. */
		if (VM_KEPT(CONSOLE_OUT_WRITABLE, c->out.writable))
			q->broken = true;
	}
	return c->has_out && !q->broken;
}

/* At most `most` bytes of the chain at hand, as long as there is room (VO3); how many it were. */
static uint32_t put_some(struct virtio_console *c, uint32_t most)
{
	uint32_t n = (uint32_t)min_u64(virtq_readable(&c->out), most), done = 0;
	uint8_t byte;

	while (done < n && VM_LEFT_OUT_OR(VCONSOLE_ROOM, c->host.room(c->host.ctx))) {
		if (!virtq_take(&c->device.memory, &c->out, &byte, 1)) {
			c->queue[VIRTIO_CONSOLE_OUT].broken = true;
			return done;
		}
		c->host.out(c->host.ctx, byte);
		done++;
	}
	return done;
}

static void output(struct virtio_console *c)
{
	uint32_t left = VIRTIO_CONSOLE_TURN;

	for (unsigned n = 0; n < VIRTIO_CONSOLE_QUEUE && left && next_output(c); n++) {
		left -= put_some(c, left);
		if (virtq_readable(&c->out) || c->queue[VIRTIO_CONSOLE_OUT].broken)
			break;
		virtq_push(&c->queue[VIRTIO_CONSOLE_OUT], c->out.head, 0);
		c->has_out = false;
	}
	if (!left)
		VM_MUTANT(VCONSOLE_TURN, c->host.ask(c->host.ctx)); /* VO4 */
	virtio_tell(&c->device, VIRTIO_CONSOLE_OUT);
}

void virtio_console_serve(struct virtio_console *c)
{
	if (VM_LEFT_OUT_OR(VCONSOLE_READY, virtio_ready(&c->device, VIRTIO_CONSOLE_OUT)))
		output(c);
}

bool virtio_console_listens(const struct virtio_console *c) { return virtio_ready(&c->device, VIRTIO_CONSOLE_IN); }

bool virtio_console_hungry(struct virtio_console *c)
{
	struct virtq *q = &c->queue[VIRTIO_CONSOLE_IN];

	if (!virtio_console_listens(c))
		return false;
	if (!c->has_in && virtq_pop(q, &c->in)) {
		c->has_in = true;
		/* "Device Operation": the queue is for what the device writes. */
		if (VM_KEPT(CONSOLE_IN_READABLE, c->in.readable))
			q->broken = true;
	}
	if (q->broken)
		virtio_tell(&c->device, VIRTIO_CONSOLE_IN);
	return c->has_in && !q->broken;
}

uint32_t virtio_console_input(struct virtio_console *c, const uint8_t *bytes, uint32_t n)
{
	struct virtq *q = &c->queue[VIRTIO_CONSOLE_IN];

	if (!virtio_console_hungry(c))
		return 0;
	n = (uint32_t)min_u64(n, virtq_writable(&c->in));
	if (!virtq_fill(&c->device.memory, &c->in, bytes, n))
		q->broken = true;
	virtq_push(q, c->in.head, n);
	c->has_in = false;
	virtio_tell(&c->device, VIRTIO_CONSOLE_IN);
	return n;
}

static void notify(struct virtio_device *d, unsigned queue)
{
	struct virtio_console *c = container_of(d, struct virtio_console, device);

	if (queue == VIRTIO_CONSOLE_OUT)
		output(c);
	else
		c->host.hungry(c->host.ctx);
}

/* VO2. */
static void reset(struct virtio_device *d)
{
	struct virtio_console *c = container_of(d, struct virtio_console, device);

	c->has_in = c->has_out = false;
}

void virtio_console_init(struct virtio_console *c, const struct virtio_console_host *host,
			 const struct guest_memory *memory)
{
	static const struct virtio_ops ops = { notify, reset, NULL };

	c->host = *host;
	c->device = (struct virtio_device){
		.type = VIRTIO_ID_CONSOLE,
		.offered = BIT(VIRTIO_F_ANY_LAYOUT) | BIT(VIRTIO_F_INDIRECT_DESC) | BIT(VIRTIO_F_VERSION_1),
		.queue = c->queue,
		.queues = VIRTIO_CONSOLE_QUEUES,
		.queue_size = VIRTIO_CONSOLE_QUEUE,
		.ops = &ops,
		.memory = *memory,
	};
	virtio_init(&c->device);
	c->has_in = c->has_out = false;
}
