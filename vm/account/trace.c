#include "vm/account/trace.h"

#include "host/memory/frames.h"
#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/vm.h"

/* ---- one exit ---- */

/* What an access of the guest's that its tables lead nowhere was about; the walk is the guest's own. */
static __attribute__((noinline)) bool on_device(struct vcpu *v, gva_t gva, uint64_t *address)
{
	const struct slot *s;
	uint32_t error;
	gpa_t gpa;

	if (v->mmu.intercepts.ept)
		hvm_sync_paging(&v->hvm, &v->mmu);
	else
		hvm_sync_access(&v->hvm, &v->mmu);
	if (!vcpu_translate(v, gva, (struct access){ .write = false }, &gpa, &error))
		return false;
	s = slots_find(&v->vm->mmu.slots, gpa_gfn(gpa));
	if (s && s->kind != SLOT_MMIO && s->kind != SLOT_APIC)
		return false;
	*address = gpa.v;
	return true;
}

/* The CPU has told of an exception. true: its address may be a device's page, which a mechanism without nested tables
 * marks by reserved bits. */
static inline bool exception(struct vcpu *v, struct trace_record *r)
{
	uint8_t vector = (uint8_t)(hvm_exit_event(&v->hvm) & EVENT_VECTOR);

	r->code = (uint8_t)(TRACE_EXCEPTION | (vector & MASK(4, 0)));
	r->address = vector == VECTOR_PF ? hvm_exit_fault_gva(&v->hvm).v : 0;
	return vector == VECTOR_PF && (hvm_exit_event_error(&v->hvm) & PFERR_RSVD);
}

static inline void finish_last(const struct trace *t, struct trace_record *r)
{
	r[-1].ticks = (uint32_t)(t->stat->ticks - t->before);
}

/* What every record has. The address is what the CPU tells; of an access to a port or a control register it is a word
 * of the vendor's, which nothing but hvm_io_*() and hvm_cr_of_word() reads. trace_count() makes of it what people know
 * it by. Returns what exception() does. */
static inline bool record(struct vcpu *v, struct trace *t, struct trace_record *r, struct exit_stat *stat,
			  unsigned code)
{
	r->tsc = v->exit_tsc;
	r->rip = hvm_rip(&v->hvm);
	t->stat = stat;
	t->before = stat->ticks;
	t->at = r + 1;
	r->code = (uint8_t)code;
	switch (hvm_exit_kind(code)) {
	case HVM_EXIT_EXCEPTION: return exception(v, r);
	case HVM_EXIT_RDMSR: case HVM_EXIT_WRMSR: r->address = (uint32_t)v->hvm.gpr[GPR_RCX]; break;
	case HVM_EXIT_CPUID: r->address = (uint32_t)v->hvm.gpr[GPR_RAX]; break;
	case HVM_EXIT_NESTED_FAULT: case HVM_EXIT_NESTED_MISCONFIG: r->address = hvm_exit_gpa(&v->hvm).v; break;
	case HVM_EXIT_INTERRUPT: r->address = hvm_exit_event(&v->hvm) & EVENT_VECTOR; break;
	case HVM_EXIT_IO: r->address = hvm_exit_io(&v->hvm).v; break;
	case HVM_EXIT_CR_ACCESS: r->address = hvm_exit_cr_word(&v->hvm); break;
	case HVM_EXIT_INVLPG: r->address = hvm_exit_invlpg(&v->hvm).v; break;
	case HVM_EXIT_APIC_ACCESS: r->address = hvm_exit_apic_access(&v->hvm).offset; break;
	case HVM_EXIT_APIC_WRITE: r->address = hvm_exit_apic_write(&v->hvm); break;
	case HVM_EXIT_EOI: r->address = hvm_exit_eoi(&v->hvm); break;
	default: r->address = 0; break;
	}
	return false;
}

/* ---- chunks ---- */

static bool wanted(const struct trace *t) { return t->sums_on || t->disk || t->keeping; }

/* From here on; the chunk's first record is its head. */
static void go_on_in(struct trace *t, struct trace_record *chunk, uint64_t records)
{
	t->first = t->at = t->summed = chunk + 1;
	t->end = t->first + records;
}

static void use_chunk(struct trace *t) { go_on_in(t, t->chunk[t->now].record, TRACE_RECORDS); }

