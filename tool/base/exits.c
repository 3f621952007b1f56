#include "tool/base/exits.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "lib/x86.h"
#include "tool/base/output.h"
#include "tool/base/util.h"
#include "tool/base/version.h"
#include "vmx/record.h"

bool exits_format(const char *path, bool *csv)
{
	const char *dot = strrchr(path, '.');

	*csv = dot != NULL && strcmp(dot, ".csv") == 0;
	return *csv || (dot != NULL && strcmp(dot, ".json") == 0);
}

void exits_add(struct exits *exits, const struct trace_record *records, size_t count)
{
	if (exits->count + count > exits->room) {
		exits->room = 2 * (exits->count + count);
		exits->record = grow(exits->record, exits->room * sizeof *exits->record);
	}
	memcpy(exits->record + exits->count, records, count * sizeof *records);
	exits->count += count;
}

bool exits_read_disk(struct exits *exits, const char *path)
{
	static struct trace_record chunk[TRACE_CHUNK / sizeof(struct trace_record)];
	FILE *file = fopen(path, "rbe");
	struct trace_head head;
	uint64_t run = 0;
	bool ok;

	if (file == NULL)
		return false;
	while (fread(chunk, sizeof chunk, 1, file) == 1) {
		memcpy(&head, chunk, sizeof head);
		if (memcmp(head.magic, TRACE_MAGIC, sizeof head.magic) != 0 || head.version != TRACE_VERSION ||
		    (exits->count != 0 && head.run != run))
			break;
		run = head.run;
		exits->tsc_hz = head.tsc_hz;
		exits_add(exits, chunk + 1, head.records < ARRAY_SIZE(chunk) ? head.records : ARRAY_SIZE(chunk) - 1);
	}
	ok = !ferror(file);
	fclose(file);
	return ok;
}

static int earlier(const void *a, const void *b)
{
	const struct trace_record *one = a, *other = b;

	return one->tsc != other->tsc ? (one->tsc < other->tsc ? -1 : 1)
				      : one->vcpu < other->vcpu ? -1 : one->vcpu > other->vcpu;
}

void exits_sort(struct exits *exits)
{
	if (exits->count != 0)
		qsort(exits->record, exits->count, sizeof *exits->record, earlier);
}

void exits_free(struct exits *exits)
{
	free(exits->record);
	*exits = (struct exits){ 0 };
}

static const char *reason(const struct trace_record *r)
{
	const char *name = record_name(r->code);

	return name != NULL ? name : "unknown";
}

static void control_register(uint64_t address, char *buf, size_t size)
{
	enum hvm_cr_how how = (enum hvm_cr_how)(address >> TRACE_CR_HOW_SHIFT & 3);

	if (how == HVM_CR_CLTS || how == HVM_CR_LMSW)
		snprintf(buf, size, "%s", how == HVM_CR_CLTS ? "clts" : "lmsw");
	else
		snprintf(buf, size, "mov %s cr%u", how == HVM_CR_TO ? "to" : "from", (unsigned)(address & TRACE_CR));
}

static void exception(unsigned vector, unsigned long long address, char *buf, size_t size)
{
	size_t at = (size_t)snprintf(buf, size, "vector %u", vector);

	if (vector == VECTOR_PF)
		snprintf(buf + at, size - at, " gva 0x%llx", address);
}

/* What its record's address is; "": nothing. */
static void write_subject(const struct trace_record *r, char *buf, size_t size)
{
	unsigned long long address = r->address;

	*buf = 0;
	if (r->code >= TRACE_EXCEPTION) {
		if (r->code == TRACE_DEVICE)
			snprintf(buf, size, "mmio 0x%llx", address);
		else
			exception((unsigned)(r->code & MASK(4, 0)), address, buf, size);
		return;
	}
	switch (record_kind(r->code)) {
	case HVM_EXIT_IO:
		snprintf(buf, size, "%s port 0x%llx size %llu", address & TRACE_PORT_IN ? "in" : "out",
			 address & TRACE_PORT, address >> TRACE_PORT_SIZE_SHIFT & 7);
		break;
	case HVM_EXIT_RDMSR: case HVM_EXIT_WRMSR: snprintf(buf, size, "msr 0x%llx", address); break;
	case HVM_EXIT_CPUID: snprintf(buf, size, "leaf 0x%llx", address); break;
	case HVM_EXIT_CR_ACCESS: control_register(address, buf, size); break;
	case HVM_EXIT_NESTED_FAULT: case HVM_EXIT_NESTED_MISCONFIG: snprintf(buf, size, "gpa 0x%llx", address); break;
	case HVM_EXIT_INVLPG: snprintf(buf, size, "gva 0x%llx", address); break;
	case HVM_EXIT_INTERRUPT: case HVM_EXIT_EOI: snprintf(buf, size, "vector %llu", address); break;
	case HVM_EXIT_APIC_ACCESS: case HVM_EXIT_APIC_WRITE: snprintf(buf, size, "offset 0x%llx", address); break;
	default: break;
	}
}

