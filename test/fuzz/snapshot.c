/* Snapshots under libFuzzer: the reader of their files, and virtual machines that begin as one says. The input's first
 * byte chooses.
 *
 * A file: the input is one, its length and its checksums made right where the input says so. Whatever it holds, each
 * chunk lies within it, and what is packed unpacks into its room or not at all.
 *
 * A machine: one of a few snapshots that were taken on the bench has parts of its sections changed, its checksums made
 * right again. It is refused with a sentence, or it begins: then the guest does what it likes and exits as a CPU can
 * (test/fuzz/exits.h), and every entry passes the manual's checks (SN4). */
#include "test/fuzz/exits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/cpu/unpack.h"
#include "host/trap/interrupt.h"
#include "test/unit/vm/snapshot/taken.h"
#include "test/vm/disk.h"

#define STEPS_MAX 24
#define TURNS 60

/* ---- a file ---- */

static void make_right(uint8_t *file, size_t size, unsigned how)
{
	struct snapshot_chunk c = { .next = SNAPSHOT_HEADER_BYTES };

	if (how & 2 && size >= SNAPSHOT_HEADER_BYTES)
		snapshot_header(file, size, snapshot_u64(file + 32), snapshot_u32(file + 20));
	while (how & 4 && size >= c.next && size - c.next >= SNAPSHOT_CHUNK_BYTES) {
		uint8_t *head = file + c.next;
		uint64_t n = snapshot_u64(head + 8) & 0xffff, room = size - c.next - SNAPSHOT_CHUNK_BYTES;

		n = n < room ? n : room;
		snapshot_chunk_head(head, (enum snapshot_kind)(snapshot_u32(head) % SNAPSHOT_KINDS),
				    head + SNAPSHOT_CHUNK_BYTES, n);
		c.next += SNAPSHOT_CHUNK_BYTES + (n + 7) / 8 * 8;
	}
}

static void unpack(const struct snapshot_chunk *c)
{
	size_t room = SNAPSHOT_RUN_MAX * PAGE_SIZE;
	uint8_t *to = malloc(room);

	unpack_block(to, room, c->data, c->bytes);
	free(to);
}

static void read_file(struct input *in, unsigned how)
{
	struct snapshot_chunk c = { .next = 0 };
	size_t size = in->left;
	uint8_t *file = malloc(size ? size : 1);
	char error[240] = "";
	struct snapshot_file f;

	memcpy(file, in->data, size);
	make_right(file, size, how);
	if (snapshot_open(&f, file, size, error, sizeof(error))) {
		while (snapshot_next(&f, &c)) {
			if (c.data < file || c.bytes > size || c.data + c.bytes > file + size)
				fail_with("a chunk lies beyond its file");
			unpack(&c);
		}
		for (unsigned n = 0; n < f.cpus; n++)
			if (!snapshot_find(&f, SNAPSHOT_CPU, n, &c))
				fail_with("a file that is whole lacks a CPU");
	} else if (!error[0]) {
		fail_with("refused without a word");
	}
	free(file);
}

/* ---- a machine ---- */

static const struct kind {
	enum bench_mode mode;
	const char *mmu, *description;
	bool firmware; /* its mode is that of a reset */
} kinds[] = {
	{ BENCH_LONG64, "ept", "testdev on\n", false },
	{ BENCH_PAE, "shadow", "disk ide1.0,if=ide\n", false },
	{ BENCH_PAGED32, "ept", "vcpus 3\nrng on\nhvc on\nballoon on\n", false },
	{ BENCH_PROT32, "vtlb", "net a\n", false },
	{ BENCH_REAL, "ept", "", false },
	{ BENCH_REAL, "ept", "vga vgabios\ndisk ide1.0,if=ide\n", true },
};

static struct bench_config config_of(const struct kind *k)
{
	bench_disk.there = true;
	bench_disk.busy = bench_disk.later = bench_disk.fail = false;
	return (struct bench_config){ .cpu = BENCH_MODERN, .mmu = k->mmu, .description = k->description,
				      .firmware = k->firmware };
}

