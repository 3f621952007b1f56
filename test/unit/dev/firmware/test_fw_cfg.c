/* fw_cfg (dev/firmware/fw_cfg.c): items and their bytes. */
#include "test/unit/dev/fixture.h"
#include "lib/ports.h"

static void select_item(uint16_t key) { outw(pc, FW_CFG_SELECT, key); }

static void test_fw_cfg(void **state)
{
	static const uint8_t signature[] = { 'Q', 'E', 'M', 'U', 0, 0, 0, 0, 0, 0 };
	(void)state;
	select_item(0);
	for (unsigned i = 0; i < sizeof(signature); i++)
		assert_int_equal(inb(pc, FW_CFG_DATA), signature[i]);
	select_item(1);
	assert_int_equal(inb(pc, FW_CFG_DATA), 1); /* no DMA */
	select_item(5);
	assert_int_equal(inb(pc, FW_CFG_DATA), PC_CPUS);
	assert_int_equal(inb(pc, FW_CFG_DATA), 0);
	assert_int_equal(inb(pc, FW_CFG_DATA), 0);
	select_item(5); /* selecting rewinds */
	assert_int_equal(inb(pc, FW_CFG_DATA), PC_CPUS);
	select_item(3);
	uint64_t ram = 0;
	for (unsigned i = 0; i < 8; i++)
		ram |= (uint64_t)inb(pc, FW_CFG_DATA) << 8 * i;
	assert_int_equal(ram, 256u << 20);
	select_item(0x19);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(inb(pc, FW_CFG_DATA), 0);
	select_item(0xffff);
	assert_int_equal(inb(pc, FW_CFG_DATA), 0);
	assert_int_equal(inb(pc, FW_CFG_SELECT), 0xff);
	select_item(0);
	outb(pc, FW_CFG_DATA, 'x');
	outb(pc, FW_CFG_SELECT, 5);
	assert_int_equal(inb(pc, FW_CFG_DATA), 'Q');
}

/* ---- transfers (the rest is tested where there is a machine: test/unit/vm/firmware/test_firmware.c) ---- */


#define DESCRIPTOR 0x100u

static uint32_t transfer(uint32_t control, uint32_t length, uint64_t gpa)
{
	uint32_t d[4] = { fw_cfg_swap(control), fw_cfg_swap(length), fw_cfg_swap((uint32_t)(gpa >> 32)),
			  fw_cfg_swap((uint32_t)gpa) };

	memcpy(pc->ram + DESCRIPTOR, d, sizeof(d));
	outl(pc, FW_CFG_DMA + 4, fw_cfg_swap(DESCRIPTOR));
	memcpy(d, pc->ram + DESCRIPTOR, sizeof(d));
	return fw_cfg_swap(d[0]);
}

static void test_files(void **state)
{
	uint8_t entry[FW_CFG_FILE_ENTRY];

	(void)state;
	pc_add_firmware(pc);
	select_item(FW_CFG_ID);
	assert_int_equal(inb(pc, FW_CFG_DATA), 3);
	assert_int_equal(inl(pc, FW_CFG_DMA), 0x554d4551);
	assert_int_equal(inl(pc, FW_CFG_DMA + 4), 0x47464320);
	assert_int_equal(transfer(FW_CFG_FILE_DIR << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_READ, 4, 0x200), 0);
	assert_memory_equal(pc->ram + 0x200, "\0\0\0\2", 4);
	assert_int_equal(transfer(FW_CFG_DMA_READ, FW_CFG_FILE_ENTRY, 0x200), 0);
	memcpy(entry, pc->ram + 0x200, sizeof(entry));
	assert_memory_equal(entry, "\0\0\0\x14\0\x20\0\0etc/e820", 17);
	assert_int_equal(transfer(FW_CFG_FILE_FIRST << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_READ, 30, 0x200), 0);
	assert_memory_equal(pc->ram + 0x200, "twenty bytes of text\0\0\0\0\0\0\0\0\0\0", 30);
	assert_int_equal(transfer(FW_CFG_DMA_READ, 8, sizeof(pc->ram) - 7), FW_CFG_DMA_ERROR);
	assert_int_equal(transfer(FW_CFG_DMA_READ, 8, UINT64_MAX - 3), FW_CFG_DMA_ERROR);
	outl(pc, FW_CFG_DMA, fw_cfg_swap(1)); /* a descriptor at 4 GiB and more */
	assert_int_equal(transfer(FW_CFG_DMA_READ, 8, 0x200), FW_CFG_DMA_READ);
	assert_int_equal(transfer(FW_CFG_DMA_READ, 8, 0x200), 0); /* once */
	while (fw_cfg_add_file(&pc->fw_cfg, "x", "x", 1))
		;
	assert_int_equal(pc->fw_cfg.files, FW_CFG_FILES_MAX);
	assert_false(fw_cfg_add_file(&pc->fw_cfg, "a name that is too long, for it has fifty-six characters", "x", 1));
}

static void test_debug_console(void **state)
{
	(void)state;
	pc_add_firmware(pc);
	assert_int_equal(inb(pc, DEBUGCON_PORT), DEBUGCON_PRESENT);
	outb(pc, DEBUGCON_PORT, 'x');
	assert_int_equal(pc->sent[pc->sent_count - 1], 'x');
}

static bool any_read(void *ctx, uint64_t gpa, void *to, size_t n)
{
	(void)ctx;
	(void)gpa;
	memset(to, 0, n);
	return true;
}

static bool any_write(void *ctx, uint64_t gpa, const void *from, size_t n)
{
	(void)ctx;
	(void)gpa;
	(void)from;
	(void)n;
	return true;
}

/* GM1: whatever the owner says of the range. */
static void test_memory_ends(void **state)
{
	const struct guest_memory all = { .read = any_read, .write = any_write };
	uint64_t bytes = 0;

	(void)state;
	assert_true(guest_memory_read(&all, UINT64_MAX - 8, &bytes, 8));
	assert_true(guest_memory_write(&all, UINT64_MAX - 8, &bytes, 8));
	assert_false(guest_memory_read(&all, UINT64_MAX - 3, &bytes, 8));
	assert_false(guest_memory_write(&all, UINT64_MAX - 3, &bytes, 8));
}

#define T(f) PC_TEST(f, setup)

int main(void)
{
	const struct CMUnitTest tests[] = { T(test_fw_cfg), T(test_files), T(test_debug_console),
					    T(test_memory_ends) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
