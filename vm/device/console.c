/* vm/device/console.c - where the consoles of guests end: their serial ports, and their virtio consoles. */
#include "vm/device/console.h"

#include "host/device/console.h"
#include "lib/mutants/mutate.h"
#include "vm/control/control.h"
#include "vm/device/virtio.h"
#include "vm/vm.h"

static void keep(struct vm *vm, uint8_t byte)
{
	vm->console.bytes[vm->console.count++ % CONSOLE_KEPT] = byte;
}

static void first_console_tx(void *ctx, uint8_t byte)
{
	struct vm *vm = ctx;

	keep(vm, byte);
	if (unlikely(!console_put(CONSOLE_GUEST, byte)))
		vm->console.dropped++;
}

static bool first_console_room(void *ctx)
{
	(void)ctx;
	return VM_LEFT_OUT_OR(CONSOLE_BUSY, console_room(CONSOLE_GUEST));
}

/* Other VMs' consoles travel as lines on the statistics port. A line that the port has no room for stays, and the
 * transmitter of its VM is busy meanwhile: that guest waits, and nobody else. */
static bool try_console_line(const struct vm *vm)
{
	return VM_LEFT_OUT_OR(CONSOLE_KEEP, console_guest_line("con %u %s", vm->id, vm->console.text));
}

/* Once more behind saying that it waits: the port may have got room meanwhile, and not say so again. */
static bool flush_console_line(struct vm *vm)
{
	vm->console.text[vm->console.used] = '\0';
	if (!try_console_line(vm)) {
		__atomic_fetch_or(&machine.console_waits[vm->id / 64], BIT(vm->id % 64), __ATOMIC_SEQ_CST);
		if (!try_console_line(vm))
			return false;
	}
	vm->console.used = 0;
	vm->console.complete = false;
	return true;
}

static bool other_console_room(void *ctx)
{
	struct vm *vm = ctx;

	return VM_LEFT_OUT_OR(OTHER_BUSY, !vm->console.complete) || (console_guest_room() && flush_console_line(vm));
}

static void other_console_tx(void *ctx, uint8_t byte)
{
	static const char digit[] = "0123456789ABCDEF";
	struct vm *vm = ctx;

	if (!other_console_room(vm)) {
		vm->console.dropped++;
		return;
	}
	keep(vm, byte);
	if (VM_KEPT(CONSOLE_CR, byte == '\r'))
		return;
	if (byte == '\n') {
		vm->console.complete = true;
		flush_console_line(vm);
		return;
	}
	/* docs/protocol.md: what is not printable, and %, is % and two digits. */
	if (VM_KEPT(ESCAPE_CONTROL, byte < 0x20) || VM_KEPT(ESCAPE_HIGH, byte > 0x7e) ||
	    VM_KEPT(ESCAPE_ITSELF, byte == '%')) {
		vm->console.text[vm->console.used++] = '%';
		vm->console.text[vm->console.used++] = digit[byte >> 4];
		vm->console.text[vm->console.used++] = digit[byte & 15];
	} else {
		vm->console.text[vm->console.used++] = (char)byte;
	}
	if (VM_KEPT(CONSOLE_FULL, vm->console.used + 4 > sizeof(vm->console.text))) {
		vm->console.complete = true;
		flush_console_line(vm);
	}
}

bool console_is_first(const struct vm *vm) { return vm->id == machine.console; }

struct vm_console_ends console_ends(const struct vm *vm)
{
	if (console_is_first(vm))
		return (struct vm_console_ends){ first_console_tx, first_console_room };
	return (struct vm_console_ends){ other_console_tx, other_console_room };
}

unsigned console_said(const struct vm *vm, uint64_t *from, uint8_t *bytes, unsigned size)
{
	const struct vm_console *kept = &vm->console;
	uint64_t oldest = kept->count > CONSOLE_KEPT ? kept->count - CONSOLE_KEPT : 0;
	unsigned n = 0;

	if (VM_KEPT(SAID_OLDEST, *from < oldest) || VM_KEPT(SAID_FUTURE, *from > kept->count))
		*from = oldest;
	for (; n < size && *from + n < kept->count; n++)
		bytes[n] = kept->bytes[(*from + n) % CONSOLE_KEPT];
	return n;
}

