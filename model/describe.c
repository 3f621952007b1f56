/* Says, for people, which entries the CPU's tables hold for an address now. Changes nothing. */
#include <stdio.h>

#include "model/inside.h"

static uint64_t peek(struct phys *p, uint64_t at, unsigned size)
{
	const uint8_t *frame = phys_ptr(p, at >> PAGE_SHIFT);
	uint64_t v = 0;

	if (frame)
		memcpy(&v, frame + (at & (PAGE_SIZE - 1)), size);
	return v;
}

static size_t describe_ept(struct phys *p, uint64_t eptp, uint64_t gpa, char *buf, size_t room)
{
	uint64_t table = eptp & X_ADDRESS_MASK;
	size_t n = 0;

	for (unsigned level = (eptp >> X_EPTP_LENGTH_SHIFT & 7) + 1; level && n < room; level--) {
		unsigned shift = 12 + 9 * (level - 1);
		uint64_t e = peek(p, table + 8 * (gpa >> shift & 511), 8);

		n += (size_t)snprintf(buf + n, room - n, " %llx", (unsigned long long)e);
		if (!(e & X_EPT_RWX) || e & X_EPT_LARGE)
			break;
		table = e & X_ADDRESS_MASK;
	}
	return n;
}

void m_describe(struct phys *p, const struct m_vmcs *v, uint64_t va, uint64_t gpa, char *buf, size_t room)
{
	enum x_mode mode = x_mode(&v->guest);
	uint64_t table = x_root(&v->guest, mode);

	*buf = 0;
	if (v->ept) {
		describe_ept(p, v->eptp, gpa, buf, room);
		return;
	}
	va = x_va(mode, va);
	if (mode == X_PAE)
		table = peek(p, x_pdpt(v->guest.cr3) + 8 * (va >> 30), 8) & X_ADDRESS_MASK;
	for (unsigned level = x_top(mode); mode != X_NONE && level && room > 20; level--) {
		uint64_t e =
			peek(p, table + (uint64_t)x_index(mode, level, va) * x_entry_size(mode), x_entry_size(mode));
		struct x_entry x = x_decode(&v->guest, mode, level, e);
		int n = snprintf(buf, room, " %llx", (unsigned long long)e);

		buf += n;
		room -= (size_t)n;
		if (x.kind != X_TABLE)
			break;
		table = x.addr;
	}
}
