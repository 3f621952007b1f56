/* guest/test/hostile/hostile.h - a guest that does its worst, and can do it again: experiments from a seed.
 *
 * An experiment is a program of random instructions in an address space of its own (the region), at any privilege level
 * and operand size. Its instructions lie in slots. What faults is noted, and the next slot is started with new
 * registers. The supervisor - all that is not the experiment - lives in the same address space, so that neither way
 * needs another CR3.
 *
 * HG1  An experiment depends on seed, kind and number alone: memory, tables, descriptors and registers are made anew
 *      before it.
 * HG2  An experiment ends: after its last slot. A start ends by the watchdog, an NMI that the interval timer sends
 *      through the I/O APIC whatever IF is; the world is made anew behind it.
 * HG3  Where the machine is the same, so is the digest of what was seen: vectors, error codes, addresses, registers,
 *      memory, A and D flags. Kinds that reach what differs between a virtual and a bare machine (devices, MSRs, CPUID)
 *      have no digest.
 * HG4  What is counted was executed: an instruction is counted where the TSC counts instructions, else a start is one.
 *      */
#ifndef VELLUM_GUEST_TEST_HOSTILE_H
#define VELLUM_GUEST_TEST_HOSTILE_H

#include "guest/test/base/rt.h"
#include "guest/test/hostile/hostile32-real.h"

/* The tests' own segments of 16 bits, of level 0 and of level 3. */
#define SELECTOR_CODE16 0x48
#define SELECTOR_DATA16 0x50
#define SELECTOR_USER_CODE16 0x5b
#define SELECTOR_USER_DATA16 0x63

#define PAGE 4096u
#define ALIGNED __attribute__((aligned(4096)))
#define SLOTS 192u
#define SLOT 32u
/* The program lies across a page's end. */
#define CODE_START (PAGE - SLOTS / 2 * SLOT - 16)

/* What the width of a register decides. */
#ifdef __x86_64__
#define REGION 0x40000000ul
#define REGISTERS 15u
struct hostile_frame {
	word r15, r14, r13, r12, r11, r10, r9, r8, di, si, bp, bx, dx, cx, ax;
	word vector, error, ip, cs, flags, sp, ss;
};
#else
#define REGION ((word)REGION_LOW)
#define REGISTERS 8u
struct hostile_frame {
	word di, si, bp, unused, bx, dx, cx, ax;
	word vector, error, ip, cs, flags, sp, ss, es, ds, fs, gs;
};
#endif

/* The pages of the region, in order. A 16-bit segment reaches all of them. */
enum page {
	PAGE_CODE, PAGE_CODE2, PAGE_DATA, PAGE_DATA2, PAGE_STACK, PAGE_READONLY, PAGE_HOLE, PAGE_NX, PAGE_SUPERVISOR,
	PAGE_PT, PAGE_PD, PAGE_VOID, PAGE_LAPIC, PAGE_IOAPIC, PAGE_VGA, PAGE_LAST, PAGES,
	/* What few kinds have: the page of MAY_LOAD, where a 16-bit segment reaches it, and again; the tables of
	 * MAY_UPPER, with nothing between them. */
	PAGE_SYSTEM = PAGE_LAST, PAGE_SYSTEM_READONLY = PAGES, PAGE_HOLE2, PAGE_PDPT, PAGE_HOLE3, PAGE_PML4, PAGES_ALL
};
#define PAGES_RAM (PAGE_STACK + 1)

/* Privilege level and code segment that a slot is started with. */
enum mode { MODE_K64, MODE_K32, MODE_K16, MODE_U64, MODE_U32, MODE_U16, MODE_V86, MODE_REAL, MODES };
#define MODE_IS_64(m) ((m) == MODE_K64 || (m) == MODE_U64)
#define MODE_IS_16(m) ((m) == MODE_K16 || (m) >= MODE_U16)

