/* Virtual disks on the machine's (vm/device/disk.c): which it is, who may write it, a request on its way down and up,
 * messages, snapshots, and the end. */
#include "test/unit/vm/fixture.h"

#include <stdio.h>

#include "host/memory/frames.h"
#include "test/unit/dev/virtio/steps.h"
#include "test/vm/disk.h"
#include "vm/device/disk.h"

#define RING 0x200000u
#define AVAIL (RING + 0x1000)
#define USED (RING + 0x2000)
#define HEADER (RING + 0x3000)
#define DATA (RING + 0x4000)
#define STATUS (HEADER + 16)

static uint8_t *ram(uint64_t gpa) { return mmu_guest_ptr(&bench.v->vm->mmu, GPA(gpa), 1, true); }
static void put(uint64_t gpa, const void *p, size_t n) { memcpy(ram(gpa), p, n); }

static void start_with(const char *description)
{
	memset(&bench_disk, 0, sizeof(bench_disk));
	bench_disk.there = true;
	for (unsigned i = 0; i < BENCH_DISK_SECTORS; i++)
		memset(bench_disk.data[i], (int)(i + 1), SECTOR_SIZE);
	bench_new(&(struct bench_config){ .mmu = "ept", .description = description });
	assert_int_equal(bench.at, BENCH_ENTRY);
}

static struct vm_disk *disk(void) { return &bench.v->vm->disks[0]; }

static void bar_out(unsigned offset, unsigned size, uint64_t value)
{
	platform_mmio_write(bench.v, disk()->pci.pci.bar[VIRTIO_BAR].at + offset, size, value);
}

static void use_queue(void)
{
	static const uint8_t zeroes[0x1000];
	uint64_t features = disk()->blk.device.offered & ~BIT(VIRTIO_F_EVENT_IDX);

	for (unsigned i = 0; i < 4; i++)
		put(RING + i * 0x1000, zeroes, sizeof(zeroes));
	step_agree(bar_out, features);
	step_place(bar_out, 16, RING, AVAIL, USED);
	bar_out(VIRTIO_COMMON_ENABLE, 2, 1);
	bar_out(VIRTIO_COMMON_STATUS, 1, STATUS_READY);
}

/* The guest asks for a transfer; it is under way then. */
static void ask_for(uint32_t type, uint64_t sector, uint64_t gpa)
{
	static uint16_t idx;
	struct { uint64_t gpa; uint32_t bytes; uint16_t flags, next; } d[3] = {
		{ HEADER, 16, VIRTQ_DESC_F_NEXT, 1 },
		{ gpa, 512, (uint16_t)(VIRTQ_DESC_F_NEXT | (type ? 0 : VIRTQ_DESC_F_WRITE)), 2 },
		{ STATUS, 1, VIRTQ_DESC_F_WRITE, 0 },
	};

	put(RING, d, sizeof(d));
	put(HEADER, &(uint32_t[]){ type, 0, (uint32_t)sector, 0, 0xff }, 20);
	memcpy(&idx, ram(AVAIL + 2), 2);
	idx++;
	put(AVAIL + 2, &idx, 2);
	*bench_gpr(GPR_RAX) = 0;
	EXIT(.reason = EXIT_IO_INSTRUCTION, .length = 2,
	     .qualification = (uint64_t)(disk()->pci.pci.bar[0].at + VIRTIO_PORT_MODERN_NOTIFY) << 16 | 1);
}

static void transfer(uint32_t type, uint64_t sector, uint64_t gpa, uint8_t status)
{
	ask_for(type, sector, gpa);
	bench_disk_finish();
	assert_int_equal(*ram(STATUS), status);
}

/* The account, on request and at the end. */
static void told(unsigned reads, unsigned writes, unsigned flushes, unsigned failures)
{
	char line[200];

	STEP(ask("t1 stats 0\n"));
	snprintf(line, sizeof(line), "\"disks\":{\"0\":{\"reads\":%u,\"writes\":%u,\"flushes\":%u,\"failures\":%u,",
		 reads, writes, flushes, failures);
	assert_true(answered("t1", line));
	assert_int_equal(bench_exit_simple(EXIT_TRIPLE_FAULT, 0), BENCH_OVER);
	snprintf(line, sizeof(line), "stat 0 disks.0.bytes_read %u\n", reads * SECTOR_SIZE);
	assert_true(said(line));
	snprintf(line, sizeof(line), "stat 0 disks.0.failures %u\n", failures);
	assert_true(said(line));
}

static void down_and_up(void **state)
{
	(void)state;
	start_with("disk ide1.0\n");
	use_queue();
	transfer(VIRTIO_BLK_T_IN, 7, DATA, VIRTIO_BLK_S_OK);
	assert_int_equal(*ram(DATA + 511), 8);
	memset(ram(DATA), 0x77, 512);
	transfer(VIRTIO_BLK_T_OUT, 9, DATA, VIRTIO_BLK_S_OK);
	assert_int_equal(bench_disk.data[9][511], 0x77);
	transfer(VIRTIO_BLK_T_FLUSH, 0, DATA, VIRTIO_BLK_S_OK);
	assert_int_equal(bench_disk.flushed, 1);
	/* Memory that is none, and that wraps. */
	transfer(VIRTIO_BLK_T_IN, 7, IOAPIC_BASE, VIRTIO_BLK_S_IOERR);
	transfer(VIRTIO_BLK_T_OUT, 7, 1ull << 60, VIRTIO_BLK_S_IOERR);
	assert_false(said("has failed"));
	bench_disk.fail = true;
	transfer(VIRTIO_BLK_T_IN, 7, DATA, VIRTIO_BLK_S_IOERR);
	assert_true(said("disk ide1.0 has failed at sector 7"));
	told(1, 1, 1, 3);
	finish();
}

