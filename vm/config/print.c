/* vm/config/print.c - writes the description of a virtual machine, as vm/config/config.c reads it. */
#include "vm/config/config.h"

#include "lib/fmt.h"

struct writer {
	char *buf;
	size_t size;
	size_t length;
};

/* rest: of the value, after a blank; "": there is none. */
static void put_two(struct writer *w, const char *key, const char *value, const char *rest)
{
	size_t left = w->length < w->size ? w->size - w->length : 0;

	w->length += fmt(left ? w->buf + w->length : NULL, left, "%s %s%s%s\n", key, value, rest[0] ? " " : "", rest);
}

static void put(struct writer *w, const char *key, const char *value) { put_two(w, key, value, ""); }

static void put_switch(struct writer *w, const char *key, enum config_switch value)
{
	if (value != CONFIG_DEFAULT)
		put(w, key, value == CONFIG_ON ? "on" : "off");
}

static void print_events(struct writer *w, const struct vm_config *vm)
{
	if (vm->on_panic != CONFIG_PANIC_STOP)
		put(w, "on-panic", config_panics[vm->on_panic]);
	if (vm->on_reset != CONFIG_RESET_END)
		put(w, "on-reset", config_resets[vm->on_reset]);
	put_switch(w, "start", vm->start);
	put_switch(w, "paused", vm->paused);
}

static void print_switching(struct writer *w, const struct vm_config *vm)
{
	char period[24];

	put_switch(w, "switch", vm->may_switch);
	if (vm->switch_every || vm->switch_exits) {
		config_print_period(vm->switch_every, vm->switch_exits, period, sizeof(period));
		put(w, "switch-every", period);
	}
	if (vm->switch_among[0])
		put(w, "switch-among", vm->switch_among);
}

static void print_number(struct writer *w, const char *key, unsigned n)
{
	char text[16];

	fmt(text, sizeof(text), "%u", n);
	if (n)
		put(w, key, text);
}

static void print_merge(struct writer *w, const struct vm_config *vm)
{
	put_switch(w, "merge", vm->merge);
	print_number(w, "merge-rate", vm->merge_rate);
	print_number(w, "merge-share", vm->merge_share);
}

static void print_turns(struct writer *w, const struct vm_config *vm)
{
	char text[24];

	if (vm->weight != CONFIG_WEIGHT_DEFAULT) {
		fmt(text, sizeof(text), "%u", vm->weight);
		put(w, "weight", text);
	}
	if (vm->migrate_every) {
		fmt(text, sizeof(text), "%luus", vm->migrate_every);
		put(w, "migrate-every", text);
	}
}

static void print_disks(struct writer *w, const struct vm_config *vm)
{
	char text[CONFIG_FILE_MAX + 30];

	for (unsigned i = 0; i < vm->disks; i++) {
		const struct config_disk *d = &vm->disk[i];

		fmt(text, sizeof(text), "%s%s%s", d->name,
		    d->flash ? ",if=pflash" : d->ide && !d->cd ? ",if=ide" : "",
		    d->cd ? "" : d->read_only ? ",ro" : d->snapshot ? ",snapshot" : "");
		put(w, d->cd ? "cdrom" : "disk", text);
	}
}

static void print_virtio(struct writer *w, const struct vm_config *vm)
{
	char text[CONFIG_NAME_MAX + 30];

	for (unsigned i = 0; i < vm->nets; i++) {
		config_print_net(&vm->net[i], text, sizeof(text));
		put(w, "net", text);
	}
	put_switch(w, "rng", vm->rng);
	put_switch(w, "hvc", vm->hvc);
	if (vm->balloon)
		put(w, "balloon", config_balloons[vm->balloon]);
	put_switch(w, "console", vm->console);
	put_switch(w, "detail", vm->detail);
	if (vm->trace[0])
		put(w, "trace", vm->trace);
}

static void print_memory(struct writer *w, const struct vm_config *vm)
{
	char text[24];

	put_switch(w, "prealloc", vm->prealloc);
	if (vm->reservation) {
		fmt(text, sizeof(text), "%luK", vm->reservation >> 10);
		put(w, "reservation", text);
	}
	if (vm->limit) {
		fmt(text, sizeof(text), "%luK", vm->limit >> 10);
		put(w, "limit", text);
	}
	if (vm->swap[0])
		put(w, "swap", vm->swap);
	if (vm->zpool) {
		fmt(text, sizeof(text), "%luK", vm->zpool >> 10);
		put(w, "zpool", text);
	}
	print_merge(w, vm);
}

static void print_modules(struct writer *w, const struct vm_config *vm)
{
	for (unsigned i = 0; i < vm->modules; i++)
		put_two(w, "module", vm->module[i].name, vm->module[i].text);
}

static void put_file(struct writer *w, const char *key, const char *own, const char *name)
{
	if (own[0])
		put(w, key, name ? name : own);
}

static void print_files(struct writer *w, const struct vm_config *vm, const struct config_files *names)
{
	put_file(w, "bios", vm->bios, names->bios);
	put_file(w, "option-rom", vm->option_rom, names->option_rom);
	put_file(w, "vga", vm->vga, names->vga);
	if (vm->boot[0])
		put(w, "boot", vm->boot);
	put_file(w, "restore", vm->restore, names->restore);
	put_file(w, "kernel", vm->kernel, names->kernel);
	put_file(w, "initrd", vm->initrd, names->initrd);
	print_modules(w, vm);
	print_disks(w, vm);
	print_virtio(w, vm);
}

size_t config_print(const struct vm_config *vm, const struct config_files *names, char *buf, size_t size)
{
	struct writer w = { buf, size, 0 };
	char mem[24], vcpus[12], measures[CONFIG_SWITCH_AMONG_MAX];

	fmt(mem, sizeof(mem), "%luK", vm->mem >> 10);
	put(&w, "vm", vm->name);
	print_files(&w, vm, names);
	if (vm->append[0])
		put(&w, "append", vm->append);
	put(&w, "mem", mem);
	if (vm->vcpus != 1) {
		fmt(vcpus, sizeof(vcpus), "%u", vm->vcpus);
		put(&w, "vcpus", vcpus);
	}
	if (vm->mmu[0])
		put(&w, "mmu", vm->mmu);
	for (size_t i = 0; config_page_sizes[i].name; i++)
		if (vm->page_bits == config_page_sizes[i].bits)
			put(&w, "pages", config_page_sizes[i].name);
	if (vm->ept_levels)
		put(&w, "ept-levels", vm->ept_levels == 5 ? "5" : "4");
	put_switch(&w, "vpid", vm->vpid);
	put_switch(&w, "unrestricted", vm->unrestricted);
	put_switch(&w, "vm86", vm->vm86);
	print_memory(&w, vm);
	put_switch(&w, "rdrand", vm->rdrand);
	if (vm->given & BIT(CONFIG_CLOCK))
		put(&w, "clock", vm->guest_clock ? "guest" : "host");
	put(&w, "testdev", vm->testdev ? "on" : "off");
	if (vm->tpr != CONFIG_TPR_AUTO)
		put(&w, "tpr", config_tprs[vm->tpr]);
	if (vm->dirty != CONFIG_DIRTY_AUTO)
		put(&w, "dirty", config_dirties[vm->dirty]);
	print_events(&w, vm);
	print_switching(&w, vm);
	print_turns(&w, vm);
	if (vm->mitigations_chosen) {
		config_print_measures(vm->mitigations, measures, sizeof(measures));
		put(&w, "mitigations", measures);
	}
	return w.length;
}
