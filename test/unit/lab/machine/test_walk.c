/* Walks computed by hand, for both implementations of the lab's hardware: references by page size in either dimension,
 * with caches cold and warm, and where each was answered. The guest is a chain of tables, one page each, and one data
 * page, all in the first 2 MBytes of guest-physical memory (but for large pages). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lab/machine/machine.h"
#include "mmu/walk.h"

#define GVA_BASE 0x40000000ull          /* 1 GByte: the same page at every size */
#define GVA_NEXT (GVA_BASE + PAGE_SIZE) /* in the same table */
#define DATA 0x40000000ull              /* the data page's guest-physical address */
/* Tables lie 8 frames apart: their EPT entries are in lines of their own. The one of level n: */
#define TABLE(level) ((uint64_t)(level) * 8 * PAGE_SIZE)
#define RIGHTS (PTE_P | PTE_W | PTE_U | PTE_A | PTE_D)

struct rig {
	struct lab_config config;
	struct lab_counts counts;
	struct lab_machine m;
	struct lab_error error;
	unsigned levels, guest;
};

static void set(struct rig *r, const char *key, const char *value)
{
	if (!lab_config_set(&r->config, key, value, &r->error))
		fail_msg("%s", r->error.text);
}

static struct lab_cpu *cpu_of(struct rig *r) { return &r->m.vm[0]; }

/* Two pages (or one large one) of the guest's size at GVA_BASE. */
static void make_tables(struct rig *r)
{
	struct lab_cpu *cpu = cpu_of(r);

	for (unsigned level = r->levels; level > r->guest; level--) {
		uint64_t at = TABLE(level) + (GVA_BASE >> level_shift(level) & 511) * 8;
		bool leaf = level == r->guest + 1;

		lab_cpu_poke(cpu, at, (leaf ? DATA | (r->guest ? PTE_PS : 0) : TABLE(level - 1)) | RIGHTS);
		if (leaf && r->guest == 0)
			lab_cpu_poke(cpu, at + 8, (DATA + PAGE_SIZE) | RIGHTS);
	}
}

/* guest: 0 to 2, the size of the guest's page. */
static struct rig *rig_new(const char *mechanism, unsigned guest, const char *host, unsigned levels,
			   const char *const *settings)
{
	struct rig *r = calloc(1, sizeof(*r));

	r->levels = levels;
	r->guest = guest;
	lab_config_init(&r->config);
	set(r, "hv.mmu", mechanism);
	set(r, "hv.pages", host);
	set(r, "machine.la57", "on");
	set(r, "guest.levels", levels == 5 ? "5" : "4");
	for (; settings && *settings; settings += 2)
		set(r, settings[0], settings[1]);
	if (!lab_machine_init(&r->m, &r->config, &r->counts, &r->error))
		fail_msg("%s", r->error.text);
	r->m.error = &r->error;
	make_tables(r);
	if (!lab_cpu_start(cpu_of(r), TABLE(levels), CR4_PAE | CR4_PGE | (levels == 5 ? CR4_LA57 : 0)))
		fail_msg("%s", lab_cpu_why(cpu_of(r)));
	return r;
}

static void rig_delete(struct rig *r)
{
	assert_string_equal(r->error.text, "");
	lab_machine_fini(&r->m);
	free(r);
}

static void touch(struct rig *r, uint64_t gva)
{
	struct lab_translation t;

	assert_int_equal(lab_access(cpu_of(r), gva, LAB_READ, true, &t), LAB_DONE);
}

/* All caches as after power-on; the hypervisor's tables stay. */
static void chill(struct rig *r)
{
	r->m.hardware->destroy(r->m.hw);
	r->m.hw = r->m.hardware->make(&r->config);
	assert_non_null(r->m.hw);
	memset(&r->counts, 0, sizeof(r->counts));
}

static uint64_t sum(const uint64_t *v, unsigned n)
{
	uint64_t s = 0;

	for (unsigned i = 0; i < n; i++)
		s += v[i];
	return s;
}

static uint64_t guest_references(const struct rig *r)
{
	return sum(&r->counts.r.guest_references[0][0], 6 * LAB_PLACES);
}
static uint64_t ept_references(const struct rig *r) { return sum(&r->counts.r.ept_references[0][0], 6 * LAB_PLACES); }

