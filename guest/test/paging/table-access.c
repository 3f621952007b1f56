/* The instructions of tables.h. */
#include "guest/test/paging/tables.h"

#define ASM __asm__ volatile
#define W(name) static void write_##name(uint64_t *e, uint64_t v)
#define R(name) static uint64_t read_##name(const uint64_t *e)

static bool has_avx, has_avx512;

static bool always(void) { return true; }
static bool avx(void) { return has_avx; }
static bool avx512(void) { return has_avx512; }
static bool movbe(void) { return cpuid_version().ecx & CPUID_1_ECX_MOVBE; }
static bool cx16(void) { return cpuid_version().ecx & CPUID_1_ECX_CMPXCHG16B; }

void tables_init(void)
{
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
	ASM("fninit");
	has_avx = !(~cpuid_version().ecx & (CPUID_1_ECX_XSAVE | CPUID_1_ECX_AVX));
	if (!has_avx)
		return;
	write_cr4(read_cr4() | CR4_OSXSAVE);
	has_avx512 = cpuid_features().ebx & CPUID_7_EBX_AVX512F;
	ASM("xsetbv" : : "c"(0), "a"(has_avx512 ? 0xe7 : 7), "d"(0));
}

/* ---- writers: general registers ---- */

W(mov64) { ASM("movq %1, %0" : "=m"(*e) : "r"(v)); }
W(mov32) { ASM("movl %k1, %0; movl %k2, 4+%0" : "+o"(*e) : "r"(v), "r"(v >> 32)); }
W(mov8)
{
	for (unsigned i = 0; i < 8; i++)
		ASM("movb %b1, %0" : "=m"(((uint8_t *)e)[i]) : "q"(v >> 8 * i));
}
/* Not aligned: bytes 1 and 2 at once. */
W(mov16)
{
	ASM("movb %b1, %0" : "=m"(*(uint8_t *)e) : "q"(v));
	for (unsigned i = 1; i < 7; i += 2)
		ASM("movw %w1, %0" : "=m"(*(uint16_t *)((uint8_t *)e + i)) : "r"(v >> 8 * i));
	ASM("movb %b1, %0" : "=m"(((uint8_t *)e)[7]) : "q"(v >> 56));
}
W(mov_imm)
{
	ASM("movq $0, %0" : "=m"(*e));
	ASM("movl $0x12345678, %0; andl $0, %0; orl %k1, %0; movw $0, 6+%0; orw %w2, 4+%0"
	    : "+o"(*e)
	    : "r"(v), "r"(v >> 32)
	    : "cc");
}
W(movnti64) { ASM("movnti %1, %0" : "=m"(*e) : "r"(v)); }
W(movnti32) { ASM("movnti %k1, %0; movnti %k2, 4+%0" : "+o"(*e) : "r"(v), "r"(v >> 32)); }
W(movbe) { ASM("movbe %1, %0" : "=m"(*e) : "r"(__builtin_bswap64(v))); }
W(xchg) { ASM("xchgq %1, %0" : "+m"(*e), "+r"(v)); }
W(add) { ASM("addq %1, %0" : "+m"(*e) : "r"(v - *e) : "cc"); }
W(sub) { ASM("lock subq %1, %0" : "+m"(*e) : "r"(*e - v) : "cc"); }
W(xor) { ASM("lock xorq %1, %0" : "+m"(*e) : "r"(*e ^ v) : "cc"); }
W(and_or) { ASM("lock andq $0, %0; lock orq %1, %0" : "+m"(*e) : "r"(v) : "cc"); }
W(not) { ASM("movq %1, %0; lock notq %0" : "+m"(*e) : "r"(~v) : "cc"); }
W(neg) { ASM("movq %1, %0; negq %0" : "+m"(*e) : "r"(0 - v) : "cc"); }
W(inc) { ASM("movq %1, %0; lock incq %0" : "+m"(*e) : "r"(v - 1) : "cc"); }
W(dec) { ASM("movq %1, %0; decq %0" : "+m"(*e) : "r"(v + 1) : "cc"); }
W(xadd)
{
	uint64_t by = v - *e;

	ASM("lock xaddq %1, %0" : "+m"(*e), "+r"(by) : : "cc");
}
W(cmpxchg)
{
	uint64_t old = *e;

	ASM("lock cmpxchgq %2, %0" : "+m"(*e), "+a"(old) : "r"(v) : "cc");
}
/* The accessed flag is taken away in between, as a kernel does that looks for pages to swap out. */
W(cmpxchg_failing)
{
	uint64_t old = ~*e;

	ASM("cmpxchgq %2, %0" : "+m"(*e), "+a"(old) : "r"(v) : "cc");
	ASM("cmpxchgq %2, %0" : "+m"(*e), "+a"(old) : "r"(v) : "cc");
}
W(cmpxchg8b)
{
	uint64_t old = *e;
	uint32_t a = (uint32_t)old, d = (uint32_t)(old >> 32);

	ASM("lock cmpxchg8b %0" : "+m"(*e), "+a"(a), "+d"(d) : "b"((uint32_t)v), "c"((uint32_t)(v >> 32)) : "cc");
}
W(cmpxchg16b)
{
	uint64_t a = e[0], d = e[1];

	ASM("lock cmpxchg16b %0" : "+m"(*(unsigned __int128 *)e), "+a"(a), "+d"(d) : "b"(v), "c"(e[1]) : "cc");
}
/* A bit at a time; the bit's number counts from an entry that lies 64 entries before. */
W(bts_btr)
{
	for (unsigned i = 0; i < 64; i++) {
		int64_t bit = 64 * 64 + (int64_t)i;

		if (v >> i & 1)
			ASM("lock btsq %1, %0" : "+m"(*(e - 64)) : "r"(bit) : "cc", "memory");
		else
			ASM("btrq %1, %0" : "+m"(*(e - 64)) : "r"(bit) : "cc", "memory");
	}
}
W(btc_imm)
{
	ASM("movq %1, %0; lock btcl $5, %0; lock btcl $5, %0; btsl $5, %0; btrl $5, %0"
	    : "+m"(*e)
	    : "r"(v & ~PTE_A)
	    : "cc");
	ASM("orq %1, %0" : "+m"(*e) : "r"(v & PTE_A) : "cc");
}
W(shifts)
{
	ASM("movq %1, %0; rolq $8, %0" : "+m"(*e) : "r"(v >> 8 | v << 56) : "cc");
	ASM("rorq %%cl, %0; rolq %%cl, %0" : "+m"(*e) : "c"(13) : "cc");
}
W(shld)
{
	ASM("shldq $32, %1, %0; shldq $32, %2, %0" : "+m"(*e) : "r"(v & ~0xffffffffull), "r"(v << 32) : "cc");
}
W(setcc)
{
	ASM("movq %1, %0; stc; setc %0; orb %b2, %0" : "+m"(*e) : "r"(v & ~0xffull), "q"(v) : "cc");
	ASM("movb %b1, %0" : "+m"(*e) : "q"(v));
}
W(push)
{
	ASM("movq %%rsp, %%rax; movq %0, %%rsp; pushq %1; movq %%rax, %%rsp" : : "r"(e + 1), "r"(v) : "rax", "memory");
}
W(push_mem)
{
	uint64_t from = v;

	ASM("movq %%rsp, %%rax; movq %0, %%rsp; pushq (%1); movq %%rax, %%rsp"
	    :
	    : "r"(e + 1), "r"(&from)
	    : "rax", "memory");
}
W(pop_mem) { ASM("pushq %1; popq (%0)" : : "r"(e), "r"(v) : "memory"); }
W(call)
{
	/* The return address lands in the entry, to be overwritten. */
	ASM("movq %%rsp, %%rax; movq %0, %%rsp; call 1f; 1: movq %%rax, %%rsp; movq %1, (%2)"
	    :
	    : "r"(e + 1), "r"(v), "r"(e)
	    : "rax", "memory");
}

