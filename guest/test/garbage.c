/* 32 bits: undefined bytes. Without a parameter the kernel runs into them without an IDT: a triple fault. With "idt" it
 * executes many undefined or privileged encodings, one by one, and checks that each raises the exception that a CPU
 * without a hypervisor would raise. */
#include "guest/test/base/rt.h"

const char test_name[] = "garbage";

struct code {
	const char *what;
	uint8_t bytes[8];
	unsigned trap;
};

static const struct code codes[] = {
	{ "ud2", { 0x0f, 0x0b }, TRAP(UD) },
	{ "ud1", { 0x0f, 0xb9, 0xc0 }, TRAP(UD) },
	{ "ud0", { 0x0f, 0xff, 0xc0 }, TRAP(UD) },
	{ "lock nop", { 0xf0, 0x90 }, TRAP(UD) },
	{ "group 5 /7", { 0xff, 0xff }, TRAP(UD) },
	{ "group 4 /2", { 0xfe, 0xd0 }, TRAP(UD) },
	{ "lea of a register", { 0x8d, 0xc0 }, TRAP(UD) },
	{ "rsm", { 0x0f, 0xaa }, TRAP(UD) },
	{ "mov to cr1", { 0x0f, 0x22, 0xc8 }, TRAP(UD) },
	{ "mov from cr5", { 0x0f, 0x20, 0xe8 }, TRAP(UD) },
	/* VMX is not offered: these exit to the hypervisor or not, and must look as if it was not there. */
	{ "vmxoff", { 0x0f, 0x01, 0xc4 }, TRAP(UD) },
	{ "vmlaunch", { 0x0f, 0x01, 0xc2 }, TRAP(UD) },
	{ "vmresume", { 0x0f, 0x01, 0xc3 }, TRAP(UD) },
	{ "vmxon", { 0xf3, 0x0f, 0xc7, 0x30 }, TRAP(UD) },
	{ "vmptrld", { 0x0f, 0xc7, 0x30 }, TRAP(UD) },
	{ "vmptrst", { 0x0f, 0xc7, 0x38 }, TRAP(UD) },
	{ "vmclear", { 0x66, 0x0f, 0xc7, 0x30 }, TRAP(UD) },
	{ "vmread", { 0x0f, 0x78, 0xc0 }, TRAP(UD) },
	{ "vmwrite", { 0x0f, 0x79, 0xc0 }, TRAP(UD) },
	{ "invept", { 0x66, 0x0f, 0x38, 0x80, 0x00 }, TRAP(UD) },
	{ "invvpid", { 0x66, 0x0f, 0x38, 0x81, 0x00 }, TRAP(UD) },
	{ "vmfunc", { 0x0f, 0x01, 0xd4 }, TRAP(UD) },
	{ "getsec", { 0x0f, 0x37 }, TRAP(UD) },
	{ "xsetbv without OSXSAVE", { 0x0f, 0x01, 0xd1 }, TRAP(UD) },
	{ "xgetbv without OSXSAVE", { 0x0f, 0x01, 0xd0 }, TRAP(UD) },
	{ "int3 and a return", { 0xcc }, TRAP(BP) },
	/* xor eax,eax; mov ss,ax */
	{ "an I/O instruction cut by a bad selector", { 0x31, 0xc0, 0x8e, 0xd0 }, TRAP(GP) },
	{ "wbinvd, invd are allowed", { 0x0f, 0x09, 0xc3 }, NO_TRAP },
};

static uint8_t code[64];

static void run(void *arg)
{
	((void (*)(void))arg)();
}

static void try(const struct code *c)
{
	unsigned got;

	for (unsigned i = 0; i < sizeof(code); i++)
		code[i] = i < sizeof(c->bytes) ? c->bytes[i] : 0xc3;
	/* Bytes that the table leaves zero become returns. */
	for (unsigned i = sizeof(c->bytes); i > 0 && c->bytes[i - 1] == 0; i--)
		code[i - 1] = 0xc3;
	if (c->bytes[0] == 0x66 && c->bytes[2] == 0x38)
		code[4] = 0x00; /* this one's last byte is zero */
	got = trap_call(run, code);
	CHECK(got == c->trap, "%s: trap %u, not %u (0 is none, else 1 + the vector)", c->what, got, c->trap);
}

/* Page 15 bytes of prefixes: longer than an instruction may be. */
static void try_too_long(void)
{
	for (unsigned i = 0; i < sizeof(code); i++)
		code[i] = i < 15 ? 0x66 : 0x90;
	code[20] = 0xc3;
	CHECK(trap_call(run, code) == TRAP(GP), "an instruction of 16 bytes: trap %u", trap.vector);
}

/* Privileged instructions at level 3 raise #GP before anything exits. */
static void try_user(void)
{
	static const struct code privileged[] = {
		{ "hlt", { 0xf4 }, TRAP(GP) },
		{ "invd", { 0x0f, 0x08 }, TRAP(GP) },
		{ "mov from cr0", { 0x0f, 0x20, 0xc0 }, TRAP(GP) },
		{ "mov to cr3", { 0x0f, 0x22, 0xd8 }, TRAP(GP) },
		{ "rdmsr", { 0x0f, 0x32 }, TRAP(GP) },
		{ "wrmsr", { 0x0f, 0x30 }, TRAP(GP) },
		{ "in", { 0xe4, 0x61 }, TRAP(GP) },
		{ "out", { 0xe6, 0x61 }, TRAP(GP) },
		{ "invlpg", { 0x0f, 0x01, 0x38 }, TRAP(GP) },
		{ "cli", { 0xfa }, TRAP(GP) },
		{ "clts", { 0x0f, 0x06 }, TRAP(GP) },
		{ "lgdt", { 0x0f, 0x01, 0x10 }, TRAP(GP) },
	};

	for (unsigned i = 0; i < sizeof(privileged) / sizeof(privileged[0]); i++) {
		const struct code *c = &privileged[i];
		unsigned got;

		for (unsigned j = 0; j < sizeof(code); j++)
			code[j] = j < sizeof(c->bytes) && c->bytes[j] ? c->bytes[j] : 0xc3;
		got = trap_call_user((void (*)(void *))code, NULL);
		CHECK(got == c->trap, "%s at level 3: trap %u, not %u", c->what, got, c->trap);
	}
}

void test_main(void)
{
	struct { uint16_t limit; uint32_t base; } __attribute__((packed)) none = { 0, 0 };

	if (parameter("idt")) {
		for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
			try(&codes[i]);
		try_too_long();
		try_user();
		return;
	}
	print("garbage: now\n");
	for (unsigned i = 0; i < sizeof(code); i++)
		code[i] = 0xff;
	__asm__ volatile("lidt %0; call *%1" : : "m"(none), "r"(code));
	print("garbage: FAILED, still here\n");
	debug_exit(1);
}