static const char *const sizes[] = { "4k", "2m", "1g" };
#define PLAIN(on) "plain", (on) ? "on" : "off"
#define NO_CACHES \
	"machine.psc_pml5", "0", "machine.psc_pml4", "0", "machine.psc_pdpt", "0", "machine.psc_pd", "0", \
		"machine.npsc_pml5", "0", "machine.npsc_pml4", "0", "machine.npsc_pdpt", "0", "machine.npsc_pd", "0", \
		"machine.ntlb", "0"

/* ---- nothing is cached ---- */

static void one_cold_walk(bool plain, unsigned guest, unsigned host, unsigned levels, unsigned ept_levels,
			  unsigned expected)
{
	const char *const settings[] = { PLAIN(plain), NO_CACHES, "machine.ept_5level", "on",
					 "hv.ept_levels", ept_levels == 5 ? "5" : "4", NULL };
	struct rig *r = rig_new("ept", guest, sizes[host], levels, settings);
	unsigned smaller = guest < host ? guest : host;

	touch(r, GVA_BASE);
	chill(r);
	touch(r, GVA_BASE);
	assert_int_equal(r->counts.r.walks, 1);
	assert_int_equal(r->counts.r.walks_completed[smaller], 1);
	assert_int_equal(r->counts.r.references, expected);
	assert_int_equal(guest_references(r), levels - guest);
	assert_int_equal(ept_references(r), expected - (levels - guest));
	assert_int_equal(r->counts.r.psc_hits[0], 1);
	/* It is in the TLB now. */
	touch(r, GVA_BASE);
	assert_int_equal(r->counts.r.walks, 1);
	assert_int_equal(sum(r->counts.r.l1_hits, LAB_SIZES), 1);
	rig_delete(r);
}

static void test_cold(void **state)
{
	/* n * m + n + m, for n guest and m EPT levels. */
	static const unsigned expected[3][3] = { { 24, 19, 14 }, { 19, 15, 11 }, { 14, 11, 8 } };

	(void)state;
	for (unsigned plain = 0; plain < 2; plain++) {
		for (unsigned guest = 0; guest < 3; guest++)
			for (unsigned host = 0; host < 3; host++)
				one_cold_walk(plain, guest, host, 4, 4, expected[guest][host]);
		/* Five levels in the guest: 5 * 4 + 5 + 4, and with 2M and 1G below it. */
		one_cold_walk(plain, 0, 0, 5, 4, 29);
		one_cold_walk(plain, 0, 1, 5, 4, 23);
		one_cold_walk(plain, 0, 2, 5, 4, 17);
		one_cold_walk(plain, 1, 0, 5, 4, 24);
		/* Five levels of EPT: 4 * 5 + 4 + 5, and with five in the guest, too, 5 * 5 + 5 + 5; with pages of 2M
		 * and 1G on either side. */
		one_cold_walk(plain, 0, 0, 4, 5, 29);
		one_cold_walk(plain, 0, 0, 5, 5, 35);
		one_cold_walk(plain, 0, 1, 5, 5, 29);
		one_cold_walk(plain, 0, 2, 5, 5, 23);
		one_cold_walk(plain, 1, 0, 5, 5, 29);
		one_cold_walk(plain, 1, 1, 5, 5, 24);
		one_cold_walk(plain, 2, 2, 5, 5, 15);
	}
}

static void test_one_dimension(void **state)
{
	static const char *const mechanisms[] = { "native", "shadow", "vtlb", "brute" };

	(void)state;
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(mechanisms); i++) {
		for (unsigned guest = 0; guest < 3; guest++) {
			const char *const settings[] = { PLAIN(i & 1), NO_CACHES, NULL };
			struct rig *r = rig_new(mechanisms[i / 2], guest, "1g", 4, settings);
			/* Shadow tables have no 1-GByte pages. */
			unsigned expected = i / 2 == 0 ? 4 - guest : guest ? 3 : 4;

			touch(r, GVA_BASE);
			chill(r);
			touch(r, GVA_BASE);
			assert_int_equal(r->counts.r.references, expected);
			assert_int_equal(ept_references(r), 0);
			rig_delete(r);
		}
	}
}

/* ---- what answered ---- */

