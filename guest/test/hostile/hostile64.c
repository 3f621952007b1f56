/* guest/test/hostile/hostile64.c - the address space of the experiments, its descriptors, and the way back to a known
 * state (64 bits). The supervisor's code is mapped read-only, its variables writable; none of the pointers that
 * programs are given leads there. */
#include "guest/test/base/apic.h"
#include "guest/test/hostile/hostile64.h"

uint64_t gdt_page[GDT_COUNT] ALIGNED;
static uint64_t idt_page[PAGE_TABLE_ENTRIES] ALIGNED;
struct table_register hostile_gdtr = { sizeof(gdt_page) - 1, (word)gdt_page };
struct table_register hostile_idtr = { sizeof(idt_page) - 1, (word)idt_page };
static uint32_t tss_page[1024] ALIGNED;
/* The stack of all exceptions, and the NMI's. */
static uint8_t trap_stack[PAGE] ALIGNED, nmi_stack[PAGE] ALIGNED;
struct hostile_frame *frame = (struct hostile_frame *)(trap_stack + PAGE) - 1;

#define ALL_MODES (1u << MODE_K64 | 1u << MODE_K32 | 1u << MODE_K16 | USER_MODES)
#define USER_MODES (1u << MODE_U64 | 1u << MODE_U32 | 1u << MODE_U16)
#define KERNEL_MODES (1u << MODE_K64 | 1u << MODE_K32 | 1u << MODE_K16)

#define WITH_TABLES { PAGE_PT, PAGE_PT, PAGE_PD, PAGE_DATA, PAGE_DATA2, PAGE_STACK, PAGE_HOLE, PAGE_READONLY }
#define WITH_UPPER { PAGE_PT, PAGE_PD, PAGE_PDPT, PAGE_PML4, PAGE_DATA, PAGE_DATA2, PAGE_STACK, PAGE_READONLY }
const struct kind kinds[] = {
	{ "bytes", RAW_BYTES, ALL_MODES, true, 0, ORDINARY },
	{ "user", MAY_CR, USER_MODES, true, 3, ORDINARY },
	/* A program for 64 and 32 bits, run as one of 16, would load CR3 with half a value. */
	{ "kernel", MAY_CR, 1u << MODE_K64 | 1u << MODE_K32, true, 7, ORDINARY },
	{ "kernel16", 0, 1u << MODE_K16, true, 7, ORDINARY },
	{ "segments", MAY_SEGMENTS, ALL_MODES, true, 10, ORDINARY },
	{ "flags", MAY_FLAGS | MAY_DR, ALL_MODES, true, 4, ORDINARY },
	{ "events", MAY_GATES, ALL_MODES, true, 9, ORDINARY },
	{ "system", MAY_LOAD | MAY_GATES, 1u << MODE_K64 | 1u << MODE_K32, true, 9, WITH_SYSTEM },
	{ "tables", MAY_TABLES, ALL_MODES, true, 2, WITH_TABLES },
	/* Pointers of 32 bits lead through the supervisor's PML4 entry only. */
	{ "upper", MAY_TABLES | MAY_UPPER | MUST_DEFINE, 1u << MODE_K64 | 1u << MODE_U64, true, 2, WITH_UPPER },
	{ "maps", MAY_TABLES | MAY_DIFFER | MAY_STOP_WATCHDOG, ALL_MODES, false, 2, WITH_TABLES },
	{ "absent", MUST_DEFINE, ALL_MODES, true, 2, WITHOUT_MEMORY },
	{ "devices", MAY_DIFFER | MAY_STOP_WATCHDOG, ALL_MODES, false, 2, WITH_DEVICES },
	{ "msrs", MAY_MSR | MAY_DIFFER | MAY_STOP_WATCHDOG, KERNEL_MODES, false, 16, ORDINARY },
	{ "ports", MAY_PORTS | MAY_DIFFER | MAY_STOP_WATCHDOG, KERNEL_MODES, false, 16, ORDINARY },
	{ NULL, 0, 0, false, 0, { 0 } },
};

/* ---- descriptors ---- */

