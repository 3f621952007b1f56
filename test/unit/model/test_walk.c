/* The model's walks, by hand-made tables: formats, rights, error codes, accessed and dirty flags. */
#include "test/unit/model/machine.h"

static void four_level(void **state)
{
	struct machine *m = *state;

	run(m);
	reaches(m, 0x123, READ, frame(DATA) + 0x123);
	assert_int_equal(peek(m, ROOT, 0), frame(L3) | RWU | X_A);
	assert_int_equal(peek(m, L1, 0), frame(DATA) | RWU | X_A);
	reaches(m, 0x10, WRITE, frame(DATA) + 0x10);
	assert_int_equal(peek(m, L1, 0), frame(DATA) | RWU | X_A | X_D);
	faults(m, 0x1000, READ, 0);
	faults(m, 0x1000, USER_WRITE, X_PF_WR | X_PF_US);
	faults(m, 0x1000, FETCH, X_PF_ID);
}

static void large_pages(void **state)
{
	struct machine *m = *state;

	poke(m, L2, 1, 0x40000000 | RWU | X_PS);
	poke(m, L3, 1, 0x80000000 | RWU | X_PS);
	poke(m, L2, 2, 0x40001000 | RWU | X_PS); /* bit 12 is PAT */
	poke(m, L2, 3, 0x40002000 | RWU | X_PS); /* bit 13 is reserved */
	poke(m, ROOT, 1, frame(L3) | RWU | X_PS); /* PS is reserved in a PML4E */
	run(m);
	reaches(m, 0x200000 + 0x12345, READ, 0x40012345);
	reaches(m, 0x40000000 + 0x1234567, READ, 0x81234567);
	reaches(m, 0x400000, READ, 0x40000000);
	faults(m, 0x600000, READ, X_PF_P | X_PF_RSVD);
	faults(m, 1ull << 39, READ, X_PF_P | X_PF_RSVD);
}

static void five_level(void **state)
{
	struct machine *m = *state;

	m->vmcs.guest.cr4 |= X_CR4_LA57;
	m->vmcs.guest.cr3 = frame(OTHER_ROOT);
	poke(m, OTHER_ROOT, 0, frame(ROOT) | RWU);
	poke(m, OTHER_ROOT, 3, frame(ROOT) | RWU);
	run(m);
	reaches(m, 0x8, READ, frame(DATA) + 8);
	reaches(m, (3ull << 48) + 8, READ, frame(DATA) + 8);
	faults(m, 1ull << 48, READ, 0);
}

static void reserved_bits(void **state)
{
	struct machine *m = *state;

	poke(m, L1, 1, frame(DATA) | RWU | BIT(40)); /* beyond MAXPHYADDR = 40 */
	poke(m, L1, 2, frame(DATA) | RWU | BIT(52)); /* ignored */
	poke(m, L1, 3, frame(DATA) | RWU | X_XD);
	run(m);
	faults(m, 0x1000, READ, X_PF_P | X_PF_RSVD);
	reaches(m, 0x2000, READ, frame(DATA));
	faults(m, 0x3000, FETCH, X_PF_P | X_PF_ID);
	reaches(m, 0x3000, READ, frame(DATA));
	m_exit(&m->cpu);
	m->vmcs.guest.efer &= ~X_EFER_NXE; /* then XD is reserved */
	m_invvpid(&m->cpu, 1, 1, 0);
	run(m);
	faults(m, 0x3000, READ, X_PF_P | X_PF_RSVD);
	faults(m, 0x1000, FETCH, X_PF_P | X_PF_RSVD);
}

static void rights(void **state)
{
	struct machine *m = *state;

	poke(m, L1, 1, frame(DATA) | X_P | X_W);  /* supervisor */
	poke(m, L1, 2, frame(DATA) | X_P | X_U);  /* read-only */
	poke(m, L1, 3, frame(DATA) | RWU);
	run(m);
	faults(m, 0x1000, USER_READ, X_PF_P | X_PF_US);
	faults(m, 0x2000, WRITE, X_PF_P | X_PF_WR);
	assert_int_equal(peek(m, L1, 2), frame(DATA) | X_P | X_U);
	m->cpu.regs.cr0 &= ~X_CR0_WP;
	reaches(m, 0x2000, WRITE, frame(DATA));
	faults(m, 0x2000, USER_WRITE, X_PF_P | X_PF_WR | X_PF_US);
	m->cpu.regs.cr4 |= X_CR4_SMEP | X_CR4_SMAP;
	faults(m, 0x3000, FETCH, X_PF_P | X_PF_ID);
	faults(m, 0x3000, READ, X_PF_P);
	m->cpu.regs.ac = true;
	reaches(m, 0x3000, READ, frame(DATA));
	faults(m, 0x3000, (struct x_access){ .implicit = true }, X_PF_P);
	faults(m, 0x3000, FETCH, X_PF_P | X_PF_ID);
}

