/* vm/control/save.c - a snapshot leaves by the channel: the memory while the guest runs, then the rest while it stands.
 * Who asks decides when (docs/snapshot.md), and packs it into a file. */
#include "vm/control/control.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/control/packed.h"
#include "vm/live/live.h"
#include "vm/memory/reclaim.h"
#include "vm/snapshot/exchange.h"
#include "vm/snapshot/firmware.h"

/* Of a request on the channel; its server is one at a time (CT1). */
static uint8_t plain[SAVE_PIECE];
_Static_assert(SAVE_PIECE <= PACKED_MAX, "json_packed()");

static bool fail(const struct vm *vm, const char *why, char *error, size_t size)
{
	fmt(error, size, "no snapshot of %s can be taken: %s", vm->config->name, why);
	return false;
}

static void open(struct json *j, const struct vm *vm)
{
	json_open(j, NULL, '{');
	json_text(j, "vm", vm->config->name);
	json_text(j, "state", control_state(vm));
}

/* What the file's description is made of: all that the machine is and goes on to be, in the text's own form. */
static bool begin_save(struct vm *vm, struct json *j, char *error, size_t size)
{
	static char text[2 * PAGE_SIZE];
	static struct vm_config c;
	const char *why = save_begin(vm);

	if (why)
		return fail(vm, why, error, size);
	c = *vm->config;
	if (!firmware_given(vm)) /* which may read it yet */
		c.kernel[0] = c.initrd[0] = c.append[0] = '\0';
	c.modules = 0;
	c.trace[0] = c.swap[0] = '\0';
	c.paused = c.start = CONFIG_DEFAULT;
	memcpy(c.restore, "snapshot", sizeof("snapshot")); /* the file itself */
	c.mmu[0] = '\0';
	c.tpr = CONFIG_TPR_AUTO;
	c.dirty = CONFIG_DIRTY_AUTO;
	if (config_print(&c, &(struct config_files){ .kernel = NULL }, text, sizeof(text)) >= sizeof(text)) {
		save_end(vm);
		return fail(vm, "its description is too long", error, size);
	}
	open(j, vm);
	json_number(j, "pages", (vm->low_ram + vm->high_ram) >> PAGE_SHIFT);
	json_number(j, "high_pages", vm->high_ram >> PAGE_SHIFT);
	json_number(j, "display_pages", save_display_bytes(vm) >> PAGE_SHIFT);
	json_bool(j, "disk", exchange_taken(vm));
	json_number(j, "cpus", vm->vcpu_count);
	json_number(j, "tsc_hz", machine.tsc_hz);
	json_base64(j, "description", (const uint8_t *)text, strlen(text));
	json_close(j, '{');
	return true;
}

static void show_pages(struct json *j, const struct save_pages *p)
{
	json_open(j, "pages", '[');
	for (unsigned n = 0; n < p->count; n++)
		json_number(j, NULL, p->gfn[n]);
	json_close(j, '[');
	json_open(j, "zero", '[');
	for (unsigned n = 0; n < p->zeroes; n++) {
		json_number(j, NULL, p->zero_first[n]);
		json_number(j, NULL, p->zero_pages[n]);
	}
	json_close(j, '[');
	if (p->count)
		json_packed(j, "data", plain, p->count * PAGE_SIZE);
}

static bool memory(struct vm *vm, struct json *j, char *error, size_t size)
{
	struct save_pages p = { .bytes = plain };

	if (!vm->save.on)
		return fail(vm, "none was begun", error, size);
	save_pages(vm, &p);
	open(j, vm);
	json_number(j, "left", vm->save.left);
	show_pages(j, &p);
	json_close(j, '{');
	return true;
}

/* Before the first pages leave by the disk, which has zeroes everywhere. */
static bool scan(struct vm *vm, struct json *j, char *error, size_t size)
{
	bool more;

	if (!vm->save.on)
		return fail(vm, "none was begun", error, size);
	more = save_scan(vm);
	open(j, vm);
	json_number(j, "left", vm->save.left);
	json_bool(j, "scanned", !more);
	json_close(j, '{');
	return true;
}

/* By the machine's own disk: begins, or tells how far it is. */
static bool send(struct vm *vm, bool now, struct json *j, char *error, size_t size)
{
	bool failed, sent;

	if (!vm->save.on || !exchange_taken(vm))
		return fail(vm, "the machine has no disk of its own (--exchange), or none was begun", error, size);
	if (now)
		exchange_send(vm);
	sent = exchange_sent(vm, &failed);
	if (failed)
		return fail(vm, "the machine's own disk has failed", error, size);
	open(j, vm);
	json_number(j, "left", vm->save.left);
	json_bool(j, "sent", sent);
	json_close(j, '{');
	return true;
}

