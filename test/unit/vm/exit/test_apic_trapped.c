/* Registers of the local APIC, and of other devices, whose accesses are trapped, and served without the emulator
 * (vm/exit/apic.c). */
#include "test/unit/vm/tpr/lapic.h"

/* Loads and stores, each decoded once and known from then on; reads and writes in turn. */
static void trapped(void **state)
{
	static const enum bench_mode modes[] = { BENCH_PROT32, BENCH_PAGED32, BENCH_PAE, BENCH_LONG64 };

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(modes); m++) {
		at("ept", "trap", modes[m]);
		STEP(apic_write(TPR, 0x10));
		for (unsigned n = 0; n < 4; n++) {
			mov_store(TPR, 0x20 + n);
			vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_RF);
			STEP(misconfig(LAPIC + TPR));
			EXPECT_NOTHING();
			behind_6_bytes();
			assert_int_equal(lapic_tpr(&bench.v->lapic), 0x20 + n);
			mov_load(TPR);
			STEP(misconfig(LAPIC + TPR));
			assert_int_equal(*bench_gpr(GPR_RCX), 0x20 + n);
			behind_6_bytes();
		}
		assert_int_equal(bench.v->lapic.tpr_count.writes, 5);
		assert_int_equal(bench.v->lapic.tpr_count.reads, 4);
		assert_int_equal(mmu_counters(&bench.vm[0]->mmu).ept_misconfigs, 8);
		finish();
	}
}

static const char *const shadows[] = { "shadow", "vtlb", "brute" };

/* By a page fault: the first makes the leaf, the second is answered by it, the others by the instruction. */
static void trapped_by_reserved_bits(void **state)
{
	static const enum bench_mode modes[] = { BENCH_PAGED32, BENCH_PAE, BENCH_LONG64 };

	(void)state;
	for (unsigned m = 0; m < ARRAY_SIZE(modes) * ARRAY_SIZE(shadows); m++) {
		at(shadows[m / ARRAY_SIZE(modes)], "trap", modes[m % ARRAY_SIZE(modes)]);
		mov_store(TPR, 0x10);
		STEP(page_fault(PFERR_W, LAPIC + TPR));
		for (unsigned n = 0; n < 4; n++) {
			mov_store(TPR, 0x20 + n);
			vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_RF);
			STEP(page_fault(PFERR_P | PFERR_RSVD | PFERR_W, LAPIC + TPR));
			EXPECT_NOTHING();
			behind_6_bytes();
			assert_int_equal(lapic_tpr(&bench.v->lapic), 0x20 + n);
			mov_load(TPR);
			STEP(page_fault(PFERR_P | PFERR_RSVD, LAPIC + TPR));
			assert_int_equal(*bench_gpr(GPR_RCX), 0x20 + n);
			behind_6_bytes();
		}
		assert_int_equal(bench.v->lapic.tpr_count.writes, 5);
		assert_int_equal(bench.v->lapic.tpr_count.reads, 4);
		assert_int_equal(mmu_counters(&bench.vm[0]->mmu).faults, 9);
		assert_int_equal(mmu_counters(&bench.vm[0]->mmu).outcome_emulate, 9);
		finish();
	}
}

static void meet_the_page(void)
{
	at("shadow", "trap", BENCH_PAE);
	for (unsigned n = 0; n < 3; n++) {
		mov_load(TPR);
		STEP(page_fault(n ? PFERR_P | PFERR_RSVD : 0, LAPIC + TPR));
		behind_6_bytes();
	}
}

/* The memory map is another: the heart is asked, and finds the leaf out of date. */
static void the_page_is_memory_now(void **state)
{
	(void)state;
	meet_the_page();
	bench.vm[0]->mmu.slots.generation++;
	mov_load(TPR);
	STEP(page_fault(PFERR_P | PFERR_RSVD, LAPIC + TPR));
	assert_int_equal(mmu_counters(&bench.vm[0]->mmu).mmio_stale, 1);
	finish();
}

