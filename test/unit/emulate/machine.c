/* test/unit/emulate/machine.c - see machine.h. */
#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "test/unit/emulate/machine.h"
#include "lib/x86_cpuid.h"

/* What the generated code and the signal handler share; at CONTEXT, reached by absolute addresses. */
struct context {
	uint64_t in[16], in_flags;
	uint64_t out[16], out_flags;
	uint64_t host_rsp;
	uint64_t done; /* 1: ended by itself, 2: ended in the signal handler */
	uint32_t in_far[2]; /* offset and selector of the instruction */
	uint64_t vector, error, cr2, rip;
	uint8_t vec_in[16][32] __attribute__((aligned(32)));
	uint8_t vec_out[16][32] __attribute__((aligned(32)));
	uint8_t fx_in[CPU_FX_BYTES] __attribute__((aligned(16)));
	uint8_t fx_out[CPU_FX_BYTES] __attribute__((aligned(16)));
	uint32_t mxcsr; /* as C expects it */
};

static struct context *const context = (struct context *)(uintptr_t)CONTEXT;
static uint8_t *const native_data = (uint8_t *)(uintptr_t)WORLD_DATA;
static bool has_ldt, has_avx;
static uint8_t alternate_stack[65536];

/* Addresses of generated code. */
static uint8_t *code_entry[2], *code_exit[2], *code_fault[2];
static uint32_t code_exit_address[2];

/* ---- generated code ---- */

static uint8_t *cursor;

static void emit(const void *bytes, unsigned n)
{
	memcpy(cursor, bytes, n);
	cursor += n;
}

#define EMIT(...) \
	do { \
		static const uint8_t emitted_[] = { __VA_ARGS__ }; \
		emit(emitted_, sizeof(emitted_)); \
	} while (0)

static void emit32(uint32_t v)
{
	emit(&v, 4);
}

static uint32_t address_of(const void *p)
{
	return (uint32_t)(uintptr_t)p;
}

/* A register to or from an absolute address: opcode 89 stores, 8B loads; 64 bits. */
static void emit_move(uint8_t opcode, unsigned reg, const void *memory)
{
	uint8_t b[4] = { 0x48 | (reg >> 3) << 2, opcode, (reg & 7) << 3 | 4, 0x25 };

	emit(b, 4);
	emit32(address_of(memory));
}

/* All vector registers: opcode 6F loads, 7F stores. VMOVDQU, or MOVDQU on a CPU without AVX. */
static void emit_vectors(uint8_t opcode, uint8_t memory[16][32])
{
	for (unsigned n = 0; n < 16; n++) {
		uint8_t vex[5] = { 0xc5, n < 8 ? 0xfe : 0x7e, opcode, (n & 7) << 3 | 4, 0x25 };
		uint8_t sse[6] = { 0xf3, n < 8 ? 0x40 : 0x44, 0x0f, opcode, (n & 7) << 3 | 4, 0x25 };

		if (has_avx)
			emit(vex, 5);
		else
			emit(sse, 6);
		emit32(address_of(memory[n]));
	}
}

/* FXRSTOR64 or, with digit 0, FXSAVE64. */
static void emit_fx(unsigned digit, uint8_t *memory)
{
	uint8_t b[5] = { 0x48, 0x0f, 0xae, digit << 3 | 4, 0x25 };

	emit(b, 5);
	emit32(address_of(memory));
}

/* Saves the vector unit and the FPU, and leaves them as C expects them. */
static void emit_save(void)
{
	emit_vectors(0x7f, context->vec_out);
	emit_fx(0, context->fx_out);
	EMIT(0xdb, 0xe3, 0x0f, 0xae, 0x14, 0x25); /* fninit; ldmxcsr [mxcsr] */
	emit32(address_of(&context->mxcsr));
}

