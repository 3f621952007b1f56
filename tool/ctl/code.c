/* A guest's code as instructions (Capstone), and the flags of its registers by name. */
#include <capstone/capstone.h>
#include <stdlib.h>
#include <string.h>

#include "tool/ctl/guest.h"
#include "tool/options/value.h"

enum { NEXT = 8, MOST = 200, LONGEST = 15 };

/* ---- flags ---- */

struct flag {
	unsigned bit;
	const char *name;
};

/* SDM, "EFLAGS Register", "Control Registers", "IA32_EFER MSR". */
static const struct flag rflags[] = {
	{ 0, "CF" }, { 2, "PF" }, { 4, "AF" }, { 6, "ZF" }, { 7, "SF" }, { 8, "TF" }, { 9, "IF" }, { 10, "DF" },
	{ 11, "OF" }, { 14, "NT" }, { 16, "RF" }, { 17, "VM" }, { 18, "AC" }, { 19, "VIF" }, { 20, "VIP" },
	{ 21, "ID" }, { 0, NULL },
};
static const struct flag cr0[] = {
	{ 0, "PE" }, { 1, "MP" }, { 2, "EM" }, { 3, "TS" }, { 4, "ET" }, { 5, "NE" }, { 16, "WP" }, { 18, "AM" },
	{ 29, "NW" }, { 30, "CD" }, { 31, "PG" }, { 0, NULL },
};
static const struct flag cr4[] = {
	{ 0, "VME" }, { 1, "PVI" }, { 2, "TSD" }, { 3, "DE" }, { 4, "PSE" }, { 5, "PAE" }, { 6, "MCE" }, { 7, "PGE" },
	{ 8, "PCE" }, { 9, "OSFXSR" }, { 10, "OSXMMEXCPT" }, { 11, "UMIP" }, { 12, "LA57" }, { 13, "VMXE" },
	{ 16, "FSGSBASE" }, { 17, "PCIDE" }, { 18, "OSXSAVE" }, { 20, "SMEP" }, { 21, "SMAP" }, { 22, "PKE" },
	{ 0, NULL },
};
static const struct flag efer[] = { { 0, "SCE" }, { 8, "LME" }, { 10, "LMA" }, { 11, "NXE" }, { 0, NULL } };

static void show_flags(FILE *out, const char *name, uint64_t value, const struct flag *flags)
{
	fprintf(out, "  %-6s", name);
	for (; flags->name != NULL; flags++)
		if ((value >> flags->bit & 1) != 0)
			fprintf(out, " %s", flags->name);
	if (strcmp(name, "rflags") == 0)
		fprintf(out, " IOPL=%u", (unsigned)(value >> 12 & 3));
	fputc('\n', out);
}

/* SDM, "Code- and Data-Segment Types". */
static void show_segment(FILE *out, const cJSON *segment)
{
	unsigned access = (unsigned)guest_hex(segment, "access");

	if ((access >> 16 & 1) != 0 || ctl_get(segment, "access") == NULL)
		return;         /* unusable, or a table's register */
	fprintf(out, "  %-6s", segment->string);
	if ((access >> 4 & 1) == 0)
		fprintf(out, " system, type %u", access & 15);
	else if ((access >> 3 & 1) != 0)
		fprintf(out, " code of %u bits%s%s", (access >> 13 & 1) != 0 ? 64 : (access >> 14 & 1) != 0 ? 32 : 16,
			(access >> 1 & 1) != 0 ? ", readable" : "", (access >> 2 & 1) != 0 ? ", conforming" : "");
	else
		fprintf(out, " data%s%s", (access >> 1 & 1) != 0 ? ", writable" : "",
			(access >> 2 & 1) != 0 ? ", expands down" : "");
	fprintf(out, ", DPL %u%s\n", access >> 5 & 3, (access >> 7 & 1) != 0 ? "" : ", not present");
}

/* ---- instructions ---- */

unsigned guest_code_bits(const cJSON *dump)
{
	const cJSON *control = ctl_get(dump, "control");
	unsigned access = (unsigned)guest_hex(ctl_get(ctl_get(dump, "segments"), "cs"), "access");

	if ((guest_hex(control, "efer") >> 10 & 1) != 0 && (access >> 13 & 1) != 0)
		return 64;
	return (guest_hex(control, "cr0") & 1) != 0 && (access >> 14 & 1) != 0 ? 32 : 16;
}

uint64_t guest_code_at(const cJSON *dump)
{
	uint64_t rip = guest_hex(ctl_get(dump, "registers"), "rip");

	if (guest_code_bits(dump) == 64)
		return rip;
	return (uint32_t)(guest_hex(ctl_get(ctl_get(dump, "segments"), "cs"), "base") + rip);
}