static double microseconds(const struct exits *exits, uint64_t ticks)
{
	return exits->tsc_hz != 0 ? (double)ticks * 1e6 / (double)exits->tsc_hz : 0;
}

static const char *vm_name(const struct exits_about *about, unsigned vm)
{
	return vm < about->vm_count && about->vms[vm] != NULL ? about->vms[vm] : "?";
}

void exits_write_csv(FILE *out, const struct exits *exits, const struct exits_about *about)
{
	char subject[64];

	fprintf(out, "# vellum %s\n", VELLUM_VERSION);
	if (about->command != NULL)
		fprintf(out, "# command: %s\n", about->command);
	if (about->cpu != NULL)
		fprintf(out, "# cpu: %s, %s, ips %" PRIu64 "\n", about->cpu, about->emulator, about->ips);
	fprintf(out, "# tsc_hz: %" PRIu64 "\n", exits->tsc_hz);
	fprintf(out, "tsc,microseconds,vm,vcpu,reason,subject,address,rip,ticks\n");
	for (size_t i = 0; i < exits->count; i++) {
		const struct trace_record *r = &exits->record[i];

		write_subject(r, subject, sizeof subject);
		fprintf(out, "%" PRIu64 ",%.3f,%s,%u,%s,%s,0x%" PRIx64 ",0x%" PRIx64 ",%" PRIu32 "\n", r->tsc,
			microseconds(exits, r->tsc), vm_name(about, r->vm), r->vcpu, reason(r),
			*subject != 0 ? subject : "-", r->address, r->rip, r->ticks);
	}
}

/* A string of JSON, with its quotation marks. */
static void put_string(FILE *out, const char *value)
{
	cJSON *item = cJSON_CreateString(value);
	char *printed = item != NULL ? cJSON_PrintUnformatted(item) : NULL;

	if (printed == NULL)
		die(STATUS_FAILED, "out of memory");
	fputs(printed, out);
	free(printed);
	cJSON_Delete(item);
}

static void put_about(FILE *out, const struct exits *exits, const struct exits_about *about)
{
	fprintf(out, "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"vellum\":\"%s\",\"tsc_hz\":%" PRIu64, VELLUM_VERSION,
		exits->tsc_hz);
	if (about->command != NULL) {
		fputs(",\"command\":", out);
		put_string(out, about->command);
	}
	if (about->cpu != NULL) {
		fputs(",\"cpu\":", out);
		put_string(out, about->cpu);
		fputs(",\"emulator\":", out);
		put_string(out, about->emulator);
		fprintf(out, ",\"ips\":%" PRIu64, about->ips);
	}
	fputs("},\"traceEvents\":[\n", out);
	for (size_t i = 0; i < about->vm_count; i++) {
		fprintf(out, "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":%zu,\"args\":{\"name\":", i);
		put_string(out, vm_name(about, (unsigned)i));
		fputs("}},\n", out);
	}
}

/* Trace Event Format: "complete" events, whose times are microseconds; a process is a virtual machine, a thread a
 * virtual CPU. */
void exits_write_json(FILE *out, const struct exits *exits, const struct exits_about *about)
{
	char subject[64];

	put_about(out, exits, about);
	for (size_t i = 0; i < exits->count; i++) {
		const struct trace_record *r = &exits->record[i];

		write_subject(r, subject, sizeof subject);
		fprintf(out, "{\"name\":\"%s\",\"cat\":\"exit\",\"ph\":\"X\",\"ts\":%.3f,\"dur\":%.3f,\"pid\":%u,"
			"\"tid\":%u,\"args\":{\"subject\":\"%s\",\"address\":\"0x%" PRIx64 "\",\"rip\":\"0x%" PRIx64
			"\",\"ticks\":%" PRIu32 "}}%s\n", reason(r), microseconds(exits, r->tsc),
			microseconds(exits, r->ticks), r->vm, r->vcpu, *subject != 0 ? subject : "-", r->address,
			r->rip, r->ticks, i + 1 < exits->count ? "," : "");
	}
	if (exits->count == 0 && about->vm_count > 0)
		fputs("{\"name\":\"nothing\",\"ph\":\"M\",\"pid\":0,\"args\":{}}\n", out);
	fputs("]}\n", out);
}

void exits_write(const char *path, struct exits *exits, const struct exits_about *about)
{
	FILE *out = output_begin(path);
	bool csv;

	if (out == NULL || !exits_format(path, &csv))
		die(STATUS_FAILED, "cannot write %s: %s", path, strerror(errno));
	exits_sort(exits);
	(csv ? exits_write_csv : exits_write_json)(out, exits, about);
	if (!output_end(out))
		die(STATUS_FAILED, "cannot write %s: %s", path, strerror(errno));
}