/* ---- writers: strings ---- */

W(stosq) { ASM("stosq" : "+D"(e) : "a"(v) : "memory"); }
W(stosb)
{
	void *to = e;

	for (unsigned i = 0; i < 8; i++)
		ASM("stosb" : "+D"(to) : "a"(v >> 8 * i) : "memory");
}
W(rep_stosl)
{
	void *to = e;
	word n = 2;

	ASM("rep stosl" : "+D"(to), "+c"(n) : "a"(0) : "memory");
	ASM("movq %1, %0" : "=m"(*e) : "r"(v));
}
W(rep_movsb)
{
	uint64_t from = v;
	void *s = &from, *d = e;
	word n = 8;

	ASM("rep movsb" : "+S"(s), "+D"(d), "+c"(n) : : "memory");
}
W(rep_movsw_down)
{
	uint64_t from = v;
	void *s = (uint8_t *)&from + 6, *d = (uint8_t *)e + 6;
	word n = 4;

	ASM("std; rep movsw; cld" : "+S"(s), "+D"(d), "+c"(n) : : "memory", "cc");
}
W(insb)
{
	/* A port that nobody has reads as ones. */
	void *d = e;
	word n = 2;

	ASM("rep insl" : "+D"(d), "+c"(n) : "d"(0x1ff0) : "memory");
	ASM("andq %1, %0" : "+m"(*e) : "r"(v) : "cc");
}

