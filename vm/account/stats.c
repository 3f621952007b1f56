/* vm/account/stats.c - the account, on the statistics port (docs/protocol.md).
 *
 * AC1  An account leaves some lines at a time, as the port has room, and is taken up again where it was: a guest that
 *      makes it long, by many phases, makes nobody wait. It is whole before the machine's end is said. */
#include "vm/vm.h"

#include "host/memory/frames.h"
#include "host/cpu/percpu.h"
#include "host/device/console.h"
#include "lib/fmt.h"
#include "vm/device/console.h"
#include "vm/device/disk.h"
#include "vm/device/net.h"
#include "vm/device/virtio.h"
#include "lib/mutants/mutate.h"

static void brand(char text[49])
{
	memset(text, 0, 49);
	if (cpuid(CPUID_LEAF_EXTENDED, 0).eax < CPUID_LEAF_BRAND_LAST)
		return;
	for (unsigned n = 0; n < 3; n++) {
		struct cpuid c = cpuid(CPUID_LEAF_BRAND + n, 0);

		memcpy(text + 16 * n, &c, 16);
	}
}

void stats_host(void)
{
	const struct mmu_caps *c = &machine.caps.mmu;
	char name[49];

	brand(name);
	console_line("host cpu_brand %s", name);
	console_line("host cpus %u", cpus_count());
	console_line("host tsc_hz %lu", machine.tsc_hz);
	console_line("host mem_bytes %lu", frames_total() << PAGE_SHIFT);
	console_line("host maxphyaddr %u", c->maxphyaddr);
	console_line("host ept %u", c->ept);
	console_line("host ept_2m %u", c->ept_2m);
	console_line("host ept_1g %u", c->ept_1g);
	console_line("host ept_5level %u", c->ept_5level);
	console_line("host ept_ad %u", c->ept_ad);
	console_line("host vpid %u", c->vpid);
	console_line("host unrestricted_guest %u", c->unrestricted_guest);
}

/* Of which account: all of the run, or a phase. What did not happen in a phase is left out. */
struct scope {
	struct vm *vm;
	char prefix[28];
	bool zeros;
	uint64_t at; /* lines so far, written or not */
	unsigned left; /* so many more lines now */
	bool last_words; /* the hypervisor stops: all lines, now */
};

#define LINES_AT_ONCE 32

/* Writes a line of the account, if it is the next and there is room (AC1). */
static __attribute__((format(printf, 2, 3))) void say(struct scope *s, const char *format, ...)
{
	char line[320];
	va_list ap;

	if (VM_KEPT(ACCOUNT_ONCE, s->at++ < s->vm->told) || !s->left)
		return;
	va_start(ap, format);
	fmt_v(line, sizeof(line), format, ap);
	va_end(ap);
	if (s->last_words) {
		console_line("%s", line);
	} else if (console_account_line(line)) {
		s->vm->told++;
		VM_MUTANT(ACCOUNT_PIECE, s->left--);
	} else {
		VM_MUTANT(ACCOUNT_WAITS, s->left = 0);
	}
}

static void stat(struct scope *s, const char *name, uint64_t value)
{
	if (VM_LEFT_OUT_OR(ACCOUNT_ZEROS, value || s->zeros))
		say(s, "stat %u %s%s %lu", s->vm->id, s->prefix, name, value);
}

/* A figure of several of a kind. A name that were cut would be another figure's. */
static __attribute__((format(printf, 3, 4))) void stat_of(struct scope *s, uint64_t value, const char *format, ...)
{
	char name[80];
	va_list ap;
	size_t n;

	va_start(ap, format);
	n = fmt_v(name, sizeof(name), format, ap);
	va_end(ap);
	BUG_ON(n >= sizeof(name));
	stat(s, name, value);
}

/* VM1: no two turns begin at the same tick, so what is read while run_start stays the same is of one turn, or of none.
 * It is read again only where a turn has begun or ended meanwhile. */
uint64_t stats_ran(const struct vcpu *v)
{
	for (;;) {
		uint64_t start = __atomic_load_n(&v->run_start, __ATOMIC_ACQUIRE);
		uint64_t before = __atomic_load_n(start ? &v->run_before : &v->run_ticks, __ATOMIC_ACQUIRE);
		uint64_t exit = __atomic_load_n(&v->exit_tsc, __ATOMIC_ACQUIRE);

		if (__atomic_load_n(&v->run_start, __ATOMIC_RELAXED) == start)
			return before + (VM_KEPT(ACCOUNT_RUNNING, start) ? exit - start : 0);
	}
}

/* One exit's, which its vCPU may be counting. */
static struct exit_stat exit_of(const struct vcpu *v, unsigned code)
{
	return (struct exit_stat){ .count = __atomic_load_n(&v->exits[code].count, __ATOMIC_RELAXED),
				   .ticks = __atomic_load_n(&v->exits[code].ticks, __ATOMIC_RELAXED) };
}

