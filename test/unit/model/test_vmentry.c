/* The VM-entry checks: a state of every mode passes; one change that breaks a rule is found, with that rule's
 * sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86_msr.h"
#include "model/vmentry_inside.h"

#define FIELDS_MAX 160
#define MEMORY_AT 0x5000u
#define PHYSICAL_BITS 40

struct vmcs {
	struct { uint32_t field; uint64_t value; } at[FIELDS_MAX];
	unsigned count;
	uint8_t memory[PAGE_SIZE] __attribute__((aligned(16)));
	struct vmentry_caps caps;
};

enum mode { REAL, V86, PROT16, PROT32, PAE, COMPAT, LONG64, MODES };
/* Without EPT; with EPT; with EPT and unrestricted guest. */
enum help { NO_EPT, EPT, UNRESTRICTED, HELPS };

static uint64_t *place(struct vmcs *v, uint32_t field)
{
	for (unsigned i = 0; i < v->count; i++)
		if (v->at[i].field == field)
			return &v->at[i].value;
	return NULL;
}

static void set(struct vmcs *v, uint32_t field, uint64_t value)
{
	uint64_t *p = place(v, field);

	if (!p) {
		assert_true(v->count < FIELDS_MAX);
		v->at[v->count].field = field;
		p = &v->at[v->count++].value;
	}
	*p = field >> 13 & 3 ? value : (uint16_t)value; /* as VMWRITE cuts what is wider than the field */
}

/* A field that was never set is one that this CPU does not have (VE1). */
static uint64_t read_field(void *ctx, uint32_t field)
{
	uint64_t *p = place(ctx, field);

	if (!p)
		fail_msg("field 0x%x was read, and is not there", field);
	return *p;
}

static const void *memory(void *ctx, uint64_t hpa, unsigned n)
{
	struct vmcs *v = ctx;

	return hpa >= MEMORY_AT && hpa + n <= MEMORY_AT + PAGE_SIZE ? v->memory + (hpa - MEMORY_AT) : NULL;
}

static const char *check(struct vmcs *v)
{
	struct vmentry e = { .caps = &v->caps, .read = read_field, .memory = memory, .ctx = v };

	return vmentry_check(&e);
}

/* ---- states that a CPU enters ---- */

static uint64_t capability(void *ctx, uint32_t msr)
{
	(void)ctx;
	switch (msr) {
	case MSR_VMX_BASIC:
		return 0x12 | BIT(55);
	case MSR_VMX_MISC:
		return 7 << 6 | 4 << 16;
	case MSR_VMX_CR0_FIXED0:
		return B_CR0_PE | B_CR0_NE | B_CR0_PG;
	case MSR_VMX_CR0_FIXED1:
		return 0xffffffff;
	case MSR_VMX_CR4_FIXED0:
		return B_CR4_VMXE;
	case MSR_VMX_CR4_FIXED1:
		return 0x1ff27ff | B_CR4_CET;
	case MSR_VMX_PROCBASED_CTLS2:
		return 0xffffffffull << 32;
	case MSR_VMX_EPT_VPID_CAP:
		return BIT(6) | BIT(14) | BIT(8) | BIT(21);
	case MSR_VMX_TRUE_PINBASED_CTLS:
		return 0xffull << 32 | 0x16;
	case MSR_VMX_TRUE_PROCBASED_CTLS:
		return 0xfff9fffeull << 32 | 0x4006172;
	case MSR_VMX_TRUE_EXIT_CTLS:
		return 0x7fffffull << 32 | 0x36dfb;
	case MSR_VMX_TRUE_ENTRY_CTLS:
		return 0xffffull << 32 | 0x11fb;
	}
	fail_msg("MSR 0x%x was read, and is not there", msr);
	return 0;
}

