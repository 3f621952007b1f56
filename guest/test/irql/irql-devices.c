/* Who interrupts: the kernel itself by its ICR, the local APIC's timer, the interval timer and the clock through the
 * I/O APIC, and two lines of the test device, one edge-triggered, one level-triggered. With the parameter `extint` the
 * interval timer comes through the 8259 and LINT0, which no TPR holds back, nor what is in service. */
#include "guest/test/base/pc.h"
#include "guest/test/irql/irql.h"
#include "lib/cmos.h"

#define PIN_PIT 2u
#define PIN_RTC 8u
#define PIN_EDGE 20u
#define PIC_VECTOR 0x90u /* of no source: neither this one nor that of the 8259's spurious interrupts */
#define PIN_LEVEL 21u
#define ENTRY_LEVEL BIT(15)
#define ENTRY_MASKED BIT(16)

word apic_page = APIC_PAGE;
bool have_lines;
uint8_t vector_of[16];
static bool lingers; /* the level-triggered line stays up once more */
static bool legacy; /* the interval timer is the 8259's */
static unsigned legacy_taken;

/* ---- the local APIC ---- */

uint32_t apic_get(unsigned reg)
{
	return access == WAY_MSR ? (uint32_t)rdmsr(MSR_X2APIC(reg)) :
				   *(volatile uint32_t *)(apic_page + reg);
}

void apic_put(unsigned reg, uint32_t value)
{
	if (access == WAY_MSR)
		wrmsr(MSR_X2APIC(reg), value);
	else
		*(volatile uint32_t *)(apic_page + reg) = value;
}

