/* vm/exit/breakpoint.c - the guest's breakpoints (DR0 to DR3) on accesses that the hypervisor makes for it: to data, by
 * the instruction emulator, and to ports. SDM, "Debug Exceptions", "Breakpoint Field Recognition". The trap comes after
 * the instruction, or after the iteration of a repeated one. */
#include "vm/vm.h"

#include "lib/mutants/mutate.h"

static bool enabled(uint64_t dr7, unsigned n) { return dr7 & DR7_ENABLES(n); }
static unsigned kind(uint64_t dr7, unsigned n) { return dr7 >> DR7_RW_SHIFT(n) & 3; }

/* Ports are watched where CR4.DE says so; without it that kind is undefined (SDM, "Debug Control Register (DR7)"). */
static bool may_hit(const struct vcpu *v, uint64_t dr7, unsigned n)
{
	switch (kind(dr7, n)) {
	case DR7_RW_WRITE:
	case DR7_RW_ACCESS: return true;
	case DR7_RW_IO: return VM_LEFT_OUT_OR(BREAKPOINT_DE, hvm_hardware_cr4(&v->hvm) & CR4_DE);
	default: return false; /* those on instructions: breakpoints_on_fetch(), or the CPU */
	}
}

void breakpoints_begin(struct vcpu *v)
{
	uint64_t dr7 = hvm_dr7(&v->hvm);

	for (unsigned n = 0; n < 4 && unlikely(dr7 & DR7_ENABLED); n++)
		if (!may_hit(v, dr7, n))
			dr7 &= ~DR7_ENABLES(n);
	v->breakpoints = VM_KEPT(EMULATE_BREAKPOINT, dr7 & DR7_ENABLED) ? dr7 : 0;
	v->breakpoint_hits = 0;
}

/* Is breakpoint n enabled, and does an access of size bytes at `at` overlap its aligned range? */
static bool overlaps(const struct vcpu *v, unsigned n, uint64_t at, unsigned size)
{
	static const uint8_t lengths[4] = { 1, 2, 8, 4 }; /* by LEN; the address is taken as aligned to its length */
	uint64_t length = lengths[v->breakpoints >> DR7_LEN_SHIFT(n) & 3],
		 from = align_down(resident_breakpoint(n), length);

	return VM_LEFT_OUT_OR(BREAKPOINT_ENABLED, enabled(v->breakpoints, n)) && at < from + length && from < at + size;
}

/* SDM, "Data Memory and I/O Breakpoint Exception Conditions". */
bool breakpoints_on_data(struct vcpu *v, uint64_t linear, unsigned size, bool write)
{
	uint64_t before = v->breakpoint_hits;

	for (unsigned n = 0; n < 4; n++) {
		bool writes_only = VM_KEPT(EMULATE_WRITES_ONLY, kind(v->breakpoints, n) == DR7_RW_WRITE);
		bool data = VM_LEFT_OUT_OR(BREAKPOINT_PORT_KIND, kind(v->breakpoints, n) != DR7_RW_IO);

		if (data && (write || !writes_only) && overlaps(v, n, linear, size))
			v->breakpoint_hits |= BIT(n);
	}
	return v->breakpoint_hits != before;
}

/* The same: an I/O breakpoint is one where R/W is 10B, with CR4.DE set ("Debug Control Register (DR7)"). */
bool breakpoints_on_port(struct vcpu *v, uint16_t port, unsigned size)
{
	uint64_t before = v->breakpoint_hits;

	for (unsigned n = 0; n < 4; n++)
		if (VM_LEFT_OUT_OR(BREAKPOINT_DATA_KIND, kind(v->breakpoints, n) == DR7_RW_IO) &&
		    overlaps(v, n, port, size))
			v->breakpoint_hits |= BIT(n);
	return v->breakpoint_hits != before;
}

/* SDM, "Instruction-Breakpoint Exception Condition": a fault, before the instruction, unless RF is set. */
bool breakpoints_on_fetch(struct vcpu *v)
{
	uint64_t dr7 = hvm_dr7(&v->hvm), hits = 0, linear;

	if (likely(!(dr7 & DR7_ENABLED)) || (hvm_rflags(&v->hvm) & RFLAGS_RF))
		return false;
	linear = hvm_rip(&v->hvm);
	if (!hvm_in_64bit_code(&v->hvm))
		linear = (uint32_t)(linear + hvm_segment(&v->hvm, SEG_CS).base);
	for (unsigned n = 0; n < 4; n++)
		if (enabled(dr7, n) && kind(dr7, n) == DR7_RW_FETCH && resident_breakpoint(n) == linear)
			hits |= BIT(n);
	if (!hits)
		return false;
	if (v->debug.taken && debug_takes(v, &hits))
		return true;
	write_dr6((read_dr6() & ~DR6_BREAKPOINTS) | hits);
	event_exception(v, VECTOR_DB, false, 0);
	return true;
}

void breakpoints_trap(struct vcpu *v)
{
	/* "Enabled breakpoint" is what makes the pending bits a trap (SDM, "Format of Pending-Debug-Exceptions"). */
	if (v->breakpoint_hits)
		hvm_set_pending_debug(&v->hvm, hvm_pending_debug(&v->hvm) | v->breakpoint_hits | PENDING_DEBUG_ENABLED);
}