static void set_controls(struct vmcs *v, enum help help)
{
	set(v, F_PIN, 0x16 | C_PIN_EXTERNAL | C_PIN_NMI | C_PIN_VIRTUAL_NMI);
	set(v, F_PROC, 0x4006172 | C_IO_BITMAPS | C_MSR_BITMAPS | C_SECONDARY);
	set(v, F_PROC2, help == NO_EPT ? 0 : C2_EPT | C2_VPID | (help == UNRESTRICTED ? C2_UNRESTRICTED : 0));
	set(v, F_EXIT, 0x36dfb | CX_HOST_64 | CX_ACK | CX_LOAD_PAT | CX_LOAD_EFER);
	set(v, F_ENTRY, 0x11fb | CE_LOAD_DEBUG | CE_LOAD_PAT | CE_LOAD_EFER);
	for (uint32_t f = F_IO_BITMAP_A; f <= F_MSR_BITMAP; f += 2)
		set(v, f, 0x3000 + PAGE_SIZE * (f & 7));
	set(v, F_CR3_TARGETS, 0);
	set(v, F_EXIT_STORE_COUNT, 0);
	set(v, F_EXIT_LOAD_COUNT, 0);
	set(v, F_ENTRY_LOAD_COUNT, 0);
	set(v, F_EVENT, 0);
	set(v, F_LINK, ~0ull);
	if (help == NO_EPT)
		return;
	set(v, F_VPID, 1);
	set(v, F_EPTP, 0x7000 | 6 | 3 << 3 | BIT(6));
	for (unsigned n = 0; n < 4; n++)
		set(v, F_PDPTE + 2 * n, 0);
}

static void set_host(struct vmcs *v)
{
	for (uint32_t f = F_HOST_ES; f <= F_HOST_TR; f += 2)
		set(v, f, 0x10);
	set(v, F_HOST_PAT, 0x0007040600070406);
	set(v, F_HOST_EFER, B_EFER_DEFINED);
	set(v, F_HOST_CR0, B_CR0_PE | B_CR0_NE | B_CR0_WP | B_CR0_PG);
	set(v, F_HOST_CR3, 0x9000);
	set(v, F_HOST_CR4, B_CR4_PAE | B_CR4_VMXE);
	for (uint32_t f = F_HOST_FS_BASE; f <= F_HOST_SYSENTER_EIP; f += 2)
		set(v, f, 0xffff800000000000);
	set(v, F_HOST_RIP, 0x400000);
}

static void set_segments(struct vmcs *v, enum mode mode)
{
	static const uint16_t code[MODES] = { 0x9b, 0xf3, 0x9b, 0xc09b, 0xc09b, 0xc09b, 0xa09b };

	for (unsigned n = ES; n <= TR; n++) {
		bool small = mode == REAL || mode == V86 || mode == PROT16;

		set(v, F_SELECTOR + 2 * n, mode == REAL || mode == V86 ? 0x100 : 0x10);
		set(v, F_BASE + 2 * n, mode == REAL || mode == V86 ? 0x1000 : 0);
		set(v, F_LIMIT + 2 * n, small ? 0xffff : 0xffffffff);
		set(v, F_ACCESS + 2 * n, mode == V86 ? 0xf3 : n == CS ? code[mode] : small ? 0x93 : 0xc093);
	}
	set(v, F_ACCESS + 2 * LDTR, 0x82);
	set(v, F_LIMIT + 2 * LDTR, 0xfff);
	set(v, F_ACCESS + 2 * TR, 0x8b);
	set(v, F_LIMIT + 2 * TR, 0x67);
}