/* Calls come in here with the C ABI; the jump through in_far leads to the instruction. */
static void emit_entry(bool vectors)
{
	code_entry[vectors] = cursor;
	EMIT(0x53, 0x55, 0x41, 0x54, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57); /* push rbx rbp r12-r15 */
	emit_move(0x89, EMULATE_RSP, &context->host_rsp);
	if (vectors) {
		EMIT(0xdb, 0xe3); /* fninit, as cpu_native() does */
		emit_fx(1, context->fx_in);
		emit_vectors(0x6f, context->vec_in);
	}
	EMIT(0xff, 0x34, 0x25); /* push [in_flags] */
	emit32(address_of(&context->in_flags));
	EMIT(0x9d); /* popf */
	for (unsigned n = 0; n < 16; n++)
		emit_move(0x8b, n, &context->in[n]);
	EMIT(0xff, 0x2c, 0x25); /* jmp far [in_far] */
	emit32(address_of(context->in_far));
}

static void emit_leave(void)
{
	/* cld; pop r15-r12 rbp rbx; ret */
	EMIT(0xfc, 0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x41, 0x5c, 0x5d, 0x5b, 0xc3);
}

/* The instruction ended by itself: all registers are its own. */
static void emit_exit(bool vectors)
{
	code_exit[vectors] = cursor;
	code_exit_address[vectors] = address_of(cursor);
	for (unsigned n = 0; n < 16; n++)
		emit_move(0x89, n, &context->out[n]);
	EMIT(0xb8, USER_DS, 0, 0, 0, 0x8e, 0xd0); /* mov eax, USER_DS; mov ss, eax */
	emit_move(0x8b, EMULATE_RSP, &context->host_rsp);
	EMIT(0x9c, 0x8f, 0x04, 0x25); /* pushf; pop [out_flags] */
	emit32(address_of(&context->out_flags));
	EMIT(0x48, 0xc7, 0x04, 0x25); /* mov qword [done], 1 */
	emit32(address_of(&context->done));
	emit32(1);
	if (vectors)
		emit_save();
	emit_leave();
}

/* The signal handler has saved the general registers, and sends us here. */
static void emit_fault(bool vectors)
{
	code_fault[vectors] = cursor;
	emit_move(0x8b, EMULATE_RSP, &context->host_rsp);
	if (vectors)
		emit_save();
	emit_leave();
}

/* Loads SS, DS, ES and the registers that this needs, then jumps to the slot; 32-bit code, made anew for each run. */
static uint8_t *const stub = (uint8_t *)(uintptr_t)(CODE + 0x600);

static void write_stub(enum layout layout, const struct state *in)
{
	uint16_t cs = machine_selector(layout, EMULATE_CS);
	uint32_t rip = machine_slot(layout), eax = in->gpr[EMULATE_RAX], esp = in->gpr[EMULATE_RSP];

	cursor = stub;
	EMIT(0xb8); /* mov eax, DS; mov ds, eax */
	emit32(machine_selector(layout, EMULATE_DS));
	EMIT(0x8e, 0xd8, 0xb8); /* mov eax, ES; mov es, eax */
	emit32(machine_selector(layout, EMULATE_ES));
	EMIT(0x8e, 0xc0, 0xb8); /* mov eax, SS; mov ss, eax */
	emit32(machine_selector(layout, EMULATE_SS));
	EMIT(0x8e, 0xd0, 0xbc); /* mov esp, ESP; mov eax, EAX */
	emit32(esp);
	EMIT(0xb8);
	emit32(eax);
	EMIT(0xea); /* jmp far CS:rip */
	emit32(rip);
	emit(&cs, 2);
}

/* ---- signals ---- */

static const int register_of[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
				     REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };
static volatile bool in_native;
static bool native_vectors;

__attribute__((no_sanitize("address", "undefined"))) static void on_signal(int number, siginfo_t *info, void *extra)
{
	greg_t *g = ((ucontext_t *)extra)->uc_mcontext.gregs;

	(void)info;
	if (cpu_caught(number, extra))
		return;
	if (!in_native) {
		signal(number, SIG_DFL);
		return;
	}
	in_native = false;
	for (unsigned n = 0; n < 16; n++)
		context->out[n] = g[register_of[n]];
	context->out_flags = g[REG_EFL];
	context->rip = g[REG_RIP];
	context->vector = g[REG_TRAPNO];
	context->error = g[REG_ERR];
	context->cr2 = g[REG_CR2];
	context->done = 2;
	g[REG_RIP] = (greg_t)(uintptr_t)code_fault[native_vectors];
	g[REG_EFL] &= ~0x40500ll; /* AC, DF, TF */
	g[REG_CSGSFS] = (g[REG_CSGSFS] & 0x0000ffffffff0000ll) | USER_CS64 | (greg_t)USER_DS << 48;
}

