#include "vm/control/control.h"

#include "host/device/console.h"
#include "host/device/lapic.h"
#include "lib/fmt.h"
#include "vm/life/life.h"
#include "vm/live/live.h"
#include "lib/mutants/mutate.h"

#define PIECE 200 /* of an answer, a line */

enum state {
	IDLE,
	ASKED,    /* the request waits for CPU channel.cpu */
	WAITS,    /* for a virtual machine to end, or to begin (vm/control/life.c) */
	ANSWERED, /* the answer leaves */
};

static char answer[CONTROL_ANSWER_SIZE];

/* The first CPU's, but for the time from ASKED to ANSWERED, when the request and the answer belong to channel.cpu. */
static struct {
	enum state state;
	unsigned cpu;
	struct vcpu *v; /* whom it is about, or whose turn it is of all */
	unsigned id;    /* of what is waited for */
	bool holds;     /* the request keeps the machine up */
	struct control_line line;
	struct control_request request;
	struct json answer;
	char error[300];
	bool ok;
	size_t sent;
	char *text; /* of the answer */
	size_t room;
} channel = { .text = answer, .room = sizeof(answer) };

bool control_cpus[CPUS_MAX];

static void tell(unsigned cpu)
{
	__atomic_store_n(&control_cpus[cpu], true, __ATOMIC_SEQ_CST);
	if (cpu != this_cpu()->id)
		lapic_host_kick(percpu_of(cpu)->apic_id);
}

void control_make_room(char *more, size_t size)
{
	channel.text = more;
	channel.room = size;
}

void control_port_event(void) { tell(this_cpu()->id); }

bool control_is_asked(void) { return __atomic_load_n(&channel.state, __ATOMIC_ACQUIRE) == ASKED; }

/* ---- answers leave ---- */

/* false: no room now. */
static bool send_piece(void)
{
	size_t left = channel.answer.used - channel.sent, n = min_u64(left, PIECE);

	if (VM_KEPT(REPLY_WAITS,
		    !console_guest_line("reply %s %.*s", channel.request.tag, (int)n, channel.text + channel.sent)))
		return false;
	channel.sent += n;
	return true;
}

static bool send(void)
{
	while (channel.ok && channel.sent < channel.answer.used)
		if (!send_piece())
			return false;
	if (!console_guest_line("done %s %s%s", channel.request.tag, channel.ok ? "ok" : "error ",
				channel.ok ? "" : channel.error))
		return false;
	channel.state = IDLE;
	if (channel.holds)
		life_let_go();
	channel.holds = false;
	return true;
}

/* ---- requests ---- */

/* Its number; machine.vm_count: the description has none of that name or number. */
static unsigned vm_number(const char *name)
{
	const char *p = name;
	uint64_t id = 0;

	for (unsigned n = 0; n < machine.vm_count; n++)
		if (strcmp(machine.place[n].config->name, name) == 0)
			return n;
	while (*p >= '0' && *p <= '9' && id < machine.vm_count)
		id = id * 10 + (uint64_t)(*p++ - '0');
	return VM_KEPT(FIND_WHOLE, *p) || id >= machine.vm_count ? machine.vm_count : (unsigned)id;
}

static bool say_pair(struct json *j, const struct vm *vm, const char *key, const char *value)
{
	json_open(j, NULL, '{');
	json_text(j, "vm", vm->config->name);
	json_text(j, key, value);
	json_close(j, '{');
	return true;
}

/* The mechanism after the one in use, of those that it could go over to. */
static bool switch_to_next(struct vm *vm, char *error, size_t size)
{
	const char *why = NULL;
	unsigned n = 0, count = 0;

	while (mmu_mechanisms[count])
		count++;
	while (mmu_mechanisms[n] != vm->mmu.ops)
		n++;
	for (unsigned i = 1; i < count; i++)
		if (!(why = vm_switch(vm, mmu_mechanisms[(n + i) % count])))
			return true;
	fmt(error, size, "%s stays with %s: %s", vm->config->name, vm->mmu.ops->name, why);
	return false;
}

static bool change_mechanism(struct vm *vm, const char *name, char *error, size_t size)
{
	const char *why;
	const struct mmu_ops *ops = mechanism_named(name, &why);

	if (ops && !(why = vm_switch(vm, ops)))
		return true;
	fmt(error, size, "%s stays with %s; %s cannot be used: %s", vm->config->name, vm->mmu.ops->name, name, why);
	return false;
}

