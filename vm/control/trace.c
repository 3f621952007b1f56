/* vm/control/trace.c - exits one by one: their sums, and records of some (vm/account/trace.h). */
#include "vm/control/control.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"
#include "vm/control/packed.h"

/* Records in an answer: packed and in base64 it fits, whatever they are. */
#define RECORDS_MOST 512u
_Static_assert(COMPRESS_ROOM(RECORDS_MOST * sizeof(struct trace_record)) * 4 / 3 + 1000 < CONTROL_ANSWER_SIZE, "CT2");
_Static_assert(RECORDS_MOST * sizeof(struct trace_record) <= PACKED_MAX, "json_packed()");

static void show_sum(struct json *j, const struct trace_sum *s)
{
	json_number(j, "count", s->count);
	json_number(j, "ticks", s->ticks);
	json_number(j, "min", s->min);
	json_number(j, "max", s->max);
}

static void show_buckets(struct json *j, const uint64_t *bucket)
{
	char name[12];

	json_open(j, "histogram", '{');
	for (unsigned n = 0; n < TRACE_BUCKETS; n++) {
		if (!bucket[n])
			continue;
		fmt(name, sizeof(name), "%u", n ? 1u << n : 0);
		json_number(j, name, bucket[n]);
	}
	json_close(j, '{');
}

static void show_numbers(struct json *j, const struct trace_sums *sums, unsigned code)
{
	char name[24];

	json_open(j, "by_number", '{');
	for (unsigned n = 0; n < TRACE_NUMBERS; n++) {
		const struct trace_number *e = &sums->number[n];

		if (!e->key || trace_key_code(e->key) != code)
			continue;
		trace_key_name(e->key, name, sizeof(name));
		json_open(j, name, '{');
		show_sum(j, &e->sum);
		json_close(j, '{');
	}
	json_close(j, '{');
}

static void show(struct json *j, const struct vm *vm)
{
	static struct trace_sums sums; /* CT1: one request at a time */

	memset(&sums, 0, sizeof(sums));
	trace_add_up(vm, &sums);
	json_open(j, NULL, '{');
	json_text(j, "vm", vm->config->name);
	json_text(j, "state", control_state(vm));
	json_number(j, "tsc_hz", machine.tsc_hz);
	json_bool(j, "on", vm_boot_vcpu(vm)->traced.by->sums_on);
	json_open(j, "detail", '{');
	for (unsigned n = 0; n < HVM_EXIT_CODES; n++) {
		if (!sums.reason[n].count)
			continue;
		json_open(j, hvm_exit_name(n), '{');
		show_sum(j, &sums.reason[n]);
		show_buckets(j, sums.bucket[n]);
		show_numbers(j, &sums, n);
		json_close(j, '{');
	}
	json_close(j, '{');
	json_number(j, "detail_others", sums.others);
	json_close(j, '{');
}

static bool refuse(const struct vcpu *v, const char *why, char *error, size_t size)
{
	fmt(error, size, "the exits of %s cannot be recorded: %s", v->vm->config->name, why);
	return false;
}

static bool detail(struct vcpu *v, bool last, const struct control_request *r, struct json *j, char *error,
		   size_t size)
{
	const char *why = r->word[0] ? trace_sums_on(v, strcmp(r->word, "on") == 0) : NULL;

	if (why)
		return refuse(v, why, error, size);
	if (!v->traced.by) {
		fmt(error, size, "the exits of %s have not been looked at one by one: say \"detail %s on\" first",
		    v->vm->config->name, v->vm->config->name);
		return false;
	}
	trace_bring_up_to_date(v);
	if (last)
		show(j, v->vm);
	return true;
}

static bool trace(struct vcpu *v, bool last, const struct control_request *r, struct json *j, char *error,
		  size_t size)
{
	const char *why = NULL;

	if (r->address)
		why = trace_keep(v, r->address);
	else
		trace_keep_no_more(v);
	if (why)
		return refuse(v, why, error, size);
	if (!last)
		return true;
	json_open(j, NULL, '{');
	json_text(j, "vm", v->vm->config->name);
	json_number(j, "vcpus", v->vm->vcpu_count);
	json_number(j, "tsc_hz", machine.tsc_hz);
	json_number(j, "count", r->address);
	json_close(j, '{');
	return true;
}

static bool traced(struct vcpu *v, const struct control_request *r, struct json *j, char *error, size_t size)
{
	const struct trace *t = v->traced.by;
	const struct trace_record *from;
	uint64_t n;

	if (!t || !t->kept) {
		fmt(error, size, "the exits of %s have not been recorded: say \"trace %s COUNT\" first",
		    v->vm->config->name, v->vm->config->name);
		return false;
	}
	trace_bring_up_to_date(v);
	n = VM_KEPT(TRACED_WHOLE, r->address > t->kept_count) ? 0 : t->kept_count - r->address;
	n = min_u64(n, RECORDS_MOST);
	from = t->kept + 1 + r->address;
	json_open(j, NULL, '{');
	json_text(j, "vm", v->vm->config->name);
	json_number(j, "vcpu", v->id);
	json_number(j, "recorded", t->kept_count);
	json_bool(j, "complete", !t->keeping);
	json_number(j, "from", r->address);
	json_number(j, "records", n);
	json_packed(j, "packed", from, n * sizeof(*from));
	json_close(j, '{');
	return true;
}

bool control_of_exits(struct vcpu *v, bool last, const struct control_request *r, struct json *j, char *error,
		      size_t size)
{
	if (r->command == CONTROL_DETAIL)
		return detail(v, last, r, j, error, size);
	if (r->command == CONTROL_TRACE)
		return trace(v, last, r, j, error, size);
	return traced(v, r, j, error, size);
}