static void set_guest(struct vmcs *v, enum mode mode)
{
	static const uint64_t cr0[MODES] = {
		0,
		B_CR0_PE | B_CR0_PG,
		B_CR0_PE | B_CR0_PG,
		B_CR0_PE | B_CR0_PG,
		B_CR0_PE | B_CR0_PG,
		B_CR0_PE | B_CR0_PG,
		B_CR0_PE | B_CR0_PG,
	};
	bool ia32e = mode == COMPAT || mode == LONG64;

	set(v, F_CR0, cr0[mode] | B_CR0_NE);
	set(v, F_CR3, MEMORY_AT);
	set(v, F_CR4, B_CR4_VMXE | (mode >= PAE ? B_CR4_PAE : 0));
	set(v, F_EFER, ia32e ? B_EFER_LME | B_EFER_LMA : 0);
	set(v, F_PAT, 0x0007040600070406);
	set(v, F_ENTRY, *place(v, F_ENTRY) | (ia32e ? CE_IA32E : 0));
	set(v, F_DEBUGCTL, 0);
	set(v, F_DR7, 0x400);
	set(v, F_RIP, mode == LONG64 ? 0xffffffff81000000 : mode == REAL || mode == V86 ? 0xfff0 : 0xffffff00);
	set(v, F_RFLAGS, 2 | (mode == V86 ? B_VM : 0));
	set(v, F_PENDING_DEBUG, 0);
	set(v, F_SYSENTER_ESP, 0);
	set(v, F_SYSENTER_EIP, 0);
	set(v, F_INTERRUPTIBILITY, 0);
	set(v, F_ACTIVITY, 0);
	set(v, F_GDTR_BASE, 0);
	set(v, F_IDTR_BASE, 0);
	set(v, F_GDTR_LIMIT, 0xffff);
	set(v, F_IDTR_LIMIT, 0xffff);
	set_segments(v, mode);
}

static void make(struct vmcs *v, enum mode mode, enum help help)
{
	memset(v, 0, sizeof(*v));
	v->caps.physical_bits = PHYSICAL_BITS;
	v->caps.linear_bits = 48;
	vmentry_caps_read(&v->caps, capability, NULL);
	set_controls(v, help);
	set_host(v);
	set_guest(v, mode);
}

static void every_mode_passes(void **state)
{
	static struct vmcs v;

	(void)state;
	for (enum mode mode = 0; mode < MODES; mode++)
		for (enum help help = 0; help < HELPS; help++) {
			const char *broken;

			if (mode == REAL && help != UNRESTRICTED)
				continue;
			make(&v, mode, help);
			broken = check(&v);
			if (broken)
				fail_msg("mode %u, help %u: %s", mode, help, broken);
		}
}

/* ---- one change each ---- */

struct change {
	uint32_t field;
	uint64_t value;
};

struct breach {
	enum mode mode;
	enum help help;
	const char *rule; /* the end of the sentence; NULL: what comes near to breaking one passes */
	struct change change[6];
};

#define SEG(name, n) (F_##name + 2 * (n))
#define EVENT(type, vector) (BIT(31) | (type) << 8 | (vector))
#define WITH_ERROR BIT(11)
#define CONTROLS_PROC (0x4006172 | C_IO_BITMAPS | C_MSR_BITMAPS | C_SECONDARY)

#include "test/unit/model/vmentry_breaches.h"

static void try(const struct breach *b, unsigned n)
{
	static struct vmcs v;
	const char *broken;

	make(&v, b->mode, b->help);
	for (unsigned i = 0; i < ARRAY_SIZE(b->change) && (b->change[i].field || b->change[i].value); i++)
		if (b->change[i].field == MEMORY_AT)
			memcpy(v.memory + (b->change[i].value >> 56) * 8,
			       &(uint64_t){ b->change[i].value & MASK(55, 0) }, 8);
		else
			set(&v, b->change[i].field, b->change[i].value);
	broken = check(&v);
	if (!b->rule != !broken || (broken && !strstr(broken, b->rule)))
		fail_msg("breach %u: expected \"%s\", found \"%s\"", n, b->rule ? b->rule : "nothing",
			 broken ? broken : "nothing");
}

static void every_rule_is_kept(void **state)
{
	(void)state;
	for (unsigned n = 0; n < ARRAY_SIZE(breaches); n++)
		try(&breaches[n], n);
}

static void page_modification_logging(void **state)
{
	static struct vmcs v;

	(void)state;
	make(&v, LONG64, EPT);
	v.caps.proc2.may |= (uint32_t)C2_PML;
	set(&v, F_PROC2, C2_EPT | C2_VPID | C2_PML);
	set(&v, F_PML, 0x9000);
	assert_null(check(&v));
	set(&v, F_PML, 0x9008);
	assert_non_null(strstr(check(&v), "the PML address is a page"));
	set(&v, F_PML, BIT(50));
	assert_non_null(strstr(check(&v), "the PML address is a page"));
}

