/* Mappings of the APIC's page: by a large page and by small ones, two at a time, read-only, and for level 3. */
#include "guest/test/irql/irql.h"

enum { PLAIN, READ_ONLY, USER, OTHER }; /* numbers of pages at guest.alias */
#define FLAGS (PTE_P | PTE_PCD | PTE_PWT)

static word at(unsigned page) { return guest.alias + page * 4096u; }
static void write_tpr_0(void *p) { *(volatile uint32_t *)((char *)p + APIC_TPR) = 0; }
static void write_tpr_20(void *p) { *(volatile uint32_t *)((char *)p + APIC_TPR) = 0x20; }
static void read_tpr(void *p) { (void)*(volatile uint32_t *)((char *)p + APIC_TPR); }
static uint32_t look_at(unsigned page) { return *(volatile uint32_t *)(at(page) + APIC_TPR); }

static void set(unsigned page, word gpa, unsigned flags)
{
	alias_set(page, gpa, flags);
	invlpg((void *)at(page));
}

static void faults(const char *what, void (*fn)(void *), unsigned page, bool user, uint32_t error)
{
	unsigned got = user ? trap_call_user(fn, (void *)at(page)) : trap_call(fn, (void *)at(page));

	MUST(got == TRAP(PF) && trap.error == error && trap.cr2 == at(page) + APIC_TPR,
	     "%s: trap %u, error 0x%x, CR2 0x%lx", what, got, trap.error, trap.cr2);
	MUST(tpr_read() == tpr_kept(tpr_now()), "%s: TPR is 0x%x, not 0x%x", what, tpr_read(), tpr_now());
}

/* One register through several mappings. */
static void test_aliases(void)
{
	sti();
	for (unsigned n = 0; n < 64; n++) {
		unsigned v = (CLASS_FIRST + n % 14) << 4 | IPI_LOW;

		apic_page = n % 2 ? at(PLAIN) : APIC_PAGE;
		tpr_write(0xf0 | (uint8_t)(n % 16));
		send_ipi(v);
		MUST(look_at(PLAIN) == tpr_now() && look_at(READ_ONLY) == tpr_now() && look_at(USER) == tpr_now(),
		     "TPR 0x%x reads 0x%x 0x%x 0x%x", tpr_now(), look_at(PLAIN), look_at(READ_ONLY), look_at(USER));
		apic_page = n % 3 ? APIC_PAGE : at(PLAIN);
		tpr_write(0);
		MUST(!is_waiting(v), "vector 0x%x did not come", v);
		apic_page = APIC_PAGE;
	}
	cli();
}

static void test_read_only(void)
{
	word cr0 = read_cr0();

	tpr_write(0x50);
	write_cr0(cr0 | CR0_WP);
	for (unsigned n = 0; n < 8; n++)
		faults("a write to a read-only page", write_tpr_20, READ_ONLY, false, 3);
	MUST(trap_call(read_tpr, (void *)at(READ_ONLY)) == NO_TRAP, "a read of a read-only page: trap %u", trap.vector);
	write_cr0(cr0 & ~CR0_WP);
	MUST(trap_call(write_tpr_20, (void *)at(READ_ONLY)) == NO_TRAP, "with CR0.WP = 0: trap %u", trap.vector);
	MUST(look_at(PLAIN) == 0x20, "with CR0.WP = 0: TPR is 0x%x", look_at(PLAIN));
	tpr_end(0x20);
	write_cr0(cr0);
}

static void test_user(void)
{
	unsigned v = 6 << 4 | IPI_LOW;

	guest_user_pages();
	tpr_write(0xf0);
	send_ipi(v);
	faults("a write by level 3", write_tpr_0, PLAIN, true, 7);
	faults("a read by level 3", read_tpr, PLAIN, true, 5);
	faults("a write by level 3 to a read-only page", write_tpr_0, READ_ONLY, true, 7);
	MUST(trap_call_user(read_tpr, (void *)at(USER)) == NO_TRAP, "a read by level 3: trap %u", trap.vector);
	MUST(trap_call_user(write_tpr_0, (void *)at(USER)) == NO_TRAP, "a write by level 3: trap %u", trap.vector);
	tpr_end(0);
	MUST(is_waiting(v), "vector 0x%x came with IF=0", v);
	sti();
	__asm__ volatile("nop; nop");
	MUST(!is_waiting(v), "vector 0x%x did not come", v);
	cli();
}

/* A page that was the APIC's is another now, and the other way round. */
static void test_remap(void)
{
	static uint32_t memory[1024] __attribute__((aligned(4096)));

	tpr_write(0x30);
	for (unsigned n = 0; n < 8; n++) {
		memory[APIC_TPR / 4] = 0x77;
		set(OTHER, (word)memory, PTE_P | PTE_W);
		MUST(look_at(OTHER) == 0x77, "memory reads 0x%x", look_at(OTHER));
		*(volatile uint32_t *)(at(OTHER) + APIC_TPR) = 0x88;
		MUST(tpr_read() == 0x30 && memory[APIC_TPR / 4] == 0x88, "memory holds 0x%x, TPR 0x%x",
		     memory[APIC_TPR / 4], tpr_read());
		set(OTHER, APIC_PAGE, FLAGS | PTE_W);
		MUST(look_at(OTHER) == 0x30, "the APIC's page reads 0x%x", look_at(OTHER));
	}
	set(OTHER, 0, 0);
	faults("a page that is not there", write_tpr_0, OTHER, false, 2);
}

void test_pages(void)
{
	if (!paging || access != WAY_MMIO)
		return;
	quiet = true;
	set(PLAIN, APIC_PAGE, FLAGS | PTE_W);
	set(READ_ONLY, APIC_PAGE, FLAGS);
	set(USER, APIC_PAGE, FLAGS | PTE_W | PTE_U);
	test_aliases();
	test_read_only();
	test_user();
	test_remap();
	drain();
	quiet = false;
}
