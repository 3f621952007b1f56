/* A virtual machine's IDE controller (vm/device/ide.c): where its drives are, who lets it decode, data by ports and by
 * DMA, its end; and what a firmware is told to boot from (vm/firmware/boot_order.c). */
#include "test/unit/vm/fixture.h"

#include "host/memory/frames.h"
#include "lib/fmt.h"
#include "lib/ports.h"
#include "test/vm/disk.h"
#include "vm/device/disk.h"
#include "vm/device/ide.h"

#define DATA 0x200000u
#define TABLE 0x201000u
#define GOOD (ATA_DRDY | ATA_DSC)

static struct vm *vm;

static void start_with(bool firmware, const char *description)
{
	memset(&bench_disk, 0, sizeof(bench_disk));
	bench_disk.there = true;
	for (unsigned i = 0; i < BENCH_DISK_SECTORS; i++)
		memset(bench_disk.data[i], (int)(i + 1), SECTOR_SIZE);
	bench_new(&(struct bench_config){ .mmu = "ept", .firmware = firmware, .description = description });
	assert_int_equal(bench.at, BENCH_ENTRY);
	vm = bench.vm[0];
}

static uint32_t port_in(uint16_t port, unsigned size)
{
	EXIT(.reason = EXIT_IO_INSTRUCTION, .qualification = (uint64_t)port << 16 | 8 | (size - 1), .length = 1);
	return (uint32_t)(*bench_gpr(GPR_RAX) & MASK(8 * size - 1, 0));
}

static void ata(uint16_t base, uint8_t command, unsigned lba, unsigned count)
{
	out_sized(base + ATA_DEVICE, 1, ATA_DEVICE_LBA);
	out_sized(base + ATA_COUNT, 1, count);
	out_sized(base + ATA_LBA_LOW, 1, lba & 0xff);
	out_sized(base + ATA_LBA_MID, 1, lba >> 8 & 0xff);
	out_sized(base + ATA_LBA_HIGH, 1, 0);
	out_sized(base + ATA_COMMAND, 1, command);
	bench_disk_finish();
}

static uint8_t *ram(uint64_t gpa) { return mmu_guest_ptr(&vm->mmu, GPA(gpa), 1, true); }

/* REP INSW or OUTSW of the data port, in 64-bit mode; exits until it is done. Returns how many. */
static unsigned string(bool input, uint64_t gpa, unsigned words)
{
	const char *code = input ? "\x66\xf3\x6d" : "\x66\xf3\x6f";
	uint64_t at = bench.entry.rip;
	unsigned exits = 0;

	*bench_gpr(input ? GPR_RDI : GPR_RSI) = gpa;
	*bench_gpr(GPR_RCX) = words;
	*bench_gpr(GPR_RDX) = ATA_COMMAND_1;
	vmcs_put(VMCS_GUEST_RIP, BENCH_CODE);
	bench_poke(BENCH_CODE, code, 3);
	do {
		EXIT(.reason = EXIT_IO_INSTRUCTION, .length = 3,
		     .qualification = (uint64_t)ATA_COMMAND_1 << 16 | 1 | input << 3 | 1 << 4 | 1 << 5);
		exits++;
	} while (*bench_gpr(GPR_RCX) && exits < 1000);
	vmcs_put(VMCS_GUEST_RIP, at);
	return exits;
}

static void data_by_ports(void **state)
{
	uint8_t *p;

	(void)state;
	start_with(false, "testdev on\ndisk ide1.0,if=ide\n");
	assert_int_equal(port_in(ATA_CONTROL_1, 1), GOOD);
	ata(ATA_COMMAND_1, ATA_READ, 7, 2);
	assert_int_equal(port_in(ATA_COMMAND_1 + ATA_STATUS, 1), GOOD | ATA_DRQ);
	assert_int_equal(string(true, DATA + 100, 256), 1);
	assert_int_equal(*ram(DATA + 100 + 511), 8);
	assert_int_equal(*bench_gpr(GPR_RDI), DATA + 100 + 512);
	/* Over the end of a page; to a device, word by word. */
	assert_int_equal(string(true, DATA + 0x1000 - 7, 128), 1);
	assert_int_equal(*ram(DATA + 0x1000 + 248), 9);
	assert_true(string(true, TESTDEV_MMIO_BASE + 16, 128) > 0);
	assert_int_equal(platform_mmio_read(bench.v, TESTDEV_MMIO_BASE + 16 + 254, 2), 0x0909);
	assert_int_equal(port_in(ATA_COMMAND_1 + ATA_STATUS, 1), GOOD);
	ata(ATA_COMMAND_1, ATA_WRITE, 9, 1);
	p = ram(DATA);
	memset(p, 0x5a, 512);
	string(false, DATA, 256);
	bench_disk_finish();
	assert_int_equal(port_in(ATA_COMMAND_1 + ATA_STATUS, 1), GOOD);
	assert_int_equal(bench_disk.data[9][511], 0x5a);
	finish();
}

/* Downwards, or with an address that wraps, it goes one by one. */
static void odd_strings(void **state)
{
	(void)state;
	start_with(false, "disk ide1.0,if=ide\n");
	ata(ATA_COMMAND_1, ATA_READ, 7, 1);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_DF);
	assert_int_equal(string(true, DATA + 510, 256), 2);
	assert_int_equal(*ram(DATA), 8);
	assert_int_equal(*bench_gpr(GPR_RDI), DATA - 2);
	finish();
}