void stats_ticks(const struct vcpu *v, uint64_t *guest, uint64_t *hypervisor)
{
	uint64_t exits = 0, all;

	/* What is before the first exit has the place of one that has not happened. */
	for (unsigned n = 0; n < HVM_EXIT_CODES; n++) {
		struct exit_stat e = exit_of(v, n);

		exits += e.count ? e.ticks : 0;
	}
	*hypervisor = exits;
	/* One that is in its guest has counted its last exit, and its turn up to that only. */
	all = stats_ran(v);
	*guest = max_u64(all, exits) - exits;
}

/* Does the guest's memory being virtualized cause such exits? Nearly all exceptions that exit are page faults; the
 * guest's accesses to devices in memory are among them, or among EPT's misconfigurations. */
static bool of_mechanism(unsigned code)
{
	enum hvm_exit_kind kind = hvm_exit_kind(code);

	return kind == HVM_EXIT_EXCEPTION || kind == HVM_EXIT_INVLPG || kind == HVM_EXIT_CR_ACCESS ||
	       kind == HVM_EXIT_NESTED_FAULT || kind == HVM_EXIT_NESTED_MISCONFIG;
}

struct exit_stat stats_exit(const struct vm *vm, unsigned code)
{
	struct exit_stat sum = { 0 };
	const struct vcpu *v;

	for_each_vcpu(v, vm) {
		struct exit_stat e = exit_of(v, code);

		sum.count += e.count;
		sum.ticks += e.ticks;
	}
	return sum;
}

bool stats_of_mechanism(unsigned code) { return VM_LEFT_OUT_OR(ACCOUNT_MECHANISM, of_mechanism(code)); }

uint64_t stats_vm_ran(const struct vm *vm)
{
	const struct vcpu *v;
	uint64_t sum = 0;

	for_each_vcpu(v, vm)
		sum += stats_ran(v);
	return sum;
}

uint64_t stats_ticks_of(const struct vm *vm, unsigned code, const struct exit_stat *e)
{
	return e->count || stats_exit(vm, code).count ? e->ticks : 0;
}

struct lock_count stats_locks(const struct vm *vm)
{
	struct lock_count sum = { 0, 0 };
	const struct vcpu *v;

	for_each_vcpu(v, vm) {
		sum.waits += __atomic_load_n(&v->lock_waits, __ATOMIC_RELAXED);
		sum.ticks += __atomic_load_n(&v->lock_ticks, __ATOMIC_RELAXED);
	}
	return sum;
}

struct lapic_tpr_count stats_tpr(const struct vm *vm)
{
	struct lapic_tpr_count sum = { 0, 0 };
	const struct vcpu *v;

	for_each_vcpu(v, vm) {
		sum.reads += __atomic_load_n(&v->lapic.tpr_count.reads, __ATOMIC_RELAXED);
		sum.writes += __atomic_load_n(&v->lapic.tpr_count.writes, __ATOMIC_RELAXED);
	}
	return sum;
}

/* By each method that there was. */
static void stats_tpr_methods(struct scope *s)
{
	for (unsigned n = 0; n < TPR_METHODS; n++) {
		struct tpr_account a;

		if (!stats_tpr_method(s->vm, n, &a))
			continue;
#define FIGURE(what, value) stat_of(s, value, "lapic.methods.%s." what, tpr_method_name(n))
		FIGURE("tpr_reads", a.reads);
		FIGURE("tpr_writes", a.writes);
		FIGURE("tpr_exits", tpr_account_exits(&a));
		FIGURE("threshold_exits", a.threshold);
		FIGURE("virtualized_eoi_exits", a.eois);
#undef FIGURE
	}
}

/* Where the method was never chosen there is nothing to tell. */
static void stats_patches(struct scope *s)
{
	const struct vm_patch *p = &s->vm->patch;

	if (!p->data)
		return;
	stat(s, "lapic.patches_made", p->made);
	stat(s, "lapic.patches_undone", p->made - patch_live(s->vm));
	for (unsigned n = 0; n < PATCH_LEFTS; n++)
		stat_of(s, stats_left(s->vm, n), "lapic.left_%s", patch_left_names[n]);
}

static void stats_disks(struct scope *s)
{
	for (unsigned n = 0; s->vm->disks && n < s->vm->config->disks; n++) {
		const struct block_account *a = &s->vm->disks[n].block.account;
#define A(what) stat_of(s, a->what, "disks.%u." #what, n);
		BLOCK_ACCOUNT(A)
#undef A
	}
}

