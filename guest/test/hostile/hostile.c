/* guest/test/hostile/hostile.c - runs experiments (hostile.h): kind=NAME seed=N from=N count=N block=N verbose=N on the
 * command line. Says for each block what it saw, as a digest that the bare machine must have too, and how much was
 * executed. Without kind=, all kinds. */
#include "guest/test/hostile/hostile.h"

const char test_name[] = "hostile";

static unsigned seed, verbose, told_from, count, from, per_block;
static uint64_t digest;
static unsigned starts, instructions, vectors[257];
static unsigned long all_starts, all_instructions;

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

/* ---- how much was executed (HG4) ---- */

/* Of one start no more counts: a loop that the watchdog ends is no news. */
#define MOST_OF_A_START 64u
#define NO_TICKS 0xffffffffu

/* Ticks of a start whose first instruction ends it; NO_TICKS: the TSC does not count instructions. */
static uint32_t own_ticks = NO_TICKS;

static uint32_t ticks_of(struct experiment *x, unsigned nops, unsigned mode)
{
	uint8_t *at = region_memory[0] + CODE_START;

	for (unsigned i = 0; i < nops; i++)
		at[i] = 0x90;
	at[nops] = 0xcc;
	world_aim(x, mode, CODE_START, PAGE_STACK * PAGE + 0x800, 2);
	hostile_run();
	world_settle();
	return hostile_end - hostile_begin;
}

/* A start of one instruction, of 11, of 31: is a tick an instruction? */
static void calibrate(struct experiment *x)
{
	unsigned mode = 0;
	uint32_t one;

	while (!(x->kind->modes & 1u << mode))
		mode++;
	world_make(x);
	watchdog_wind();
	ticks_of(x, 30, mode);
	one = ticks_of(x, 0, mode);
	if (ticks_of(x, 10, mode) - one == 10 && ticks_of(x, 30, mode) - one == 30)
		own_ticks = one;
}

/* Slots end with an instruction that does nothing; those passed do not count. */
static unsigned executed(unsigned slots_passed)
{
	uint32_t ticks = hostile_end - hostile_begin, n;

	if (own_ticks == NO_TICKS || ticks <= own_ticks + slots_passed)
		return 1;
	n = ticks - own_ticks - slots_passed;
	return n < MOST_OF_A_START ? 1 + n : MOST_OF_A_START;
}

/* ---- one start ---- */

static word flags_any(struct experiment *x, uint64_t r)
{
	word f = RFLAGS_FIXED | (word)(r & RFLAGS_STATUS);

	if (!(r & 0x30000))
		f |= RFLAGS_DF;
	if (r & 0x40000)
		f |= RFLAGS_IF;
	if (!(r & 0x380000))
		f |= RFLAGS_IOPL;
	if (x->kind->may & MAY_FLAGS)
		f |= (word)(random_next(x) & random_next(x)) &
		     (RFLAGS_ID | RFLAGS_AC | RFLAGS_VIF | RFLAGS_RF | RFLAGS_NT | RFLAGS_TF);
	return f;
}

static void prepare(struct experiment *x, unsigned slot)
{
	uint64_t r = random_next(x);
	unsigned step = (unsigned)(r >> 32) | 1, at = (unsigned)(r >> 48);
	word *registers = (word *)frame;

	for (unsigned i = 0; i < REGISTERS; i++)
		registers[i] = x->pool[(at + i * step) % POOL];
	if (r >> 60)
		frame->cx = (word)(r >> 40 & 63);
	if (x->kind->may & MAY_PORTS)
		frame->dx = port_any(x);
	if (x->kind->may & MAY_MSR)
		frame->cx = msr_any(x);
	if (x->has_ax[slot])
		frame->ax = x->ax[slot];
	world_aim(x, x->mode[slot], CODE_START + slot * SLOT, PAGE_STACK * PAGE + 8 * (64 + (word)(r >> 22 & 0xff)),
		  flags_any(x, r));
}

/* The slot to start next. */
static unsigned after(unsigned slot)
{
	word ip = frame->ip, start = REGION + CODE_START;

	if (ip < 0x10000)
		ip += REGION;
	if (ip >= start + slot * SLOT && ip < start + SLOTS * SLOT)
		return (unsigned)((ip - start) / SLOT) + 1;
	return slot + 1;
}

static uint64_t outcome(void)
{
	uint64_t h = 0;
	word v = 0;

	for (const word *r = (word *)frame; r < (word *)(frame + 1); r++)
		h = mix(h, *r);
	if (frame->vector == VECTOR_PF)
		__asm__ volatile("mov %%cr2, %0" : "=r"(v));
	else if (frame->vector == VECTOR_DB)
		__asm__ volatile("mov %%dr6, %0" : "=r"(v));
	return mix(h, v);
}

/* verbose=1: what each start came to, and a digest of the memory behind it; 2: with its bytes and registers; from 4 on:
 * the bytes of so many slots. */