void apic_on(void)
{
	apic_put(APIC_SVR, SVR_ENABLED | SPURIOUS_VECTOR);
	apic_put(APIC_LVT_LINT0, legacy ? ICR_DELIVERY(APIC_EXTINT) : LVT_MASKED);
	apic_put(APIC_LVT_LINT1, LVT_MASKED);
	apic_put(APIC_LVT_TIMER, LVT_MASKED);
	apic_put(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
}

static void write_icr(unsigned v)
{
	if (access == WAY_MSR && random_below(2))
		wrmsr(MSR_X2APIC_SELF_IPI, v);
	else
		apic_put(APIC_ICR, ICR_SELF | v);
}

/* What is let in comes right behind the write. */
static void sti_write_icr(unsigned v)
{
	uint32_t value = ICR_SELF | v;

	if (access == WAY_MSR)
		__asm__ volatile("sti; wrmsr" : : "c"(MSR_X2APIC_ICR), "a"(value), "d"(0) : "memory");
	else
		__asm__ volatile("sti; movl %0, %1"
				 :
				 : "r"(value), "m"(*(volatile uint32_t *)(apic_page + APIC_ICR))
				 : "memory");
}

void send_ipi(unsigned v)
{
	bool on = interrupts_on(), at_once = on && random_below(2);
	uint64_t end = rdtsc() + 1000000;

	check_nothing_due();
	cli();
	expect_interrupt(v, true);
	if (at_once) {
		sti_write_icr(v);
		check_nothing_due();
		return;
	}
	write_icr(v);
	while (!apic_bit(APIC_IRR, v) && rdtsc() < end)
		;
	MUST(apic_bit(APIC_IRR, v), "vector 0x%x is not in the IRR", v);
	if (on) {
		sti();
		__asm__ volatile("nop");
		check_nothing_due();
	}
}

void arm_timer(unsigned counts)
{
	unsigned v = vector_of[TIMER];
	bool on = interrupts_on();

	cli();
	if (!is_waiting(v)) {
		expect_interrupt(v, false);
		apic_put(APIC_TIMER_INITIAL, counts ? counts : 1);
	}
	if (on)
		sti();
}

/* ---- the lines ---- */

static void set_line(unsigned pin, bool level) { outl((uint16_t)(TESTDEV_LINE + pin), level); }

void pulse_line(void)
{
	unsigned v = vector_of[EDGE_LINE];
	bool on = interrupts_on();

	if (!have_lines)
		return;
	cli();
	expect_interrupt(v, true);
	set_line(PIN_EDGE, true);
	set_line(PIN_EDGE, false);
	MUST(apic_bit(APIC_IRR, v), "the edge of line %u did not come to the IRR", PIN_EDGE);
	if (on)
		sti();
}

void assert_line(void)
{
	unsigned v = vector_of[LEVEL_LINE];
	bool on = interrupts_on();

	if (!have_lines)
		return;
	cli();
	/* In service its EOI is to come. */
	if (!is_waiting(v) && !apic_bit(APIC_ISR, v)) {
		lingers = random_below(3) == 0;
		expect_interrupt(v, true);
		set_line(PIN_LEVEL, true);
		MUST(apic_bit(APIC_IRR, v), "line %u, asserted, did not come to the IRR", PIN_LEVEL);
	}
	if (on)
		sti();
}

static uint8_t cmos_read(uint8_t reg)
{
	outb(CMOS_INDEX, reg);
	return inb(CMOS_DATA);
}

static void cmos_write(uint8_t reg, uint8_t v)
{
	outb(CMOS_INDEX, reg);
	outb(CMOS_DATA, v);
}

void device_serve(unsigned v)
{
	switch (v & 15) {
	case RTC:
		cmos_read(0xc);
		break;
	case LEVEL_LINE:
		if (lingers) /* it interrupts again, after the EOI */
			expect_interrupt(v, false);
		else
			set_line(PIN_LEVEL, false);
		lingers = false;
		break;
	default:
		break;
	}
}

/* ---- the I/O APIC ---- */

static void route(unsigned pin, enum source s, uint32_t more)
{
	uint32_t id = access == WAY_MSR ? apic_get(APIC_ID) << 24 : apic_get(APIC_ID);

	ioapic_write(IOAPIC_INDEX_TABLE + 2 * pin + 1, id);
	ioapic_write(IOAPIC_INDEX_TABLE + 2 * pin, vector_of[s] | more);
}

void devices_run(bool on)
{
	if (legacy)
		pics_mask(on ? (uint8_t)~1u : PIC_ALL, PIC_ALL);
	route(PIN_PIT, PIT, on && !legacy ? 0 : ENTRY_MASKED);
	route(PIN_RTC, RTC, on ? 0 : ENTRY_MASKED);
	if (on)
		cmos_read(0xc);
}

void devices_place(void)
{
	for (enum source s = PIT; s <= LEVEL_LINE; s++)
		vector_of[s] = (uint8_t)((CLASS_FIRST + random_below(CLASS_LAST - CLASS_FIRST + 1)) << 4 | s);
	apic_put(APIC_LVT_TIMER, vector_of[TIMER]);
	if (have_lines) {
		route(PIN_EDGE, EDGE_LINE, 0);
		route(PIN_LEVEL, LEVEL_LINE, ENTRY_LEVEL);
	}
}

static void set_rates(void)
{
	uint64_t start = rdtsc();
	unsigned divisor;
	bool slow; /* the clock goes on while an access to the APIC is served, or both CPUs are */

	for (unsigned i = 0; i < 16; i++)
		apic_get(APIC_PPR);
	slow = rdtsc() - start > 16 * 200 || parameter("second");
	divisor = PIT_HZ / (slow ? 200 : 10000);
	pit_start(0, PIT_RATE, (uint16_t)divisor);
	cmos_write(RTC_A, RTC_A_DIVIDER_RUN | (slow ? 9 : 3)); /* 128 or 8192 a second */
	cmos_write(RTC_B, (uint8_t)((cmos_read(RTC_B) & ~(RTC_C_ALARM | RTC_C_UPDATE)) | RTC_C_PERIODIC));
}

static void from_8259(void)
{
	MUST(irq_vector == PIC_VECTOR, "the 8259 interrupts by vector 0x%x", irq_vector);
	legacy_taken++;
	pic_eoi();
}

void devices_report(void)
{
	if (legacy)
		CHECK(legacy_taken, "no interrupt of the 8259");
	if (legacy)
		print("%s: %u interrupts of the 8259\n", test_name, legacy_taken);
}

void devices_init(void)
{
	outb(TESTDEV_LATCH + 1, 0x5a);
	have_lines = inb(TESTDEV_LATCH + 1) == 0x5a;
	legacy = parameter("extint");
	pics_init(PIC_VECTOR);
	irq_hook[PIC_VECTOR] = from_8259;
	apic_on();
	devices_place();
	devices_run(false);
	set_rates();
}