static void stats_nets(struct scope *s)
{
	for (unsigned n = 0; s->vm->nets && n < s->vm->config->nets; n++) {
		const struct net_account *a = &s->vm->nets[n].port->port.account;
#define A(what) stat_of(s, a->what, "nets.%u." #what, n);
		NET_ACCOUNT(A)
#undef A
		stat_of(s, net_waiting(&s->vm->nets[n].port->port), "nets.%u.waiting", n);
	}
}

/* of: a phase's account, or NULL for all of the run. */
static void stats_exits(struct scope *s, const struct account *of)
{
	uint64_t total = 0, ticks = 0, mechanism = 0, mechanism_ticks = 0,
		 ran = of ? of->run_ticks : stats_vm_ran(s->vm);

	for (unsigned n = 0; n < HVM_EXIT_CODES; n++) {
		struct exit_stat e = of ? of->exits[n] : stats_exit(s->vm, n);

		ticks += stats_ticks_of(s->vm, n, &e);
		if (!e.count)
			continue;
		total += e.count;
		if (stats_of_mechanism(n)) {
			mechanism += e.count;
			mechanism_ticks += e.ticks;
		}
		say(s, "stat %u %sexits.by_reason.%s.count %lu", s->vm->id, s->prefix, hvm_exit_name(n), e.count);
		say(s, "stat %u %sexits.by_reason.%s.ticks %lu", s->vm->id, s->prefix, hvm_exit_name(n), e.ticks);
	}
	stat(s, "exits.total", total);
	stat(s, "exits.mechanism.count", mechanism);
	stat(s, "exits.mechanism.ticks", mechanism_ticks);
	stat(s, "instructions.guest", ran - ticks);
	stat(s, "instructions.hypervisor", ticks);
}

/* Of the run's own, most are 0, and whoever reads them knows their names. What is left out has its number all the same
 * (AC1): it may have come to something before the next piece. */
static void stat_known(struct scope *s, const char *name, uint64_t value)
{
	if (VM_LEFT_OUT_OR(ACCOUNT_KNOWN, value || s->prefix[0]))
		stat(s, name, value);
	else if (VM_KEPT(ACCOUNT_NUMBER, s->at++ >= s->vm->told && s->left && !s->last_words))
		s->vm->told++;
}

static void stats_mmu(struct scope *s, const struct mmu_counters *c, uint64_t table_pages)
{
#define C(name, help) stat_known(s, "mmu_counters." #name, c->name);
	MMU_COUNTERS(C)
#undef C
	stat(s, "tables.pages", table_pages);
}

static void stats_phases(struct scope *s)
{
	phases_end(s->vm);
	s->zeros = false;
	for (unsigned n = 1; n < PHASES_MAX; n++) {
		const struct account *a = phases_account(s->vm, n);

		if (!a)
			continue;
		fmt(s->prefix, sizeof(s->prefix), "phases.%u.", n);
		stats_exits(s, a);
		stats_mmu(s, &a->mmu, a->table_pages);
	}
}

static void stats_mechanisms(struct scope *s)
{
	for (unsigned n = 0; mmu_mechanisms[n]; n++) {
		const struct account *a = mechanism_account(s->vm, mmu_mechanisms[n]);

		if (!a)
			continue;
		fmt(s->prefix, sizeof(s->prefix), "mechanisms.%s.", mmu_mechanisms[n]->name);
		stats_exits(s, a);
		stats_mmu(s, &a->mmu, a->table_pages);
	}
}

static void stats_sum(struct scope *s, const char *of, const struct trace_sum *sum)
{
	stat_of(s, sum->count, "%s.count", of);
	stat_of(s, sum->ticks, "%s.ticks", of);
	stat_of(s, sum->min, "%s.min", of);
	stat_of(s, sum->max, "%s.max", of);
}

/* Exits one by one: by reason, with a histogram whose buckets are told by their lowest ticks; and by number. */
static void stats_sums(struct scope *s, const struct trace_sums *sums)
{
	char of[64], number[24];

	for (unsigned n = 0; n < HVM_EXIT_CODES; n++) {
		if (!sums->reason[n].count)
			continue;
		fmt(of, sizeof(of), "detail.%s", hvm_exit_name(n));
		stats_sum(s, of, &sums->reason[n]);
		for (unsigned i = 0; i < TRACE_BUCKETS; i++)
			if (sums->bucket[n][i])
				stat_of(s, sums->bucket[n][i], "%s.histogram.%u", of, i ? 1u << i : 0);
	}
	for (unsigned n = 0; n < TRACE_NUMBERS; n++) {
		const struct trace_number *e = &sums->number[n];

		if (!e->key)
			continue;
		trace_key_name(e->key, number, sizeof(number));
		fmt(of, sizeof(of), "detail.%s.by_number.%s", hvm_exit_name(trace_key_code(e->key)), number);
		stats_sum(s, of, &e->sum);
	}
	stat(s, "detail_others", sums->others);
}

