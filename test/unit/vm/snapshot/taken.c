#include "test/unit/vm/snapshot/taken.h"

#include "test/unit/vm/load/snapshot_chunk.h"

struct taken taken;
static uint8_t file[TAKEN_MAX];
static size_t size;

void take_state(void)
{
	struct vm *vm = bench.vm[0];
	struct vcpu *v;

	assert_true(save_machine(vm));
	taken.machine_bytes = vm->save.state_bytes;
	assert_in_range(taken.machine_bytes, 1, TAKEN_STATE);
	memcpy(taken.machine, vm->save.state, taken.machine_bytes);
	taken.cpus = vm->vcpu_count;
	for_each_vcpu(v, vm) {
		struct vcpu *before = vcpu_visit(v);

		if (!v->started)
			vcpu_begin(v);
		vcpu_sync_heart(v);
		taken.cpu_bytes[v->id] = save_cpu(v, taken.cpu[v->id], sizeof(taken.cpu[0]));
		assert_int_not_equal(taken.cpu_bytes[v->id], 0);
		vcpu_visited(before);
	}
}

/* Where a page is kept; NULL: it is not. */
static uint8_t *page_of(uint64_t gfn)
{
	if (gfn < SNAPSHOT_DISPLAY_GFN)
		return taken.ram + gfn * PAGE_SIZE;
	gfn -= SNAPSHOT_DISPLAY_GFN;
	return gfn < TAKEN_DISPLAY / PAGE_SIZE ? taken.display + gfn * PAGE_SIZE : NULL;
}

static void keep(uint64_t gfn, const uint8_t *bytes)
{
	if (page_of(gfn))
		memcpy(page_of(gfn), bytes, PAGE_SIZE);
}

void take_pages(void)
{
	static uint8_t bytes[SAVE_PIECE], zero[PAGE_SIZE];
	struct save_pages p = { .bytes = bytes };

	while (bench.vm[0]->save.left) {
		save_pages(bench.vm[0], &p);
		for (unsigned n = 0; n < p.count; n++)
			keep(p.gfn[n], bytes + n * PAGE_SIZE);
		for (unsigned n = 0; n < p.zeroes; n++)
			for (uint64_t i = 0; i < p.zero_pages[n]; i++)
				keep(p.zero_first[n] + i, zero);
	}
}

void take(void)
{
	struct vm *vm = bench.vm[0];
	const char *why;

	if (!vm->save.on) {
		memset(taken.ram, 0, sizeof(taken.ram));
		memset(taken.display, 0, sizeof(taken.display));
		assert_null(save_begin(vm));
	}
	pause_it();
	assert_true(save_prepare(vm, &why));
	assert_null(why);
	take_pages();
	take_state();
}

static void add(enum snapshot_kind kind, const void *data, size_t n)
{
	size += snapshot_put_chunk(file + size, kind, data, n);
}

/* As a block of literals. */
static void add_page(uint64_t gfn)
{
	static uint8_t run[SNAPSHOT_RUN_HEAD + PAGE_SIZE + 32];
	uint8_t *p = run + SNAPSHOT_RUN_HEAD;
	unsigned rest = PAGE_SIZE - 15;

	for (*p++ = 0xf0; rest >= 255; rest -= 255)
		*p++ = 255;
	*p++ = (uint8_t)rest;
	memcpy(p, page_of(gfn), PAGE_SIZE);
	p += PAGE_SIZE;
	snapshot_put64(run, gfn);
	snapshot_put32(run + 8, 1);
	snapshot_put32(run + 12, (uint32_t)(p - run - SNAPSHOT_RUN_HEAD));
	add(SNAPSHOT_MEMORY, run, (size_t)(p - run));
}

void make_file(void)
{
	static const uint8_t zero[PAGE_SIZE];

	size = SNAPSHOT_HEADER_BYTES;
	add(SNAPSHOT_DESCRIPTION, "vm a\n", 5);
	add(SNAPSHOT_MACHINE, taken.machine, taken.machine_bytes);
	for (unsigned n = 0; n < taken.cpus; n++)
		add(SNAPSHOT_CPU, taken.cpu[n], taken.cpu_bytes[n]);
	for (uint64_t gfn = 0; gfn < BENCH_RAM / PAGE_SIZE; gfn++)
		if (memcmp(page_of(gfn), zero, PAGE_SIZE))
			add_page(gfn);
	for (uint64_t n = 0; n < TAKEN_DISPLAY / PAGE_SIZE; n++)
		if (memcmp(taken.display + n * PAGE_SIZE, zero, PAGE_SIZE))
			add_page(SNAPSHOT_DISPLAY_GFN + n);
	snapshot_header(file, size, machine.tsc_hz, taken.cpus);
	bench_snapshot.data = file;
	bench_snapshot.size = size;
}

const char *refusal(struct bench_config config)
{
	static char text[240];
	struct bench_config other = { .mmu = "ept" };

	/* Beside one that is none. */
	bench_new(&other);
	make_file();
	config.restore = true;
	snprintf(text, sizeof(text), "%s", bench_create(&config)->ended ? bench.vm[1]->end_text : "");
	finish();
	return text;
}

void expect(const char *what, struct bench_config config)
{
	const char *text = refusal(config);

	if (!strstr(text, what))
		fail_msg("\"%s\" is not in: %s", what, text);
}

void take_one(void)
{
	bench_new(&plainly);
	assert_true(bench_mode(BENCH_LONG64, 0));
	take();
}
