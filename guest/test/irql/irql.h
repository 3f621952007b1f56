/* guest/test/irql/irql.h - a kernel that works as Windows XP does: it raises its level (the TPR) around everything that
 * interrupts of that level must not see, lowers it again, and has devices in every class of priority that interrupt it
 * meanwhile. It knows what it has sent and what may come when, and holds every interrupt against that.
 *
 * A level is a class of vectors, 0 to 15: the TPR's bits 7:4. Classes 0 and 1 have no interrupts.
 *
 * irql.c (levels, and what an interrupt is held against), irql-devices.c (who interrupts), irql-rounds.c (what the
 * kernel does at random), irql-exact.c (single cases, without other interrupts), irql-ways.c with irql-ways32.S and
 * irql-ways64.S (the instructions), irql-pages.c (mappings of the APIC's page), irql-moves.c (the page moved, and off),
 * irql-second.c with irql-second32.S and irql-second64.S (a second CPU, which does the same; both interrupt each
 * other), irql-bench.c, irql-main.c. irql32.c, irql32pae.c and irql64.c have each its paging: struct irql_guest. */
#ifndef VELLUM_GUEST_TEST_IRQL_H
#define VELLUM_GUEST_TEST_IRQL_H

#include "guest/test/base/apic.h"
#include "guest/test/base/pages.h"
#include "guest/test/irql/irql-kinds.h"

#define APIC_PAGE ((word)LAPIC_DEFAULT_BASE)
#define SPURIOUS_VECTOR 0xffu
#define ICR_SELF ICR_SHORTHAND(APIC_SELF)

/* Of each class there is a vector for each kind of source: bits 3:0. 0 is left out for the vector 0x80, which the
 * runtime has, and 15 for the spurious one. */
enum source { IPI_LOW = 1, PIT, RTC, TIMER, EDGE_LINE, LEVEL_LINE, REMOTE = 10, IPI_HIGH = 14 };
#define CLASS_FIRST 2u
#define CLASS_LAST 15u

struct tpr_way {
	const char *name;
	void (*code)(void);
	word kind;
};

/* ---- the guest ---- */

struct irql_guest {
	/* Turns paging on, with everything mapped to itself by large pages, and the pages at alias. */
	void (*page)(void);
	/* STI, or STI and a load of SS; MOV to CR8; an instruction that counts irql_steps. */
	void (*cr8_in_shadow)(uint8_t tpr, bool ss);
	/* n times: read, raise, read, lower. NULL, as the ones around it: there is no CR8. */
	void (*accesses_cr8)(unsigned n);
	void (*set_cr8)(uint8_t tpr);
	word alias; /* linear: where there are four pages of 4 KBytes */
};
extern const struct irql_guest guest;
extern unsigned access; /* WAY_MMIO, WAY_CR8 or WAY_MSR: how the TPR is accessed */
extern bool paging, native; /* native: there is no hypervisor */
/* Maps the pages alias + n * 4096, n 0 to 3, to gpa, with PTE_* flags; nothing is flushed. Given by the guest. */
void alias_set(unsigned n, word gpa, unsigned flags);
void guest_user_pages(void); /* the kernel's image becomes accessible to level 3 */

/* ---- checks ---- */

/* As CHECK; after some that do not hold the test ends. */
#define MUST(ok, ...) \
	do { \
		bool ok_ = (ok); \
		CHECK(ok_, __VA_ARGS__); \
		if (!ok_) \
			failed(); \
	} while (0)
void failed(void);
unsigned random_below(unsigned n);
void random_seed(unsigned seed);

/* ---- the local APIC ---- */

extern word apic_page; /* the linear address by which it is accessed */
uint32_t apic_get(unsigned reg); /* by MSR in x2APIC mode */
void apic_put(unsigned reg, uint32_t value);
void apic_on(void); /* software-enabled, as the kernel wants it */
static inline bool apic_bit(unsigned reg, unsigned v) { return apic_get(reg + v / 32 * 0x10) >> v % 32 & 1; }