static void stats_trace(struct scope *s)
{
	const struct trace_sums *sums = s->last_words ? NULL : trace_sums_at_end(s->vm);
	uint64_t records, lost;

	if (sums)
		stats_sums(s, sums);
	if (!s->last_words && trace_written(s->vm, &records, &lost)) {
		stat(s, "trace.records", records);
		stat(s, "trace.lost", lost);
	}
}

/* Where it is not allowed there is nothing to tell. */
static void stats_merge(struct scope *s)
{
	const struct merge_account *a = &s->vm->merge.account;

	if (s->vm->config->merge != CONFIG_ON)
		return;
#define A(name) stat(s, "merge." #name, a->name);
	MERGE_ACCOUNT(A)
#undef A
	stat(s, "merge.bytes", s->vm->merge.bytes);
}

/* Of the whole run. */
static void stats_balloon(struct scope *s)
{
	const struct virtio_balloon *b = virtio_balloon_of(s->vm);

	if (!b)
		return;
	stat(s, "balloon.pages", virtio_balloon_actual(b));
#define A(name) stat(s, "balloon." #name, b->account.name);
	BALLOON_ACCOUNT(A)
#undef A
}

/* Of one whose pages may leave the memory. */
static void stats_memory(struct scope *s)
{
	struct ram_count c = ram_counts(s->vm);

	stats_balloon(s);
	if (!s->vm->config->swap[0])
		return;
	stat(s, "memory.resident_pages", ram_resident(s->vm));
	stat(s, "memory.swapped_pages", ram_swapped(s->vm));
	stat(s, "memory.packed_pages", s->vm->packed);
	stat(s, "memory.went", c.went);
	stat(s, "memory.zeroes", c.zeroes);
	stat(s, "memory.came", c.came);
	stat(s, "memory.packed", c.packed);
	stat(s, "memory.unpacked", c.unpacked);
	stat(s, "memory.pack_ticks", c.pack_ticks);
	stat(s, "memory.unpack_ticks", c.unpack_ticks);
	stat(s, "memory.joined", c.joined);
	stat(s, "memory.join_ticks", c.join_ticks);
}

/* Of one that has been in several containers. */
static void stats_moves(struct scope *s)
{
	const struct live_account *a = &s->vm->live.account;

	if (!a->count)
		return;
	stat(s, "move.count", a->count);
#define A(name) stat(s, "move." #name, a->name);
	LIVE_ACCOUNT(A)
#undef A
	stat(s, "move.longest", a->longest);
}

static void stats_run(struct scope *s)
{
	struct mmu_counters c = mmu_counters(&s->vm->mmu);

	stats_exits(s, NULL);
	stats_mmu(s, &c, mmu_table_pages(&s->vm->mmu));
	stat(s, "console.dropped", s->vm->console.dropped);
	stat(s, "locks.waits", stats_locks(s->vm).waits);
	stat(s, "locks.ticks", stats_locks(s->vm).ticks);
	stat(s, "lapic.tpr_reads", stats_tpr(s->vm).reads);
	stat(s, "lapic.tpr_writes", stats_tpr(s->vm).writes);
	stats_memory(s);
	stats_moves(s);
	stats_patches(s);
	stats_tpr_methods(s);
	stats_trace(s);
	VM_MUTANT(ACCOUNT_DISKS, stats_disks(s));
	VM_MUTANT(ACCOUNT_NETS, stats_nets(s));
	VM_MUTANT(ACCOUNT_MERGE, stats_merge(s));
}

bool stats_vm(struct vm *vm)
{
	struct scope s = { .vm = vm, .zeros = true, .left = LINES_AT_ONCE };
	uint64_t before = vm->told;

	if (!VM_LEFT_OUT_OR(CONSOLE_REST, false) && !platform_console_rest(vm))
		return false;
	if (!trace_end(vm))
		return false; /* TR4 */
	if (vm->vcpu_count && VM_LEFT_OUT_OR(ACCOUNT_STARTED, vm_started(vm))) {
		stats_run(&s);
		stats_phases(&s);
		stats_mechanisms(&s);
	}
	say(&s, "vm %u end %d %s", vm->id, vm->status, vm->end_text);
	vm->all_told = VM_LEFT_OUT_OR(ACCOUNT_WHOLE, vm->told == s.at);
	return vm->told != before;
}

void stats_last_words(void)
{
	for (unsigned n = 0; n < machine.vm_count; n++) {
		struct scope s = { .vm = vm_at(n), .zeros = true, .left = 1, .last_words = true };

		if (!s.vm || s.vm->all_told || !vm_started(s.vm))
			continue;
		stats_run(&s);
	}
}
