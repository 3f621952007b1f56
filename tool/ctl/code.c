/* A guest's code as instructions (Capstone), and the flags of its registers by name. */
#include <capstone/capstone.h>
#include <stdlib.h>
#include <string.h>

#include "lib/descriptor.h"
#include "tool/ctl/guest.h"
#include "tool/options/value.h"

enum { NEXT = 8, MOST = 200, LONGEST = 15 };

/* ---- flags ---- */

struct flag {
	uint64_t mask;
	const char *name;
};

/* SDM, "EFLAGS Register", "Control Registers", "Extended Feature Enable Register". */
static const struct flag rflags[] = {
	{ RFLAGS_CF, "CF" }, { RFLAGS_PF, "PF" }, { RFLAGS_AF, "AF" }, { RFLAGS_ZF, "ZF" }, { RFLAGS_SF, "SF" },
	{ RFLAGS_TF, "TF" }, { RFLAGS_IF, "IF" }, { RFLAGS_DF, "DF" }, { RFLAGS_OF, "OF" }, { RFLAGS_NT, "NT" },
	{ RFLAGS_RF, "RF" }, { RFLAGS_VM, "VM" }, { RFLAGS_AC, "AC" }, { RFLAGS_VIF, "VIF" }, { RFLAGS_VIP, "VIP" },
	{ RFLAGS_ID, "ID" }, { 0, NULL },
};
static const struct flag cr0[] = {
	{ CR0_PE, "PE" }, { CR0_MP, "MP" }, { CR0_EM, "EM" }, { CR0_TS, "TS" }, { CR0_ET, "ET" }, { CR0_NE, "NE" },
	{ CR0_WP, "WP" }, { CR0_AM, "AM" }, { CR0_NW, "NW" }, { CR0_CD, "CD" }, { CR0_PG, "PG" }, { 0, NULL },
};
static const struct flag cr4[] = {
	{ CR4_VME, "VME" }, { CR4_PVI, "PVI" }, { CR4_TSD, "TSD" }, { CR4_DE, "DE" }, { CR4_PSE, "PSE" },
	{ CR4_PAE, "PAE" }, { CR4_MCE, "MCE" }, { CR4_PGE, "PGE" }, { CR4_PCE, "PCE" }, { CR4_OSFXSR, "OSFXSR" },
	{ CR4_OSXMMEXCPT, "OSXMMEXCPT" }, { CR4_UMIP, "UMIP" }, { CR4_LA57, "LA57" }, { CR4_VMXE, "VMXE" },
	{ CR4_FSGSBASE, "FSGSBASE" }, { CR4_PCIDE, "PCIDE" }, { CR4_OSXSAVE, "OSXSAVE" }, { CR4_SMEP, "SMEP" },
	{ CR4_SMAP, "SMAP" }, { CR4_PKE, "PKE" }, { 0, NULL },
};
static const struct flag efer[] = {
	{ EFER_SCE, "SCE" }, { EFER_LME, "LME" }, { EFER_LMA, "LMA" }, { EFER_NXE, "NXE" }, { 0, NULL },
};

static void show_flags(FILE *out, const char *name, uint64_t value, const struct flag *flags)
{
	fprintf(out, "  %-6s", name);
	for (; flags->name != NULL; flags++)
		if ((value & flags->mask) != 0)
			fprintf(out, " %s", flags->name);
	if (strcmp(name, "rflags") == 0)
		fprintf(out, " IOPL=%u", (unsigned)((value & RFLAGS_IOPL) >> RFLAGS_IOPL_SHIFT));
	fputc('\n', out);
}

/* SDM, "Code- and Data-Segment Types". */
static void show_segment(FILE *out, const cJSON *segment)
{
	uint32_t access = (uint32_t)guest_hex(segment, "access");
	bool read_write = (access & TYPE_READ_WRITE) != 0;

	if ((access & SEGMENT_UNUSABLE) != 0 || ctl_get(segment, "access") == NULL)
		return;         /* unusable, or a table's register */
	fprintf(out, "  %-6s", segment->string);
	if ((access & SEGMENT_S) == 0)
		fprintf(out, " system, type %u", access_system_type(access));
	else if ((access & TYPE_CODE) != 0)
		fprintf(out, " code of %u bits%s%s",
			(access & SEGMENT_L) != 0 ? 64 : (access & SEGMENT_DB) != 0 ? 32 : 16,
			read_write ? ", readable" : "", access_conforming_code(access) ? ", conforming" : "");
	else
		fprintf(out, " data%s%s", read_write ? ", writable" : "",
			(access & TYPE_EXPAND_DOWN) != 0 ? ", expands down" : "");
	fprintf(out, ", DPL %u%s\n", access_dpl(access), (access & SEGMENT_P) != 0 ? "" : ", not present");
}

/* ---- instructions ---- */

/* Of the code that runs by a dump's registers: 16, 32 or 64. */
static unsigned code_bits(const cJSON *dump)
{
	const cJSON *control = ctl_get(dump, "control");
	uint32_t access = (uint32_t)guest_hex(ctl_get(ctl_get(dump, "segments"), "cs"), "access");

	if ((guest_hex(control, "efer") & EFER_LMA) != 0 && (access & SEGMENT_L) != 0)
		return 64;
	return (guest_hex(control, "cr0") & CR0_PE) != 0 && (access & SEGMENT_DB) != 0 ? 32 : 16;
}

/* Where that is. */
static uint64_t code_at(const cJSON *dump)
{
	uint64_t rip = guest_hex(ctl_get(dump, "registers"), "rip");

	if (code_bits(dump) == 64)
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
	unsigned bits = code_bits(dump);

	fprintf(out, "flags\n");
	show_flags(out, "rflags", guest_hex(ctl_get(dump, "registers"), "rflags"), rflags);
	show_flags(out, "cr0", guest_hex(control, "cr0"), cr0);
	show_flags(out, "cr4", guest_hex(control, "cr4"), cr4);
	show_flags(out, "efer", guest_hex(control, "efer"), efer);
	cJSON_ArrayForEach(segment, ctl_get(dump, "segments")) show_segment(out, segment);
	fprintf(out, "code, of %u bits\n", bits);
	show_code(out, ctl, vm, bits, code_at(dump), NEXT, symbols);
}

int disassemble_command(struct ctl *ctl, const char *vm, int argc, char **argv, const struct symbols *symbols)
{
	cJSON *dump = guest_ask(ctl, text("dump %s", vm));
	unsigned count = argc > 1 ? (unsigned)number_between("COUNT", argv[1], 1, MOST) : 2 * NEXT;
	uint64_t at = code_at(dump);
	char *end = NULL;

	if (argc > 2)
		die(STATUS_USAGE, "ctl: it is: disassemble [VM[.VCPU]] [ADDRESS|SYMBOL [COUNT]]");
	if (argc > 0 && !symbols_find(symbols, argv[0], &at)) {
		at = strtoull(argv[0], &end, 0);
		if (*end != 0 || argv[0][0] < '0' || argv[0][0] > '9')
			die(STATUS_USAGE, "ctl: %s is no address%s", argv[0],
			    symbols != NULL ? ", and no symbol" : " (--symbols FILE knows names)");
	}
	show_code(stdout, ctl, vm, code_bits(dump), at, count, symbols);
	cJSON_Delete(dump);
	return 0;
}