/* An event's delivery reached the page: it is not lost, and the instruction at RIP not executed. */
static void delivery_that_meets_the_page(void **state)
{
	(void)state;
	meet_the_page();
	mov_load(TPR);
	EXIT(PAGE_FAULT_EXIT, .error = PFERR_P | PFERR_RSVD, .qualification = LAPIC + TPR, .vectoring = EXTERNAL(0x51));
	assert_true(bench.entry.event & EVENT_VALID);
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	finish();
}

static enum bench_at write_violation(uint64_t vectoring)
{
	return bench_exit(&(struct bench_exit){ .reason = EXIT_EPT_VIOLATION, .qualification = WRITE_KNOWN,
						.gpa = LAPIC + TPR, .gva = LAPIC + TPR, .vectoring = vectoring });
}

/* A register holds the operand's address, as that of a load of CR3 could: no MMIO leaf is made. */
static void where_pdptes_could_be(void **state)
{
	(void)state;
	at("ept", "trap", BENCH_PAE);
	*bench_gpr(GPR_RBX) = LAPIC + TPR;
	for (unsigned n = 0; n < 4; n++) {
		*bench_gpr(GPR_RAX) = 0x20 + n;
		CODE("\x89\x03"); /* mov [ebx], eax */
		STEP(write_violation(0));
		EXPECT_NOTHING();
		assert_int_equal(bench.entry.rip, BENCH_CODE + 2);
		assert_int_equal(lapic_tpr(&bench.v->lapic), 0x20 + n);
	}
	assert_int_equal(bench.v->lapic.tpr_count.writes, 4);
	assert_int_equal(mmu_counters(&bench.vm[0]->mmu).ept_violations, 4);
	assert_int_equal(mmu_counters(&bench.vm[0]->mmu).outcome_emulate, 4);
	*bench_gpr(GPR_RAX) = 0x30;
	CODE("\x89\x03");
	write_violation(EXTERNAL(0x51));
	assert_true(bench.entry.event & EVENT_VALID);
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0x23);
	finish();
}

/* The guest's tables themselves have reserved bits: a page fault of its own. */
static void reserved_bits_of_the_guests(void **state)
{
	(void)state;
	meet_the_page();
	*bench_gpr(GPR_RBX) = BENCH_DATA;
	mov_load(TPR);
	STEP(page_fault(PFERR_P | PFERR_RSVD, BENCH_DATA + TPR));
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	finish();
}

/* A segment with a base, and an address by RSP. */
static void trapped_by_other_operands(void **state)
{
	struct segment_state fs;

	(void)state;
	at("ept", "trap", BENCH_PAE);
	STEP(apic_write(TPR, 0x10));
	fs = hvm_segment(&bench.v->hvm, SEG_DS);
	fs.base = LAPIC - 0x1000;
	hvm_set_segment(&bench.v->hvm, SEG_FS, &fs);
	for (unsigned n = 0; n < 2; n++) {
		CODE("\x64\xa3\x80\x10\0\0"); /* mov fs:[0x1080], eax */
		*bench_gpr(GPR_RAX) = 0x30 + n;
		STEP(misconfig(LAPIC + TPR));
		behind_6_bytes();
		assert_int_equal(lapic_tpr(&bench.v->lapic), 0x30 + n);
	}
	vmcs_put(VMCS_GUEST_RSP, LAPIC + 0x70);
	for (unsigned n = 0; n < 2; n++) {
		CODE("\x8b\x4c\x24\x10"); /* mov ecx, [esp + 0x10] */
		STEP(misconfig(LAPIC + TPR));
		assert_int_equal((uint32_t)*bench_gpr(GPR_RCX), 0x31);
	}
	finish();
}

/* It was a table of the guest's that lies in the page: the operand is elsewhere. */
static void a_walk_through_the_page(void **state)
{
	uint32_t found;

	(void)state;
	at("ept", "trap", BENCH_PAE);
	STEP(apic_write(TPR, 0x10));
	*bench_gpr(GPR_RBX) = BENCH_DATA;
	mov_store(TPR, 0x50);
	STEP(misconfig(LAPIC + TPR));
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0x10);
	bench_peek(BENCH_DATA + TPR, &found, 4);
	assert_int_equal(found, 0x50);
	finish();
}