static void install_handlers(void)
{
	static const int numbers[] = { SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGBUS };
	stack_t stack = { .ss_sp = alternate_stack, .ss_size = sizeof(alternate_stack) };
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };

	sigaltstack(&stack, NULL);
	for (unsigned n = 0; n < ARRAY_SIZE(numbers); n++)
		sigaction(numbers[n], &action, NULL);
}

/* ---- the native world ---- */

static void *map(uint32_t address, uint32_t size, int protection)
{
	void *p = mmap((void *)(uintptr_t)address, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
		       -1, 0);

	if (p != (void *)(uintptr_t)address) {
		perror("mmap of the test's pages");
		exit(1);
	}
	return p;
}

/* Register 0..3 (a, b, c, d) of a leaf, or 0 if there is no such leaf. */
static unsigned host_cpuid(unsigned leaf, unsigned which)
{
	unsigned v[4];

	__cpuid(leaf & 0x80000000, v[0], v[1], v[2], v[3]);
	if (v[0] < leaf)
		return 0;
	__cpuid_count(leaf, 0, v[0], v[1], v[2], v[3]);
	return v[which];
}

/* Found by machine_setup, once: CPUID is slow in a virtual machine. */
static uint32_t features;

uint32_t machine_features(void)
{
	return features;
}

static uint32_t ask_features(void)
{
	return ((host_cpuid(CPUID_LEAF_FEATURES, 1) & bit_BMI) ? EMULATE_HAS_TZCNT : 0) |
	       ((host_cpuid(CPUID_LEAF_EXTENDED_FEATURES, 2) & bit_LZCNT) ? EMULATE_HAS_LZCNT : 0) |
	       ((host_cpuid(CPUID_LEAF_VERSION, 2) & bit_POPCNT) ? EMULATE_HAS_POPCNT : 0) |
	       ((host_cpuid(CPUID_LEAF_VERSION, 2) & bit_MOVBE) ? EMULATE_HAS_MOVBE : 0);
}

void machine_setup(void)
{
	static bool ready;

	cpu_setup();
	install_handlers();
	if (ready)
		return;
	ready = true;
	map(WORLD_DATA, WORLD_BYTES, PROT_READ | PROT_WRITE);
	mprotect((void *)(uintptr_t)WORLD_READ_ONLY, PAGE_SIZE, PROT_READ);
	map(CODE, PAGE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC);
	map(CONTEXT, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE);
	has_avx = cpu_has_avx();
	features = ask_features();
	context->mxcsr = 0x1f80;
	memset((void *)(uintptr_t)CODE, 0xcc, PAGE_SIZE);
	cursor = (uint8_t *)(uintptr_t)CODE;
	for (unsigned vectors = 0; vectors < 2; vectors++) {
		if (vectors)
			cursor = (uint8_t *)(uintptr_t)(CODE + 0xa00);
		emit_entry(vectors);
		emit_exit(vectors);
		emit_fault(vectors);
	}
	syscall(SYS_arch_prctl, ARCH_SET_GS, GS_BASE);
	has_ldt = machine_make_segments();
}

bool machine_has(enum layout layout)
{
	return layout <= LAYOUT_FLAT32 || has_ldt;
}

void machine_fill(uint64_t (*random)(void))
{
	mprotect((void *)(uintptr_t)WORLD_READ_ONLY, PAGE_SIZE, PROT_READ | PROT_WRITE);
	for (unsigned n = 0; n < WORLD_BYTES; n += 8) {
		uint64_t v = random();

		memcpy(native_data + n, &v, 8);
	}
	mprotect((void *)(uintptr_t)WORLD_READ_ONLY, PAGE_SIZE, PROT_READ);
	memcpy(machine_emulated_data, native_data, WORLD_BYTES);
}

