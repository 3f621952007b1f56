/* A virtual machine that starts at a firmware (vm/firmware/firmware.c, vm/firmware/firmware_files.c): what is where
 * below 1 MByte, what fw_cfg holds and where it is transferred to, what it says. */
#include "test/unit/vm/fixture.h"

#include "host/memory/frames.h"
#include "lib/ports.h"
#include "mmu/inside.h"

#define AREA_C 0xc0000u
#define AREA_F 0xf0000u
#define ROM 0xfffc0000u
#define DESCRIPTOR 0x1000u
#define TARGET 0x3000u

static struct vm *vm;

static void start_firmware(enum bench_cpu cpu, const char *mmu, const char *description)
{
	bench_new(&(struct bench_config){ .cpu = cpu, .mmu = mmu, .firmware = true, .description = description });
	check_entry(0);
	vm = bench.vm[0];
}

static uint32_t in(uint16_t port, unsigned size)
{
	EXIT(.reason = EXIT_IO_INSTRUCTION, .qualification = (uint64_t)port << 16 | 8 | (size - 1), .length = 1);
	return (uint32_t)(bench_gpr(GPR_RAX)[0] & MASK(8 * size - 1, 0));
}

static void set_pam(unsigned n, uint8_t value)
{
	out_sized(PCI_ADDRESS, 4, PCI_ADDRESS_ENABLE | ((0x59 + n) & 0xfc));
	out_sized((uint16_t)(PCI_DATA + ((0x59 + n) & 3)), 1, value);
}

/* A guest that is only emulated does not come to an entry; these are about one that does. */
static void to_the_entry(void)
{
	assert_int_equal(bench.at, BENCH_ENTRY);
}

static void where_it_starts(void **state)
{
	(void)state;
	start_firmware(BENCH_HASWELL, "ept", NULL);
	to_the_entry();
	assert_int_equal(hvm_segment(&bench.v->hvm, SEG_CS).base, 0xffff0000);
	assert_int_equal(bench.entry.rip, 0xfff0);
	assert_int_equal(vmcs_get(VMCS_GUEST_CR0) & CR0_PE, 0);
	for (uint64_t n = 0; n < 0x40000; n += PAGE_SIZE)
		assert_int_equal(peek(ROM + n), n >> 12);
	assert_int_equal(peek(0xe0000), 0x20);
	assert_int_equal(peek(0xfffff), 0x3f);
	assert_int_equal(peek(0xdffff), 0xff); /* nothing */
	assert_int_equal(peek(0xa0000), 0xff);
	finish();
}

/* FM1, FM2. */
static void areas(void **state)
{
	(void)state;
	start_firmware(BENCH_HASWELL, "ept", NULL);
	to_the_entry();
	poke(AREA_F, 0x11); /* to ROM */
	assert_int_equal(peek(AREA_F), 0x30);
	set_pam(0, 0x20); /* writes go to RAM, reads do not */
	assert_int_equal(peek(AREA_F), 0x30);
	poke(AREA_F + 5, 0x12);
	assert_int_equal(peek(AREA_F + 5), 0x30);
	set_pam(0, 0x30);
	assert_int_equal(peek(AREA_F), 0x00); /* what was written before */
	assert_int_equal(peek(AREA_F + 5), 0x12);
	poke(AREA_F + 6, 0x13);
	set_pam(0, 0x10);
	poke(AREA_F + 6, 0x14); /* read-only */
	assert_int_equal(peek(AREA_F + 6), 0x13);
	set_pam(0, 0x00);
	assert_int_equal(peek(AREA_F + 6), 0x30);
	assert_int_equal(peek(ROM + 0x30006), 0x30);
	set_pam(1, 0x23);
	poke(AREA_C, 0x21);
	poke(AREA_C + PAM_SIZE, 0x22);
	assert_int_equal(peek(AREA_C), 0x21);
	assert_int_equal(peek(AREA_C + PAM_SIZE), 0xff);
	set_pam(1, 0x32);
	assert_int_equal(peek(AREA_C), 0xff);
	assert_int_equal(peek(AREA_C + PAM_SIZE), 0x22);
	finish();
}

/* A local APIC over an area stays in front of what is there, whatever that becomes. */
static void a_local_apic_over_an_area(void **state)
{
	char why[200];

	(void)state;
	start_firmware(BENCH_HASWELL, "ept", NULL);
	to_the_entry();
	STEP(bench_wrmsr(MSR_APIC_BASE, AREA_C | APIC_BASE_EN | APIC_BASE_BSP));
	for (unsigned n = 0; n < 4; n++) {
		set_pam(1, n & 1 ? 0 : 0x33);
		assert_int_equal(overlay_covers(&vm->mmu, gpa_gfn(GPA(AREA_C))), !(n & 1));
		assert_true(mmu_audit(&vm->mmu, why, sizeof(why)));
	}
	finish();
}