/* The chunk is full, or the last. */
static void give_away(struct trace *t)
{
	struct trace_chunk *c = &t->chunk[t->now];
	unsigned n = (unsigned)(t->at - t->first);
	bool next_free = t->ended || !__atomic_load_n(&t->chunk[!t->now].busy, __ATOMIC_ACQUIRE);

	t->recorded += n;
	if (t->disk && n && VM_LEFT_OUT_OR(TRACE_BUSY, next_free) && trace_disk_write(c, n))
		t->now = !t->now;
	else if (t->disk)
		__atomic_fetch_add(&t->lost, n, __ATOMIC_RELAXED);
	use_chunk(t);
}

static void stop_unless_wanted(struct vcpu *v)
{
	if (!wanted(v->traced.by))
		__atomic_store_n(&v->traced.codes, HVM_EXIT_CODES, __ATOMIC_RELAXED);
}

static __attribute__((noinline)) void full(struct vcpu *v)
{
	struct trace *t = v->traced.by;
	uint64_t start = rdtsc();

	trace_count(v, t->at);
	if (t->keeping) {
		t->kept_count = (uint64_t)(t->at - t->first);
		t->keeping = false;
		use_chunk(t);
	} else {
		give_away(t);
	}
	t->spent = rdtsc() - start;
}

static inline void count_and_handle(struct vcpu *v, struct exit_stat *exit, unsigned code)
{
	exit->count++;
	v->exit = exit;
	exit_handlers[code](v);
}

static void look_at_page(struct vcpu *v, struct trace_record *r)
{
	if (on_device(v, GVA(r->address), &r->address))
		r->code = TRACE_DEVICE;
}

void trace_exit(struct vcpu *v, unsigned code)
{
	struct trace *t = v->traced.by;

	finish_last(t, t->at);
	t->spent = 0;
	if (t->at == t->end)
		full(v);
	if (wanted(t)) {
		if (record(v, t, t->at, &v->exits[code], code))
			look_at_page(v, t->at - 1);
		t->before += t->spent;
	} else {
		t->stat = &v->exits[code];
		stop_unless_wanted(v);
	}
}

/* Not a part of the usual way, which saves no register. */
static __attribute__((noinline)) void handle_unusual(struct vcpu *v, uint64_t code)
{
	if (VM_KEPT(EXIT_UNKNOWN_CODE, code >= HVM_EXIT_CODES))
		code = HVM_EXIT_OTHER;
	if (VM_LEFT_OUT_OR(TRACE_ON, !v->traced.codes))
		trace_exit(v, (unsigned)code);
	count_and_handle(v, &v->exits[code], (unsigned)code);
}

static __attribute__((noinline)) void handle_page_fault(struct vcpu *v, struct trace_record *r, struct exit_stat *exit,
							unsigned code)
{
	look_at_page(v, r);
	count_and_handle(v, exit, code);
}

void trace_handle(struct vcpu *v, uint64_t code)
{
	struct trace *t = v->traced.by;
	struct trace_record *r;
	struct exit_stat *exit;

	if (unlikely(code >= HVM_EXIT_CODES) || unlikely((r = t->at) == t->end)) {
		handle_unusual(v, code);
		return;
	}
	exit = &v->exits[code];
	__asm__("" : "+r"(exit)); /* the compiler would compute it twice */
	finish_last(t, r);
	if (unlikely(record(v, t, r, exit, (unsigned)code)))
		handle_page_fault(v, r, exit, (unsigned)code);
	else
		count_and_handle(v, exit, (unsigned)code);
}

/* ---- on and off ---- */

static void fill_head(struct trace_record *chunk)
{
	struct trace_head head = { .run = machine.wall_clock, .tsc_hz = machine.tsc_hz, .version = TRACE_VERSION };

	memcpy(head.magic, TRACE_MAGIC, sizeof(head.magic));
	memcpy(chunk, &head, sizeof(head));
}

/* Of a vCPU that has none yet. */
static bool make(struct vcpu *v)
{
	struct trace *t = frames_take(sizeof(*t));
	uint8_t *chunks = frames_take(2 * TRACE_CHUNK);

	if (!t || !chunks) {
		if (t)
			frames_give(t, sizeof(*t));
		if (chunks)
			frames_give(chunks, 2 * TRACE_CHUNK);
		return false;
	}
	for (unsigned n = 0; n < 2; n++) {
		t->chunk[n].record = (struct trace_record *)(void *)(chunks + n * TRACE_CHUNK);
		t->chunk[n].v = v;
		fill_head(t->chunk[n].record);
	}
	use_chunk(t);
	t->stat = &v->exits[HVM_EXIT_OTHER];
	v->traced.by = t;
	return true;
}