static bool collect(struct vm *vm, struct json *j, char *error, size_t size)
{
	if (!vm->save.on)
		return fail(vm, "none was begun", error, size);
	save_collect(vm);
	open(j, vm);
	json_number(j, "left", vm->save.left);
	json_close(j, '{');
	return true;
}

static bool prepare(struct vm *vm, struct json *j, char *error, size_t size)
{
	const char *why;
	bool still = save_prepare(vm, &why);

	if (why)
		return fail(vm, why, error, size);
	open(j, vm);
	json_bool(j, "still", still);
	json_number(j, "left", vm->save.left);
	json_close(j, '{');
	return true;
}

static bool piece(const struct vm *vm, const uint8_t *bytes, size_t all, uint64_t offset, struct json *j)
{
	size_t n = offset < all ? min_u64(all - offset, SAVE_PIECE) : 0;

	open(j, vm);
	json_number(j, "bytes", all);
	json_number(j, "offset", offset);
	json_number(j, "length", n);
	if (n)
		json_packed(j, "data", bytes + offset, n);
	json_close(j, '{');
	return true;
}

/* All of it is written where the first piece is asked for. */
static bool state(struct vm *vm, uint64_t offset, struct json *j, char *error, size_t size)
{
	if (VM_KEPT(SAVE_STILL, !vm->save.still))
		return fail(vm, "it does not stand still", error, size);
	if (!offset && !save_machine(vm))
		return fail(vm, "there is no memory for its state", error, size);
	return piece(vm, vm->save.state, vm->save.state_bytes, offset, j);
}

static bool cpu(struct vcpu *v, struct json *j, char *error, size_t size)
{
	size_t n;

	if (!v->vm->save.still)
		return fail(v->vm, "it does not stand still", error, size);
	n = save_cpu(v, plain, sizeof(plain));
	if (!n)
		return fail(v->vm, "there is no room for its registers", error, size);
	return piece(v->vm, plain, n, 0, j);
}

static bool end_save(struct vm *vm, struct json *j)
{
	save_end(vm);
	open(j, vm);
	json_close(j, '{');
	return true;
}

/* It goes on elsewhere with what has left: it ends here, unless it was let go on since. */
static bool leave(struct vm *vm, struct json *j, char *error, size_t size)
{
	if (VM_KEPT(SAVE_LEAVES, !vm->save.stands)) {
		fmt(error, size, "%s does not leave: it was let go on since it stood for that", vm->config->name);
		return false;
	}
	vm->for_good = true;
	vm_end(vm, VM_STATUS_OK, "went to another run");
	open(j, vm);
	json_close(j, '{');
	return true;
}

bool control_save(struct vcpu *v, const struct control_request *r, struct json *j, char *error, size_t size)
{
	struct vm *vm = v->vm;

	if (VM_KEPT(LIVE_ALONE, live_is_of(vm)))
		return fail(vm, "it is being moved", error, size);
	reclaim_look(); /* what is written comes back for that */
	if (strcmp(r->word, "begin") == 0)
		return begin_save(vm, j, error, size);
	if (strcmp(r->word, "scan") == 0)
		return scan(vm, j, error, size);
	if (strcmp(r->word, "send") == 0)
		return send(vm, true, j, error, size);
	if (strcmp(r->word, "sent") == 0)
		return send(vm, false, j, error, size);
	if (strcmp(r->word, "memory") == 0)
		return memory(vm, j, error, size);
	if (strcmp(r->word, "collect") == 0)
		return collect(vm, j, error, size);
	if (strcmp(r->word, "prepare") == 0)
		return prepare(vm, j, error, size);
	if (strcmp(r->word, "machine") == 0)
		return state(vm, r->address, j, error, size);
	if (strcmp(r->word, "cpu") == 0)
		return cpu(v, j, error, size);
	if (strcmp(r->word, "end") == 0)
		return end_save(vm, j);
	if (strcmp(r->word, "leave") == 0)
		return leave(vm, j, error, size);
	fmt(error, size,
	    "save %s: there are begin, memory, scan, send, sent, collect, prepare, machine, cpu, end, leave", r->word);
	return false;
}