static void protection_keys(void **state)
{
	struct machine *m = *state;

	m->vmcs.guest.cr4 |= X_CR4_PKE;
	m->vmcs.guest.pkru = 1u << 6 | 2u << 8; /* key 3: no access; key 4: no write */
	poke(m, L1, 3, frame(DATA) | RWU | 3ull << 59);
	poke(m, L1, 4, frame(DATA) | RWU | 4ull << 59);
	poke(m, L1, 5, frame(DATA) | X_P | X_W | 3ull << 59);
	run(m);
	faults(m, 0x3000, READ, X_PF_P | X_PF_PK);
	reaches(m, 0x3000, FETCH, frame(DATA));
	reaches(m, 0x4000, READ, frame(DATA));
	faults(m, 0x4000, USER_WRITE, X_PF_P | X_PF_WR | X_PF_US | X_PF_PK);
	reaches(m, 0x5000, WRITE, frame(DATA));
	m->cpu.regs.cr0 &= ~X_CR0_WP;
	reaches(m, 0x4000, WRITE, frame(DATA));
}

static void narrow(struct machine *m)
{
	restart(m);
	m->vmcs.guest.cr4 = 0;
	m->vmcs.guest.efer = 0;
	memset(phys_ptr(&m->phys, ROOT), 0, PAGE_SIZE);
	memset(phys_ptr(&m->phys, L1), 0, PAGE_SIZE);
	poke4(m, ROOT, 0, frame(L1) | RWU);
	poke4(m, L1, 3, frame(DATA) | RWU);
	poke4(m, ROOT, 1, frame(L1) | RWU | X_PS); /* a table while PSE is clear */
}

static void two_level(void **state)
{
	struct machine *m = *state;

	narrow(m);
	run(m);
	reaches(m, 0x3004, READ, frame(DATA) + 4);
	reaches(m, 0x403004, READ, frame(DATA) + 4);
	faults(m, 0x5000, FETCH, 0); /* neither NXE nor SMEP: no I/D flag */
	assert_int_equal(phys_read(&m->phys, frame(L1) + 12, 4), frame(DATA) | RWU | X_A);
}

static void pse36(void **state)
{
	struct machine *m = *state;

	narrow(m);
	m->vmcs.guest.cr4 = X_CR4_PSE;
	m->caps.maxphyaddr = 36;
	poke4(m, ROOT, 1, 0x00400000 | RWU | X_PS | 5 << 13);
	poke4(m, ROOT, 2, 0x00400000 | RWU | X_PS | 1 << 17); /* address bit 36 */
	poke4(m, ROOT, 3, 0x00400000 | RWU | X_PS | 1 << 21);
	run(m);
	reaches(m, 0x412345, READ, 0x500412345);
	faults(m, 0x800000, READ, X_PF_P | X_PF_RSVD);
	faults(m, 0xc00000, READ, X_PF_P | X_PF_RSVD);
}

static void pae(void **state)
{
	struct machine *m = *state;

	m->vmcs.guest.efer = X_EFER_NXE;
	m->vmcs.guest.cr4 = X_CR4_PAE;
	m->vmcs.guest.cr3 = frame(PDPT_PAGE) + 0x20;
	poke(m, PDPT_PAGE, 4, frame(L2) | X_P);
	poke(m, L1, 1, frame(DATA) | RWU | BIT(52)); /* reserved under PAE */
	run(m);
	reaches(m, 0x20, READ, frame(DATA) + 0x20);
	faults(m, 0x1000, READ, X_PF_P | X_PF_RSVD);
	faults(m, 0x40000000, READ, 0);
	/* PDPTEs are registers: a change in memory shows only after a load. */
	poke(m, PDPT_PAGE, 5, frame(L2) | X_P);
	faults(m, 0x40000000, READ, 0);
	assert_int_equal(m_mov_cr3(&m->cpu, m->cpu.regs.cr3).event, M_OK);
	reaches(m, 0x40000000, READ, frame(DATA));
	poke(m, PDPT_PAGE, 6, frame(L2) | X_P | X_W);
	assert_int_equal(m_mov_cr3(&m->cpu, m->cpu.regs.cr3).event, M_GP);
}

static void intercepted(void **state)
{
	struct machine *m = *state;
	struct m_result r;

	m->vmcs.pf_intercept = true;
	m->vmcs.pf_mask = X_PF_US;
	m->vmcs.pf_match = X_PF_US;
	run(m);
	faults(m, 0x1000, READ, 0);
	r = m_access(&m->cpu, 0x1000, USER_READ);
	assert_int_equal(r.event, M_EXIT);
	assert_int_equal(r.exit, M_EXIT_PF);
	assert_int_equal(r.error, X_PF_US);
	assert_null(m->cpu.vmcs);
}

static void wild(void **state)
{
	struct machine *m = *state;

	poke(m, L2, 0, frame(FRAMES + 7) | RWU);
	run(m);
	faults(m, 0, READ, X_PF_P | X_PF_RSVD); /* nothing there reads as all ones */
	assert_int_equal(m->phys.wild, 1);
	assert_int_equal(m->phys.wild_at, frame(FRAMES + 7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(four_level), T(large_pages), T(five_level), T(reserved_bits), T(rights), T(protection_keys),
		T(two_level), T(pse36), T(pae), T(intercepted), T(wild),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