void machine_poke(uint64_t linear, const void *bytes, unsigned n)
{
	if (linear < WORLD_DATA || linear > WORLD_READ_ONLY - n)
		return;
	memcpy(native_data + (linear - WORLD_DATA), bytes, n);
	memcpy(machine_emulated_data + (linear - WORLD_DATA), bytes, n);
}

const uint8_t *machine_native_memory(void)
{
	return native_data;
}

const uint8_t *machine_emulated_memory(void)
{
	return machine_emulated_data;
}

/* What follows the instruction: a far jump back to 64-bit code, or breakpoints. */
static void write_tail(enum layout layout, bool vectors, bool traps)
{
	if (traps) {
		uint8_t *slot = (uint8_t *)(uintptr_t)CODE_SLOT;

		memset(slot - LANDING, 0xcc, LANDING);
		memset(cursor, 0xcc, slot + LANDING - cursor);
		return;
	}
	if (layout == LAYOUT_LONG64) {
		int32_t distance = (int32_t)(code_exit_address[vectors] - (address_of(cursor) + 5));

		EMIT(0xe9);
		emit32(distance);
		return;
	}
	if (layout == LAYOUT_CODE16)
		EMIT(0x66);
	EMIT(0xea);
	emit32(code_exit_address[vectors]);
	EMIT(USER_CS64, 0);
}

static void collect(enum layout layout, unsigned n, struct state *out, bool traps)
{
	/* Outside 64-bit mode the upper halves are nobody's: the kernel itself leaves its marks in RSP's with a 16-bit
	 * stack. */
	for (unsigned k = 0; k < 16; k++)
		out->gpr[k] = layout == LAYOUT_LONG64 ? context->out[k] : (uint32_t)context->out[k];
	out->rflags = context->out_flags;
	out->vector = NO_VECTOR;
	out->error = 0;
	out->cr2 = 0;
	memcpy(out->vec, context->vec_out, sizeof(out->vec));
	memcpy(out->fx, context->fx_out, sizeof(out->fx));
	out->rip = machine_slot(layout) + n;
	if (context->done == 1)
		return;
	out->rip = context->rip;
	out->vector = context->vector;
	out->error = context->error;
	out->cr2 = out->vector == VECTOR_PF ? context->cr2 : 0;
	if (!traps)
		return;
	/* A breakpoint after the jump, or nothing there to execute: it arrived. */
	if (out->vector == VECTOR_BP) {
		out->rip--;
		out->vector = NO_VECTOR;
	} else if (out->vector == VECTOR_PF && (out->error & 16)) {
		out->vector = NO_VECTOR;
		out->cr2 = out->error = 0;
	}
}

__attribute__((no_sanitize("address", "undefined"))) static void enter(void)
{
	((void (*)(void))(uintptr_t)code_entry[native_vectors])();
}

void machine_native(enum layout layout, const uint8_t *bytes, unsigned n, const struct state *in, struct state *out,
		    bool vectors, bool traps)
{
	memcpy(context->in, in->gpr, sizeof(in->gpr));
	context->in_flags = in->rflags;
	if (vectors) {
		memcpy(context->vec_in, in->vec, sizeof(in->vec));
		memcpy(context->fx_in, in->fx, sizeof(in->fx));
	}
	context->in_far[0] = CODE_SLOT;
	context->in_far[1] = USER_CS64;
	if (layout != LAYOUT_LONG64) {
		write_stub(layout, in);
		context->in_far[0] = address_of(stub);
		context->in_far[1] = USER_CS32;
	}
	cursor = (uint8_t *)(uintptr_t)CODE_SLOT;
	emit(bytes, n);
	write_tail(layout, vectors, traps);
	context->done = 0;
	native_vectors = vectors;
	in_native = true;
	enter();
	in_native = false;
	collect(layout, n, out, traps);
	if (!vectors) {
		memcpy(out->vec, in->vec, sizeof(out->vec));
		memcpy(out->fx, in->fx, sizeof(out->fx));
	}
}
