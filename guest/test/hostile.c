/* guest/test/hostile.c - runs experiments (hostile.h): kind=NAME seed=N from=N count=N block=N verbose=1 on the command
 * line. Says for each
 * block what it saw, as a digest that the bare machine must have too. Without kind=, all kinds in turn. */
#include "hostile.h"

const char test_name[] = "hostile";

#define ALL_MODES 0x3fu
#define USER_MODES 0x38u
#define KERNEL_MODES 0x07u

#define ORDINARY { PAGE_DATA, PAGE_DATA, PAGE_DATA2, PAGE_STACK, PAGE_READONLY, PAGE_HOLE, PAGE_NX, PAGE_SUPERVISOR }
const struct kind kinds[] = {
	{ "bytes", RAW_BYTES, ALL_MODES, true, 0, ORDINARY },
	{ "user", MAY_CR, USER_MODES, true, 3, ORDINARY },
	/* A program for 64 and 32 bits, run as one of 16, would load CR3 with half a value. */
	{ "kernel", MAY_CR, 0x03, true, 7, ORDINARY },
	{ "kernel16", 0, 0x04, true, 7, ORDINARY },
	{ "segments", MAY_SEGMENTS, ALL_MODES, true, 10, ORDINARY },
	{ "flags", MAY_FLAGS | MAY_DR, ALL_MODES, true, 4, ORDINARY },
	{ "events", MAY_GATES, ALL_MODES, true, 9, ORDINARY },
	{ "tables", MAY_TABLES, ALL_MODES, true, 2, { PAGE_PT, PAGE_PT, PAGE_PD, PAGE_DATA, PAGE_DATA2, PAGE_STACK, PAGE_HOLE,
	PAGE_READONLY } },
	{ "absent", 0, ALL_MODES, true, 2, { PAGE_VOID, PAGE_VOID, PAGE_VOID, PAGE_DATA, PAGE_STACK } },
	{ "devices", MAY_DIFFER | MAY_STOP_WATCHDOG, ALL_MODES, false, 2, { PAGE_LAPIC, PAGE_IOAPIC, PAGE_VGA, PAGE_LAST,
	PAGE_VOID, PAGE_DATA, PAGE_STACK } },
	{ "msrs", MAY_MSR | MAY_DIFFER | MAY_STOP_WATCHDOG, KERNEL_MODES, false, 16, ORDINARY },
	{ "ports", MAY_PORTS | MAY_DIFFER | MAY_STOP_WATCHDOG, KERNEL_MODES, false, 16, ORDINARY },
	{ NULL, 0, 0, false, 0, { 0 } },
};

static unsigned seed, verbose;
static uint64_t digest, starts, vectors[257];