/* What an experiment may do. */
#define MAY_CR 0x1u       /* MOV to control registers */
#define MAY_DR 0x2u
#define MAY_MSR 0x4u
#define MAY_PORTS 0x8u
#define MAY_DIFFER 0x10u  /* instructions whose results differ between machines */
#define MAY_TABLES 0x20u  /* its own page tables */
#define MAY_SEGMENTS 0x40u
#define MAY_FLAGS 0x80u   /* TF, NT, RF, AC */
#define MAY_GATES 0x100u
#define MAY_END 0x200u    /* what ends the machine */
#define RAW_BYTES 0x400u
#define MAY_STOP_WATCHDOG 0x800u
#define MAY_TASKS 0x1000u
#define MUST_DEFINE 0x2000u  /* nothing that leaves flags undefined: on absent memory they would be the emulator's */

#define MAY_LOAD 0x4000u     /* GDTR, IDTR, LDTR, TR */
#define MAY_UPPER 0x8000u    /* MAY_TABLES, and the tables above */

/* The vectors whose gates are random where MAY_GATES. */
#define GATES_FIRST 0x60u
#define GATES 32u

struct kind {
	const char *name;
	unsigned may;
	unsigned modes;        /* a bit each */
	bool digest;
	uint8_t system_of_16;  /* of 16 instructions, how many come from the list of system instructions */
	uint8_t pages[8];      /* where pointers point; ends with 0 */
};

/* Do its pointers point to such pages? */
static inline bool reaches(const struct kind *k, enum page page)
{
	for (unsigned i = 0; i < sizeof(k->pages); i++)
		if (k->pages[i] == page)
			return true;
	return false;
}

/* Where pointers point, for kinds of both widths. */
#define ORDINARY { PAGE_DATA, PAGE_DATA, PAGE_DATA2, PAGE_STACK, PAGE_READONLY, PAGE_HOLE, PAGE_NX, PAGE_SUPERVISOR }
#define WITH_SYSTEM \
	{ \
		PAGE_DATA, PAGE_SYSTEM, PAGE_DATA2, PAGE_STACK, PAGE_READONLY, PAGE_HOLE, PAGE_NX, \
			PAGE_SYSTEM_READONLY \
	}
#define WITHOUT_MEMORY { PAGE_VOID, PAGE_VOID, PAGE_VOID, PAGE_DATA, PAGE_STACK }
#define WITH_DEVICES { PAGE_LAPIC, PAGE_IOAPIC, PAGE_VGA, PAGE_LAST, PAGE_VOID, PAGE_DATA, PAGE_STACK }

extern char data_start[];
/* Of the kernel's own pages all can be written but its code, and tables that are the same for each experiment. */
static inline bool page_writable(word at, const void *tables, size_t bytes)
{
	return at + PAGE > (word)data_start && !(at >= (word)tables && at < (word)tables + bytes);
}

#define POOL 64u
struct experiment {
	const struct kind *kind;
	uint64_t number, random;
	bool loads_cr;
	uint8_t mode[SLOTS];
	bool has_ax[SLOTS];  /* the slot wants this in RAX, and is to be alone */
	word ax[SLOTS];
	word pool[POOL];     /* what registers are filled from */
};

uint64_t random_next(struct experiment *x);
static inline unsigned below(struct experiment *x, unsigned n) { return (unsigned)(random_next(x) >> 33) % n; }
/* Once in n times. */
static inline bool chance(struct experiment *x, unsigned n) { return below(x, n) == 0; }

/* ---- hostile-code.c: programs ---- */
void code_make(struct experiment *x, uint8_t *place);
/* One that the kind has. */
void choose_mode(struct experiment *x, unsigned slot);

/* ---- hostile-operands.c ---- */
/* A value that an instruction may do something with: mostly a pointer into the region. */
word value_any(struct experiment *x);
word pointer_any(struct experiment *x);
/* Where a kind has its own. */
extern word (*own_pointer)(struct experiment *x), (*own_value)(struct experiment *x);
/* A port or a model-specific register that may be tried. */
word port_any(struct experiment *x);
word msr_any(struct experiment *x);

