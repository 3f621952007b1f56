/* emulate/emulate.h - the instruction decoder and emulator: what the rest of Vellum sees of it.
 *
 * It carries out one guest instruction at a time for whoever cannot let the CPU do it: an access to a device's
 * registers (MMIO), a write to a guest page table that is kept write-protected, real mode without unrestricted guest.
 * It knows nothing of VM exits, of guest-physical memory or of devices: registers are in struct emulate, everything
 * else is behind the callbacks of struct emulate_ops.
 *
 * Invariants:
 *  EM1  Decoding is pure: emulate_decode() depends on its arguments only, reads at most n bytes, and never changes
 *       anything but *out. A decoded instruction may be kept and executed again while bytes and mode are the same.
 *  EM2  Execution is all or nothing: when the result is neither EMULATE_OK nor EMULATE_HALT, gpr, rip, rflags and
 *       segments are as before. Repeated string instructions are all or nothing per iteration: the iterations that are
 *       done are committed (rCX, rSI, rDI, memory, and for CMPS/SCAS the flags), and rip still points at the
 *       instruction.
 *  EM3  Before memory or a port is changed, every access of the instruction that may fault has been tried (by the read
 *       itself or by probe()), so that a fault leaves no half-done write.
 *  EM4  No callback for memory ever sees an access that crosses a 4 KiB boundary: the core splits it.
 *  EM5  The work of one call is bounded: REP stops after rep_limit iterations (of which io_string() does eight for
 *       one), after one that is single-stepped and after one in which a callback set `interrupted`, a lost race for a
 *       locked access after a few attempts; each gives EMULATE_RESTART with rip at the instruction, so that interrupts
 *       are taken before it goes on. Any other instruction makes at most 300 accesses of at most 32 bytes (an XSAVE
 *       area of 4 KiB is the longest).
 *  EM6  What runs on the host's CPU (struct emulate_native) is one instruction that the core has encoded itself: its
 *       memory operand is a buffer of the core's, its general registers are rAX, rCX, rDX and rBX. Nothing of the
 *       guest's bytes but opcode, vector registers and immediate gets there, and no address of the host's stays in the
 *       guest's FPU.
 */
#ifndef VELLUM_EMULATE_EMULATE_H
#define VELLUM_EMULATE_EMULATE_H

#include "lib/base.h"
#include "lib/x86.h"

struct emulate;

/* One instruction for the host's CPU, which has the guest's FPU and vector registers (EM6). SDM: "Instruction
 * Format". */
struct emulate_native {
	uint8_t code[16];
	uint8_t length;
	void *operand;               /* what rDI holds: the memory operand is (%rdi) */
	uint64_t rax, rcx, rdx, rbx; /* before and after */
	uint64_t rflags;             /* the status flags before and after */
	uint64_t rip;                /* after: where the instruction was, as the FPU remembers it */
};

/* Indices of gpr[], as instructions encode them. */
enum emulate_gpr {
	EMULATE_RAX, EMULATE_RCX, EMULATE_RDX, EMULATE_RBX, EMULATE_RSP, EMULATE_RBP, EMULATE_RSI, EMULATE_RDI,
	EMULATE_R8, EMULATE_R9, EMULATE_R10, EMULATE_R11, EMULATE_R12, EMULATE_R13, EMULATE_R14, EMULATE_R15,
	EMULATE_GPRS
};

/* Indices of seg[], as instructions encode them. */
enum emulate_seg {
	EMULATE_ES, EMULATE_CS, EMULATE_SS, EMULATE_DS, EMULATE_FS, EMULATE_GS,
	EMULATE_SEGS
};

/* What decoding and addressing depend on. PROT16 and PROT32 are protected or compatibility mode with CS.D = 0 or 1; so
 * are REAL and REAL32 of real mode, where CS keeps the attributes that it was loaded with in protected mode. */
enum emulate_mode {
	EMULATE_REAL,
	EMULATE_REAL32,
	EMULATE_V86,
	EMULATE_PROT16,
	EMULATE_PROT32,
	EMULATE_LONG64,
};

/* A segment register: limit in bytes, access as in the SDM's "Format of Access Rights" (SEGMENT_* of lib/x86.h). */
struct emulate_segment {
	uint64_t base;
	uint32_t limit;
	uint32_t access;
	uint16_t selector;
};

