/* A running guest as its tables and memory have it, for ctl: memory by guest-physical address, what its page tables
 * map, its code and its symbols. */
#ifndef VELLUM_TOOL_GUEST_H
#define VELLUM_TOOL_GUEST_H

#include "lib/for_tests.h"
#include "tool/ctl/ctl.h"

enum { GUEST_PIECE = 16384, GUEST_PIECES = 256 };

/* What was read lately. */
struct guest {
	struct ctl *ctl;
	char *vm;                               /* without the virtual CPU */
	struct guest_piece {
		uint64_t at;                    /* its place; UINT64_MAX: none */
		size_t length;                  /* bytes that there are */
		uint8_t data[GUEST_PIECE];
	} *piece;
	unsigned next;
	uint64_t zero_at, zero_end;             /* bytes that are 0 */
};

/* vm may name a virtual CPU, which is left out. */
void guest_init(struct guest *guest, struct ctl *ctl, const char *vm);
void guest_free(struct guest *guest);
/* Returns how many bytes there are. */
size_t guest_read(struct guest *guest, uint64_t gpa, void *to, size_t length);
/* A request's answer; ends the program with its sentence where it is refused. The request is freed. */
cJSON *guest_ask(struct ctl *ctl, char *request);

/* ---- walk.c ---- */

/* The registers that say how addresses are translated, as `dump` tells them. */
struct guest_paging {
	uint64_t cr0, cr3, cr4, efer;
};
void guest_paging(const cJSON *dump, struct guest_paging *paging);
/* "0x..." of an object of the answer; 0: it is not there. */
uint64_t guest_hex(const cJSON *object, const char *name);

struct mapping {
	uint64_t gva, gpa, bytes;
	uint64_t entry;         /* the one that maps it */
	bool user, write, exec; /* by all levels */
};
/* Calls take for each page that the tables map, of whatever size, in order; until it returns false. */
void guest_mappings(struct guest *guest, const struct guest_paging *paging,
		    bool (*take)(void *context, const struct mapping *m), void *context);

int info_command(struct ctl *ctl, const char *vm, int argc, char **argv);

/* ---- core.c ---- */

int dump_memory_command(struct ctl *ctl, const char *vm, int argc, char **argv);

/* ---- symbols.c ---- */

struct symbols;
/* Of an ELF file. Ends the program with one sentence if it has none. */
struct symbols *symbols_read(const char *path);
void symbols_free(struct symbols *symbols);
/* "name+0x12" into buf; "": there is none before it that goes so far, or symbols is NULL. */
void symbols_name(const struct symbols *symbols, uint64_t address, char *buf, size_t size);
/* The address of a name; false: there is none. */
bool symbols_find(const struct symbols *symbols, const char *name, uint64_t *address);

/* ---- code.c ---- */

/* Prints so many instructions at `at`, the first of them marked. bytes: what is there. */
FOR_TESTS void code_print(FILE *out, unsigned bits, uint64_t at, const uint8_t *bytes, size_t length, unsigned count,
		const struct symbols *symbols);
/* The flags of a dump, by their names, and the code that comes next. */
void code_show_dump(FILE *out, struct ctl *ctl, const char *vm, const cJSON *dump, const struct symbols *symbols);
int disassemble_command(struct ctl *ctl, const char *vm, int argc, char **argv, const struct symbols *symbols);

#endif
