/* vm/account/trace_sums.c - the records of exits, made what people know, and added up (vm/account/trace.h). */
#include "vm/account/trace.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/vm.h"

static void add(struct trace_sum *s, uint64_t ticks)
{
	s->min = !s->count || ticks < s->min ? ticks : s->min;
	s->max = max_u64(s->max, ticks);
	s->count++;
	s->ticks += ticks;
}

unsigned trace_key_code(uint64_t key) { return (unsigned)(key >> 56) - 1; }

static struct trace_number *find_number(struct trace_sums *sums, uint64_t key)
{
	uint64_t n = key * 0x9e3779b97f4a7c15ull >> 32;

	/* No more: a guest that uses many makes each record no dearer than this. */
	for (unsigned tries = 0; tries < TRACE_TRIES; tries++, n++) {
		struct trace_number *e = &sums->number[n % TRACE_NUMBERS];

		if (e->key == key || !e->key) {
			e->key = key;
			return e;
		}
	}
	return NULL;
}

static void add_number(struct trace_sums *sums, unsigned code, uint64_t number, uint64_t ticks)
{
	struct trace_number *e = find_number(sums, (uint64_t)(code + 1) << 56 | (number & MASK(55, 0)));

	if (e)
		add(&e->sum, ticks);
	else
		sums->others++;
}

static bool is_device(struct vm *vm, uint64_t gpa)
{
	const struct slot *s = slots_find(&vm->mmu.slots, gpa_gfn(GPA(gpa)));

	return !s || s->kind == SLOT_MMIO || s->kind == SLOT_APIC;
}

/* Of an exit by what it was about; false: it has no number. */
static bool number_of(const struct vcpu *v, const struct trace_record *r, uint64_t *number)
{
	*number = r->address;
	if (r->code >= TRACE_EXCEPTION) {
		*number = r->code == TRACE_DEVICE ? r->address : r->code & MASK(4, 0);
		return true;
	}
	switch (hvm_exit_kind(r->code)) {
	case HVM_EXIT_IO: case HVM_EXIT_RDMSR: case HVM_EXIT_WRMSR: case HVM_EXIT_CR_ACCESS:
	case HVM_EXIT_INTERRUPT: case HVM_EXIT_APIC_ACCESS: case HVM_EXIT_APIC_WRITE: case HVM_EXIT_EOI:
		return true;
	case HVM_EXIT_NESTED_FAULT: case HVM_EXIT_NESTED_MISCONFIG:
		return is_device(v->vm, r->address);
	default:
		return false;
	}
}

/* As lib/trace_record.h has it. */
static void settle(const struct vcpu *v, struct trace_record *r)
{
	enum hvm_exit_kind kind = r->code < HVM_EXIT_CODES ? hvm_exit_kind(r->code) : HVM_EXIT_EXCEPTION;

	r->vcpu = (uint8_t)v->id;
	r->vm = (uint16_t)v->vm->id;
	if (kind == HVM_EXIT_IO) {
		hvm_io_t io = { (uint32_t)r->address };

		r->address = hvm_io_port(io) | (uint64_t)hvm_io_size(io) << TRACE_PORT_SIZE_SHIFT |
			     (hvm_io_in(io) ? TRACE_PORT_IN : 0);
	} else if (kind == HVM_EXIT_CR_ACCESS) {
		struct hvm_cr_access a = hvm_cr_of_word(r->address);

		bool cr0 = a.how == HVM_CR_CLTS || a.how == HVM_CR_LMSW;

		r->address = (cr0 ? 0 : a.cr) | (uint64_t)a.how << TRACE_CR_HOW_SHIFT;
	}
}

static unsigned exception_code(void)
{
	unsigned code = 0;

	while (hvm_exit_kind(code) != HVM_EXIT_EXCEPTION)
		code++;
	return code;
}

