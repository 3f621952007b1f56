/* What a kernel may do to code that accesses the TPR, and to the local APIC, while that code may be patched: a part of
 * an instruction is changed, another page is mapped there, the mode and the place of the local APIC change; and stacks
 * that are not aligned. */
#include "guest/test/tpr/patch32.h"

#define ELSEWHERE 0xfee10000u
#define CROWD_AT 0x1000000u
#define CROWD 1024u /* pages */
#define TPR_AT (LAPIC_DEFAULT_BASE + APIC_TPR)

/* Where a PUSH reaches into it by two bytes from the page before. */
uint8_t across[2][4096] __attribute__((aligned(4096)));

static volatile uint8_t *byte_of(code_fn *fn, unsigned n) { return (volatile uint8_t *)((word)fn + page + n); }

/* A byte in the middle: of an address, then of an immediate. */
static void change_a_part(void)
{
	volatile uint8_t *address = byte_of(code_read, 1), *imm = byte_of(code_write_imm, 6);
	uint32_t version = apic_read(APIC_VERSION);

	for (unsigned n = 0; n < 6; n++) {
		run(code_write_ecx, 0x40 + n, 0);
		CHECK(run(code_read, 0, 0) == 0x40 + n, "before: 0x%x", run(code_read, 0, 0));
		*address = APIC_VERSION;
		CHECK(run(code_read, 0, 0) == version, "the version: 0x%x", run(code_read, 0, 0));
		*address = APIC_TPR;
		CHECK(run(code_read, 0, 0) == 0x40 + n, "the TPR again: 0x%x", run(code_read, 0, 0));
		run(code_write_imm, 0, 0);
		*imm = (uint8_t)(0x60 + n);
		run(code_write_imm, 0, 0);
		CHECK(tpr() == 0x60 + n, "another immediate: 0x%x", tpr());
		*imm = 0x50;
		run(code_write_imm, 0, 0);
		CHECK(tpr() == 0x50, "the immediate again: 0x%x", tpr());
	}
}

/* Another page at the place of the code, and the code at another place. */
static void remap(void)
{
	static uint8_t other[4096] __attribute__((aligned(4096)));
	word at = (word)patch_code + page, offset = (word)code_read - (word)patch_code;
	volatile uint32_t *entry = &pt_alone[at >> 12 & 1023];
	uint32_t mine;

	for (unsigned n = 0; n < sizeof(other); n++)
		other[n] = original[n];
	other[offset] = 0xb8; /* MOV of the address itself */
	paging_on();
	mine = *entry;
	for (unsigned n = 0; n < 6; n++) {
		run(code_write_ecx, 0x20 + n, ALONE);
		CHECK(run(code_read, 0, ALONE) == 0x20 + n, "before: 0x%x", tpr());
		*entry = (uint32_t)(word)other | PTE_W | PTE_P;
		invlpg((const void *)(ALONE + at));
		CHECK(run(code_read, 0, ALONE) == TPR_AT, "another page: 0x%x", run(code_read, 0, ALONE));
		run(code_write_ecx, 0x30 + n, ALONE);
		CHECK(tpr() == 0x30 + n && run(code_read, 0, 0) == 0x30 + n, "written by it: 0x%x", tpr());
		*entry = mine;
		invlpg((const void *)(ALONE + at));
	}
	all("mapped again", ALONE);
	paging_off();
}

/* x2APIC mode, off, on again, elsewhere, and back: the page is the local APIC's or not. */
static void change_mode(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	for (unsigned n = 0; n < 3; n++) {
		run(code_write_ecx, 0x20, 0);
		CHECK(run(code_read, 0, 0) == 0x20, "before: 0x%x", tpr());
		if (cpuid_version().c & CPUID_1_ECX_X2APIC) {
			wrmsr(MSR_APIC_BASE, base | APIC_BASE_EXTD);
			run(code_write_ecx, 0x50, 0);
			CHECK(rdmsr(MSR_X2APIC(APIC_TPR)) == 0x20, "x2APIC mode: 0x%x",
			      (uint32_t)rdmsr(MSR_X2APIC(APIC_TPR)));
			CHECK(run(code_read, 0, 0) != 0x20 && run(code_read, 0, 0) != 0x50, "the page is a TPR");
		}
		wrmsr(MSR_APIC_BASE, base & ~(uint64_t)APIC_BASE_EN);
		run(code_write_ecx, 0x50, 0);
		CHECK(run(code_read, 0, 0) != 0x50, "a local APIC that is off has a TPR");
		wrmsr(MSR_APIC_BASE, base);
		CHECK(run(code_read, 0, 0) == 0 && tpr() == 0, "on again: 0x%x", tpr());
		run(code_write_ecx, 0x30, 0);
		wrmsr(MSR_APIC_BASE, (base & 0xfff) | ELSEWHERE);
		run(code_write_ecx, 0x50, 0);
		CHECK(*(volatile uint32_t *)(word)(ELSEWHERE + APIC_TPR) == 0x30, "moved: 0x%x",
		      *(volatile uint32_t *)(word)(ELSEWHERE + APIC_TPR));
		CHECK(run(code_read, 0, 0) != 0x50 && run(code_read, 0, 0) != 0x30, "where it was is a TPR");
		wrmsr(MSR_APIC_BASE, base);
		CHECK(run(code_read, 0, 0) == 0x30, "back: 0x%x", tpr());
		all("back", 0);
	}
	apic_write(APIC_SVR, SVR_ENABLED | 0xff);
}

/* By an instruction that may be patched, and by one beside it that may not. */
static void push_anywhere(const char *when)
{
	code_fn *const pushes[] = { code_push_odd, code_push_odd_relative, code_push_across };

	for (uint32_t v = 0x10; v < 0x100; v += 15) {
		run(code_write_ecx, v, 0);
		for (unsigned n = 0; n < sizeof(pushes) / sizeof(pushes[0]); n++)
			CHECK(run(pushes[n], 0, 0) == v, "%s: push %u of 0x%x: 0x%x", when, n, v, run(pushes[n], 0, 0));
	}
	run(code_write_ecx, 0, 0);
}

/* More than a machine may give at a time: what is not used goes. */
static void crowd(void)
{
	volatile uint32_t *ram = (volatile uint32_t *)CROWD_AT;

	for (uint32_t n = 0; n < CROWD; n++)
		ram[n * 1024] = ~n;
	for (uint32_t n = 0; n < CROWD; n++)
		CHECK(ram[n * 1024] == ~n, "page %u holds 0x%x", n, ram[n * 1024]);
}

void test_hostile(void)
{
	page = 5 * 4096;
	push_anywhere("at first");
	push_anywhere("then");
	change_mode();
	push_anywhere("later");
	remap();
	page = 6 * 4096;
	all("before changes", 0);
	change_a_part();
	all("after changes", 0);
	push_anywhere("at last");
	page = 0;
	for (unsigned n = 0; n < 6; n++) {
		all("before it is crowded", 0);
		crowd();
		all("crowded", 0);
	}
}