/* What is no MOV of four bytes, with another TPR and other registers each time. */
struct other {
	const char *code;
	uint8_t length;
	uint8_t tpr;       /* behind it, when it was 0x51 in front of it */
	uint32_t ecx;      /* behind it; in front of it 0x45 */
	uint64_t flags;    /* in front of it CF */
};

static const struct other others[] = {
	{ "\x83\xa3\x80\0\0\0\x0e", 7, 0, 0x45, RFLAGS_ZF | RFLAGS_PF },    /* and dword [ebx + 0x80], 0xe */
	{ "\x87\x8b\x80\0\0\0", 6, 0x45, 0x51, RFLAGS_CF },                  /* xchg ecx, [ebx + 0x80] */
	{ "\xf0\xff\x83\x80\0\0\0", 7, 0x52, 0x45, RFLAGS_CF },              /* lock inc dword [ebx + 0x80] */
	{ "\x80\xbb\x80\0\0\0\x51", 7, 0x51, 0x45, RFLAGS_ZF | RFLAGS_PF },  /* cmp byte [ebx + 0x80], 0x51 */
	{ "\xc6\x83\x80\0\0\0\x33", 7, 0x33, 0x45, RFLAGS_CF },              /* mov byte [ebx + 0x80], 0x33 */
	{ "\x19\x8b\x80\0\0\0", 6, 0x0b, 0x45, RFLAGS_AF },                  /* sbb [ebx + 0x80], ecx */
	{ "\x0f\xb7\x8b\x80\0\0\0", 7, 0x51, 0x51, RFLAGS_CF },              /* movzx ecx, word [ebx + 0x80] */
	{ "\x0f\xba\xbb\x80\0\0\0\x01", 8, 0x53, 0x45, 0 },                  /* btc dword [ebx + 0x80], 1 */
	{ "\x0f\xb3\x4b\x78", 4, 0x51, 0x45, 0 },                              /* btr [ebx + 0x78], ecx: 0x80, 5 */
	{ "\x0f\xab\x4b\x78", 4, 0x71, 0x45, 0 },                              /* bts [ebx + 0x78], ecx */
};

static void carry_out(const struct other *o, enum bench_at (*exits)(void))
{
	bench.v->lapic.tpr_count = (struct lapic_tpr_count){ 0 };
	lapic_set_tpr(&bench.v->lapic, 0x51);
	*bench_gpr(GPR_RCX) = 0xaaaaaaaa00000045;
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_RF | RFLAGS_CF);
	code(o->code, o->length);
	STEP(exits());
	EXPECT_NOTHING();
	assert_int_equal(lapic_tpr(&bench.v->lapic), o->tpr);
	assert_int_equal((uint32_t)*bench_gpr(GPR_RCX), o->ecx);
	assert_int_equal(bench.entry.rflags, RFLAGS_FIXED | o->flags);
	assert_int_equal(bench.entry.rip, BENCH_CODE + o->length);
	assert_in_range(bench.v->lapic.tpr_count.reads + bench.v->lapic.tpr_count.writes, 1, 2);
}

static enum bench_at tpr_misconfig(void) { return misconfig(LAPIC + TPR); }

static enum bench_at tpr_reserved(void)
{
	return bench_exit(&(struct bench_exit){ PAGE_FAULT_EXIT, .error = PFERR_P | PFERR_RSVD | PFERR_W,
						.qualification = LAPIC + TPR });
}

static void pushed_from_the_page(void)
{
	for (unsigned n = 0; n < 3; n++) {
		lapic_set_tpr(&bench.v->lapic, (uint8_t)(0x30 + n));
		vmcs_put(VMCS_GUEST_RSP, BENCH_STACK);
		CODE("\xff\xb3\x80\0\0\0"); /* push [ebx + 0x80] */
		STEP(misconfig(LAPIC + TPR));
		assert_int_equal(stacked(4), 0x30 + n);
		assert_int_equal(vmcs_get(VMCS_GUEST_RSP), BENCH_STACK - 4);
		behind_6_bytes();
		vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED | RFLAGS_RF);
	}
}

