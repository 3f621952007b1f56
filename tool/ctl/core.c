/* vellum ctl dump-guest-memory: a guest's RAM and registers as an ELF core file, which gdb and crash read. As QEMU's
 * command of that name: a segment for each piece of RAM with its physical address, and, with `paging`, one for each run
 * of pages that the boot processor's page tables map, with its virtual address; these are in the file once. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>

#include "tool/base/number.h"
#include "tool/base/output.h"
#include "tool/ctl/guest.h"

enum { SLOTS_MOST = 32, LOADS_MOST = 60000, NAMES = sizeof(elf_gregset_t) / 8 };

struct slot {
	uint64_t gpa, bytes, offset;    /* in the file */
};

struct core {
	struct guest guest;
	struct slot slot[SLOTS_MOST];
	size_t slots;
	Elf64_Phdr *load;
	size_t loads;
	struct bytes notes;
	bool is_long;
};

static void add_load(struct core *core, uint64_t gva, uint64_t gpa, uint64_t bytes, unsigned flags)
{
	core->load = grow(core->load, (core->loads + 1) * sizeof *core->load);
	core->load[core->loads++] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_flags = flags, .p_vaddr = gva,
		.p_paddr = gpa, .p_filesz = bytes, .p_memsz = bytes };
}

static const struct slot *slot_of(const struct core *core, uint64_t gpa)
{
	for (size_t n = 0; n < core->slots; n++)
		if (gpa - core->slot[n].gpa < core->slot[n].bytes)
			return &core->slot[n];
	return NULL;
}

/* Of a page that is RAM; one behind another goes on with it. */
static bool take_mapping(void *context, const struct mapping *m)
{
	struct core *core = context;
	const struct slot *slot = slot_of(core, m->gpa);
	Elf64_Phdr *last = core->loads > 0 ? &core->load[core->loads - 1] : NULL;
	unsigned flags = PF_R | (m->write ? PF_W : 0) | (m->exec ? PF_X : 0);
	uint64_t bytes;

	if (slot == NULL)
		return true;
	bytes = m->bytes < slot->gpa + slot->bytes - m->gpa ? m->bytes : slot->gpa + slot->bytes - m->gpa;
	if (last != NULL && last->p_vaddr + last->p_memsz == m->gva && last->p_paddr + last->p_memsz == m->gpa &&
	    last->p_flags == flags && slot_of(core, last->p_paddr) == slot) {
		last->p_memsz += bytes;
		last->p_filesz += bytes;
		return true;
	}
	add_load(core, m->gva, m->gpa, bytes, flags);
	return core->loads < LOADS_MOST;
}

/* A note's name and content, each to a multiple of 4 bytes. */
static void add_note(struct bytes *notes, const char *name, unsigned type, const void *content, size_t length)
{
	static const char zeroes[4];
	Elf64_Nhdr header = { .n_namesz = (Elf64_Word)strlen(name) + 1, .n_descsz = (Elf64_Word)length,
		.n_type = type };

	bytes_add(notes, &header, sizeof header);
	bytes_add(notes, name, header.n_namesz);
	bytes_add(notes, zeroes, -header.n_namesz & 3);
	bytes_add(notes, content, length);
	bytes_add(notes, zeroes, -length & 3);
}

/* The registers of one virtual CPU, in the order of struct user_regs_struct. */
static void add_vcpu(struct bytes *notes, const cJSON *dump, unsigned vcpu)
{
	static const char *const names[NAMES] = { "r15", "r14", "r13", "r12", "rbp", "rbx", "r11", "r10", "r9", "r8",
		"rax", "rcx", "rdx", "rsi", "rdi", NULL, "rip", "cs", "rflags", "rsp", "ss", "fs.base", "gs.base", "ds",
		"es", "fs", "gs" };
	const cJSON *registers = ctl_get(dump, "registers"), *segments = ctl_get(dump, "segments");
	struct elf_prstatus status = { .pr_pid = (pid_t)vcpu + 1 };

	for (size_t n = 0; n < NAMES; n++) {
		unsigned long long value = 0;

		if (names[n] == NULL)
			value = ~0ull;          /* no system call */
		else if (strchr(names[n], '.') != NULL)
			value = guest_hex(ctl_get(segments, names[n][0] == 'f' ? "fs" : "gs"), "base");
		else if (strlen(names[n]) == 2 && names[n][1] == 's')
			value = guest_hex(ctl_get(segments, names[n]), "selector");
		else
			value = guest_hex(registers, names[n]);
		memcpy((char *)&status.pr_reg + 8 * n, &value, 8);
	}
	add_note(notes, "CORE", NT_PRSTATUS, &status, sizeof status);
}

static void read_slots(struct core *core, const cJSON *dump)
{
	const cJSON *slot;

	cJSON_ArrayForEach(slot, ctl_get(ctl_get(dump, "tables"), "slots"))
		if (strcmp(ctl_text(slot, "kind"), "ram") == 0 && core->slots < SLOTS_MOST)
			core->slot[core->slots++] = (struct slot){ .gpa = guest_hex(slot, "gpa"),
				.bytes = guest_hex(slot, "bytes") };
}

