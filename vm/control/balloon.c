/* vm/control/balloon.c - how much of its RAM a guest has, by its balloon, and what it says of its memory. */
#include "vm/control/control.h"

#include "lib/fmt.h"
#include "vm/device/virtio.h"

/* virtio, "Memory Statistics Tags", by tag. */
static const char *const names[VIRTIO_BALLOON_STATS] = {
	"swapped_in_bytes", "swapped_out_bytes", "major_faults", "minor_faults", "free_bytes", "total_bytes",
	"available_bytes", "disk_caches_bytes", "hugetlb_allocations", "hugetlb_failures",
};

static void show_statistics(const struct virtio_balloon *b, struct json *j)
{
	json_open(j, "memory", '{');
	for (unsigned n = 0; n < VIRTIO_BALLOON_STATS; n++)
		if (names[n] && (b->known >> n & 1))
			json_number(j, names[n], b->value[n]);
	json_close(j, '{');
}

static void show(struct vm *vm, const struct virtio_balloon *b, struct json *j)
{
	json_open(j, NULL, '{');
	json_text(j, "vm", vm->config->name);
	json_text(j, "state", control_state(vm));
	json_number(j, "tsc_hz", machine.tsc_hz);
	json_number(j, "ticks", clock_now(&vm->clock));
	json_number(j, "mem_bytes", vm->config->mem);
	json_number(j, "resident_bytes", ram_resident(vm) << PAGE_SHIFT);
	json_bool(j, "driver", virtio_balloon_driven(b));
	json_number(j, "wanted_bytes", vm->config->mem - ((uint64_t)virtio_balloon_wanted(b) << PAGE_SHIFT));
	/* What the guest says of itself. */
	json_number(j, "balloon_bytes", (uint64_t)virtio_balloon_actual(b) << PAGE_SHIFT);
#define A(name) json_number(j, #name, b->account.name);
	BALLOON_ACCOUNT(A)
#undef A
	show_statistics(b, j);
	json_close(j, '{');
}

bool control_balloon(struct vm *vm, const struct control_request *r, struct json *j, char *error, size_t size)
{
	struct virtio_balloon *b = virtio_balloon_of(vm);
	const char *why = r->length || !b ? virtio_balloon_to(vm, r->length) : NULL;

	if (why) {
		fmt(error, size, "%s cannot give memory back so: %s", vm->config->name, why);
		return false;
	}
	spin_lock(&vm->device_lock);
	show(vm, b, j);
	virtio_balloon_ask(b);
	spin_unlock(&vm->device_lock);
	return true;
}