/* Each is taken once, and what is changed is a copy. */
static void take_kind(unsigned n)
{
	static struct taken *known[ARRAY_SIZE(kinds)];
	struct bench_config config = config_of(&kinds[n]);

	if (!known[n]) {
		known[n] = malloc(sizeof(taken));
		bench_new(&config);
		if (!kinds[n].firmware)
			bench_mode(kinds[n].mode, 0);
		take();
		bench_delete();
		memcpy(known[n], &taken, sizeof(taken));
	}
	memcpy(&taken, known[n], sizeof(taken));
}

static void put(uint8_t *at, uint64_t value, unsigned bytes)
{
	while (bytes--) {
		*at++ = (uint8_t)value;
		value >>= 8;
	}
}

/* One change of what n bytes there are. */
static void change(struct input *in, uint8_t *bytes, size_t *n, size_t most)
{
	unsigned how = in8(in), width = 1u << (how >> 3 & 3);
	size_t at = in16(in) % *n;

	switch (how & 7) {
	case 0: /* it ends there */
		*n = at ? at : 1;
		break;
	case 1: /* more stands behind it */
		if (*n < most)
			bytes[(*n)++] = in8(in);
		break;
	case 2:
		bytes[at] ^= (uint8_t)(1u << (how >> 3 & 7));
		break;
	default:
		put(bytes + at, fuzz_value(in), at + width <= *n ? width : 1);
	}
}

static void change_some(struct input *in)
{
	for (unsigned left = in8(in) % 8; left--;) {
		unsigned where = in8(in);

		if (where & 1)
			change(in, taken.machine, &taken.machine_bytes, TAKEN_STATE);
		else if (where & 2)
			change(in, taken.cpu[(where >> 2) % taken.cpus], &taken.cpu_bytes[(where >> 2) % taken.cpus],
			       sizeof(taken.cpu[0]));
		else
			put(taken.ram + in32(in) % (BENCH_RAM - 8), fuzz_value(in), 8);
	}
}

static void judge(void)
{
	if (bench.at == BENCH_ENTRY && bench.broken) {
		fprintf(stderr, "the entry of %s breaks a rule: %s\n", bench.v->vm->config->name, bench.broken);
		abort();
	}
}

/* Its turn comes when the other sleeps. */
static void until_it_runs(const struct vm *vm)
{
	if (bench.at == BENCH_ENTRY && bench.v->vm != vm)
		bench_exit_simple(EXIT_HLT, 1);
	for (unsigned n = 0; n < TURNS && !vm->ended && !(bench.at == BENCH_ENTRY && bench.v->vm == vm); n++) {
		judge();
		if (bench.at == BENCH_OVER)
			return;
		if (bench.at == BENCH_EMULATED)
			bench_emulate();
		else
			bench_slice();
	}
	judge();
}

static void run(struct input *in, const struct vm *vm)
{
	struct bench_exit x;

	for (unsigned n = 0; n < STEPS_MAX; n++) {
		until_it_runs(vm);
		if (!in->left || bench.at != BENCH_ENTRY || bench.v->vm != vm)
			return;
		if (in_bool(in))
			fuzz_guest(in);
		if (fuzz_consistent_exit(in, &x))
			bench_exit(&x);
		else
			bench_interrupt(VECTOR_KICK);
		judge();
		if (bench_disk.busy)
			bench_disk_finish();
	}
}

static void go_on(struct input *in, unsigned how)
{
	const struct kind *k = &kinds[in_below(in, ARRAY_SIZE(kinds))];
	struct bench_config config = config_of(k), other = { .cpu = BENCH_MODERN, .mmu = "ept" };
	struct vm *vm;

	take_kind((unsigned)(k - kinds));
	change_some(in);
	if (how & 2)
		config.mmu = (const char *const[]){ "ept", "shadow", "vtlb", "brute" }[how >> 2 & 3];
	bench_new(&other);
	make_file();
	config.restore = true;
	vm = bench_create(&config);
	if (vm->ended && !strstr(vm->end_text, "cannot be restored"))
		fail_with(vm->end_text);
	if (!vm->ended)
		run(in, vm);
	bench_delete();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned how = in8(&in);

	if (how & 1)
		read_file(&in, how);
	else
		go_on(&in, how);
	return 0;
}