static bool change_mmu(struct vm *vm)
{
	const char *word = channel.request.word;

	if (!(strcmp(word, "next") == 0 ? switch_to_next(vm, channel.error, sizeof(channel.error))
					: change_mechanism(vm, word, channel.error, sizeof(channel.error))))
		return false;
	return say_pair(&channel.answer, vm, "mmu", vm->mmu.ops->name);
}

static bool change_tpr(struct vm *vm)
{
	const char *word = channel.request.word, *why = tpr_change(vm, word);

	if (!why)
		return say_pair(&channel.answer, vm, "tpr", tpr_name(vm));
	fmt(channel.error, sizeof(channel.error), "%s stays with tpr %s; %s cannot be used: %s", vm->config->name,
	    tpr_name(vm), word, why);
	return false;
}

static bool pause_or_resume(struct vm *vm, bool on)
{
	vm_pause(vm, on);
	return say_pair(&channel.answer, vm, "state", control_state(vm));
}

/* Asks the guest to end: what follows is up to it. */
static bool press_power_button(struct vm *vm)
{
	platform_power_button(vm);
	return say_pair(&channel.answer, vm, "state", control_state(vm));
}

static bool audit_tables(struct vcpu *v)
{
	char why[120] = "";

	if (mmu_audit(&v->vm->mmu, why, sizeof(why)))
		return say_pair(&channel.answer, v->vm, "audit", "ok");
	fmt(channel.error, sizeof(channel.error), "the tables of %s break an invariant: %s", v->vm->config->name, why);
	return false;
}

/* What each of its virtual CPUs is doing, in the log; last: of these. */
static bool log_state(struct vcpu *v, bool last)
{
	if (v->started)
		vm_tell_state(v);
	if (last && *channel.request.word)
		return pause_or_resume(v->vm, true);
	return !last || say_pair(&channel.answer, v->vm, "state", control_state(v->vm));
}

/* The next of those that the request is about; NULL: v is the last. */
static struct vcpu *next_of(const struct vcpu *v)
{
	enum control_command command = channel.request.command;
	bool each = command == CONTROL_DETAIL || command == CONTROL_TRACE || command == CONTROL_TELL ||
		    (command == CONTROL_PIN && channel.request.vcpu == CONTROL_ANY);

	return each && v->id + 1 < v->vm->vcpu_count ? v->vm->vcpu[v->id + 1] : NULL;
}

static bool carry_out(struct vcpu *v)
{
	const struct control_request *r = &channel.request;
	struct json *j = &channel.answer;

	switch (r->command) {
	case CONTROL_LIST: case CONTROL_STATS: case CONTROL_PHASES: case CONTROL_CONSOLE:
	case CONTROL_PIN: case CONTROL_MIGRATE:
	case CONTROL_START: case CONTROL_STOP: case CONTROL_RESET: case CONTROL_DESTROY: case CONTROL_MOVE:
		break; /* not here */
	case CONTROL_WEIGHT:
		return control_weight(v->vm, r, j, channel.error, sizeof(channel.error));
	case CONTROL_MMU: return change_mmu(v->vm);
	case CONTROL_PAUSE: case CONTROL_RESUME:
		return pause_or_resume(v->vm, r->command == CONTROL_PAUSE);
	case CONTROL_TPR: return change_tpr(v->vm);
	case CONTROL_SHUTDOWN:
		return press_power_button(v->vm);
	case CONTROL_AUDIT:
		return audit_tables(v);
	case CONTROL_TELL:
		return log_state(v, !next_of(v));
	case CONTROL_DIRTY: case CONTROL_MERGE: case CONTROL_BALLOON:
		return control_of_memory(v->vm, r, j, channel.error, sizeof(channel.error));
	case CONTROL_DEBUG:
		return control_debug(v, r, j, channel.error, sizeof(channel.error));
	case CONTROL_SCREEN: case CONTROL_VIDEO: case CONTROL_KEYS: case CONTROL_MOUSE:
		return control_of_screen(v->vm, r, j, channel.error, sizeof(channel.error));
	case CONTROL_INPUT:
		return control_input(v->vm, r, j);
	case CONTROL_DETAIL: case CONTROL_TRACE: case CONTROL_TRACED:
		return control_of_exits(v, !next_of(v), r, j, channel.error, sizeof(channel.error));
	case CONTROL_SAVE:
		return control_save(v, r, j, channel.error, sizeof(channel.error));
	case CONTROL_TRANSLATE:
		return control_translate(v, GVA(r->address), j, channel.error, sizeof(channel.error));
	case CONTROL_DUMP: case CONTROL_MEMORY:
		if (r->space == CONTROL_REGISTERS)
			return control_dump(v, j, channel.error, sizeof(channel.error));
		return control_memory(v, r, j, channel.error, sizeof(channel.error));
	}
	return false;
}