/* The first is decoded, the others are quick. */
static void trapped_by_other_instructions(void **state)
{
	(void)state;
	at("ept", "trap", BENCH_PAE);
	STEP(apic_write(TPR, 0x10));
	for (unsigned n = 0; n < 3 * ARRAY_SIZE(others); n++)
		carry_out(&others[n / 3], tpr_misconfig);
	vmcs_put(VMCS_GUEST_RFLAGS, RFLAGS_FIXED);
	pushed_from_the_page();
	finish();
	at("shadow", "trap", BENCH_PAE);
	for (unsigned n = 0; n < 2; n++) {
		mov_store(TPR, 0x10);
		STEP(page_fault(n ? PFERR_P | PFERR_RSVD | PFERR_W : PFERR_W, LAPIC + TPR));
	}
	for (unsigned n = 0; n < 3 * ARRAY_SIZE(others); n++)
		carry_out(&others[n / 3], tpr_reserved);
	finish();
}

/* The guest's tables say since that the page is read-only. */
static void trapped_in_a_read_only_page(void **state)
{
	static const uint64_t read_only = LAPIC | 0xe5;

	(void)state;
	at("ept", "trap", BENCH_LONG64);
	STEP(apic_write(TPR, 0x10));
	for (unsigned n = 0; n < 2; n++) {
		mov_store(TPR, 0x20);
		STEP(misconfig(LAPIC + TPR));
	}
	bench_poke(BENCH_TABLES + 0x4000 + 503 * 8, &read_only, 8);
	mov_store(TPR, 0x30);
	STEP(misconfig(LAPIC + TPR));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 3);
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0x20);
	finish();
}

/* A program's page has become the kernel's, and it is somebody else's walk that is remembered of it. */
static void trapped_after_another_walk(void **state)
{
	static const uint64_t kernels = LAPIC | 0xe3;
	const struct access access = { .write = true, .implicit = true };
	uint32_t error;
	gpa_t gpa;

	(void)state;
	at("ept", "trap", BENCH_LONG64);
	STEP(apic_write(TPR, 0x10));
	assert_true(bench_mode(BENCH_LONG64, 3));
	*bench_gpr(GPR_RBX) = LAPIC;
	for (unsigned n = 0; n < 3; n++) {
		mov_store(TPR, 0x20);
		STEP(misconfig(LAPIC + TPR));
	}
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0x20);
	bench_poke(BENCH_TABLES + 0x4000 + 503 * 8, &kernels, 8);
	mmu_invlpg(&bench.v->mmu, GVA(LAPIC));
	assert_true(mmu_translate(&bench.v->mmu, GVA(LAPIC), access, 0, &gpa, &error));
	mov_store(TPR, 0x30);
	STEP(misconfig(LAPIC + TPR));
	EXPECT_EVENT(EXCEPTION_ERROR(VECTOR_PF), 7);
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0x20);
	finish();
}

/* A stack that is not there: the fault is the guest's, and nothing has changed. */
static void a_push_that_faults(void **state)
{
	(void)state;
	at("ept", "trap", BENCH_PAE);
	STEP(apic_write(TPR, 0x33));
	for (unsigned n = 0; n < 3; n++) {
		vmcs_put(VMCS_GUEST_RSP, n < 2 ? BENCH_STACK : 2);
		CODE("\xff\xb3\x80\0\0\0"); /* push [ebx + 0x80] */
		if (n == 2) {
			struct segment_state ss = hvm_segment(&bench.v->hvm, SEG_SS);

			ss.limit = 0xffff;
			ss.access &= ~SEGMENT_G;
			hvm_set_segment(&bench.v->hvm, SEG_SS, &ss);
		}
		if (n < 2)
			STEP(misconfig(LAPIC + TPR));
	}
	EXIT(.reason = EXIT_EPT_MISCONFIG, .gpa = LAPIC + TPR);
	assert_int_equal(bench.entry.event & (EVENT_VALID | EVENT_VECTOR), EVENT_VALID | VECTOR_SS);
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	assert_int_equal(vmcs_get(VMCS_GUEST_RSP), 2);
	finish();
}