static void add_record(const struct vcpu *v, struct trace_sums *sums, const struct trace_record *r)
{
	unsigned code = r->code < HVM_EXIT_CODES ? r->code : exception_code();
	uint64_t number;

	add(&sums->reason[code], r->ticks);
	sums->bucket[code][r->ticks ? 31 - __builtin_clz(r->ticks) : 0]++;
	if (number_of(v, r, &number))
		add_number(sums, code, number, r->ticks);
}

void trace_count(struct vcpu *v, struct trace_record *end)
{
	struct trace *t = v->traced.by;

	for (; t->summed < end; t->summed++) {
		settle(v, t->summed);
		if (t->sums_on)
			add_record(v, &t->sums, t->summed);
	}
}

/* ---- of all vCPUs ---- */

static void add_sum(struct trace_sum *to, const struct trace_sum *from)
{
	if (!from->count)
		return;
	to->min = !to->count || from->min < to->min ? from->min : to->min;
	to->max = max_u64(to->max, from->max);
	to->count += from->count;
	to->ticks += from->ticks;
}

void trace_sums_add(struct trace_sums *to, const struct trace_sums *from)
{
	for (unsigned n = 0; n < HVM_EXIT_CODES; n++) {
		add_sum(&to->reason[n], &from->reason[n]);
		for (unsigned i = 0; i < TRACE_BUCKETS; i++)
			to->bucket[n][i] += from->bucket[n][i];
	}
	for (unsigned n = 0; n < TRACE_NUMBERS; n++) {
		const struct trace_number *e = &from->number[n];
		struct trace_number *sum = e->key ? find_number(to, e->key) : NULL;

		if (sum)
			add_sum(&sum->sum, &e->sum);
		else if (e->key)
			to->others += e->sum.count;
	}
	to->others += from->others;
}

void trace_add_up(const struct vm *vm, struct trace_sums *sums)
{
	const struct vcpu *v;

	for_each_vcpu(v, vm)
		if (v->traced.by)
			trace_sums_add(sums, &v->traced.by->sums);
}

const struct trace_sums *trace_sums_at_end(const struct vm *vm)
{
	const struct vcpu *v = vm_boot_vcpu(vm);

	return v && v->traced.by && v->traced.by->sums_on ? &v->traced.by->sums : NULL;
}

bool trace_written(const struct vm *vm, uint64_t *records, uint64_t *lost)
{
	const struct vcpu *v;

	*records = *lost = 0;
	for_each_vcpu(v, vm) {
		if (!v->traced.by || !v->traced.by->disk)
			return false;
		*records += v->traced.by->recorded;
		*lost += __atomic_load_n(&v->traced.by->lost, __ATOMIC_RELAXED);
	}
	return vm->vcpu_count != 0;
}

void trace_key_name(uint64_t key, char *name, size_t size)
{
	static const char *const cr_how[] = { [HVM_CR_TO] = "mov_to", [HVM_CR_FROM] = "mov_from",
					      [HVM_CR_CLTS] = "clts", [HVM_CR_LMSW] = "lmsw" };
	uint64_t number = key & MASK(55, 0);
	unsigned how = (unsigned)(number >> TRACE_CR_HOW_SHIFT & 3);

	switch (hvm_exit_kind(trace_key_code(key))) {
	case HVM_EXIT_IO:
		fmt(name, size, "%s_0x%lx", number & TRACE_PORT_IN ? "in" : "out", (uint64_t)(number & TRACE_PORT));
		break;
	case HVM_EXIT_CR_ACCESS:
		if (how == HVM_CR_CLTS || how == HVM_CR_LMSW)
			fmt(name, size, "%s", cr_how[how]);
		else
			fmt(name, size, "%s_cr%lu", cr_how[how], (uint64_t)(number & TRACE_CR));
		break;
	case HVM_EXIT_EXCEPTION:
		if (number > MASK(4, 0))
			fmt(name, size, "mmio_0x%lx", number);
		else
			fmt(name, size, "%lu", number);
		break;
	case HVM_EXIT_INTERRUPT:
		fmt(name, size, "%lu", number);
		break;
	default:
		fmt(name, size, "0x%lx", number);
	}
}