static uint64_t gdt_fixed(unsigned n)
{
	static const uint64_t low[] = {
		0,
		DESCRIPTOR_FLAT_CODE32,
		DESCRIPTOR_FLAT_DATA,
		DESCRIPTOR_FLAT_CODE64,
		DESCRIPTOR_FLAT_DATA | DESCRIPTOR_DPL3,
		DESCRIPTOR_FLAT_CODE32 | DESCRIPTOR_DPL3,
		DESCRIPTOR_FLAT_CODE64 | DESCRIPTOR_DPL3,
	};

	switch (n) {
	case 0 ... 6: return low[n];
	case 7: return descriptor_pack((word)tss_page, TSS_LIMIT_LEAST, SEGMENT_TSS_BUSY);
	case 9: return descriptor_pack(REGION, 0xffff, SEGMENT_CODE16);
	case 10: return descriptor_pack(REGION, 0xffff, SEGMENT_DATA16);
	case 11: return descriptor_pack(REGION, 0xffff, SEGMENT_CODE16 | SEGMENT_DPL);
	case 12: return descriptor_pack(REGION, 0xffff, SEGMENT_DATA16 | SEGMENT_DPL);
	case 13: return descriptor_pack(REGION + PAGE_DATA * PAGE, 0x3f, SEGMENT_LDT);
	case 15: return gate_pack(REGION, SELECTOR_CODE64, GATE_CALL | SEGMENT_DPL);
	case 17: return descriptor_pack(0, 0xffffffff, SEGMENT_FLAT_CODE32 | TYPE_CONFORMING);
	case 18: return descriptor_pack(0, 0xfff, SEGMENT_FLAT_DATA | TYPE_EXPAND_DOWN | SEGMENT_DPL);
	case 19: return (DESCRIPTOR_FLAT_DATA | DESCRIPTOR_DPL3) & ~DESCRIPTOR_P;
	case 20: return descriptor_pack(0, 0xffffffff, SEGMENT_FLAT_CODE64 | TYPE_CONFORMING);
	default: return 0;
	}
}

/* Anything but a TSS, which LTR and the next exception would take for the supervisor's. */
static uint64_t descriptor_any(struct experiment *x)
{
	uint64_t v = random_next(x);

	if (chance(x, 2))
		v = (v & 0x00ffff0000000000) | 0x000f00000000ffff;
	if ((access_system_type(descriptor_access(v)) & ~TYPE_BUSY) == TYPE_TSS32 ||
	    (access_system_type(descriptor_access(v)) & ~TYPE_BUSY) == TYPE_TSS16)
		v |= DESCRIPTOR_S;
	return v;
}

static void make_gdt(struct experiment *x)
{
	for (unsigned i = 0; i < GDT_COUNT; i++)
		put(&gdt_page[i], i > 20 && (x->kind->may & MAY_SEGMENTS) ? descriptor_any(x) : gdt_fixed(i));
}

static void set_gate(unsigned v, word at, unsigned selector, unsigned type, unsigned stack)
{
	put(&idt_page[2 * v], gate_pack(at, (uint16_t)selector, type) | (uint64_t)stack << GATE_IST_SHIFT);
	put(&idt_page[2 * v + 1], at >> 32);
}

static void make_gates(struct experiment *x)
{
	static const uint8_t types[8] = {
		GATE_INTERRUPT | SEGMENT_DPL,
		GATE_INTERRUPT | SEGMENT_DPL,
		GATE_TRAP | SEGMENT_DPL,
		GATE_INTERRUPT | SEGMENT_DPL,
		GATE_INTERRUPT,
		SEGMENT_DPL | TYPE_INTERRUPT_GATE32, /* not present */
		GATE_TASK | SEGMENT_DPL,
		SEGMENT_P | SEGMENT_DPL | TYPE_INTERRUPT_GATE16,
	};

	for (unsigned v = GATES_FIRST; v < GATES_FIRST + GATES; v++) {
		word at = chance(x, 2) ? (word)hostile_stubs + 16 * v
				       : REGION + CODE_START + SLOT * below(x, SLOTS) + SLOT / 2;

		set_gate(v, chance(x, 16) ? value_any(x) : at, chance(x, 6) ? 8 * below(x, 24) : SELECTOR_CODE64,
			 types[below(x, 8)], below(x, 8));
	}
}

/* The supervisor's, but for what its handlers do not need. */
void world_make_tss(struct experiment *x, void *at)
{
	uint32_t *to = at;

	for (unsigned i = 0; i < 26; i++)
		to[i] = tss_page[i];
	for (unsigned i = 1; i < 7; i++)
		to[i] = (uint32_t)pointer_any(x);
	for (unsigned i = 13; i < 23; i++)
		if (chance(x, 2))
			to[i] = (uint32_t)value_any(x);
	to[25] = (uint32_t)random_next(x);
}

static void set_stack(unsigned ist, uint64_t at)
{
	tss_page[7 + 2 * ist] = (uint32_t)at;
	tss_page[8 + 2 * ist] = (uint32_t)(at >> 32);
}

static void init_descriptors(void)
{
	static const uint8_t bad[] = { PAGE_HOLE, PAGE_READONLY, PAGE_PT, PAGE_VOID };

	for (unsigned i = 0; i < GDT_COUNT; i++)
		gdt_page[i] = gdt_fixed(i);
	gdt_page[7] &= ~DESCRIPTOR_BUSY; /* LTR wants it available */
	for (unsigned v = 0; v < 256; v++)
		set_gate(v, (word)hostile_stubs + 16 * v, SELECTOR_CODE64,
			 GATE_INTERRUPT | (program_may(v) ? SEGMENT_DPL : 0),
			 v == VECTOR_NMI ? 2 : 1);
	tss_page[1] = (uint32_t)(REGION + (PAGE_STACK + 1) * PAGE);
	set_stack(1, (word)trap_stack + PAGE);
	set_stack(2, (word)nmi_stack + PAGE);
	set_stack(3, 0x800000000800);
	for (unsigned i = 0; i < 4; i++)
		set_stack(4 + i, REGION + bad[i] * PAGE + 0x800 - 8 * i);
	tss_page[25] = 104u << 16;
	__asm__ volatile("lgdt %0; lidt %1; ltr %w2" : : "m"(hostile_gdtr), "m"(hostile_idtr), "r"(SELECTOR_TSS));
}