static void memory_that_wraps(void **state)
{
	uint8_t byte[2];

	(void)state;
	start_with("disk ide1.0\n");
	assert_false(guest_memory_read(&disk()->block.memory, ~0ull, byte, 2));
	assert_false(guest_memory_write(&disk()->block.memory, ~0ull, byte, 2));
	finish();
}

/* What the message says reaches the local APIC; what is written elsewhere does not. */
static void messages(void **state)
{
	struct msix *msix;

	(void)state;
	start_with("disk ide1.0\n");
	x2apic_on();
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_IF);
	msix = &disk()->pci.msix;
	msix_control(msix, MSIX_ENABLE);
	for (unsigned i = 0; i < 2; i++) {
		msix->entry[1][0] = i ? LAPIC_DEFAULT_BASE : 0x100000;
		msix->entry[1][2] = 0x51;
		msix->entry[1][3] = 0;
		use_queue();
		bar_out(VIRTIO_COMMON_VECTOR, 2, 1);
		transfer(VIRTIO_BLK_T_IN, 7, DATA, VIRTIO_BLK_S_OK);
		again();
		EXPECT_EVENT(i ? INFO(EVENT_TYPE_EXTERNAL, 0x51) : 0, 0);
	}
	finish();
}

static void what_is_refused(void **state)
{
	static const struct { const char *description, *why; } cases[] = {
		{ "disk ide0.1\n", "the machine has none there" },
		{ "disk ide1.0x\n", "the machine has none there" },
		{ "disk some.img\n", "the machine has none there" },
	};

	(void)state;
	start_with("disk ide1.0,ro\n");
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vm *vm = bench_create(&(struct bench_config){ .mmu = "ept",
								     .description = cases[i].description });

		assert_true(vm->ended);
		assert_non_null(strstr(vm->end_text, cases[i].why));
		finish();
		start_with("disk ide1.0,ro\n");
	}
	finish();
}

/* VD1. */
static void who_may_write(void **state)
{
	static const struct { const char *first, *second; bool good; } cases[] = {
		{ "disk ide1.0\n", "disk ide1.0\n", false },	  { "disk ide1.0,ro\n", "disk ide1.0\n", false },
		{ "disk ide1.0\n", "disk ide1.0,snapshot\n", false }, { "disk ide1.0,ro\n", "disk ide1.0,ro\n", true },
		{ "disk ide1.0,snapshot\n", "disk ide1.0,ro\n", true },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		start_with(cases[i].first);
		assert_null(bench.why_not);
		bench_create(&(struct bench_config){ .mmu = "ept", .description = cases[i].second });
		if (cases[i].good)
			assert_null(bench.why_not);
		else
			assert_non_null(strstr(bench.why_not, "somebody's already"));
		finish();
	}
}

/* VD2, and that nothing is kept. */
static void snapshots(void **state)
{
	hfn_t f;
	uint64_t rest;

	(void)state;
	start_with("disk ide1.0,snapshot\n");
	use_queue();
	memset(ram(DATA), 0x66, 512);
	transfer(VIRTIO_BLK_T_OUT, 9, DATA, VIRTIO_BLK_S_OK);
	assert_int_equal(bench_disk.data[9][0], 10);
	transfer(VIRTIO_BLK_T_IN, 9, DATA + 0x1000, VIRTIO_BLK_S_OK);
	assert_int_equal(*ram(DATA + 0x1000), 0x66);
	rest = frames_available() - frames_total() / 8 + 1;
	f = frames_alloc_run(rest, 1);
	assert_false(hfn_is_none(f));
	transfer(VIRTIO_BLK_T_OUT, 100, DATA, VIRTIO_BLK_S_IOERR);
	assert_true(said("there is no memory for what it writes to disk ide1.0"));
	frames_free(f, rest);
	transfer(VIRTIO_BLK_T_OUT, 100, DATA, VIRTIO_BLK_S_OK);
	finish();
}

/* A request is under way when its virtual machine ends: what comes of it reaches nobody. */
static void the_end(void **state)
{
	const struct block_queue *queue;

	(void)state;
	start_with("disk ide1.0\n");
	use_queue();
	ask_for(VIRTIO_BLK_T_IN, 7, DATA);
	queue = disk()->block.queue;
	assert_true(bench_disk.busy && queue->current && queue->ring);
	finish();
	assert_true(!queue->current && !queue->ring);
	bench_disk_finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(down_and_up), cmocka_unit_test(memory_that_wraps), cmocka_unit_test(messages),
		cmocka_unit_test(what_is_refused), cmocka_unit_test(who_may_write), cmocka_unit_test(snapshots),
		cmocka_unit_test(the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