/* With v loaded on this CPU for the time being, its registers in the heart, and nothing changed for whoever runs. */
static bool visit_loaded(struct vcpu *v)
{
	struct vcpu *before;
	bool ok;

	if (!v->started && channel.request.command != CONTROL_DEBUG && channel.request.command != CONTROL_SAVE)
		return carry_out(v);
	before = vcpu_visit(v);
	if (!v->started)
		vcpu_begin(v);
	VM_MUTANT(VISIT_SYNCS, vcpu_sync_heart(v));
	ok = carry_out(v);
	vcpu_visited(before);
	return ok;
}

/* Where v goes, for which it must not be loaded here again. */
static bool pins_or_migrates(enum control_command command)
{
	return command == CONTROL_PIN || command == CONTROL_MIGRATE;
}

static bool pin_or_migrate(struct vcpu *v)
{
	const struct control_request *r = &channel.request;

	if (r->command == CONTROL_PIN)
		return control_pin(v, !next_of(v), r, &channel.answer, channel.error, sizeof(channel.error));
	return control_migrate(v, r, &channel.answer, channel.error, sizeof(channel.error));
}

/* What must find no virtual CPU running. Between what one that runs writes to a page table for its guest, and what it
 * says of it, the tables do not fit each other. */
static bool stops_all(enum control_command command)
{
	return command == CONTROL_MMU || command == CONTROL_TPR || VM_KEPT(SAVE_STOPS, command == CONTROL_SAVE) ||
	       VM_KEPT(AUDIT_STOPS, command == CONTROL_AUDIT);
}

static bool visit(struct vcpu *v)
{
	struct vm *vm = v->vm;
	bool all = stops_all(channel.request.command), ok;

	if (vm->ended) {
		fmt(channel.error, sizeof(channel.error), "%s is over: %s", vm->config->name, vm->end_text);
		return false;
	}
	if (pins_or_migrates(channel.request.command))
		return pin_or_migrate(v);
	if (VM_KEPT(LIVE_STAYS, control_stays(vm, channel.request.command, channel.error, sizeof(channel.error))))
		return false;
	/* Before another is loaded than the one that this CPU runs. */
	if (all)
		vm_freeze(vm);
	ok = visit_loaded(v);
	if (all)
		vm_thaw(vm);
	return ok;
}

static void answered(bool ok)
{
	if (ok && channel.answer.overflow) {
		fmt(channel.error, sizeof(channel.error), "the answer is longer than the channel can hold");
		ok = false;
	}
	channel.ok = ok;
	__atomic_store_n(&channel.state, ANSWERED, __ATOMIC_RELEASE);
}

/* Of what the virtual machine has counted or said, for which it needs not be on its CPU. */
static bool is_account(enum control_command command)
{
	return command == CONTROL_STATS || command == CONTROL_PHASES || command == CONTROL_CONSOLE;
}

static void answer_account(struct vm *vm)
{
	if (channel.request.command == CONTROL_CONSOLE)
		answered(control_console(vm, &channel.request, &channel.answer));
	else
		answered((channel.request.command == CONTROL_STATS ? control_stats : control_phases)(
		vm, &channel.answer, channel.error, sizeof(channel.error)));
}

static bool is_life(enum control_command command)
{
	return command == CONTROL_START || command == CONTROL_STOP || command == CONTROL_RESET ||
	       command == CONTROL_DESTROY;
}

/* The machine stays up until the answer has left. */
static void begin_life(unsigned id)
{
	life_hold();
	channel.id = id;
	channel.holds = true;
	if (control_life_begin(id, channel.request.command, channel.error, sizeof(channel.error)))
		channel.state = WAITS;
	else
		answered(false);
}

