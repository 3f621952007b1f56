/* Code that accesses the TPR, as a hypervisor may patch it: what it must not notice of that. It looks at its own code,
 * changes it, runs it in address spaces that map other things, and writes to where the hypervisor keeps its bytes.
 * With `patched` on the command line it expects that the hypervisor patches; with `shown` as well, that its own code
 * may look patched to it. */
#include "guest/test/base/pc.h"
#include "guest/test/tpr/patch32.h"

const char test_name[] = "patch32";

#define VECTOR 0x61u
#define ROM 0xc8000u
#define ROM_DATA 0xc9000u
#define HIGH 0x80000000u /* low memory once more */

static uint32_t pd[2][1024] __attribute__((aligned(4096))), pt[2][1024] __attribute__((aligned(4096)));
uint32_t pt_alone[1024] __attribute__((aligned(4096)));
uint8_t original[4096];
static bool patched;
word page;

/* ---- running it ---- */

static struct {
	word at;
	uint32_t value, result;
} call;

static void call_it(void *unused)
{
	(void)unused;
	__asm__ volatile("call *%2"
			 : "=a"(call.result)
			 : "a"(call.value), "m"(call.at), "c"(call.value)
			 : "memory", "cc");
}

uint32_t run(code_fn *fn, uint32_t value, word beside)
{
	unsigned got;

	call.at = (word)fn + page + beside;
	call.value = value;
	got = trap_call(call_it, NULL);
	CHECK(got == NO_TRAP, "at 0x%lx: trap %u, error 0x%x, CR2 0x%lx, at 0x%lx", call.at, got, trap.error, trap.cr2,
	      trap.ip);
	return call.result;
}

uint32_t tpr(void) { return *(volatile uint32_t *)((word)LAPIC_DEFAULT_BASE + APIC_TPR); }

void all(const char *where, word beside)
{
	code_fn *const reads[] = { code_read, code_read_ecx, code_push, code_relative };

	for (uint32_t v = 0; v < 256; v += 15) {
		run(code_write_eax, v, beside);
		CHECK(tpr() == v, "%s: EAX 0x%x written: 0x%x", where, v, tpr());
		for (unsigned n = 0; n < 4; n++)
			CHECK(run(reads[n], 0, beside) == v, "%s: read %u of 0x%x: 0x%x", where, n, v, call.result);
		run(code_or, 0x1234500 | (v >> 4), beside);
		CHECK(tpr() == (v | v >> 4), "%s: OR: 0x%x", where, tpr());
		run(code_and, 0, beside);
		CHECK(tpr() == ((v | v >> 4) & 0x70), "%s: AND: 0x%x", where, tpr());
		run(code_write_imm, 0, beside);
		CHECK(tpr() == 0x50, "%s: immediate: 0x%x", where, tpr());
		run(code_write_ecx, v | 0xffffff00, beside);
		CHECK(tpr() == v, "%s: ECX 0x%x written: 0x%x", where, v, tpr());
	}
	run(code_write_ecx, 0, beside);
}

/* ---- its own code ---- */

static void look_at_itself(void)
{
	unsigned differ = 0;

	for (unsigned n = 0; n < (unsigned)(code_end - patch_code); n++)
		differ += ((volatile uint8_t *)patch_code)[page + n] != original[n];
	CHECK(!differ || parameter("shown"), "%u bytes of the code look changed", differ);
	print("%s: %u bytes look changed\n", test_name, differ);
}

/* As a kernel that patches itself. */
static void change_itself(void)
{
	volatile uint8_t *at = (volatile uint8_t *)((word)code_read + page);

	for (unsigned n = 0; n < 8; n++) {
		run(code_write_ecx, 0x30 + n, 0);
		CHECK(run(code_read, 0, 0) == 0x30 + n, "before: 0x%x", call.result);
		*at = 0xb8; /* MOV of the address itself */
		CHECK(run(code_read, 0, 0) == LAPIC_DEFAULT_BASE + APIC_TPR, "changed: 0x%x", call.result);
		*at = 0xa1;
		CHECK(run(code_read, 0, 0) == 0x30 + n, "changed back: 0x%x", call.result);
		for (unsigned i = 0; i < (unsigned)(code_end - patch_code); i++)
			if (((volatile uint8_t *)patch_code)[page + i] != original[i] && !parameter("shown"))
				CHECK(false, "byte %u is 0x%x", i, patch_code[page + i]);
	}
}

/* ---- address spaces ---- */

static void map_low(unsigned space)
{
	for (uint32_t i = 0; i < 1024; i++) {
		pt[space][i] = i << 12 | PTE_W | PTE_P;
		pd[space][i] = i << 22 | PTE_PS | PTE_W | PTE_P;
	}
	pd[space][0] = (uint32_t)pt[space] | PTE_W | PTE_P;
	pd[space][HIGH >> 22] = (uint32_t)pt[space] | PTE_W | PTE_P;
	pd[space][ALONE >> 22] = (uint32_t)pt_alone | PTE_W | PTE_P;
	for (word at = (word)patch_code; at < (word)patch_code + CODE_PAGES * 4096; at += 4096)
		pt_alone[at >> 12 & 1023] = (uint32_t)at | PTE_W | PTE_P;
}

static void set_rom(unsigned code, unsigned data)
{
	pt[1][ROM >> 12] = code ? ROM | code : 0;
	pt[1][ROM_DATA >> 12] = data ? ROM_DATA | data : 0;
}