/* What a callback says. On FAULT it has filled e->exception (a page fault: vector 14, error code, cr2). UNHANDLEABLE:
 * the caller of the emulator cannot do this; the instruction is abandoned with EMULATE_UNHANDLEABLE, nothing
 * changed. */
enum emulate_access {
	EMULATE_ACCESS_OK,
	EMULATE_ACCESS_FAULT,
	EMULATE_ACCESS_UNHANDLEABLE,
};

/* How memory is accessed; bits of `how`. */
/* write permission is needed (a read with this bit is the first half of a read-modify-write) */
#define EMULATE_HOW_WRITE 1u
#define EMULATE_HOW_SYSTEM 2u /* an implicit supervisor access (descriptor tables, IVT), whatever the CPL */
#define EMULATE_HOW_LOCKED 4u /* part of a locked instruction; informative */

enum emulate_dtr { EMULATE_GDTR, EMULATE_IDTR, EMULATE_LDTR, EMULATE_TR };

/* The world outside the registers. Those marked optional may be NULL: an instruction that needs one is then
 * EMULATE_UNKNOWN. All addresses are linear; permission is that of e->cpl (and SMAP by e->rflags.AC) unless
 * EMULATE_HOW_SYSTEM says otherwise. No access crosses a 4 KiB boundary (EM4). */
struct emulate_ops {
	/* Instruction bytes: translate for execution and copy n (1..15) bytes. */
	enum emulate_access (*fetch)(struct emulate *e, uint64_t linear, void *buf, unsigned n);
	/* Memory or MMIO, size 1..32. Aligned accesses of 1, 2, 4, 8 bytes must be done as one access; odd sizes (3, 5,
	 * ...) occur as parts of an access that crosses a page. */
	enum emulate_access (*read)(struct emulate *e, uint64_t linear, void *buf, unsigned size, unsigned how);
	enum emulate_access (*write)(struct emulate *e, uint64_t linear, const void *buf, unsigned size, unsigned how);
	/* Would the access, of any size within a page, succeed? Sets accessed and dirty flags as the access would, but
	 * touches neither data nor device. */
	enum emulate_access (*probe)(struct emulate *e, uint64_t linear, unsigned size, unsigned how);
	/* Many iterations of STOS and MOVS at once, upwards: count elements of size bytes, each as by read() and
	 * write() one after the other, all of them within one page on either side. They say how many were done; 0:
	 * none, and nothing has changed: the next is to be made by read() and write(). Optional. */
	unsigned (*fill)(struct emulate *e, uint64_t to, uint64_t value, unsigned size, unsigned count);
	unsigned (*copy)(struct emulate *e, uint64_t to, uint64_t from, unsigned size, unsigned count);
	/* Atomic compare and exchange of size 1, 2, 4, 8 or 16 bytes: if memory holds *expected, store *desired and set
	 * *done, else put what memory holds into *expected and clear *done. Needs write permission in both cases. To a
	 * device it is a store. Optional: without it locked instructions read, then write. Locked accesses that cross a
	 * page are always read, then written. */
	enum emulate_access (*cmpxchg)(struct emulate *e, uint64_t linear, void *expected, const void *desired,
				       unsigned size, bool *done);
	/* Called before seg[n] is first used when bit n of seg_valid is clear: fills seg[n]. Optional if seg_valid is
	 * full. */
	void (*load_segment)(struct emulate *e, enum emulate_seg n);

	/* Ports; size 1, 2, 4. The core has looked at CPL, IOPL and the TSS's bitmap. Optional. */
	enum emulate_access (*io_in)(struct emulate *e, uint16_t port, unsigned size, uint32_t *value);
	enum emulate_access (*io_out)(struct emulate *e, uint16_t port, unsigned size, uint32_t value);

	/* A part of REP INS (in) or REP OUTS: up to count elements of size bytes at once between a port and [linear,
	 * linear + count * size), which lies within a page and its segment. *done: how many; 0: it goes one by one,
	 * and nothing was done. Optional. */
	enum emulate_access (*io_string)(struct emulate *e, uint16_t port, unsigned size, uint64_t linear,
					 uint32_t count, bool in, uint32_t *done);