static void forget_kept(struct trace *t)
{
	if (t->kept)
		frames_give(t->kept, t->kept_bytes);
	t->kept = NULL;
	t->kept_count = 0;
}

static void begin_recording(struct vcpu *v)
{
	struct trace *t = v->traced.by;

	t->stat = &v->exits[HVM_EXIT_OTHER];
	t->before = t->stat->ticks;
	__atomic_store_n(&v->traced.codes, 0, __ATOMIC_RELAXED);
}

static const char no_memory[] = "there is no memory for it";

const char *trace_sums_on(struct vcpu *v, bool on)
{
	if (!v->traced.by && on && !make(v))
		return no_memory;
	if (!v->traced.by || v->traced.by->sums_on == on)
		return NULL;
	if (on && !wanted(v->traced.by))
		begin_recording(v);
	v->traced.by->sums_on = on;
	stop_unless_wanted(v);
	return NULL;
}

void trace_keep_no_more(struct vcpu *v)
{
	struct trace *t = v->traced.by;

	if (!t || !t->keeping)
		return;
	trace_bring_up_to_date(v);
	use_chunk(t);
	t->keeping = false;
	stop_unless_wanted(v);
}

const char *trace_keep(struct vcpu *v, uint64_t count)
{
	uint64_t bytes = (count + 1) * sizeof(struct trace_record);
	struct trace *t;

	if (!v->traced.by && !make(v))
		return no_memory;
	t = v->traced.by;
	if (t->disk)
		return "its exits are being written to a disk already";
	trace_keep_no_more(v); /* the one before is over */
	forget_kept(t);
	t->kept = frames_take(bytes);
	if (!t->kept)
		return no_memory;
	t->kept_bytes = bytes;
	if (wanted(t)) {
		trace_bring_up_to_date(v);
		t->recorded += (uint64_t)(t->summed - t->first);
	}
	go_on_in(t, t->kept, count);
	t->keeping = true;
	begin_recording(v);
	return NULL;
}

void trace_bring_up_to_date(struct vcpu *v)
{
	struct trace *t = v->traced.by;

	if (t && t->at > t->first)
		trace_count(v, t->at - 1);
	if (t && t->keeping)
		t->kept_count = (uint64_t)(t->summed - t->first);
}

bool trace_init(struct vm *vm)
{
	const char *why = NULL;
	struct vcpu *v;

	for_each_vcpu(v, vm) {
		if (vm->config->detail == CONFIG_ON)
			why = trace_sums_on(v, true);
		if (!why && vm->config->trace[0] && !v->traced.by && !make(v))
			why = no_memory;
		if (why) {
			vm_end(vm, VM_STATUS_BAD_IMAGE, "its exits cannot be recorded: %s", why);
			return false;
		}
		if (vm->config->trace[0]) {
			begin_recording(v);
			v->traced.by->disk = true;
		}
	}
	return true;
}

static bool on_its_way(const struct trace *t)
{
	return __atomic_load_n(&t->chunk[0].busy, __ATOMIC_ACQUIRE) ||
	       __atomic_load_n(&t->chunk[1].busy, __ATOMIC_ACQUIRE);
}

bool trace_end(struct vm *vm)
{
	bool all = true;
	struct vcpu *v;

	for_each_vcpu(v, vm) {
		struct trace *t = v->traced.by;

		if (t && !t->ended) {
			finish_last(t, t->at);
			trace_count(v, t->at);
			t->ended = true;
			VM_MUTANT(TRACE_LAST, give_away(t));
			if (v->id && vm_boot_vcpu(vm)->traced.by)
				trace_sums_add(&vm_boot_vcpu(vm)->traced.by->sums, &t->sums);
		}
		all &= !t || VM_LEFT_OUT_OR(TRACE_ARRIVES, !on_its_way(t));
	}
	return all;
}

void trace_free(struct vm *vm)
{
	struct vcpu *v;

	for_each_vcpu(v, vm) {
		struct trace *t = v->traced.by;

		if (!t)
			continue;
		forget_kept(t);
		VM_MUTANT(TRACE_FREED, frames_give(t->chunk[0].record, 2 * TRACE_CHUNK));
		frames_give(t, sizeof(*t));
		v->traced.by = NULL;
	}
}