static void tell(const struct experiment *x, unsigned slot, uint64_t h)
{
	const uint8_t *code = region_memory[0] + CODE_START + slot * SLOT;
	word cr2, dr6;

	print("  %lu/%u mode %u vector %lu error %lx ip %lx hash %llx memory %llx\n", (word)x->number, slot,
	      x->mode[slot], frame->vector, frame->error, frame->ip, (unsigned long long)h,
	      (unsigned long long)memory_digest(0));
	if (verbose < 2)
		return;
	for (unsigned i = 0; i < (verbose > 3 ? verbose : 1) * SLOT; i++)
		print(" %x", code[i]);
	print(" cs %lx flags %lx sp %lx ss %lx ticks %u:", frame->cs, frame->flags, frame->sp, frame->ss,
	      hostile_end - hostile_begin);
	for (const word *r = (word *)frame; r <= &frame->ax; r++)
		print(" %lx", *r);
	__asm__ volatile("mov %%cr2, %0; mov %%dr6, %1" : "=r"(cr2), "=r"(dr6));
	print(" cr2 %lx dr6 %lx\n", cr2, dr6);
}

/* Is this slot to be told of? at=N: from there on 4 of them. */
static bool told(unsigned slot) { return verbose && slot >= told_from && slot < told_from + (told_from ? 4 : SLOTS); }

/* ---- one experiment ---- */

#define WIND_EVERY 8u

static void make(struct experiment *x)
{
	world_make(x);
	for (unsigned i = 0; i < POOL; i++)
		x->pool[i] = value_any(x);
	code_make(x, region_memory[0] + CODE_START);
}

static uint64_t run_slots(struct experiment *x)
{
	uint64_t h = 0, one;
	unsigned next;

	for (unsigned slot = 0, n = 0; slot < SLOTS; slot = next) {
		prepare(x, slot);
		if (verbose > 2 && told(slot))
			tell(x, slot, 0);
		if (n++ % WIND_EVERY == 0 || nmi_seen || verbose)
			watchdog_wind();
		hostile_run();
		world_settle();
		starts++;
		next = slot + 1;
		if (frame->vector == VECTOR_NMI || nmi_seen) {
			/* What it left depends on the time: the next one gets a new world. */
			frame->vector = VECTOR_NMI;
			if (told(slot))
				tell(x, slot, 0);
			vectors[VECTOR_NMI]++;
			instructions++;
			h = mix(h, slot);
			make(x);
			continue;
		}
		next = after(slot);
		instructions += executed(next - slot - 1);
		vectors[frame->vector & 255]++;
		one = outcome();
		if (told(slot))
			tell(x, slot, one);
		h = world_seen(x->kind, mix(h, one));
		world_restore(x->kind);
	}
	return memory_digest(h);
}

static void experiment(const struct kind *k, uint64_t number)
{
	static struct experiment x;
	uint64_t start = mix(mix(seed, (unsigned)k->name[0] << 8 | (uint8_t)k->name[1]), number), h;

	x.kind = k;
	x.number = number;
	x.random = start;
	make(&x);
	h = run_slots(&x);
	if (verbose)
		print("  %lu: %llx\n", (word)number, (unsigned long long)h);
	digest = mix(digest, h);
}

static void block(const struct kind *k, uint64_t first, unsigned n)
{
	digest = 0;
	starts = instructions = 0;
	for (unsigned i = 0; i < n; i++)
		experiment(k, first + i);
	all_starts += starts;
	all_instructions += instructions;
	print("hostile: %s %lu+%u starts %u instructions %u", k->name, (word)first, n, starts,
	      own_ticks == NO_TICKS ? starts : instructions);
	if (k->digest)
		print(" digest %llx", (unsigned long long)digest);
	print("\n");
}

static void kind_run(const struct kind *k)
{
	for (unsigned done = 0; done < count; done += per_block)
		block(k, from + done, count - done < per_block ? count - done : per_block);
}

void test_main(void)
{
	static struct experiment first;
	uint32_t chosen = 0;

	count = parameter_number("count", 20);
	per_block = parameter_number("block", 20);
	from = parameter_number("from", 0);
	seed = parameter_number("seed", 1);
	verbose = parameter_number("verbose", 0);
	told_from = parameter_number("at", 0);
	/* The command line may lie where experiments will. */
	for (unsigned i = 0; kinds[i].name; i++)
		chosen |= (uint32_t)parameter_text("kind", kinds[i].name) << i;
	CHECK(chosen, "no such kind");
	world_init();
	first.kind = kinds;
	calibrate(&first);
	for (unsigned i = 0; kinds[i].name; i++)
		if (chosen & 1u << i)
			kind_run(&kinds[i]);
	print("hostile: %lu starts, %lu instructions;", all_starts,
	      own_ticks == NO_TICKS ? all_starts : all_instructions);
	for (unsigned v = 0; v < 32; v++)
		if (vectors[v])
			print(" %u:%u", v, vectors[v]);
	print("\n");
}