uint64_t random_next(struct experiment *x)
{
	uint64_t z = x->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

_Noreturn void hostile_unexpected(const struct hostile_frame *f);
_Noreturn void hostile_unexpected(const struct hostile_frame *f)
{
	print("hostile: FAILED: exception %lu, error 0x%lx, in the supervisor at 0x%lx\n", f->vector, f->error, f->ip);
	debug_exit(0x7f);
}

/* ---- one start ---- */

static const struct { uint8_t code, stack, data; } selectors[MODES] = {
	[MODE_K64] = { 0x18, 0x10, 0x10 }, [MODE_K32] = { 0x08, 0x10, 0x10 }, [MODE_K16] = { 0x48, 0x50, 0x50 },
	[MODE_U64] = { 0x33, 0x23, 0x23 }, [MODE_U32] = { 0x2b, 0x23, 0x23 }, [MODE_U16] = { 0x5b, 0x63, 0x63 },
};

static word flags_any(struct experiment *x)
{
	word f = 2 | (random_next(x) & 0x8d5);

	if (chance(x, 4))
		f |= 0x400;
	if (chance(x, 2))
		f |= 0x200;
	if (chance(x, 8))
		f |= 0x3000;
	if (x->kind->may & MAY_FLAGS)
		f |= random_next(x) & random_next(x) & 0x2d4100; /* ID, AC, RF, NT, TF */
	return f;
}

static void prepare(struct experiment *x, unsigned slot)
{
	unsigned mode = x->mode[slot];
	word base = MODE_IS_16(mode) ? 0 : REGION;

	for (word *r = &frame->r15; r <= &frame->ax; r++)
		*r = value_any(x);
	if (!chance(x, 4))
		frame->cx = below(x, 80);
	if (x->kind->may & MAY_PORTS)
		frame->dx = port_any(x);
	if (x->kind->may & MAY_MSR)
		frame->cx = msr_any(x);
	if (x->has_ax[slot])
		frame->ax = x->ax[slot];
	frame->ip = base + CODE_START + slot * SLOT;
	frame->cs = selectors[mode].code;
	frame->ss = selectors[mode].stack;
	frame->sp = base + PAGE_STACK * PAGE + 8 * (64 + below(x, 384));
	frame->flags = flags_any(x);
	hostile_data_selector = selectors[mode].data;
}

/* The slot to start next. */
static unsigned after(unsigned slot)
{
	word ip = frame->ip, from = REGION + CODE_START;

	if (ip < 0x10000)
		ip += REGION;
	if (ip >= from + slot * SLOT && ip < from + SLOTS * SLOT)
		return (unsigned)((ip - from) / SLOT) + 1;
	return slot + 1;
}

static uint64_t outcome(void)
{
	uint64_t h = 0;
	word v = 0;

	for (const word *r = &frame->r15; r <= &frame->ss; r++)
		h = mix(h, *r);
	if (frame->vector == 14)
		__asm__ volatile("mov %%cr2, %0" : "=r"(v));
	else if (frame->vector == 1)
		__asm__ volatile("mov %%dr6, %0" : "=r"(v));
	return mix(h, v);
}

static void tell(const struct experiment *x, unsigned slot, uint64_t h)
{
	const uint8_t *code = region_memory[0] + CODE_START + slot * SLOT;

	print("  %lu/%u mode %u:", (word)x->number, slot, x->mode[slot]);
	for (unsigned i = 0; i < SLOT; i++)
		print(" %x", code[i]);
	print(" -> vector %lu error %lx ip %lx cs %lx flags %lx sp %lx ss %lx hash %lx\n", frame->vector, frame->error, frame->ip,
			frame->cs,
	      frame->flags, frame->sp, frame->ss, (word)h);
	for (const word *r = &frame->r15; verbose > 1 && r <= &frame->ax; r++)
		print(" %lx", *r);
	if (verbose > 1)
		print("\n");
}

/* ---- one experiment ---- */

static uint64_t run_slots(struct experiment *x)
{
	uint64_t h = 0, one;

	for (unsigned slot = 0; slot < SLOTS;) {
		unsigned next;

		prepare(x, slot);
		if (verbose > 2)
			tell(x, slot, 0);
		if (verbose)
			world_wind_watchdog();
		hostile_run();
		starts++;
		if (frame->vector == 2 || world_timed_out()) {
			vectors[2]++;
			return 0x74696d65; /* where it hung depends on the time */
		}
		vectors[frame->vector]++;
		one = outcome();
		if (verbose)
			tell(x, slot, one);
		h = mix(h, one);
		next = after(slot);
		world_restore(x->kind);
		slot = next;
	}
	return world_digest(h);
}

static void experiment(const struct kind *k, uint64_t number)
{
	struct experiment x = { k, number, mix(mix(seed, (word)k->name[0] << 8 | (uint8_t)k->name[1]), number), false, { 0 },
			{ 0 }, { 0 } };
	uint64_t h;

	world_make(&x);
	code_make(&x, region_memory[0] + CODE_START);
	for (unsigned slot = 0; verbose > 3 && slot < SLOTS; slot++)
		tell(&x, slot, 0);
	h = run_slots(&x);
	if (verbose)
		print("  %lu: %lx\n", (word)number, (word)h);
	digest = mix(digest, h);
}

static void block(const struct kind *k, uint64_t from, unsigned count)
{
	digest = 0;
	for (unsigned i = 0; i < count; i++)
		experiment(k, from + i);
	print("hostile: %s %lu+%u", k->name, (word)from, count);
	if (k->digest)
		print(" digest %lx", (word)digest);
	print("\n");
}

static void kind_run(const struct kind *k, uint64_t from, unsigned count, unsigned per_block)
{
	for (unsigned done = 0; done < count; done += per_block)
		block(k, from + done, count - done < per_block ? count - done : per_block);
}

void test_main(void)
{
	unsigned count = parameter_number("count", 100), per_block = parameter_number("block", 100),
			from = parameter_number("from", 0);
	bool any = false;

	seed = parameter_number("seed", 1);
	verbose = parameter_number("verbose", 0);
	world_init();
	for (const struct kind *k = kinds; k->name; k++) {
		if (!parameter_text("kind", k->name))
			continue;
		any = true;
		kind_run(k, from, count, per_block);
	}
	CHECK(any, "no such kind");
	print("hostile: %lu starts;", (word)starts);
	for (unsigned v = 0; v < 32; v++)
		if (vectors[v])
			print(" %u:%lu", v, (word)vectors[v]);
	print("\n");
}