void code_print(FILE *out, unsigned bits, uint64_t at, const uint8_t *bytes, size_t length, unsigned count,
		const struct symbols *symbols)
{
	cs_mode mode = bits == 64 ? CS_MODE_64 : bits == 32 ? CS_MODE_32 : CS_MODE_16;
	char name[120];
	cs_insn *insn;
	size_t n;
	csh handle;

	if (cs_open(CS_ARCH_X86, mode, &handle) != CS_ERR_OK)
		die(STATUS_FAILED, "the disassembler cannot be used");
	n = cs_disasm(handle, bytes, length, at, count, &insn);
	for (size_t i = 0; i < n; i++) {
		symbols_name(symbols, insn[i].address, name, sizeof name);
		if (*name != 0 && (i == 0 || strchr(name, '+') == NULL))
			fprintf(out, "%s:\n", name);
		fprintf(out, "  %016llx ", (unsigned long long)insn[i].address);
		for (unsigned b = 0; b < 10; b++)
			if (b < insn[i].size)
				fprintf(out, " %02x", insn[i].bytes[b]);
			else
				fputs("   ", out);
		fprintf(out, "  %s %s\n", insn[i].mnemonic, insn[i].op_str);
	}
	if (n == 0)
		fprintf(out, "  there is no instruction at 0x%llx\n", (unsigned long long)at);
	if (n > 0)
		cs_free(insn, n);
	cs_close(&handle);
}

/* The bytes at a guest-virtual address; 0: there is no memory. */
static size_t code_bytes(struct ctl *ctl, const char *vm, uint64_t at, uint8_t *bytes, size_t most)
{
	char error[300], *request = text("dump %s gva 0x%llx %zu", vm, (unsigned long long)at, most);
	cJSON *answer = ctl_ask_json(ctl, request, NULL, error, sizeof error);
	const char *hex = ctl_text(answer, "bytes");
	size_t n = 0;
	unsigned byte;

	free(request);
	for (; answer != NULL && n < most && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
		bytes[n] = (uint8_t)byte;
	cJSON_Delete(answer);
	return n;
}

static void show_code(FILE *out, struct ctl *ctl, const char *vm, unsigned bits, uint64_t at, unsigned count,
		      const struct symbols *symbols)
{
	uint8_t bytes[MOST * LONGEST];
	size_t n = code_bytes(ctl, vm, at, bytes, count * LONGEST);

	if (n == 0)
		fprintf(out, "  there is no memory at 0x%llx\n", (unsigned long long)at);
	else
		code_print(out, bits, at, bytes, n, count, symbols);
}

void code_show_dump(FILE *out, struct ctl *ctl, const char *vm, const cJSON *dump, const struct symbols *symbols)
{
	const cJSON *control = ctl_get(dump, "control"), *segment;
	unsigned bits = guest_code_bits(dump);

	fprintf(out, "flags\n");
	show_flags(out, "rflags", guest_hex(ctl_get(dump, "registers"), "rflags"), rflags);
	show_flags(out, "cr0", guest_hex(control, "cr0"), cr0);
	show_flags(out, "cr4", guest_hex(control, "cr4"), cr4);
	show_flags(out, "efer", guest_hex(control, "efer"), efer);
	cJSON_ArrayForEach(segment, ctl_get(dump, "segments")) show_segment(out, segment);
	fprintf(out, "code, of %u bits\n", bits);
	show_code(out, ctl, vm, bits, guest_code_at(dump), NEXT, symbols);
}

int disassemble_command(struct ctl *ctl, const char *vm, int argc, char **argv, const struct symbols *symbols)
{
	cJSON *dump = guest_ask(ctl, text("dump %s", vm));
	unsigned count = argc > 1 ? (unsigned)number_between("COUNT", argv[1], 1, MOST) : 2 * NEXT;
	uint64_t at = guest_code_at(dump);
	char *end = NULL;

	if (argc > 2)
		die(STATUS_USAGE, "ctl: it is: disassemble [VM[.VCPU]] [ADDRESS|SYMBOL [COUNT]]");
	if (argc > 0 && !symbols_find(symbols, argv[0], &at)) {
		at = strtoull(argv[0], &end, 0);
		if (*end != 0 || argv[0][0] < '0' || argv[0][0] > '9')
			die(STATUS_USAGE, "ctl: %s is no address%s", argv[0],
			    symbols != NULL ? ", and no symbol" : " (--symbols FILE knows names)");
	}
	show_code(stdout, ctl, vm, guest_code_bits(dump), at, count, symbols);
	cJSON_Delete(dump);
	return 0;
}