/* false: it goes on. */
static bool life_done(void)
{
	unsigned id = channel.id;
	bool ok;

	if (!control_life_done(id, channel.request.command, channel.error, sizeof(channel.error), &ok))
		return false;
	if (ok)
		control_life_say(&channel.answer, id);
	answered(ok);
	return true;
}

/* The CPU of v is to serve the request, which is no more the calling one's then. */
static void ask(struct vcpu *v)
{
	unsigned cpu = __atomic_load_n(&v->cpu, __ATOMIC_SEQ_CST)->id;

	channel.v = v;
	__atomic_store_n(&channel.cpu, cpu, __ATOMIC_RELEASE);
	__atomic_store_n(&channel.state, ASKED, __ATOMIC_RELEASE);
	tell(cpu);
}

static void ask_of(struct vm *vm)
{
	uint64_t n = channel.request.vcpu == CONTROL_ANY ? 0 : channel.request.vcpu;

	if (VM_LEFT_OUT_OR(VCPU_EXISTS, n < vm->vcpu_count)) {
		ask(vm->vcpu[n]);
		return;
	}
	fmt(channel.error, sizeof(channel.error), "%s has no virtual CPU %lu", vm->config->name, n);
	answered(false);
}

/* A request has arrived. */
static void begin_request(void)
{
	const struct control_request *r = &channel.request;
	unsigned id;
	struct vm *vm;
	bool ok = control_parse(&channel.line, &channel.request, channel.error, sizeof(channel.error));

	json_init(&channel.answer, channel.text, channel.room);
	channel.sent = 0;
	if (!ok) {
		answered(false);
		return;
	}
	if (r->command == CONTROL_LIST) {
		answered(control_list(&channel.answer, channel.error, sizeof(channel.error)));
		return;
	}
	id = vm_number(r->vm);
	vm = vm_at(id);
	if (id == machine.vm_count) {
		fmt(channel.error, sizeof(channel.error), "there is no virtual machine %s", r->vm);
		answered(false);
	} else if (is_life(r->command)) {
		begin_life(id);
	} else if (!vm) {
		fmt(channel.error, sizeof(channel.error), "%s has not been started", machine.place[id].config->name);
		answered(false);
	} else if (is_account(r->command) && vm->ended) {
		answer_account(vm);
	} else if (vm->ended) {
		fmt(channel.error, sizeof(channel.error), "%s is over: %s", vm->config->name, vm->end_text);
		answered(false);
	} else if (r->command == CONTROL_MOVE) {
		answered(control_move(vm, r, &channel.answer, channel.error, sizeof(channel.error)));
	} else {
		ask_of(vm);
	}
}

/* The first CPU's part: answers out, requests in. */
static void exchange(void)
{
	int byte;

	for (;;) {
		enum state state = __atomic_load_n(&channel.state, __ATOMIC_ACQUIRE);

		if (VM_KEPT(ONE_AT_A_TIME, state == ASKED) || (state == WAITS && !life_done()))
			return;
		if (channel.state == ANSWERED && !send())
			return;
		do {
			byte = console_get(CONSOLE_STATS);
			if (byte < 0)
				return;
		} while (!control_line_take(&channel.line, (uint8_t)byte));
		begin_request();
	}
}

static void serve_asked(void)
{
	struct vcpu *v = channel.v, *next = next_of(v);
	bool ok;

	if (is_account(channel.request.command)) {
		answer_account(v->vm);
	} else if (VM_KEPT(FOLLOWED, !v->vm->ended && v->cpu != this_cpu())) {
		ask(v);
		return;
	} else {
		ok = visit(v);
		if (ok && next) {
			ask(next);
			return;
		}
		answered(ok);
	}
	tell(0);
}

void control_serve(void)
{
	unsigned cpu = this_cpu()->id;

	/* Again where the first CPU has asked itself. */
	while (__atomic_exchange_n(&control_cpus[cpu], false, __ATOMIC_SEQ_CST)) {
		if (__atomic_load_n(&channel.state, __ATOMIC_ACQUIRE) == ASKED &&
		    __atomic_load_n(&channel.cpu, __ATOMIC_ACQUIRE) == cpu)
			serve_asked();
		if (cpu == 0)
			exchange();
	}
	live_serve(this_cpu());
}
