/* The APIC's page moved by IA32_APIC_BASE, over absent memory and over RAM, and back; the APIC off and on again. */
#include "guest/test/irql/irql.h"

static uint32_t memory[1024] __attribute__((aligned(4096)));

static void put_base(word gpa, uint64_t flags)
{
	wrmsr(MSR_APIC_BASE, gpa | flags | (rdmsr(MSR_APIC_BASE) & APIC_BASE_BSP));
}

/* At its present place it works, and the usual one is none of it. */
static void try_place(const char *where)
{
	volatile uint32_t *usual = (volatile uint32_t *)APIC_PAGE;

	for (unsigned c = CLASS_FIRST; c <= CLASS_LAST; c++) {
		unsigned v = c << 4 | IPI_LOW;

		tpr_write(0xf0);
		send_ipi(v);
		if (apic_page != APIC_PAGE)
			usual[APIC_TPR / 4] = 0x10;
		MUST(is_waiting(v) && tpr_read() == 0xf0, "%s: TPR is 0x%x", where, tpr_read());
		tpr_write((uint8_t)(c - 1) << 4);
		MUST(!is_waiting(v), "%s: vector 0x%x did not come", where, v);
	}
	tpr_write(0x60);
	if (apic_page != APIC_PAGE)
		MUST(usual[APIC_TPR / 4] != 0x60, "%s: the usual place is the APIC's too", where);
}

static void move_to(const char *where, word gpa)
{
	put_base(gpa, APIC_BASE_EN);
	apic_page = gpa;
	MUST((rdmsr(MSR_APIC_BASE) & ~0xfffull) == gpa, "IA32_APIC_BASE is 0x%lx",
	     (word)rdmsr(MSR_APIC_BASE));
	sti();
	try_place(where);
	cli();
}

static void test_moved(void)
{
	for (unsigned i = 0; i < 1024; i++)
		memory[i] = i;
	for (unsigned n = 0; n < 3; n++) {
		move_to("at the usual place", APIC_PAGE);
		move_to("over absent memory", 0xfee10000);
		move_to("over RAM", (word)memory);
		move_to("beside it", LAPIC_DEFAULT_BASE + 0x1000);
	}
	move_to("back", APIC_PAGE);
	for (unsigned i = 0; i < 1024; i++)
		if (((volatile uint32_t *)memory)[i] != i) {
			CHECK(false, "the RAM under the page is 0x%x at 0x%x", memory[i], i * 4);
			break;
		}
}

/* Off, it forgets everything, and its page is none. */
static void test_off(void)
{
	volatile uint32_t *page = (volatile uint32_t *)APIC_PAGE;
	uint32_t version = page[0x30 / 4];

	for (unsigned n = 0; n < 3; n++) {
		tpr_write(0x70);
		put_base(APIC_PAGE, 0);
		MUST(page[0x30 / 4] != version, "an APIC that is off reads as version 0x%x", version);
		MUST(!(cpuid_version().d & CPUID_1_EDX_APIC), "CPUID shows an APIC that is off");
		page[APIC_TPR / 4] = 0x50;
		MUST(page[APIC_TPR / 4] != 0x50, "an APIC that is off keeps a TPR");
		put_base(APIC_PAGE, APIC_BASE_EN);
		tpr_end(0);
		MUST(page[APIC_TPR / 4] == 0 && page[APIC_PPR / 4] == 0, "on again: TPR is 0x%x, PPR 0x%x",
		     page[APIC_TPR / 4], page[APIC_PPR / 4]);
		MUST(page[APIC_SVR / 4] == 0xff, "on again: SVR is 0x%x", page[APIC_SVR / 4]);
		apic_on();
		sti();
		try_place("on again");
		cli();
	}
}

/* In x2APIC mode the page is no APIC's. */
static void test_x2apic(void)
{
	volatile uint32_t *page = (volatile uint32_t *)APIC_PAGE;

	tpr_write(0x30);
	for (unsigned n = 0; n < 3; n++) {
		page[APIC_TPR / 4] = 0x50;
		MUST(page[APIC_TPR / 4] != 0x50 && page[APIC_TPR / 4] != 0x30, "in x2APIC mode the page has a TPR");
		MUST(tpr_read() == 0x30, "a write to the page: TPR is 0x%x", tpr_read());
	}
}

void test_moves(void)
{
	quiet = true;
	if (access == WAY_MMIO)
		test_moved();
	if (native) /* Bochs keeps an APIC off that was off, and has its page in x2APIC mode */
		print("%s: the APIC is not switched off\n", test_name);
	else if (access == WAY_MSR)
		test_x2apic();
	else
		test_off();
	devices_place();
	drain();
	quiet = false;
}
