/* Entry formats, access rights and error codes. */
#include "model/format.h"

/* Reserved bits of the formats with 8-byte entries. */
static uint64_t reserved8(const struct x_regs *r, enum x_mode mode, unsigned level, uint64_t v)
{
	uint64_t bits = mode == X_PAE ? MASK(62, r->maxphyaddr) : MASK(51, r->maxphyaddr);

	if (!(r->efer & X_EFER_NXE))
		bits |= X_XD;
	if (level >= 4 || (level == 3 && !r->page_1g))
		bits |= X_PS;
	if (v & X_PS) {
		if (level == 3)
			bits |= MASK(29, 13);
		if (level == 2)
			bits |= MASK(20, 13);
	}
	return bits;
}

/* PSE-36: bits 20:13 of a 4-MByte PDE hold address bits 39:32, those above MAXPHYADDR reserved, and bit 21 always. */
static uint64_t reserved_4m(const struct x_regs *r)
{
	unsigned m = r->maxphyaddr < 40 ? r->maxphyaddr : 40;

	return m < 32 ? MASK(21, 13) : MASK(21, m - 19);
}

static struct x_entry rights_of(uint64_t v)
{
	return (struct x_entry){ .w = v & X_W, .u = v & X_U, .xd = v & X_XD, .a = v & X_A };
}

static void make_leaf(struct x_entry *e, unsigned shift, uint64_t v)
{
	bool pat = shift == 12 ? v & X_PAT4K : v & X_PATLARGE;

	e->kind = X_LEAF;
	e->shift = shift;
	e->d = v & X_D;
	e->g = v & X_G;
	e->pat = (pat ? 4 : 0) | (v & X_PCD ? 2 : 0) | (v & X_PWT ? 1 : 0);
}

static struct x_entry decode32(const struct x_regs *r, unsigned level, uint64_t v)
{
	struct x_entry e = rights_of(v & 0xffffffffull);

	if (level == 2 && v & X_PS && r->cr4 & X_CR4_PSE) {
		if (v & reserved_4m(r))
			return (struct x_entry){ .kind = X_RESERVED };
		make_leaf(&e, 22, v);
		e.addr = (v & 0xffc00000ull) | ((v >> 13 & 0xff) << 32);
		return e;
	}
	e.addr = v & 0xfffff000ull;
	e.kind = X_TABLE;
	if (level == 1)
		make_leaf(&e, 12, v);
	return e;
}

struct x_entry x_decode(const struct x_regs *r, enum x_mode mode, unsigned level, uint64_t v)
{
	if (!(v & X_P))
		return (struct x_entry){ .kind = X_ABSENT };
	if (mode == X_32BIT)
		return decode32(r, level, v);
	if (v & reserved8(r, mode, level, v))
		return (struct x_entry){ .kind = X_RESERVED };

	struct x_entry e = rights_of(v);
	unsigned shift = x_shift(mode, level);

	e.addr = v & X_ADDRESS_MASK;
	e.kind = X_TABLE;
	if (level == 1 || v & X_PS) {
		make_leaf(&e, shift, v);
		e.addr = align_down(e.addr, BIT(shift));
		if (mode >= X_4LEVEL)
			e.pkey = v >> 59 & 15;
	}
	return e;
}

bool x_pdpte_ok(const struct x_regs *r, uint64_t v)
{
	return !(v & X_P) || !(v & (MASK(2, 1) | MASK(8, 5) | MASK(63, r->maxphyaddr)));
}

/* The protection key denies the data access: only user-mode pages have one, and WP=0 frees supervisor writes from
 * WD. */
static bool key_denies(const struct x_regs *r, struct x_access a, struct x_rights t)
{
	if (!(r->efer & X_EFER_LMA) || !(r->cr4 & X_CR4_PKE) || a.fetch || !t.u)
		return false;
	if (r->pkru >> (2 * t.pkey) & 1)
		return true;
	return a.write && r->pkru >> (2 * t.pkey + 1) & 1 && (a.user || r->cr0 & X_CR0_WP);
}

static bool xd_denies(const struct x_regs *r, struct x_rights t)
{
	return t.xd && r->efer & X_EFER_NXE;
}

bool x_permitted(const struct x_regs *r, struct x_access a, struct x_rights t)
{
	if (a.user && !t.u)
		return false;
	if (a.fetch)
		return !xd_denies(r, t) && (a.user || !t.u || !(r->cr4 & X_CR4_SMEP));
	if (!a.user && t.u && r->cr4 & X_CR4_SMAP && (a.implicit || !r->ac))
		return false;
	if (key_denies(r, a, t))
		return false;
	return !a.write || t.w || (!a.user && !(r->cr0 & X_CR0_WP));
}

static uint32_t error_access(const struct x_regs *r, struct x_access a)
{
	uint32_t e = 0;

	if (a.write)
		e |= X_PF_WR;
	if (a.user)
		e |= X_PF_US;
	if (a.fetch && (r->cr4 & X_CR4_SMEP || (r->cr4 & X_CR4_PAE && r->efer & X_EFER_NXE)))
		e |= X_PF_ID;
	return e;
}

uint32_t x_error_rights(const struct x_regs *r, struct x_access a, struct x_rights t)
{
	return error_access(r, a) | X_PF_P | (key_denies(r, a, t) ? X_PF_PK : 0);
}

uint32_t x_error_absent(const struct x_regs *r, struct x_access a, bool reserved)
{
	return error_access(r, a) | (reserved ? X_PF_P | X_PF_RSVD : 0);
}