/* ---- levels ---- */

extern volatile word mark; /* counted by the instruction behind each write of the TPR */

/* Reads the TPR by some instruction; what it holds is what the kernel wrote. */
uint8_t tpr_read(void);
/* Writes it by some instruction. With interrupts on, what may come after it has come when this returns, before the
 * instruction behind. */
void tpr_write(uint8_t value);
void tpr_write_by(const struct tpr_way *w, uint8_t value);
/* For who writes it by itself: before and behind the write. */
void tpr_begin(uint8_t value);
void tpr_end(uint8_t value);
uint8_t tpr_now(void);            /* what the kernel wrote last */
uint8_t tpr_kept(uint8_t value);  /* of a write, what the register keeps: CR8 has no bits 3:0 */
static inline void raise_to(unsigned level) { tpr_write((uint8_t)(level << 4)); }

/* "Lazy" levels: a raise is noted only, and done when an interrupt comes that it should have kept away. */
unsigned lazy_raise(unsigned level);
void lazy_lower(unsigned level);

bool interrupts_on(void);

/* ---- interrupts ---- */

/* A vector waits from when the kernel has sent it, or has armed what sends it, until its handler. */
void expect_interrupt(unsigned v, bool now); /* now: it is in the IRR; else it will be */
bool in_handler(void);
bool is_waiting(unsigned v);
bool anything_waits(void);
/* With interrupts on: what may come has come. */
void check_nothing_due(void);
void irql_init(void); /* the handlers */
void kernel_work(unsigned steps); /* what the kernel does meanwhile */
/* Level 0, and all that waits comes; counts of what was sent and what was taken agree. */
void drain(void);

extern bool quiet; /* handlers do nothing but the EOI */
/* With quiet: the last vector taken, and what `mark` and irql_steps were then. */
extern volatile unsigned last_vector;
extern volatile word last_mark, last_steps, irql_steps;
extern unsigned most_depth, taken[256];
/* Writes that lowered the TPR, those of them behind which interrupts came at once, and those behind which one would
 * have come but for IF. */
extern unsigned lowerings, lowerings_took, lowerings_held;

/* ---- devices ---- */

void devices_init(void);
void devices_place(void);   /* other classes; nothing may wait */
void devices_report(void);
void devices_run(bool on);  /* those that interrupt on their own: PIT and RTC */
void device_serve(unsigned v); /* from the handler of v, before the EOI */
extern bool have_lines;     /* there is a test device */
extern uint8_t vector_of[16]; /* of each source but IPIs, while it is placed */

void send_ipi(unsigned v);        /* to oneself; in the IRR, or taken, when this returns */
void arm_timer(unsigned counts);  /* the local APIC's, one-shot */
void pulse_line(void);            /* the edge-triggered line */
void assert_line(void);           /* the level-triggered line: its handler lowers it */

/* ---- the second CPU, where there is one ---- */

void second_start(void);
void second_play(bool on);   /* with interrupts off; off: it is quiet when this returns */
void second_send(void);      /* some interrupt to it */
void second_arrived(unsigned v); /* one of its own has come */
bool second_all_taken(void); /* all of them */
void second_report(void);

/* ---- what is tested ---- */

extern const struct tpr_way ways[], looks[]; /* of writes and of reads; the last has no name */
bool way_usable(const struct tpr_way *w);
void way_write(const struct tpr_way *w, uint8_t value, uint8_t old);
uint32_t way_read(const struct tpr_way *w, uint8_t expected);
const struct tpr_way *way_any(const struct tpr_way *list);

void test_ways(void);
void test_exact(void);
void test_pages(void);
void test_moves(void);
void test_rounds(unsigned rounds);
void bench(unsigned accesses);
/* All of it, or the benchmark, as the command line says. */
void irql_main(void);

#endif