static void in_the_other(const char *where)
{
	write_cr3((word)pd[1]);
	all(where, 0);
	write_cr3((word)pd[0]);
	all("back", 0);
}

void paging_on(void)
{
	map_low(0);
	map_low(1);
	write_cr4(read_cr4() | CR4_PSE);
	write_cr3((word)pd[0]);
	write_cr0(read_cr0() | CR0_PG | CR0_WP);
}

void paging_off(void) { write_cr0(read_cr0() & ~(CR0_PG | CR0_WP)); }

static void test_spaces(void)
{
	paging_on();
	all("with paging", 0);
	all("low memory once more", HIGH);
	page += 4096;
	all("where it is patched", 0);
	all("the page alone", ALONE);
	page -= 4096;
	in_the_other("another space");
	set_rom(0, 0);
	in_the_other("without the ROM");
	set_rom(PTE_P, PTE_P);
	in_the_other("its data read-only");
	set_rom(PTE_P | PTE_W, 0);
	in_the_other("without its data");
	set_rom(PTE_P | PTE_W, PTE_P | PTE_W);
	paging_off();
	all("without paging again", 0);
}

/* ---- hostile ---- */

static void test_bytes(void)
{
	volatile uint32_t *data = (volatile uint32_t *)ROM_DATA;
	volatile uint8_t *rom = (volatile uint8_t *)ROM;
	uint8_t sum = 0;

	if (!patched)
		return;
	for (unsigned n = 0; n < rom[2] * 512u; n++)
		sum = (uint8_t)(sum + rom[n]);
	CHECK(rom[0] == 0x55 && rom[1] == 0xaa && sum == 0, "no option ROM: 0x%x 0x%x, sum 0x%x", rom[0], rom[1], sum);
	for (unsigned n = 0; n < 64; n++) {
		data[APIC_TPR / 4] = n * 0x01234567u;
		CHECK(run(code_relative, 0, 0) == (n * 0x01234567u & 0xff), "0x%x stored: the TPR is 0x%x",
		      n * 0x01234567u, call.result);
		data[0x90 / 4] = n * 0x89abcdefu;
		run(code_write_ecx, n, 0);
		CHECK((run(code_relative, 0, 0) & 0xff) == n, "0x%x written: 0x%x", n, call.result);
	}
	for (unsigned n = 0; n < 1024; n++)
		data[n] = 0xffffffff;
	CHECK(run(code_relative, 0, 0) == 0xff, "all ones: 0x%x", call.result);
	for (unsigned n = 0; n < 1024; n++)
		data[n] = 0;
	all("after that", 0);
}

/* ---- interrupts ---- */

static void end_of_interrupt(void) { apic_write(APIC_EOI, 0); }

static void lets_in(const char *how, code_fn *fn, uint32_t high, uint32_t value)
{
	unsigned before = irq_count[VECTOR];

	cli();
	run(code_write_ecx, high, 0);
	apic_write(APIC_ICR, ICR_SHORTHAND(APIC_SELF) | VECTOR);
	__asm__ volatile("sti; nop; nop");
	CHECK(irq_count[VECTOR] == before, "%s: it came at 0x%x", how, high);
	run(fn, value, 0);
	CHECK(irq_count[VECTOR] == before + 1, "%s: it did not come", how);
	cli();
}

static void test_interrupts(void)
{
	irq_hook[VECTOR] = end_of_interrupt;
	pics_mask(PIC_ALL, PIC_ALL);
	apic_write(APIC_SVR, SVR_ENABLED | 0xff);
	for (unsigned n = 0; n < 100; n++) {
		lets_in("MOV of ECX", code_write_ecx, 0x60 + n % 16, n % 0x60);
		lets_in("MOV of EAX", code_write_eax, 0xff, n % 0x60);
		lets_in("MOV of an immediate", code_write_imm, 0x80, 0);
		lets_in("AND", code_and, 0x8f, 0);
	}
	run(code_write_ecx, 0, 0);
}

/* No interrupt comes between an STI and what raises the priority behind it, whether that was reached without the STI
 * before or not. */
static void test_shadow(void)
{
	unsigned before = irq_count[VECTOR];

	for (unsigned n = 0; n < 50; n++) {
		cli();
		run(code_write_ecx, 0, 0);
		apic_write(APIC_ICR, ICR_SHORTHAND(APIC_SELF) | VECTOR);
		run(code_behind_sti, 0xf0, 0);
		run(code_write_ecx, 0, 0);
		run(code_sti, 0xf0, 0);
		CHECK(irq_count[VECTOR] == before + n, "an interrupt came behind STI");
		run(code_write_ecx, 0, 0);
		sti_nop_cli();
		CHECK(irq_count[VECTOR] == before + n + 1, "none came in the end");
	}
}

static void try_vmresume(void *unused)
{
	(void)unused;
	__asm__ volatile("vmresume" : : : "cc");
}

void test_main(void)
{
	patched = parameter("patched");
	for (unsigned n = 0; n < (unsigned)(code_end - patch_code); n++)
		original[n] = patch_code[n];
	all("at first", 0);
	all("once more", 0);
	look_at_itself();
	test_interrupts();
	test_shadow();
	CHECK(trap_call(try_vmresume, NULL) == TRAP(UD), "VMRESUME is an instruction here");
	page = 4096;
	change_itself();
	all("after changes", 0);
	page = 2 * 4096;
	test_bytes();
	page = 3 * 4096;
	test_spaces();
	test_hostile();
	page = 0;
	all("at last", 0);
	look_at_itself();
}