/* ---- writers: vectors ---- */

W(movq_xmm) { ASM("movq %1, %%xmm3; movq %%xmm3, %0" : "=m"(*e) : "r"(v)); }
W(movd_xmm)
{
	ASM("movd %k1, %%xmm3; movd %%xmm3, %0; movd %k2, %%xmm3; movd %%xmm3, 4+%0" : "+o"(*e) : "r"(v), "r"(v >> 32));
}
W(movss)
{
	ASM("movd %k1, %%xmm4; movss %%xmm4, %0; movd %k2, %%xmm4; movss %%xmm4, 4+%0"
	    : "+o"(*e)
	    : "r"(v), "r"(v >> 32));
}
W(movlps) { ASM("movq %1, %%xmm5; movlps %%xmm5, %0" : "=m"(*e) : "r"(v)); }
W(movhps) { ASM("movq %1, %%xmm5; pslldq $8, %%xmm5; movhps %%xmm5, %0" : "=m"(*e) : "r"(v)); }

#define PAIR(name, instruction) \
	W(name) \
	{ \
		uint64_t pair[2] __attribute__((aligned(16))) = { v, e[1] }; \
		ASM("movdqa %1, %%xmm6; " instruction " %%xmm6, %0" \
		    : "=m"(*(unsigned __int128 *)e) \
		    : "m"(*(unsigned __int128 *)pair)); \
	}
PAIR(movaps, "movaps")
PAIR(movups, "movups")
PAIR(movapd, "movapd")
PAIR(movdqa, "movdqa")
PAIR(movdqu, "movdqu")
PAIR(movntps, "movntps")
PAIR(movntdq, "movntdq")
PAIR(vmovups, "vmovups")
PAIR(vmovdqu, "vmovdqu")
PAIR(vmovntdq, "vmovntdq")

/* Not aligned: the second half of what lies before, and the entry. */
W(movdqu_before)
{
	uint64_t pair[2] = { e[-1], v };

	ASM("movdqu %1, %%xmm6; movdqu %%xmm6, %0"
	    : "=m"(*(unsigned __int128 *)(e - 1))
	    : "m"(*(unsigned __int128 *)pair));
}
W(vmovdqu_ymm)
{
	uint64_t four[4] = { e[-1], v, e[1], e[2] };

	ASM("vmovdqu (%1), %%ymm7; vmovdqu %%ymm7, (%0); vzeroupper" : : "r"(e - 1), "r"(four) : "memory");
}