/* ---- registers ---- */

/* Both bases of GS, that of FS, LDTR, CR8, debug registers. */
static void restore_rest(const struct kind *k)
{
	word zero = 0, cr8;

	__asm__ volatile("mov %w1, %%fs; mov %w1, %%gs; swapgs; mov %w1, %%gs; lldt %w0"
			 : : "r"(zero), "r"(SELECTOR_DATA));
	__asm__ volatile("mov %%cr8, %0" : "=r"(cr8));
	if (cr8)
		__asm__ volatile("mov %0, %%cr8" : : "r"(zero));
	debug_restore(k);
}

/* What a program may have written, where programs may. */
void world_init_msrs(void)
{
	wrmsr(MSR_EFER, (rdmsr(MSR_EFER) & (EFER_LMA | EFER_LME | EFER_NXE)) | EFER_NXE | EFER_SCE);
	wrmsr(MSR_PAT, PAT_AFTER_RESET);
	wrmsr(MSR_TSC_DEADLINE, 0);
	sysenter_init();
	wrmsr(MSR_STAR, (uint64_t)SELECTOR_CODE64 << STAR_SYSCALL_SHIFT |
			(uint64_t)(SELECTOR_USER_DATA & ~SELECTOR_RPL) << STAR_SYSRET_SHIFT);
	wrmsr(MSR_LSTAR, (word)hostile_ud2);
	wrmsr(MSR_CSTAR, (word)hostile_ud2);
	wrmsr(MSR_FMASK, RFLAGS_TF | RFLAGS_IF | RFLAGS_DF);
}

/* ---- one start ---- */

static const struct { uint8_t code, stack, data; } selectors[MODES] = {
	[MODE_K64] = { SELECTOR_CODE64, SELECTOR_DATA, SELECTOR_DATA },
	[MODE_K32] = { SELECTOR_CODE32, SELECTOR_DATA, SELECTOR_DATA },
	[MODE_K16] = { SELECTOR_CODE16, SELECTOR_DATA16, SELECTOR_DATA16 },
	[MODE_U64] = { SELECTOR_USER_CODE64, SELECTOR_USER_DATA, SELECTOR_USER_DATA },
	[MODE_U32] = { SELECTOR_USER_CODE32, SELECTOR_USER_DATA, SELECTOR_USER_DATA },
	[MODE_U16] = { SELECTOR_USER_CODE16, SELECTOR_USER_DATA16, SELECTOR_USER_DATA16 },
};

void world_aim(struct experiment *x, unsigned mode, word ip, word sp, word flags)
{
	word base = MODE_IS_16(mode) ? 0 : REGION;

	(void)x;
	frame->ip = base + ip;
	frame->cs = selectors[mode].code;
	frame->flags = flags;
	frame->sp = base + sp;
	frame->ss = selectors[mode].stack;
	hostile_data_selector = selectors[mode].data;
}

void world_settle(void) {}

/* ---- all of it ---- */

void world_init(void)
{
	tables_init();
	init_descriptors();
	control_init(CR0_PG | CR0_WP | WORLD_CR0, CR4_PAE);
	world_init_msrs();
	watchdog_mask_interrupts();
	watchdog_init();
	memory_init();
	tables_flush(kinds);
}

void world_restore_tables(const struct kind *k)
{
	if (k->may & MAY_TABLES)
		tables_flush(k);
}

uint64_t world_seen(const struct kind *k, uint64_t h)
{
	if (k->may & MAY_LOAD)
		return system_settle(h);
	return k->may & MAY_UPPER ? upper_settle(h) : h;
}

static void choose_kind(const struct kind *k)
{
	world_entries = k->may & (MAY_LOAD | MAY_UPPER) ? PAGES_ALL : PAGES;
	own_value = k->may & MAY_LOAD ? system_pointer : k->may & MAY_UPPER ? upper_entry : NULL;
	own_pointer = k->may & MAY_UPPER ? upper_pointer : NULL;
}

void world_make(struct experiment *x)
{
	choose_kind(x->kind);
	control_restore(x->kind, true);
	restore_rest(x->kind);
	memory_make();
	make_gdt(x);
	tables_make(x);
	if (x->kind->may & MAY_GATES)
		make_gates(x);
	system_make(x);
	tables_flush(x->kind);
	watchdog_restore(x->kind);
}