/* Every state of every area, one after the other, under each mechanism: nothing is lost, and the tables are sound. */
static void areas_over_and_over(void **state)
{
	char why[200];

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(mechanisms); m++) {
		start_firmware(BENCH_HASWELL, mechanisms[m], NULL);
		if (bench.at == BENCH_ENTRY) {
			for (unsigned n = 0; n < 7 * 16; n++)
				set_pam(n % 7, (uint8_t)(n * 0x13));
			assert_true(mmu_audit(&vm->mmu, why, sizeof(why)));
		}
		finish();
	}
}

/* ---- fw_cfg ---- */


/* Begins a transfer. */
static void begin(uint32_t control, uint32_t length, uint64_t gpa)
{
	uint32_t d[4] = { fw_cfg_swap(control), fw_cfg_swap(length), fw_cfg_swap((uint32_t)(gpa >> 32)),
			  fw_cfg_swap((uint32_t)gpa) };

	bench_poke(DESCRIPTOR, d, sizeof(d));
	out_sized(FW_CFG_DMA + 4, 4, fw_cfg_swap(DESCRIPTOR));
}

static uint32_t control_now(void)
{
	uint32_t control;

	bench_peek(DESCRIPTOR, &control, sizeof(control));
	return fw_cfg_swap(control);
}

/* ... to its end; returns how it ended. */
static uint32_t transfer(uint32_t control, uint32_t length, uint64_t gpa)
{
	begin(control, length, gpa);
	for (unsigned n = 0; n < 10000 && (control_now() & ~FW_CFG_DMA_ERROR); n++)
		STEP(bench_timer());
	return control_now();
}

#define READ_ITEM(key) ((uint32_t)(key) << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_READ)

static void transfers(void **state)
{
	char text[8];
	uint64_t ram;

	(void)state;
	start_firmware(BENCH_HASWELL, "ept", NULL);
	to_the_entry();
	assert_int_equal(in(FW_CFG_DMA, 4), 0x554d4551);
	assert_int_equal(transfer(READ_ITEM(FW_CFG_SIGNATURE), 8, TARGET), 0);
	bench_peek(TARGET, text, sizeof(text));
	assert_memory_equal(text, "QEMU\0\0\0", 8);
	assert_int_equal(transfer(READ_ITEM(FW_CFG_RAM_SIZE), 8, TARGET), 0);
	bench_peek(TARGET, &ram, sizeof(ram));
	assert_int_equal(ram, BENCH_RAM);
	/* The rest of an item; what is skipped. */
	assert_int_equal(transfer((uint32_t)FW_CFG_SIGNATURE << 16 | FW_CFG_DMA_SELECT | FW_CFG_DMA_SKIP, 2, 0), 0);
	assert_int_equal(transfer(FW_CFG_DMA_READ, 2, TARGET), 0);
	bench_peek(TARGET, text, 2);
	assert_memory_equal(text, "MU", 2);
	assert_int_equal(transfer(0, 0, 0), 0);
	finish();
}

/* FW2: no assertion, no memory but the guest's RAM. */
static void transfers_to_nowhere(void **state)
{
	static const uint64_t nowhere[] = { ROM, AREA_F, AREA_C, 0xa0000, IOAPIC_BASE, LAPIC_DEFAULT_BASE, BENCH_RAM,
					    BENCH_RAM - 4, 1ull << 40, UINT64_MAX - 3, UINT64_MAX - 0xffff,
					    1ull << 63 };

	(void)state;
	start_firmware(BENCH_HASWELL, "ept", NULL);
	to_the_entry();
	for (unsigned n = 0; n < ARRAY_SIZE(nowhere); n++) {
		assert_int_equal(transfer(READ_ITEM(FW_CFG_SIGNATURE), 8, nowhere[n]), FW_CFG_DMA_ERROR);
		assert_int_equal(transfer(READ_ITEM(0x7777), 0x20000, nowhere[n]), FW_CFG_DMA_ERROR);
		out_sized(FW_CFG_DMA, 4, fw_cfg_swap((uint32_t)(nowhere[n] >> 32)));
		out_sized(FW_CFG_DMA + 4, 4, fw_cfg_swap((uint32_t)nowhere[n])); /* a descriptor */
		assert_false(vm->fw_cfg.dma.busy);
	}
	assert_int_equal(transfer(FW_CFG_DMA_WRITE, 4, TARGET), FW_CFG_DMA_ERROR);
	assert_int_equal(peek(ROM), 0);
	assert_int_equal(peek(AREA_F), 0x30);
	finish();
}

