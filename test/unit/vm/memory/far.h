/* test/unit/vm/memory/far.h - the far RAM of a guest of 8 MBytes: frames that nothing has touched when it begins, and
 * how tests of vm/memory/ access them, write there, and look. Pages are counted from its first one. */
#ifndef VELLUM_TEST_VM_FAR_H
#define VELLUM_TEST_VM_FAR_H

#include "test/unit/vm/fixture.h"
#include "host/memory/frames.h"
#include "mmu/inspect.h"
#include "vm/memory/ram_out.h"

#define FAR_GFN 0x400u /* two blocks from there on */
#define FAR ((uint64_t)FAR_GFN << PAGE_SHIFT)
/* Where the bench has the guest's directory of the low linear addresses, in 64-bit mode. */
#define PD_LOW (BENCH_TABLES + 0x3000)
#define LARGE 0xe7ull

/* The first guest runs in 64-bit mode, with the far RAM at the same linear addresses. */
static inline void far_map(void)
{
	assert_true(bench_mode(BENCH_LONG64, 0));
	for (uint64_t n = 2; n < 4; n++) {
		uint64_t entry = n << 21 | LARGE;

		bench_poke(PD_LOW + 8 * n, &entry, sizeof(entry));
	}
}

/* The CPU's own part of that guest's access: the leaf's flag. false: there is none, or it does not allow that. */
static inline bool far_uses(unsigned page, bool write)
{
	uint64_t at = FAR + page * PAGE_SIZE, *leaf;
	const struct mmu_path_entry *last;
	struct mmu_path path;

	mmu_inspect(&bench.v->mmu, GVA(at), GPA(at), &path);
	last = &path.entry[path.count - 1];
	if (path.end != MMU_PATH_LEAF || (write && !(last->value & PTE_W)))
		return false;
	leaf = (uint64_t *)(void *)((char *)frames_ptr(hpa_hfn(last->hpa)) + last->hpa.v % PAGE_SIZE);
	if (!path.ept || machine.caps.mmu.ept_ad)
		*leaf |= path.ept ? EPT_A : PTE_A;
	return true;
}
_Static_assert(EPT_W == PTE_W, "one look tells whether a leaf lets it be written");

/* That guest's access, which exits only where it has to, and something else then. */
static inline enum bench_at far_access(unsigned page, bool write)
{
	uint64_t at = FAR + page * PAGE_SIZE;
	enum bench_at where;

	if (far_uses(page, write))
		return bench_exit_simple(EXIT_CPUID, 2);
	if (bench.vm[0]->mmu.ops->nested)
		where = violation(write ? WRITE_KNOWN : READ_KNOWN, at);
	else
		where = page_fault(write ? PFERR_W : 0, at);
	if (where == BENCH_ENTRY)
		far_uses(page, write);
	return where;
}

/* What it writes there, and reads: up to 7 characters. */
static inline void far_poke(unsigned page, const char *text)
{
	bench_poke(FAR + page * PAGE_SIZE, text, strlen(text) + 1);
}

static inline const char *far_peek(unsigned page)
{
	static char text[8];

	bench_peek(FAR + page * PAGE_SIZE, text, sizeof(text));
	return text;
}

/* ram_put_out(), and its end: how many have gone. */
static inline unsigned put_out_wholly(struct ram *r, const struct ram_going *list, unsigned n)
{
	uint64_t had = r->count.went + r->count.zeroes;

	ram_put_out(r, list, n);
	ram_settle(r);
	return (unsigned)(r->count.went + r->count.zeroes - had);
}

/* As devices of any guest write there, and read: up to 15 characters. */
static inline void far_write(struct vm *of, unsigned page, const char *text)
{
	uint64_t n = strlen(text) + 1;

	assert_int_equal(mmu_guest_write(&of->mmu, GPA(FAR + page * PAGE_SIZE), text, n), n);
}

static inline bool far_holds(struct vm *of, unsigned page, const char *text)
{
	char is[16] = "";

	assert_int_equal(mmu_guest_read(&of->mmu, GPA(FAR + page * PAGE_SIZE), is, sizeof(is)), sizeof(is));
	return strcmp(is, text) == 0;
}

static inline void audit_memory(struct vm *of)
{
	char why[200] = "";

	if (!ram_audit(of, why, sizeof(why)) || !mmu_audit(&of->mmu, why, sizeof(why)))
		fail_msg("%s", why);
}

#endif
