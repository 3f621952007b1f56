/* lab/machine/plain.h - the plain implementation of the translation hardware: what the fast one must equal to the bit,
 * written to be read. Caches are arrays of entries with all their fields and the time of their last use; nothing is
 * skipped. */
#ifndef VELLUM_LAB_PLAIN_H
#define VELLUM_LAB_PLAIN_H

#include "lab/machine/machine.h"

struct plain_entry {
	bool valid, global;
	uint8_t size;        /* of a translation */
	uint8_t vpid, vm;
	uint16_t pcid;
	uint64_t page;       /* number, at its size (or at its level's reach) */
	uint64_t address;    /* what it stands for: the page's, or the next table's, in the host */
	uint64_t gpa;        /* the next table's, as the guest names it */
	unsigned rights;     /* MAY_*, PART_OF_* */
	uint64_t used;
};

struct plain_cache {
	unsigned sets, ways;
	struct plain_entry *entry;
};

struct plain {
	struct plain_cache l1d[LAB_SIZES], l1i[LAB_SIZES], l2, l2_1g;
	bool l1d_unified, l1i_unified;
	unsigned l2_holds;
	struct plain_cache psc[6], npsc[6], ntlb;
	struct plain_cache memory[3], beside[3]; /* beside: lab/machine/sample.h */
	uint64_t clock;
};

/* The L1 TLB for pages of that size; one without entries: there is none. */
struct plain_cache *plain_l1(struct plain *p, bool fetch, unsigned size);

/* The set that an address's page number selects. */
static inline struct plain_entry *plain_set(const struct plain_cache *c, uint64_t number)
{
	return &c->entry[number % c->sets * c->ways];
}

/* The place for a new entry: one that is free, else the one not used for longest. */
struct plain_entry *plain_victim(const struct plain_cache *c, uint64_t number);

struct lab_translation plain_walk(struct lab_machine *m, uint64_t gva, enum lab_kind kind, bool user);
void plain_fill(struct lab_machine *m, uint64_t gva, bool fetch, const struct plain_entry *e);
unsigned plain_reference(struct lab_machine *m, uint64_t hpa);
unsigned plain_beside(struct lab_machine *m, uint64_t hpa);

#endif