/* Where everything is in the file: header, segments' headers, notes, RAM. Returns where RAM begins. */
static uint64_t lay_out(struct core *core)
{
	uint64_t notes_at = sizeof(Elf64_Ehdr) + (core->loads + 1) * sizeof(Elf64_Phdr);
	uint64_t at = (notes_at + core->notes.length + 4095) & ~4095ull, start = at;

	for (size_t n = 0; n < core->slots; n++) {
		core->slot[n].offset = at;
		at += core->slot[n].bytes;
	}
	for (size_t n = 0; n < core->loads; n++) {
		const struct slot *slot = slot_of(core, core->load[n].p_paddr);

		core->load[n].p_offset = slot->offset + core->load[n].p_paddr - slot->gpa;
	}
	return start;
}

static void write_headers(FILE *out, const struct core *core)
{
	Elf64_Ehdr header = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_CORE, .e_machine = EM_X86_64, .e_version = EV_CURRENT, .e_phoff = sizeof header,
		.e_ehsize = sizeof header, .e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (Elf64_Half)(core->loads + 1) };
	Elf64_Phdr notes = { .p_type = PT_NOTE, .p_filesz = core->notes.length,
		.p_offset = sizeof header + (core->loads + 1) * sizeof notes };

	fwrite(&header, sizeof header, 1, out);
	fwrite(&notes, sizeof notes, 1, out);
	fwrite(core->load, sizeof *core->load, core->loads, out);
	fwrite(core->notes.data, 1, core->notes.length, out);
}

static bool all_zero(const uint8_t *bytes, size_t n)
{
	return n == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0);
}

/* What is 0 is a hole. */
static void write_ram(FILE *out, struct core *core)
{
	static uint8_t piece[GUEST_PIECE];

	for (size_t n = 0; n < core->slots; n++)
		for (uint64_t at = 0; at < core->slot[n].bytes; at += sizeof piece) {
			uint64_t left = core->slot[n].bytes - at;
			size_t length = left < sizeof piece ? (size_t)left : sizeof piece;
			bool last = n + 1 == core->slots && left <= sizeof piece;
			size_t got = guest_read(&core->guest, core->slot[n].gpa + at, piece, length);

			memset(piece + got, 0, length - got);
			if (all_zero(piece, length) && !last)
				continue;
			if (fseeko(out, (off_t)(core->slot[n].offset + at), SEEK_SET) != 0)
				return;
			fwrite(piece, 1, length, out);
		}
}

static void collect(struct core *core, struct ctl *ctl, bool paging)
{
	struct guest_paging registers;
	unsigned vcpus = 1;

	for (unsigned n = 0; n < vcpus; n++) {
		cJSON *dump = guest_ask(ctl, text("dump %s.%u", core->guest.vm, n)), *list;
		const cJSON *vm;

		add_vcpu(&core->notes, dump, n);
		if (n == 0) {
			read_slots(core, dump);
			guest_paging(dump, &registers);
			list = guest_ask(ctl, text("list"));
			cJSON_ArrayForEach(vm, ctl_get(list, "vms"))
				if (strcmp(ctl_text(vm, "name"), ctl_text(dump, "vm")) == 0)
					vcpus = (unsigned)cJSON_GetArraySize(ctl_get(vm, "cpus"));
			cJSON_Delete(list);
		}
		cJSON_Delete(dump);
	}
	if (paging)
		guest_mappings(&core->guest, &registers, take_mapping, core);
	if (core->loads == 0)
		for (size_t n = 0; n < core->slots; n++)
			add_load(core, core->slot[n].gpa, core->slot[n].gpa, core->slot[n].bytes, PF_R | PF_W | PF_X);
}

int dump_memory_command(struct ctl *ctl, const char *vm, int argc, char **argv)
{
	bool paging = argc == 2 && strcmp(argv[1], "paging") == 0, paused;
	struct core core = { .slots = 0 };
	cJSON *state;
	FILE *out;

	if (argc < 1 || argc > 2 || (argc == 2 && !paging))
		die(STATUS_USAGE, "ctl: it is: dump-guest-memory [VM] FILE [paging]");
	guest_init(&core.guest, ctl, vm);
	out = output_begin(argv[0]);
	if (out == NULL)
		die(STATUS_FAILED, "cannot write %s: %s", argv[0], strerror(errno));
	state = guest_ask(ctl, text("stats %s", core.guest.vm));
	paused = strcmp(ctl_text(state, "state"), "paused") == 0;
	cJSON_Delete(state);
	if (!paused)
		cJSON_Delete(guest_ask(ctl, text("pause %s", core.guest.vm)));
	collect(&core, ctl, paging);
	lay_out(&core);
	write_headers(out, &core);
	write_ram(out, &core);
	if (!paused)
		cJSON_Delete(guest_ask(ctl, text("resume %s", core.guest.vm)));
	if (!output_end(out))
		die(STATUS_FAILED, "cannot write %s: %s", argv[0], strerror(errno));
	say("%s: %zu segment%s", argv[0], core.loads, plural(core.loads));
	guest_free(&core.guest);
	bytes_free(&core.notes);
	free(core.load);
	return 0;
}