static void test_places(void **state)
{
	(void)state;
	for (unsigned plain = 0; plain < 2; plain++) {
		const char *const settings[] = { PLAIN(plain), NO_CACHES, NULL };
		struct rig *r = rig_new("ept", 0, "4k", 4, settings);

		touch(r, GVA_BASE);
		chill(r);
		touch(r, GVA_BASE);
		/* Four guest entries, each in a page of its own: none was there. Of the five EPT walks the four through
		 * tables share their PD, PDPT and PML4 entries; the data page, 1 GByte on, has another PDPT entry in
		 * the same line, but its own PD and PT. */
		for (unsigned level = 1; level <= 4; level++) {
			assert_int_equal(r->counts.r.guest_references[level][LAB_DRAM], 1);
			assert_int_equal(sum(r->counts.r.guest_references[level], LAB_PLACES), 1);
		}
		assert_int_equal(r->counts.r.ept_references[4][LAB_DRAM], 1);
		assert_int_equal(r->counts.r.ept_references[4][LAB_L1], 4);
		assert_int_equal(r->counts.r.ept_references[3][LAB_DRAM], 1);
		assert_int_equal(r->counts.r.ept_references[3][LAB_L1], 4);
		assert_int_equal(r->counts.r.ept_references[2][LAB_DRAM], 2);
		assert_int_equal(r->counts.r.ept_references[2][LAB_L1], 3);
		assert_int_equal(r->counts.r.ept_references[1][LAB_DRAM], 5);
		assert_int_equal(r->counts.r.ept_references[1][LAB_L1], 0);
		rig_delete(r);
	}
}

/* ---- caches of the walk ---- */

static void test_structure_caches(void **state)
{
	(void)state;
	for (unsigned plain = 0; plain < 2; plain++) {
		const char *const settings[] = { PLAIN(plain), "machine.ntlb", "0", NULL };
		struct rig *r = rig_new("ept", 0, "4k", 4, settings);

		touch(r, GVA_BASE);
		touch(r, GVA_NEXT);
		chill(r);
		/* Cold: 4 of the guest's. EPT: 4 for the first table; the others find its PD entry: 1 each; the data
		 * page is beyond it and finds the PML4 entry: 3. */
		touch(r, GVA_BASE);
		assert_int_equal(guest_references(r), 4);
		assert_int_equal(ept_references(r), 4 + 3 * 1 + 3);
		assert_int_equal(r->counts.r.npsc_hits[0], 1);
		assert_int_equal(r->counts.r.npsc_hits[2], 3);
		assert_int_equal(r->counts.r.npsc_hits[4], 1);
		/* The next page: the guest's PD entry is cached, with the place of the page table: its entry, and one
		 * of EPT for the data. */
		touch(r, GVA_NEXT);
		assert_int_equal(r->counts.r.psc_hits[2], 1);
		assert_int_equal(guest_references(r), 4 + 1);
		assert_int_equal(ept_references(r), 10 + 1);
		rig_delete(r);
	}
}

/* The cache for entries of the fifth level of EPT: one walk of it goes from the root, the others find its entry. */
static void test_fifth_level(void **state)
{
	(void)state;
	for (unsigned plain = 0; plain < 2; plain++) {
		const char *const settings[] = { PLAIN(plain),
						 NO_CACHES,
						 "machine.npsc_pml5",
						 "2/full",
						 "machine.ept_5level",
						 "on",
						 "hv.ept_levels",
						 "5",
						 NULL };
		struct rig *r = rig_new("ept", 0, "4k", 5, settings);

		touch(r, GVA_BASE);
		chill(r);
		touch(r, GVA_BASE);
		assert_int_equal(r->counts.r.npsc_hits[0], 1);
		assert_int_equal(r->counts.r.npsc_hits[5], 5);
		assert_int_equal(sum(r->counts.r.ept_references[5], LAB_PLACES), 1);
		assert_int_equal(guest_references(r), 5);
		assert_int_equal(ept_references(r), 5 + 5 * 4);
		rig_delete(r);
	}
}

static void test_one_structure_cache(void **state)
{
	(void)state;
	for (unsigned plain = 0; plain < 2; plain++) {
		const char *const settings[] = { PLAIN(plain), NO_CACHES, "machine.psc_pdpt", "4/full", NULL };
		struct rig *r = rig_new("ept", 0, "4k", 4, settings);

		touch(r, GVA_BASE);
		touch(r, GVA_NEXT);
		chill(r);
		touch(r, GVA_BASE);
		assert_int_equal(r->counts.r.references, 24);
		/* From the PDPT entry: PD entry in a place known; the page table by EPT (4), its entry; the data by EPT
		 * (4). */
		touch(r, GVA_NEXT);
		assert_int_equal(r->counts.r.psc_hits[3], 1);
		assert_int_equal(r->counts.r.references, 24 + 1 + 4 + 1 + 4);
		rig_delete(r);
	}
}

