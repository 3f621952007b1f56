/* The account of flushes: would a cached entry still be true if the CPU walked again? Reads tables silently, changes
 * nothing. */
#include "model/inside.h"

static bool peek(struct m_cpu *cpu, uint64_t at, unsigned size, uint64_t *value)
{
	const uint8_t *frame = phys_ptr(cpu->phys, at >> PAGE_SHIFT);

	*value = 0;
	if (!frame)
		return false;
	memcpy(value, frame + (at & (PAGE_SIZE - 1)), size);
	return true;
}

struct found {
	uint64_t addr;
	uint16_t flags;
};

/* EPT, down to the entry of the level stop (0: to the page). */
static bool peek_ept(struct m_cpu *cpu, uint64_t ep4ta, unsigned top, uint64_t gpa, unsigned stop, struct found *f)
{
	uint64_t table = ep4ta, e;

	f->flags = MF_ER | MF_EW | MF_EX | MF_ED;
	for (unsigned level = top; level; level--) {
		unsigned shift = 12 + 9 * (level - 1);

		if (!peek(cpu, table + 8 * (gpa >> shift & 511), 8, &e))
			return false;
		e = m_nested_entry(cpu, level, e);
		if (!(e & X_EPT_RWX))
			return false;
		f->flags &= (e & X_EPT_R ? MF_ER : 0) | (e & X_EPT_W ? MF_EW : 0) | (e & X_EPT_X ? MF_EX : 0) | MF_ED;
		if (level == 1 || e & X_EPT_LARGE) {
			f->addr = align_down(e & X_ADDRESS_MASK, BIT(shift)) | (gpa & (BIT(shift) - 1));
			return stop == 0;
		}
		table = e & X_ADDRESS_MASK;
		if (level == stop) {
			f->addr = table;
			return true;
		}
	}
	return false;
}

static bool to_host(struct m_cpu *cpu, const struct m_entry *e, uint64_t *addr, uint16_t *flags)
{
	struct found f;

	if (e->kind != M_COMBINED)
		return true;
	if (!peek_ept(cpu, e->ep4ta, e->ept_top, *addr, 0, &f))
		return false;
	*addr = f.addr;
	*flags |= f.flags;
	return true;
}

/* Linear paging with whatever features: the account does not need to be exact about reserved bits. */
static const struct x_regs lenient = {
	.cr4 = X_CR4_PSE | X_CR4_PAE, .efer = X_EFER_NXE, .maxphyaddr = 52, .page_1g = true
};

static bool peek_linear(struct m_cpu *cpu, const struct m_entry *m, bool psc, struct found *f)
{
	uint64_t va = m->page << m->shift, table = m->root, value;
	uint16_t ignored = 0;

	f->flags = MF_W | MF_U;
	for (unsigned level = m->top; level; level--) {
		uint64_t at = table + (uint64_t)x_index(m->mode, level, va) * x_entry_size(m->mode);

		if (!to_host(cpu, m, &at, &ignored) || !peek(cpu, at, x_entry_size(m->mode), &value))
			return false;

		struct x_entry e = x_decode(&lenient, m->mode, level, value);

		if (e.kind < X_TABLE)
			return false;
		f->flags &= (e.w ? MF_W : 0) | (e.u ? MF_U : 0) | MF_XD;
		f->flags |= e.xd ? MF_XD : 0;
		f->addr = table = e.addr;
		if (e.kind == X_LEAF) {
			f->addr |= va & (BIT(e.shift) - 1);
			f->flags |= (e.d ? MF_D : 0) | (e.g ? MF_G : 0);
		}
		if (e.kind == X_LEAF || (psc && x_shift(m->mode, level) == m->shift))
			return (e.kind == X_LEAF) != psc && to_host(cpu, m, &f->addr, &f->flags);
	}
	return false;
}

bool m_entry_wrong(struct m_cpu *cpu, enum m_class class, const struct m_entry *e)
{
	struct found f = { 0 };
	uint16_t more = MF_W | MF_U | MF_D | MF_ER | MF_EW | MF_EX;

	if (e->kind == M_GUEST_PHYSICAL) {
		unsigned stop = m_is_psc(class) ? (e->shift - 12u) / 9 + 1 : 0;

		if (!peek_ept(cpu, e->ep4ta, e->ept_top, e->page << e->shift, stop, &f))
			return true;
	} else if (!peek_linear(cpu, e, m_is_psc(class), &f)) {
		return true;
	}
	if (m_is_psc(class))
		more &= ~(MF_D | MF_ER | MF_EW | MF_EX);
	if (e->kind == M_GUEST_PHYSICAL)
		more = MF_ER | MF_EW | MF_EX;
	return f.addr != e->addr || (e->flags & more & ~f.flags) || (f.flags & ~e->flags & MF_XD);
}