bool platform_console_rest(struct vm *vm) { return !vm->console.used || flush_console_line(vm); }

/* Where input goes: to who listens at the virtio console, else to the serial port. */
static bool input_room(struct vm *vm, struct virtio_console *console)
{
	if (VM_KEPT(INPUT_CONSOLE, console))
		return virtio_console_hungry(console);
	return VM_LEFT_OUT_OR(FEED_ROOM, uart_rx_room(&vm->uart));
}

static void input(struct vm *vm, struct virtio_console *console, uint8_t byte)
{
	if (console)
		virtio_console_input(console, &byte, 1);
	else
		uart_receive(&vm->uart, byte);
}

unsigned console_type(struct vm *vm, const uint8_t *bytes, unsigned count)
{
	struct virtio_console *console;
	unsigned n = 0;

	spin_lock(&vm->device_lock);
	console = virtio_console_listening(vm);
	while (n < count && input_room(vm, console))
		input(vm, console, bytes[n++]);
	spin_unlock(&vm->device_lock);
	return n;
}

void platform_feed_uart(struct vm *vm)
{
	struct virtio_console *console;
	int byte;

	spin_lock(&vm->device_lock);
	console = virtio_console_listening(vm);
	while (input_room(vm, console) && (byte = console_get(CONSOLE_GUEST)) >= 0)
		input(vm, console, (uint8_t)byte);
	vm->input_waiting = VM_KEPT(FEED_REST, console_waiting(CONSOLE_GUEST));
	if (console_room(CONSOLE_GUEST)) {
		VM_MUTANT(CONSOLE_READY, uart_tx_ready(&vm->uart));
		if (console)
			VM_MUTANT(VCONSOLE_READY_AGAIN, virtio_console_serve(console));
	}
	spin_unlock(&vm->device_lock);
}

static void other_console_goes_on(struct vm *vm)
{
	if (!vm || VM_KEPT(OTHER_ENDED, vm->ended))
		return;
	spin_lock(&vm->device_lock);
	VM_MUTANT(OTHER_READY, uart_tx_ready(&vm->uart));
	spin_unlock(&vm->device_lock);
	if (virtio_console_of(vm))
		VM_MUTANT(OTHER_VCONSOLE_READY, virtio_ask(vm));
}

/* The number of the first that waits, from this one on and round; machine.vm_count: there is none. */
static unsigned next_waiting(unsigned from)
{
	unsigned words = machine.vm_count / 64 + 1;

	for (unsigned n = 0; n <= words; n++) {
		unsigned word = (from / 64 + n) % words;
		uint64_t all = __atomic_load_n(&machine.console_waits[word], __ATOMIC_SEQ_CST);

		all &= n ? ~0ull : ~0ull << from % 64;
		if (all)
			return word * 64 + (unsigned)__builtin_ctzll(all);
	}
	return machine.vm_count;
}

/* The statistics port has room: transmitters that wait for it go on, on whatever CPU their VM lives, in turn, as long
 * as there is room. */
static void other_consoles_go_on(void)
{
	static unsigned turn;
	unsigned id;

	for (unsigned n = 0; n < machine.vm_count && console_guest_room(); n++) {
		if ((id = next_waiting(turn)) == machine.vm_count)
			return;
		turn = (id + 1) % machine.vm_count;
		__atomic_fetch_and(&machine.console_waits[id / 64], ~BIT(id % 64), __ATOMIC_SEQ_CST);
		other_console_goes_on(vm_at(id));
	}
}

void platform_console_event(unsigned port)
{
	struct vm *first = vm_at(machine.console);

	if (port == CONSOLE_STATS) {
		control_port_event();
		other_consoles_go_on();
	}
	if (port == CONSOLE_GUEST && first && VM_LEFT_OUT_OR(FEED_ENDED, !first->ended) && first->vcpu_count)
		platform_feed_uart(first);
}