static void test_nested_tlb(void **state)
{
	(void)state;
	for (unsigned plain = 0; plain < 2; plain++) {
		const char *const settings[] = { PLAIN(plain), NO_CACHES, "machine.ntlb", "32/4", NULL };
		struct rig *r = rig_new("ept", 0, "2m", 4, settings);

		touch(r, GVA_BASE);
		touch(r, GVA_NEXT);
		chill(r);
		/* All tables are in one page of 2 MBytes: it is walked to once (3), and the data's page once. */
		touch(r, GVA_BASE);
		assert_int_equal(guest_references(r), 4);
		assert_int_equal(ept_references(r), 3 + 3);
		assert_int_equal(r->counts.r.ntlb_hits, 3);
		assert_int_equal(r->counts.r.ntlb_misses, 2);
		touch(r, GVA_NEXT);
		assert_int_equal(guest_references(r), 8);
		assert_int_equal(ept_references(r), 6);
		assert_int_equal(r->counts.r.ntlb_hits, 3 + 5);
		rig_delete(r);
	}
}

/* ---- what flushes leave ---- */

static void test_flushes(void **state)
{
	(void)state;
	for (unsigned plain = 0; plain < 2; plain++) {
		const char *const settings[] = { PLAIN(plain), "machine.ntlb", "32/full", NULL };
		struct rig *r = rig_new("ept", 0, "4k", 4, settings);

		touch(r, GVA_BASE);
		touch(r, GVA_NEXT);
		chill(r);
		touch(r, GVA_BASE);
		touch(r, GVA_NEXT);
		/* INVLPG takes one translation, and the paging-structure caches; guest-physical mappings stay. */
		lab_cpu_invlpg(cpu_of(r), GVA_BASE);
		memset(&r->counts, 0, sizeof(r->counts));
		touch(r, GVA_NEXT);
		assert_int_equal(r->counts.r.walks, 0);
		touch(r, GVA_BASE);
		assert_int_equal(r->counts.r.walks, 1);
		assert_int_equal(r->counts.r.psc_hits[0], 1);
		assert_int_equal(ept_references(r), 0);
		assert_int_equal(r->counts.r.refills[LAB_FLUSH_invlpg], 1);
		/* A load of CR3 takes all of them. */
		lab_cpu_load_cr3(cpu_of(r), TABLE(4));
		memset(&r->counts, 0, sizeof(r->counts));
		touch(r, GVA_NEXT);
		touch(r, GVA_BASE);
		assert_int_equal(r->counts.r.walks, 2);
		assert_int_equal(r->counts.r.refills[LAB_FLUSH_cr3], 2);
		rig_delete(r);
	}
}

/* An exit takes the combined mappings of an untagged guest, not its guest-physical ones. */
static void test_transitions(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		const char *const settings[] = { PLAIN(i & 1),	 "hv.vpid", i & 2 ? "on" : "off",
						 "machine.ntlb", "32/full", NULL };
		struct rig *r = rig_new("ept", 0, "4k", 4, settings);

		touch(r, GVA_BASE);
		lab_exited(cpu_of(r), LAB_EXIT_other, 0);
		lab_enter(cpu_of(r));
		memset(&r->counts, 0, sizeof(r->counts));
		touch(r, GVA_BASE);
		assert_int_equal(r->counts.r.walks, i & 2 ? 0 : 1);
		assert_int_equal(ept_references(r), 0);
		rig_delete(r);
	}
}

/* One INVLPG takes all pieces of a large page of the guest. */
static void test_pieces(void **state)
{
	(void)state;
	for (unsigned plain = 0; plain < 2; plain++) {
		const char *const settings[] = { PLAIN(plain), NULL };
		struct rig *r = rig_new("ept", 1, "4k", 4, settings);

		touch(r, GVA_BASE);
		touch(r, GVA_NEXT);
		lab_cpu_invlpg(cpu_of(r), GVA_BASE + 0x100000);
		memset(&r->counts, 0, sizeof(r->counts));
		touch(r, GVA_BASE);
		touch(r, GVA_NEXT);
		assert_int_equal(r->counts.r.walks, 2);
		rig_delete(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cold), cmocka_unit_test(test_one_dimension), cmocka_unit_test(test_places),
		cmocka_unit_test(test_structure_caches), cmocka_unit_test(test_fifth_level),
		cmocka_unit_test(test_one_structure_cache), cmocka_unit_test(test_nested_tlb),
		cmocka_unit_test(test_flushes), cmocka_unit_test(test_transitions), cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