static void data_by_dma(void **state)
{
	uint16_t master;

	(void)state;
	start_with(false, "disk ide1.0,if=ide\n");
	master = (uint16_t)vm->ide->pci.bar[4].at;
	assert_true(master >= 0xc000);
	memcpy(ram(TABLE), ((uint32_t[]){ DATA, BM_TABLE_END | 1024 }), 8);
	out_sized(master + BM_TABLE, 4, TABLE);
	out_sized(master + BM_COMMAND, 1, BM_TO_MEMORY | BM_START);
	ata(ATA_COMMAND_1, ATA_READ_DMA, 20, 2);
	assert_int_equal(port_in(master + BM_STATUS, 1), BM_INTERRUPT);
	assert_int_equal(*ram(DATA + 1023), 22);
	assert_true(vm->irqhub.levels & BIT(ATA_IRQ_1));
	/* A device's registers are no memory. */
	memcpy(ram(TABLE), ((uint32_t[]){ IOAPIC_BASE, BM_TABLE_END | 1024 }), 8);
	out_sized(master + BM_COMMAND, 1, 0);
	out_sized(master + BM_STATUS, 1, BM_INTERRUPT);
	out_sized(master + BM_COMMAND, 1, BM_TO_MEMORY | BM_START);
	ata(ATA_COMMAND_1, ATA_READ_DMA, 20, 2);
	assert_int_equal(port_in(master + BM_STATUS, 1), BM_FAILED);
	assert_false(said("has failed"));
	finish();
}

/* A firmware lets the controller decode ports; its channels do. */
static void decodes(void **state)
{
	(void)state;
	start_with(true, "disk ide1.0,if=ide\ncdrom ide1.0\n");
	assert_int_equal(vm->piix.pm.config[PCI_VENDOR], 0x86);
	assert_int_equal(port_in(ATA_CONTROL_1, 1), 0xff);
	out_sized(PCI_ADDRESS, 4, PCI_ADDRESS_ENABLE | PCI_DEVFN(1, 1) << 8 | PCI_COMMAND);
	out_sized(PCI_DATA, 2, PCI_COMMAND_IO);
	assert_int_equal(port_in(ATA_CONTROL_1, 1), GOOD);
	assert_int_equal(port_in(ATA_CONTROL_2, 1), 0);
	finish();
}

/* IP1. */
static void places(void **state)
{
	static struct vm_config vms[1];
	static const struct { const char *disks; unsigned at[4]; } cases[] = {
		{ "disk a,if=ide\ndisk b,if=ide\ndisk c,if=ide\ndisk d,if=ide\n", { 0, 1, 2, 3 } },
		{ "disk a,if=ide\ncdrom b\ndisk c,if=ide\ndisk d,if=ide\n", { 0, 2, 1, 3 } },
		{ "cdrom a\ncdrom b\ncdrom c\ncdrom d\n", { 2, 3, 0, 1 } },
		{ "cdrom a\ndisk b\ncdrom c\ndisk d,if=ide\n", { 2, 9, 3, 0 } },
	};
	char text[200], why[200];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t n = fmt(text, sizeof(text), "vm a\nkernel k\n%s", cases[i].disks);

		assert_int_equal(config_parse(text, n, vms, 1, why, sizeof(why)), 1);
		for (unsigned k = 0; k < 4; k++) {
			struct ide_place p = vm_ide_place(&vms[0], k);

			if (cases[i].at[k] < 4)
				assert_int_equal(2 * p.channel + p.unit, cases[i].at[k]);
		}
	}
}

static void boot_order(void **state)
{
	static const struct { const char *description, *order; } cases[] = {
		{ "", "" },
		{ "disk ide1.0,ro\n", "/pci@i0cf8/scsi@3/disk@0,0\n" },
		{ "cdrom ide1.0\ndisk ide1.0,ro,if=ide\n",
		  "/pci@i0cf8/ide@1,1/drive@0/disk@0\n/pci@i0cf8/ide@1,1/drive@1/disk@0\n" },
		{ "boot dc\ndisk ide1.0,ro\ncdrom ide1.0\n",
		  "/pci@i0cf8/ide@1,1/drive@1/disk@0\n/pci@i0cf8/scsi@3/disk@0,0\n" },
		{ "boot n\ncdrom ide1.0\n", "" },
	};
	char text[300], short_text[8];

	(void)state;
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		fmt(text, sizeof(text), "%s", cases[i].description);
		start_with(true, text);
		assert_int_equal(firmware_boot_order(vm, NULL, text, sizeof(text)), strlen(cases[i].order));
		assert_string_equal(text, cases[i].order);
		firmware_boot_order(vm, "/rom@x", text, sizeof(text));
		assert_memory_equal(text, "/rom@x\n", 7);
		assert_true(firmware_boot_order(vm, "/rom@xyz", short_text, sizeof(short_text)) < sizeof(short_text));
		finish();
	}
}

/* A request is under way when its virtual machine ends; nothing stays behind (finish() looks at the memory). */
static void the_end(void **state)
{
	(void)state;
	start_with(false, "disk ide1.0,if=ide\n");
	out_sized(ATA_COMMAND_1 + ATA_DEVICE, 1, ATA_DEVICE_LBA);
	out_sized(ATA_COMMAND_1 + ATA_COUNT, 1, 1);
	out_sized(ATA_COMMAND_1 + ATA_COMMAND, 1, ATA_READ);
	assert_true(bench_disk.busy);
	finish();
	bench_disk_finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_by_ports), cmocka_unit_test(odd_strings), cmocka_unit_test(data_by_dma),
		cmocka_unit_test(decodes), cmocka_unit_test(places), cmocka_unit_test(boot_order),
		cmocka_unit_test(the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