/* What few emulators of page-table accesses know; and AVX-512, which the hypervisor does not: the table is given up,
 * and it runs. */
W(vmovdqu64)
{
	ASM("kmovw %2, %%k1; vpbroadcastq %1, %%zmm3; vmovdqu64 %%zmm3, %0 %{%%k1%}" : "=m"(*e) : "r"(v), "r"(1));
}
W(mmx) { ASM("movq %1, %%mm2; movq %%mm2, %0; emms" : "=m"(*e) : "m"(v)); }
W(fistp) { ASM("fildll %1; fistpll %0" : "=m"(*e) : "m"(v)); }
W(maskmovdqu)
{
	uint64_t ones = ~0ull;

	ASM("movq %1, %%xmm1; movq %2, %%xmm2; maskmovdqu %%xmm2, %%xmm1" : : "D"(e), "r"(v), "r"(ones) : "memory");
}
W(sidt)
{
	uint64_t after = e[1];

	ASM("sidt %0" : "=m"(*(struct { uint8_t b[10]; } *)e));
	ASM("movq %1, %0" : "=m"(e[1]) : "r"(after));
	ASM("movq %1, %0" : "=m"(e[0]) : "r"(v));
}

#define ROW(name, usable) { #name, write_##name, usable }
const struct writer writers[] = {
	ROW(mov64, always),	 ROW(mov32, always),	 ROW(mov16, always),	 ROW(mov8, always),
	ROW(mov_imm, always),	 ROW(movnti64, always),	 ROW(movnti32, always),	 ROW(movbe, movbe),
	ROW(xchg, always),	 ROW(add, always),	 ROW(sub, always),	 ROW(xor, always),
	ROW(and_or, always),	 ROW(not, always),	 ROW(neg, always),	 ROW(inc, always),
	ROW(dec, always),	 ROW(xadd, always),	 ROW(cmpxchg, always),	 ROW(cmpxchg_failing, always),
	ROW(cmpxchg8b, always),	 ROW(cmpxchg16b, cx16),	 ROW(bts_btr, always),	 ROW(btc_imm, always),
	ROW(shifts, always),	 ROW(shld, always),	 ROW(setcc, always),	 ROW(push, always),
	ROW(push_mem, always),	 ROW(pop_mem, always),	 ROW(call, always),	 ROW(stosq, always),
	ROW(stosb, always),	 ROW(rep_stosl, always), ROW(rep_movsb, always), ROW(rep_movsw_down, always),
	ROW(insb, always),	 ROW(movq_xmm, always),	 ROW(movd_xmm, always),	 ROW(movss, always),
	ROW(movlps, always),	 ROW(movhps, always),	 ROW(movaps, always),	 ROW(movups, always),
	ROW(movapd, always),	 ROW(movdqa, always),	 ROW(movdqu, always),	 ROW(movdqu_before, always),
	ROW(movntps, always),	 ROW(movntdq, always),	 ROW(vmovups, avx),	 ROW(vmovdqu, avx),
	ROW(vmovntdq, avx),	 ROW(vmovdqu_ymm, avx),	 ROW(mmx, always),	 ROW(fistp, always),
	ROW(maskmovdqu, always), ROW(sidt, always),	 ROW(vmovdqu64, avx512), { NULL, NULL, NULL },
};
#undef ROW

/* ---- readers ---- */

