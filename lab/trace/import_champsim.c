/* lab/trace/import_champsim.c - ChampSim's traces: one record of 64 bytes an instruction, little-endian,
 *
 *	0 ip (8)   8 is a branch   9 branch taken   10 destination registers (2)   12 source registers (4)
 *	16 destination memory (2 x 8)   32 source memory (4 x 8); 0: none
 *
 * Sizes of accesses and mappings are not in it. */
#include "lab/trace/import.h"
#include "lab/trace/format.h"

enum { RECORD = 64, DESTINATIONS = 2, SOURCES = 4 };

static bool record(const uint8_t *at, struct lab_writer *w)
{
	uint64_t ip = trace_get(at, 8);

	/* What says nothing else of itself is recognised by what cannot be. */
	if (!trace_canonical(ip) || at[8] > 1 || at[9] > 1)
		return false;
	for (unsigned i = 0; i < DESTINATIONS + SOURCES; i++)
		if (!trace_canonical(trace_get(at + 16 + 8 * i, 8)))
			return false;
	lab_writer_fetch(w, ip, 1);
	for (unsigned i = 0; i < SOURCES; i++)
		if (trace_get(at + 32 + 8 * i, 8))
			lab_writer_access(w, LAB_READ, trace_get(at + 32 + 8 * i, 8), 0, false);
	for (unsigned i = 0; i < DESTINATIONS; i++)
		if (trace_get(at + 16 + 8 * i, 8))
			lab_writer_access(w, LAB_WRITE, trace_get(at + 16 + 8 * i, 8), 0, false);
	return true;
}

bool lab_import_champsim(FILE *in, const char *name, struct lab_writer *w, struct lab_error *error)
{
	uint8_t bytes[RECORD];
	uint64_t at = 0;
	size_t got;

	lab_writer_call(w, &(struct lab_call){ .kind = LAB_SWITCH });
	while ((got = fread(bytes, 1, RECORD, in)) == RECORD) {
		if (!record(bytes, w))
			return lab_fail(error,
					"%s: the 64 bytes at byte %llu are no instruction of a ChampSim trace: is it "
					"one, and for x86-64?",
					name, (unsigned long long)at);
		at += RECORD;
	}
	if (ferror(in))
		return lab_fail(error, "%s: reading failed at byte %llu", name, (unsigned long long)(at + got));
	if (got)
		return lab_fail(
			error,
			"%s: the file ends at byte %llu, in the middle of a record of 64 bytes: it is truncated, or no "
			"ChampSim trace",
			name, (unsigned long long)(at + got));
	if (!at)
		return lab_fail(error, "%s: the file is empty", name);
	return true;
}
