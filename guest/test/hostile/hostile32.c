/* guest/test/hostile/hostile32.c - experiments of 32 bits: kinds, starts, and the way back to a known state.
 * paging=none, legacy or pae on the command line; without, all of it is without paging. */
#include "guest/test/base/apic.h"
#include "guest/test/hostile/hostile32.h"

#define USER_MODES (1u << MODE_U32 | 1u << MODE_U16 | 1u << MODE_V86)
#define KERNEL_MODES (1u << MODE_K32 | 1u << MODE_K16)
#define ALL_MODES (KERNEL_MODES | USER_MODES)

#define WITH_TABLES { PAGE_PT, PAGE_PT, PAGE_PT, PAGE_DATA, PAGE_DATA2, PAGE_STACK, PAGE_HOLE, PAGE_READONLY }
const struct kind kinds[] = {
	{ "bytes", RAW_BYTES, ALL_MODES, true, 0, ORDINARY },
	{ "user", MAY_CR, USER_MODES, true, 3, ORDINARY },
	{ "v86", 0, 1u << MODE_V86, true, 5, ORDINARY },
	{ "kernel", MAY_CR, 1u << MODE_K32, true, 7, ORDINARY },
	{ "kernel16", 0, 1u << MODE_K16, true, 7, ORDINARY },
	{ "segments", MAY_SEGMENTS, ALL_MODES, true, 10, ORDINARY },
	{ "flags", MAY_FLAGS | MAY_DR, ALL_MODES, true, 4, ORDINARY },
	{ "events", MAY_GATES, ALL_MODES, true, 9, ORDINARY },
	{ "tasks", MAY_TASKS | MAY_GATES | MAY_FLAGS, ALL_MODES, true, 9, ORDINARY },
	{ "system", MAY_LOAD | MAY_GATES, KERNEL_MODES, true, 9, WITH_SYSTEM },
	{ "tables", MAY_TABLES, ALL_MODES, true, 2, WITH_TABLES },
	{ "maps", MAY_TABLES | MAY_DIFFER | MAY_STOP_WATCHDOG, ALL_MODES, false, 2, WITH_TABLES },
	{ "absent", MUST_DEFINE, ALL_MODES, true, 2, WITHOUT_MEMORY },
	{ "devices", MAY_DIFFER | MAY_STOP_WATCHDOG, ALL_MODES, false, 2, WITH_DEVICES },
	{ "msrs", MAY_MSR | MAY_DIFFER | MAY_STOP_WATCHDOG, KERNEL_MODES, false, 16, ORDINARY },
	{ "ports", MAY_PORTS | MAY_DIFFER | MAY_STOP_WATCHDOG, KERNEL_MODES, false, 16, ORDINARY },
	{ "real", 0, 1u << MODE_REAL, false, 6, ORDINARY },
	{ NULL, 0, 0, false, 0, { 0 } },
};

struct hostile_frame *frame = &hostile_frame;

/* ---- one start ---- */

static const struct { uint8_t code, stack, data; } selectors[MODES] = {
	[MODE_K32] = { CODE, DATA, DATA }, [MODE_K16] = { SELECTOR_CODE16, SELECTOR_DATA16, SELECTOR_DATA16 },
	[MODE_U32] = { SELECTOR_USER_CODE32, SELECTOR_USER_DATA, SELECTOR_USER_DATA },
	[MODE_U16] = { SELECTOR_USER_CODE16, SELECTOR_USER_DATA16, SELECTOR_USER_DATA16 },
};