R(mov64) { uint64_t v; ASM("movq %1, %0" : "=r"(v) : "m"(*e)); return v; }
R(mov8)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 8; i++) {
		uint64_t b;

		ASM("movzbl %1, %k0" : "=r"(b) : "m"(((const uint8_t *)e)[i]));
		v |= (b & 0xff) << 8 * i;
	}
	return v;
}
R(alu)
{
	uint64_t v = 0;

	ASM("addq %1, %0; cmpq %1, %0; je 1f; movq $-1, %0; 1: testq %0, %1; orq %1, %0; andq %1, %0"
	    : "+r"(v)
	    : "m"(*e)
	    : "cc");
	return v;
}
R(cmov) { uint64_t v = 1; ASM("stc; cmovcq %1, %0" : "+r"(v) : "m"(*e) : "cc"); return v; }
R(push) { uint64_t v; ASM("pushq %1; popq %0" : "=r"(v) : "m"(*e)); return v; }
R(pop)
{
	uint64_t v;
	ASM("movq %%rsp, %%rcx; movq %1, %%rsp; popq %0; movq %%rcx, %%rsp" : "=a"(v) : "r"(e) : "rcx", "memory");
	return v;
}
R(bt)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < 64; i++) {
		uint8_t b;

		ASM("btq %2, %1; setc %0" : "=r"(b) : "m"(*e), "r"((uint64_t)i) : "cc");
		v |= (uint64_t)(b & 1) << i;
	}
	return v;
}
R(lods) { uint64_t v; ASM("lodsq" : "=a"(v), "+S"(e) : : "memory"); return v; }
R(movs)
{
	uint64_t v;
	void *d = &v;

	ASM("movsq" : "+S"(e), "+D"(d) : : "memory");
	return v;
}
R(cmps)
{
	uint64_t same = *e;
	const void *s = e, *d = &same;
	word n = 8;

	ASM("repe cmpsb" : "+S"(s), "+D"(d), "+c"(n) : : "memory", "cc");
	return n ? 0 : same;
}
R(scas)
{
	uint64_t v = *e;
	bool same;
	const void *d = e;

	ASM("scasq" : "=@cce"(same), "+D"(d) : "a"(v) : "memory");
	return same ? v : 0;
}
R(imul) { uint64_t v; ASM("imulq $1, %1, %0" : "=r"(v) : "m"(*e) : "cc"); return v; }
R(movsx)
{
	int64_t lo, hi;
	ASM("movslq %2, %0; movslq 4+%2, %1" : "=&r"(lo), "=&r"(hi) : "o"(*e));
	return (uint32_t)lo | (uint64_t)hi << 32;
}
R(movups)
{
	uint64_t v;
	ASM("movups %1, %%xmm1; movq %%xmm1, %0" : "=r"(v) : "m"(*(const unsigned __int128 *)e));
	return v;
}
R(movq) { uint64_t v; ASM("movq %1, %%xmm1; movq %%xmm1, %0" : "=r"(v) : "m"(*e)); return v; }
R(movhps) { uint64_t v; ASM("movhps %1, %%xmm1; psrldq $8, %%xmm1; movq %%xmm1, %0" : "=r"(v) : "m"(*e)); return v; }
R(vmovdqu) { uint64_t v; ASM("vmovdqu %1, %%ymm1; vmovq %%xmm1, %0; vzeroupper" : "=r"(v) : "m"(*e)); return v; }
R(mmx) { uint64_t v; ASM("movq %1, %%mm1; movq %%mm1, %0; emms" : "=m"(v) : "m"(*e)); return v; }
R(pand)
{
	uint64_t v;
	ASM("pcmpeqb %%xmm1, %%xmm1; pand %1, %%xmm1; movq %%xmm1, %0"
	    : "=r"(v)
	    : "m"(*(const unsigned __int128 *)((word)e & ~15ul)));
	return (word)e & 8 ? *e : v;
}

#define ROW(name, usable) { #name, read_##name, usable }
const struct reader readers[] = {
	ROW(mov64, always),  ROW(mov8, always), ROW(alu, always),   ROW(cmov, always),	 ROW(push, always),
	ROW(pop, always),    ROW(bt, always),	ROW(lods, always),  ROW(movs, always),	 ROW(cmps, always),
	ROW(scas, always),   ROW(imul, always), ROW(movsx, always), ROW(movups, always), ROW(movq, always),
	ROW(movhps, always), ROW(vmovdqu, avx), ROW(mmx, always),   ROW(pand, always),	 { NULL, NULL, NULL },
};