/* Rules that depend on what the CPU can do. */
static void capabilities_matter(void **state)
{
	static struct vmcs v;

	(void)state;
	make(&v, LONG64, EPT);
	v.caps.linear_bits = 57;
	set(&v, F_RIP, 0x00ff000000000000);
	assert_null(check(&v));
	set(&v, F_RIP, 0x02ff000000000000);
	assert_non_null(check(&v));
	make(&v, LONG64, EPT);
	set(&v, F_EVENT, EVENT(TYPE_EXCEPTION, 21) | WITH_ERROR);
	set(&v, F_EVENT_ERROR, 0);
	assert_non_null(check(&v));
	v.caps.basic |= BIT(56);
	assert_null(check(&v));
	make(&v, LONG64, EPT);
	set(&v, F_EVENT, EVENT(TYPE_SOFTWARE_INT, 0x80));
	set(&v, F_EVENT_LENGTH, 0);
	assert_non_null(check(&v));
	v.caps.misc |= BIT(30);
	assert_null(check(&v));
	make(&v, LONG64, EPT);
	set(&v, F_ACTIVITY, 1);
	v.caps.misc &= ~BIT(6);
	assert_non_null(strstr(check(&v), "one that the CPU has"));
	make(&v, LONG64, EPT);
	v.caps.proc2.may &= ~(uint32_t)C2_VPID;
	assert_non_null(strstr(check(&v), "secondary processor-based controls are as"));
	make(&v, LONG64, EPT);
	v.caps.ept_vpid &= ~BIT(21);
	assert_non_null(strstr(check(&v), "EPTP turns accessed and dirty"));
	make(&v, LONG64, EPT);
	set(&v, F_EVENT, EVENT(TYPE_OTHER, 0));
	assert_null(check(&v));
	v.caps.proc.may &= ~(uint32_t)CAP_PROC_MONITOR_TRAP;
	assert_non_null(strstr(check(&v), "monitor trap flag"));
}

/* Rules of features that not every CPU has. */
static void features_matter(void **state)
{
	static struct vmcs v;

	(void)state;
	make(&v, LONG64, EPT);
	set(&v, F_INTERRUPTIBILITY, 0x10);
	assert_non_null(strstr(check(&v), "an enclave was interrupted"));
	v.caps.sgx = true;
	assert_null(check(&v));
	set(&v, F_INTERRUPTIBILITY, 0x12);
	assert_non_null(strstr(check(&v), "an enclave was interrupted"));
	make(&v, LONG64, EPT);
	set(&v, F_PENDING_DEBUG, BIT(16) | BIT(12));
	assert_non_null(check(&v));
	v.caps.rtm = true;
	assert_null(check(&v));
}

/* A CPU without secondary controls, and without a switch of EFER, has no such fields (VE1: read_field fails). */
static void old_cpus(void **state)
{
	static struct vmcs v;

	(void)state;
	make(&v, LONG64, NO_EPT);
	v.caps.proc.may &= ~(uint32_t)C_SECONDARY;
	v.caps.entry.may &= ~(uint32_t)(CE_LOAD_EFER | CE_LOAD_PAT);
	set(&v, F_PROC, *place(&v, F_PROC) & ~C_SECONDARY);
	set(&v, F_ENTRY, *place(&v, F_ENTRY) & ~(CE_LOAD_EFER | CE_LOAD_PAT));
	for (unsigned i = 0; i < v.count; i++)
		if (v.at[i].field == F_PROC2 || v.at[i].field == F_EFER || v.at[i].field == F_PAT)
			v.at[i].field = 0xffff;
	assert_null(check(&v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mode_passes),
		cmocka_unit_test(page_modification_logging), cmocka_unit_test(every_rule_is_kept),
		cmocka_unit_test(capabilities_matter),
		cmocka_unit_test(features_matter),
		cmocka_unit_test(old_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