void world_aim(struct experiment *x, unsigned mode, word ip, word sp, word flags)
{
	word base = MODE_IS_16(mode) ? 0 : REGION;

	hostile_is_real = mode == MODE_REAL;
	if (mode == MODE_REAL) {
		real_aim(ip, sp, flags);
		return;
	}
	frame->ip = base + ip;
	frame->cs = selectors[mode].code;
	frame->flags = flags;
	frame->sp = base + sp;
	frame->ss = selectors[mode].stack;
	hostile_data_selector = selectors[mode].data;
	if (mode == MODE_V86) {
		frame->cs = frame->ss = frame->es = frame->ds = frame->fs = frame->gs = REGION / 16;
		frame->flags |= RFLAGS_VM | (chance(x, 2) ? RFLAGS_IOPL : 0);
		hostile_data_selector = SELECTOR_USER_DATA;
	}
	hostile_stack = (struct stack_pointer){ (word)&frame->ip, DATA };
	if (mode != MODE_K32 && mode != MODE_K16)
		return;
	/* The privilege level stays: IRET takes its words from the experiment's own stack. */
	for (unsigned i = 0; i < 3; i++)
		((uint32_t *)(region_memory[0] + sp))[(int)i - 3] = (&frame->ip)[i];
	hostile_stack = (struct stack_pointer){ base + sp - 12, selectors[mode].stack };
}

/* ---- the way back ---- */

void world_init_msrs(void)
{
	struct cpuid l = cpuid(CPUID_LEAF_EXTENDED, 0), l1 = cpuid_version();

	if (l.eax > 0x80000000 && cpuid(CPUID_LEAF_EXTENDED_FEATURES, 0).edx & CPUID_80000001_EDX_NX)
		wrmsr(MSR_EFER, paging == PAGING_PAE ? EFER_NXE : 0);
	if (l1.edx & CPUID_1_EDX_PAT)
		wrmsr(MSR_PAT, PAT_AFTER_RESET);
	if (l1.ecx & CPUID_1_ECX_TSC_DEADLINE)
		wrmsr(MSR_TSC_DEADLINE, 0);
	sysenter_init();
}

static enum paging chosen_paging(void)
{
	CHECK(parameter_text("paging", "none") || parameter_text("paging", "legacy") || parameter_text("paging", "pae"),
	      "no such paging");
	if (parameter_text("paging", "none"))
		return PAGING_NONE;
	return parameter_text("paging", "pae") ? PAGING_PAE : PAGING_LEGACY;
}

/* What a BIOS and a loader left where programs reach it, the same on every machine. */
static void clear(word from, word to)
{
	for (; from < to; from += 4) {
		volatile uint32_t *at = (volatile uint32_t *)from;

		__asm__("" : "+r"(at));
		*at = 0;
	}
}

void world_init(void)
{
	paging = chosen_paging();
	clear(0, REAL_LOW);
	clear(LARGE_MEMORY, LARGE_MEMORY + 0x400000);
	world_init_msrs();
	tables_init();
	system_memory = region_memory[PAGE_SYSTEM];
	control_init(CR0_WP | WORLD_CR0 | (paging == PAGING_NONE ? 0 : CR0_PG),
		     paging == PAGING_PAE ? CR4_PAE : CR4_PSE);
	world_cr0_may = paging == PAGING_NONE ? MASK(30, 1) : MASK(31, 1);
	descriptors_init();
	real_init();
	watchdog_mask_interrupts();
	watchdog_init();
	memory_init();
}

void world_restore_tables(const struct kind *k)
{
	if (k->may & MAY_TABLES)
		tables_flush();
	if (k->may & MAY_TASKS || tasks_moved())
		tasks_restore();
}

uint64_t world_seen(const struct kind *k, uint64_t h) { return k->may & MAY_LOAD ? system_settle(h) : h; }

void world_settle(void)
{
	/* The supervisor is to be a task that a program has not made. */
	if (hostile_loads_tables || tasks_moved())
		tasks_restore();
	if (hostile_is_real)
		real_fetch();
}

void world_make(struct experiment *x)
{
	/* A program may have gone to the NMI's task itself: the next NMI finds it available. */
	control_restore(x->kind, false);
	tasks_restore();
	control_restore(x->kind, true);
	debug_restore(x->kind);
	tables_clear_large();
	memory_make();
	tables_make(x->kind);
	world_entries = x->kind->may & MAY_LOAD ? PAGES_ALL : PAGES;
	own_value = x->kind->may & MAY_LOAD ? system_pointer : NULL;
	descriptors_make(x);
	watchdog_restore(x->kind);
}