#define IOAPIC 0xfec00000u

static void the_page_of_another_device(void **state)
{
	(void)state;
	at("ept", "trap", BENCH_PAE);
	STEP(apic_write(TPR, 0x10));
	*bench_gpr(GPR_RBX) = IOAPIC;
	for (unsigned n = 0; n < 2; n++) {
		mov_store(TPR, 0x50);
		STEP(bench_exit(&(struct bench_exit){ .reason = EXIT_EPT_VIOLATION, .qualification = WRITE_KNOWN,
						      .gpa = IOAPIC + TPR, .gva = IOAPIC + TPR }));
		mov_store(TPR, 0x50);
		STEP(misconfig(IOAPIC + TPR));
		behind_6_bytes();
	}
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0x10);
	finish();
}

/* The I/O APIC's version and a redirection entry, by the emulator and without it. */
static void registers_of_another_device(void **state)
{
	(void)state;
	at("ept", "trap", BENCH_LONG64);
	*bench_gpr(GPR_RBX) = IOAPIC;
	mov_store(0, 1);
	STEP(bench_exit(&(struct bench_exit){ .reason = EXIT_EPT_VIOLATION, .qualification = WRITE_KNOWN,
					      .gpa = IOAPIC, .gva = IOAPIC }));
	for (unsigned n = 0; n < 3; n++) {
		mov_load(0x10);
		*bench_gpr(GPR_RCX) = ~0ull;
		STEP(misconfig(IOAPIC + 0x10));
		assert_int_equal(*bench_gpr(GPR_RCX), 0x170020);
		behind_6_bytes();
	}
	mov_store(0, 0x10);
	STEP(misconfig(IOAPIC));
	for (unsigned n = 0; n < 3; n++) {
		mov_store(0x10, 0x10030 + n);
		STEP(misconfig(IOAPIC + 0x10));
		assert_int_equal((uint32_t)bench.vm[0]->ioapic.redirection[0], 0x10030 + n);
	}
	finish();
}

/* There is nobody in its page then. */
static void trapped_while_disabled(void **state)
{
	(void)state;
	at("ept", "trap", BENCH_PAE);
	STEP(apic_write(TPR, 0x10));
	for (unsigned n = 0; n < 2; n++) {
		mov_load(SVR);
		STEP(misconfig(LAPIC + SVR));
		assert_int_equal((uint32_t)*bench_gpr(GPR_RCX), bench.v->lapic.svr);
	}
	STEP(bench_wrmsr(MSR_APIC_BASE, LAPIC | APIC_BASE_BSP));
	mov_load(SVR);
	STEP(misconfig(LAPIC + SVR));
	assert_int_equal((uint32_t)*bench_gpr(GPR_RCX), 0xffffffff);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trapped),
		cmocka_unit_test(trapped_by_reserved_bits),
		cmocka_unit_test(the_page_is_memory_now),
		cmocka_unit_test(delivery_that_meets_the_page),
		cmocka_unit_test(where_pdptes_could_be),
		cmocka_unit_test(reserved_bits_of_the_guests),
		cmocka_unit_test(trapped_by_other_operands),
		cmocka_unit_test(trapped_by_other_instructions),
		cmocka_unit_test(a_push_that_faults),
		cmocka_unit_test(trapped_in_a_read_only_page),
		cmocka_unit_test(trapped_after_another_walk),
		cmocka_unit_test(a_walk_through_the_page),
		cmocka_unit_test(the_page_of_another_device),
		cmocka_unit_test(registers_of_another_device),
		cmocka_unit_test(trapped_while_disabled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