/* ---- hostile-system.c: what MAY_LOAD adds ---- */
#define GDT_COUNT 64u
struct table_register { uint16_t limit; word base; } __attribute__((packed));
extern struct table_register hostile_gdtr, hostile_idtr;
/* Does the gate of v serve INT n, INT3, INTO of programs, or exceptions only? */
static inline bool program_may(unsigned v) { return v == VECTOR_BP || v == VECTOR_OF || v >= VECTOR_FIRST_INTERRUPT; }
extern uint64_t gdt_page[GDT_COUNT];
/* Behind an exception the supervisor loads its own tables and TR again. */
extern uint8_t hostile_loads_tables;
/* Where the supervisor reaches PAGE_SYSTEM. */
extern void *system_memory;
/* Fills that page and the end of the supervisor's GDT, and chooses the mode of all slots. */
void system_make(struct experiment *x);
/* Adds what a start changed there to h, and undoes it. */
uint64_t system_settle(uint64_t h);
/* An instruction, at most 16 bytes; its length. */
unsigned system_instruction(struct experiment *x, unsigned mode, uint8_t *at);
/* An address in that page that instructions can use. */
word system_pointer(struct experiment *x);

/* ---- hostile-memory.c: what both widths have: memory, floating point, watchdog ---- */
void memory_init(void);
void memory_make(void);
uint64_t memory_digest(uint64_t h);
/* Adds the words of seen that are not as they were to h, and makes them so. */
uint64_t undo(uint64_t h, uint64_t *seen, const uint64_t *was, unsigned n);
/* The region's entry, but for its tables: what it is mapped to, and with which rights. system is where PAGE_SYSTEM is,
 * nx what PAGE_NX has. */
uint64_t region_entry(const struct kind *k, enum page page, word system, uint64_t nx);
/* The debug registers as they were; where SYSENTER leads, and with which stack. */
void debug_restore(const struct kind *k);
void sysenter_init(void);
/* CR0 of both, beside paging and what it protects; what programs may change of CR4. */
#define WORLD_CR0 (CR0_NE | CR0_ET | CR0_MP | CR0_PE)
#define WORLD_CR4_MAY \
	(CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT)
/* CR0, CR4 and XCR0 as they were; the rest of the extended state too if all. */
void control_init(word cr0, word cr4);
void control_restore(const struct kind *k, bool all);
void watchdog_init(void);
void watchdog_mask_interrupts(void);
void watchdog_wind(void);
/* All of it again, if an experiment of that kind can have reached its devices. */
void watchdog_restore(const struct kind *k);
/* After each start: all that was changed and the next start needs. */
void world_restore(const struct kind *k);
/* Where the supervisor reaches the region's memory, and where it lies. */
extern uint8_t (*region_memory)[PAGE];
extern word region_physical, region_alias;
extern word world_cr0, world_cr0_may, world_cr4, world_cr4_may;
extern volatile uint8_t nmi_seen;

/* ---- hostile64.c, hostile32.c: address space, descriptors, and the way back to a known state ---- */
extern const struct kind kinds[];
void world_init(void);
void world_make(struct experiment *x);
/* For world_restore: the MSRs that programs may have written; what a TLB holds that the tables no longer say. */
void world_init_msrs(void);
void world_restore_tables(const struct kind *k);
/* Right behind a start: completes frame. */
void world_settle(void);
/* The region's entry of the page table; has it, or another entry for the same memory, been written through? */
uint64_t world_entry(unsigned page);
bool world_dirty(unsigned page);
/* How many entries of it a digest covers. */
extern unsigned world_entries;
/* Behind a start: h, with what it changed of what is made anew behind each. */
uint64_t world_seen(const struct kind *k, uint64_t h);
/* A TSS that may be loaded: its 104 bytes. */
void world_make_tss(struct experiment *x, void *at);
/* Fills in the frame behind the registers. sp is an offset into the region. */
void world_aim(struct experiment *x, unsigned mode, word ip, word sp, word flags);
/* How many pages of the region are memory of its own. */
extern unsigned region_pages;
extern struct hostile_frame *frame;

/* ---- hostile64-entry.S, hostile32-entry.S ---- */
extern char hostile_stubs[], hostile_ud2[];
/* Starts frame; back at the next exception, or at the watchdog's NMI (vector 2). */
void hostile_run(void);
extern uint16_t hostile_data_selector;
/* The TSC's low half, just before the start and just behind its end. */
extern uint32_t hostile_begin, hostile_end;

/* Mixes v into h. */
static inline uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

#endif