	/* Runs one instruction on the host's CPU, with the guest's FPU, vector registers, MXCSR and XCR0 in it. If the
	 * CPU raises an exception (#UD, #NM, #MF, #XM, #GP), nothing has changed and the answer is FAULT with its
	 * vector. Optional. */
	enum emulate_access (*native)(struct emulate *e, struct emulate_native *n);

	/* Privileged state, all optional. The core has checked the CPL; validity of values is the callback's (it may
	 * return FAULT with #GP). After write_cr the callback has updated cr0/cr4/efer/mode of *e itself as far as they
	 * changed. */
	enum emulate_access (*read_cr)(struct emulate *e, unsigned n, uint64_t *value);
	enum emulate_access (*write_cr)(struct emulate *e, unsigned n, uint64_t value);
	enum emulate_access (*read_dr)(struct emulate *e, unsigned n, uint64_t *value);
	enum emulate_access (*write_dr)(struct emulate *e, unsigned n, uint64_t value);
	enum emulate_access (*read_msr)(struct emulate *e, uint32_t index, uint64_t *value);
	enum emulate_access (*write_msr)(struct emulate *e, uint32_t index, uint64_t value);
	/* GDTR and IDTR have base and limit only; LDTR and TR are whole segment registers. */
	enum emulate_access (*read_dtr)(struct emulate *e, enum emulate_dtr which, struct emulate_segment *s);
	enum emulate_access (*write_dtr)(struct emulate *e, enum emulate_dtr which, const struct emulate_segment *s);
	enum emulate_access (*invlpg)(struct emulate *e, uint64_t linear);
	/* a, b, c, d */
	enum emulate_access (*cpuid)(struct emulate *e, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
	enum emulate_access (*rdtsc)(struct emulate *e, uint64_t *value);
};

enum emulate_exception_kind {
	EMULATE_HARDWARE_EXCEPTION, /* rip points at the instruction */
	/* INT n outside real mode: inject it with `length`; rip points at the instruction */
	EMULATE_SOFTWARE_INTERRUPT,
	EMULATE_SOFTWARE_EXCEPTION, /* INT3, INTO outside real mode: likewise */
	EMULATE_PRIVILEGED_SOFTWARE_EXCEPTION, /* INT1 outside real mode: likewise */
};

struct emulate_exception {
	uint8_t vector;
	uint8_t kind;      /* enum emulate_exception_kind */
	uint8_t length;    /* of the instruction, for the software kinds */
	bool has_error;
	uint32_t error;
	uint64_t cr2;      /* vector 14 only */
};

/* Instructions that the guest's CPUID may lack. Without TZCNT/LZCNT the encoding means BSF/BSR; without the others,
 * #UD. */
#define EMULATE_HAS_TZCNT 1u
#define EMULATE_HAS_LZCNT 2u
#define EMULATE_HAS_POPCNT 4u
#define EMULATE_HAS_MOVBE 8u
/* Without these it is the host's CPU that finds no such instruction; and so with BMI1, which TZCNT is of. */
#define EMULATE_HAS_BMI2 16u
#define EMULATE_HAS_ADX 32u
#define EMULATE_HAS_CRC32 64u
#define EMULATE_HAS_ALL 127u

#define EMULATE_SCRATCH 4096

/* One virtual CPU as the emulator sees it. The caller fills the first part, once for several instructions if it
 * likes. */
struct emulate {
	const struct emulate_ops *ops;
	void *opaque;      /* the caller's */
	uint64_t *gpr;     /* EMULATE_GPRS of them; may be the vCPU's own array (gpr[EMULATE_RSP] must be filled too) */
	uint64_t rip, rflags;
	uint64_t cr0, cr4, efer, xcr0;
	uint32_t features; /* EMULATE_HAS_* */
	/* EMULATE_SCRATCH bytes, aligned to 64, for XSAVE areas; NULL: XSAVE and the like are unknown */
	uint8_t *scratch;
	uint32_t rep_limit; /* iterations per call; 0: 4096 */
	uint8_t mode;      /* enum emulate_mode */
	uint8_t cpl;       /* 0 in real mode, 3 in virtual-8086 mode */
	uint8_t seg_valid; /* bit n: seg[n] is filled */
	bool interrupted;  /* set by a callback: a repeated instruction stops after this iteration (EM5) */
	/* Results, beside the registers. */
	uint8_t seg_dirty; /* bit n: the instruction loaded seg[n]; the caller clears it when it has taken it over */
	/* after EMULATE_OK: BLOCKING_STI, BLOCKING_MOV_SS, 0: neither */
	uint8_t shadow;
	bool single_step;  /* after EMULATE_OK, and EMULATE_RESTART: RFLAGS.TF was set, a #DB with DR6.BS is due */
	bool unblocks_nmi; /* after EMULATE_OK: it was an IRET */
	bool progress;     /* iterations of a repeated instruction have been done */
	uint8_t length;    /* after emulate_fetch: bytes known of the instruction */
	uint8_t bytes[INSTRUCTION_LENGTH_MAX];
	struct emulate_exception exception;
	struct emulate_segment seg[EMULATE_SEGS];
};

enum emulate_result {
	EMULATE_OK,           /* done; gpr, rip, rflags are those after it */
	EMULATE_EXCEPTION,    /* e->exception is to be delivered; see EM2 */
	EMULATE_UNKNOWN,      /* not an instruction that the emulator knows (e->bytes); nothing changed */
	EMULATE_UNHANDLEABLE, /* a callback refused; nothing changed (EM2) */
	EMULATE_RESTART,      /* consistent, not finished: enter the guest, or call again (EM5) */
	EMULATE_HALT,         /* HLT, done: the CPU waits for an interrupt */
};

/* How decoding ended. */
enum insn_status {
	INSN_OK,
	INSN_SHORT,    /* more than n bytes are needed */
	INSN_TOO_LONG, /* more than 15 bytes: #GP(0) */
	INSN_UD,       /* the CPU answers #UD whatever the registers hold */
	INSN_UNKNOWN,  /* not known to the emulator */
};

/* A decoded instruction: 32 bytes, position-independent (relative targets are relative). Only emulate/ looks inside,
 * but length, and imm for those who know what they cached, are for everyone. */
struct insn {
	uint16_t op;      /* which handler: enum insn_op, private */
	uint8_t length;   /* 1..15 */
	uint8_t opsize;   /* bytes of the operands: 1, 2, 4, 8, 16, 32 */
	uint8_t adsize;   /* bytes of an address: 2, 4, 8 */
	uint8_t flags;    /* INSN_F_* */
	uint8_t rex;      /* the REX byte, or the like made from VEX; 0 if none */
	uint8_t modrm;
	uint8_t reg;      /* modrm.reg with REX.R, or the register in the opcode with REX.B */
	uint8_t rm;       /* modrm.rm with REX.B, when it is a register */
	uint8_t base;     /* of the memory operand: gpr index, INSN_NONE or INSN_RIP */
	uint8_t index;    /* gpr index or INSN_NONE */
	uint8_t scale;    /* 0..3 */
	uint8_t seg;      /* enum emulate_seg of the memory operand, overrides and defaults applied */
	uint8_t vvvv;     /* VEX.vvvv */
	uint8_t sub;      /* what the handler wants to know of the opcode: condition, ALU operation, source size ... */
	int64_t disp;     /* displacement, or the absolute offset of MOV A0-A3 */
	/* Sign-extended to 64 bits; ENTER: size | level << 16; far pointers: offset | selector << 32; for what the
	 * host's CPU runs: imm8 | opcode << 8 | opcode map << 16 | INSN_N_* << 24. */
	uint64_t imm;
};

#define INSN_NONE 0xff
#define INSN_RIP 0xfe
#define INSN_F_MEM 1u    /* the r/m operand is memory */
#define INSN_F_LOCK 2u
#define INSN_F_REP 4u    /* F3 */
#define INSN_F_REPNE 8u  /* F2 */
#define INSN_F_OPSIZE 16u /* 66 */
#define INSN_F_VEX 32u
#define INSN_F_VEXL 64u  /* VEX.L: 256 bits */
#define INSN_F_DIR 128u  /* the handler's: reg is the destination, not r/m */

/* Decode the instruction at bytes, of which n (any number) are there. Illegal LOCK prefixes are INSN_UD.
 * SDM: "Instruction Format". Errors: see enum insn_status; *out is complete only for INSN_OK. */
enum insn_status emulate_decode(const uint8_t *bytes, unsigned n, enum emulate_mode mode, struct insn *out);

/* What is done to the memory operand of an instruction that has one, of at most 8 bytes, and no other but a register
 * or an immediate. LOAD, STORE and STORE_IMM are MOV of 4 bytes, not of rSP: who knows what the access would be needs
 * nothing for them. For the others there is emulate_on_value(): MOV, MOVNTI, MOVZX, MOVSX, CMP, TEST, XCHG,
 * XADD, CMPXCHG, NOT, NEG, INC, DEC, the bit tests and scans, shifts, MUL, IMUL, SETcc, CMOVcc, MOVBE, POPCNT and the
 * other arithmetic of two operands; for PUSH emulate_push_value(), and for DIV and IDIV emulate_divide(). POP writes
 * what it has read from the stack, where rSP leads to behind that. From STORE on it is written; from LOAD down, and by
 * CHANGE, read. */
enum insn_plain {
	INSN_NOT_PLAIN,
	INSN_PLAIN_PUSH,
	INSN_PLAIN_DIVIDE,
	INSN_PLAIN_JUMP,
	INSN_PLAIN_CALL,
	INSN_PLAIN_READ,
	INSN_PLAIN_LOAD,
	INSN_PLAIN_STORE,
	INSN_PLAIN_STORE_IMM,
	INSN_PLAIN_WRITE,
	INSN_PLAIN_CHANGE, /* read, then written */
	INSN_PLAIN_POP,
};
/* features: EMULATE_HAS_*. */
enum insn_plain insn_plain(const struct insn *i, uint32_t features);
/* Of a plain one: bytes of the memory operand. */
unsigned insn_operand_size(const struct insn *i);
/* Is rSP, or a part of it, the plain instruction's register? */
bool insn_uses_rsp(const struct insn *i);
/* Of a plain MOV of one byte to or from a register, not of rSP: which byte of gpr[], as it lies in memory. Else
 * INSN_NONE. */
unsigned insn_byte_register(const struct insn *i);
/* The offset of an instruction's memory operand in the segment i->seg, by e->gpr and e->rip. SDM: "Specifying an
 * Offset". */
static inline uint64_t insn_offset(const struct emulate *e, const struct insn *i)
{
	uint64_t a = (uint64_t)i->disp;

	if (likely(i->base < EMULATE_GPRS))
		a += e->gpr[i->base];
	else if (i->base == INSN_RIP)
		a += e->rip + i->length;
	if (i->index < EMULATE_GPRS)
		a += e->gpr[i->index] << i->scale;
	return likely(i->adsize == 8) ? a : i->adsize == 4 ? (uint32_t)a : (uint16_t)a;
}
/* BT and its like, by the number of a bit in a register: the operand is behind insn_offset(), modulo the size of an
 * address, by so many bytes. The number is signed. SDM: "BT - Bit Test". */
bool insn_is_displaced(const struct insn *i);
static inline int64_t insn_displaced_by(uint64_t bit, unsigned opsize)
{
	int64_t number = likely(opsize == 4) ? (int32_t)bit : opsize == 8 ? (int64_t)bit : (int16_t)bit;

	return number >> 3 & -(int64_t)opsize;
}
/* All that a plain instruction does but the access: value is what the operand holds; returns what it is to hold. Above
 * its size both may be anything. Of e, gpr, rip, rflags, mode and features are used. LOCK changes nothing. */
uint64_t emulate_on_value(struct emulate *e, const struct insn *i, uint64_t value);
/* The same of INSN_PLAIN_PUSH, whose result may be any but EMULATE_HALT (EM2). e is as for emulate_execute(). */
enum emulate_result emulate_push_value(struct emulate *e, const struct insn *i, uint64_t value);
/* Of INSN_PLAIN_DIVIDE: EMULATE_OK, or #DE, and nothing has changed. JUMP and CALL have read where to. */
enum emulate_result emulate_divide(struct emulate *e, const struct insn *i, uint64_t value);

/* Does it push one value, or pop one, and access nothing else: PUSH and POP but of a segment register, PUSHF and POPF,
 * CALL and RET within the segment, LEAVE? i->opsize bytes. */
enum insn_stack { INSN_STACK_NOT, INSN_STACK_PUSH, INSN_STACK_POP };
enum insn_stack insn_stack(const struct insn *i);
/* All that it does but the access. emulate_goes_on(): where the next instruction is, popped being what is popped; of
 * one that branches it may be no place for an instruction. The others are for who knows that nothing is in the way.
 * stack: bytes of the stack pointer. What is pushed or popped may be anything above its size. Of e, gpr, rip, rflags,
 * mode and cpl are used; rip and RF stay. */
bool insn_stack_branches(const struct insn *i);
uint64_t emulate_goes_on(const struct emulate *e, const struct insn *i, uint64_t popped);
uint64_t emulate_pushes(const struct emulate *e, const struct insn *i);
void emulate_pushed(struct emulate *e, const struct insn *i, unsigned stack);
void emulate_popped(struct emulate *e, const struct insn *i, unsigned stack, uint64_t value);

/* What a string instruction does to memory: MOVS, CMPS and LODS read at rSI in the segment i->seg, CMPS and SCAS at rDI
 * in ES, where STOS and MOVS write. 0: it is none of these. Each access is one of i->opsize bytes. */
#define INSN_STRING_FROM 1u
#define INSN_STRING_AT 2u
#define INSN_STRING_TO 4u
unsigned insn_string(const struct insn *i);
static inline bool insn_string_repeats(const struct insn *i) { return i->flags & (INSN_F_REP | INSN_F_REPNE); }
/* Is the iteration that comes the only one? */
static inline bool insn_string_once(const struct emulate *e, const struct insn *i)
{
	unsigned above = 64 - 8u * i->adsize;

	return !insn_string_repeats(i) || e->gpr[EMULATE_RCX] << above == 1ull << above;
}
/* By how much its pointers move, up or down, and one of them moves; then the counter of who repeats, if that was the
 * only iteration. */
static inline uint64_t insn_string_step(const struct emulate *e, const struct insn *i)
{
	return e->rflags & RFLAGS_DF ? 0 - (uint64_t)i->opsize : i->opsize;
}
static inline void emulate_string_moves(uint64_t *pointer, const struct insn *i, uint64_t step)
{
	uint64_t to = *pointer + step;

	*pointer = i->adsize == 8 ? to : i->adsize == 4 ? (uint32_t)to : (*pointer & ~0xffffull) | (to & 0xffff);
}
static inline void emulate_string_counted(uint64_t *counter, const struct insn *i)
{
	if (insn_string_repeats(i))
		*counter = i->adsize == 2 ? *counter & ~0xffffull : 0;
}
/* The flags of CMPS and SCAS: of a less b. */
void emulate_string_compares(struct emulate *e, const struct insn *i, uint64_t a, uint64_t b);
/* All that the only iteration does but its accesses: from, at: what they have read, zero-extended. What is written is
 * from, by STOS rAX. Of e, gpr, rip, rflags and mode are used. */
void emulate_string(struct emulate *e, const struct insn *i, unsigned accesses, uint64_t from, uint64_t at);

/* Carry out one decoded instruction at e->rip. The caller answers for the bytes still being there. */
enum emulate_result emulate_execute(struct emulate *e, const struct insn *insn);

/* An event that the CPU could not deliver. kind: EMULATE_HARDWARE_EXCEPTION for interrupts, too. length: of the
 * instruction, for the kinds that software asks for; else 0. */
struct emulate_event {
	uint8_t vector, kind, length;
	bool has_error;
	uint32_t error;
};

/* Delivers it (emulate/deliver.c). EMULATE_OK: registers are those of the handler's first instruction, e->cpl its
 * level. EMULATE_EXCEPTION: e->exception came up meanwhile; nothing changed but accessed bits. EMULATE_UNKNOWN: the
 * gate leads to a task. */
enum emulate_result emulate_deliver(struct emulate *e, const struct emulate_event *event);

/* Fetch (with the CS limit or canonical check) and decode the instruction at e->rip: EMULATE_OK, or what is wrong with
 * it. e->length bytes of it are in e->bytes. */
enum emulate_result emulate_fetch(struct emulate *e, struct insn *insn);

#endif