/* FW1: 2 MBytes are 32 pieces, and a selection in between ends it. */
static void long_transfers(void **state)
{
	unsigned pieces = 0;

	(void)state;
	start_firmware(BENCH_HASWELL, "ept", NULL);
	to_the_entry();
	bench_poke(0x300000 - 1, "\xff\xff", 2);
	begin(READ_ITEM(0x7777), 0x200000, 0x100000);
	for (; control_now(); pieces++)
		STEP(bench_timer());
	assert_int_equal(pieces, 0x200000 / FW_CFG_PIECE - 1);
	assert_int_equal(peek(0x2fffff), 0);
	assert_int_equal(peek(0x300000), 0xff);
	begin(READ_ITEM(0x7777), 0x200000, 0x100000);
	out_sized(FW_CFG_SELECT, 2, FW_CFG_ID);
	assert_int_equal(control_now(), FW_CFG_DMA_ERROR);
	assert_int_equal(in(FW_CFG_DATA, 1), 3);
	/* Of which nothing was transferred that would take time. */
	assert_int_equal(transfer(FW_CFG_DMA_SKIP, UINT32_MAX, 0), 0);
	assert_int_equal(transfer(FW_CFG_DMA_SKIP, UINT32_MAX, 0), 0);
	assert_int_equal(transfer(FW_CFG_DMA_READ, 1, TARGET), 0);
	begin(READ_ITEM(0x7777), UINT32_MAX, 0x100000); /* goes on while the machine ends */
	finish();
}

static void kernel_to_load(void **state)
{
	uint32_t value = 0;

	(void)state;
	start_firmware(BENCH_HASWELL, "ept", "kernel bzimage\ninitrd kernel\nappend some words\n");
	to_the_entry();
	assert_int_equal(transfer(READ_ITEM(FW_CFG_KERNEL_SIZE), 4, TARGET), 0);
	bench_peek(TARGET, &value, 4);
	assert_int_equal(value, 4096);
	assert_int_equal(transfer(READ_ITEM(FW_CFG_CMDLINE_DATA), 11, TARGET), 0);
	assert_int_equal(peek(TARGET + 10), 0);
	assert_int_equal(peek(TARGET + 9), 's');
	assert_int_equal(transfer(READ_ITEM(FW_CFG_SETUP_DATA), 0xa00, TARGET), 0);
	assert_int_equal(peek(TARGET + 0x210), 0xb0);
	bench_peek(TARGET + 0x228, &value, 4);
	assert_int_equal(value, 0x20000);
	bench_peek(TARGET + 0x218, &value, 4);
	assert_int_equal(value, BENCH_RAM - 0x40000 - PAGE_SIZE);
	finish();
}

static const char *refused(bool firmware, const char *description)
{
	struct vm *other = bench_create(&(struct bench_config){ .mmu = "ept", .firmware = firmware,
								.description = description });

	assert_true(other->ended);
	assert_int_equal(other->status, VM_STATUS_BAD_IMAGE);
	return other->end_text;
}

static void what_is_refused(void **state)
{
	(void)state;
	start();
	assert_non_null(strstr(refused(false, "bios nowhere\n"), "its firmware, nowhere, is not on the boot image"));
	assert_non_null(strstr(refused(false, "bios short-firmware\n"), "a multiple of 4 KB"));
	assert_non_null(strstr(refused(true, "kernel kernel\n"), "a firmware loads a Linux bzImage"));
	assert_non_null(strstr(refused(true, "kernel nowhere\n"), "nowhere"));
	assert_non_null(strstr(refused(true, "option-rom nowhere\n"), "nowhere"));
	finish();
}

/* ---- what it says ---- */

static void say(const char *text)
{
	for (; *text; text++)
		out_sized(DEBUGCON_PORT, 1, (uint8_t)*text);
}

static void the_log(void **state)
{
	(void)state;
	start_firmware(BENCH_HASWELL, "ept", NULL);
	to_the_entry();
	assert_int_equal(in(DEBUGCON_PORT, 1), DEBUGCON_PRESENT);
	say("hello\r\nlog \033[2J\n");
	assert_true(said("log test0: firmware: hello\n"));
	assert_true(said("log test0: firmware: log ?[2J\n"));
	for (unsigned n = 0; n < 1000; n++)
		say("x");
	assert_true(said("xxxxxxxxxxxxxxxxxx\n"));
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(where_it_starts),	cmocka_unit_test(areas),
		cmocka_unit_test(a_local_apic_over_an_area),
		cmocka_unit_test(areas_over_and_over),	cmocka_unit_test(transfers),
		cmocka_unit_test(transfers_to_nowhere), cmocka_unit_test(long_transfers),
		cmocka_unit_test(kernel_to_load),	cmocka_unit_test(what_is_refused),
		cmocka_unit_test(the_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
