#include "host/trap/provoke.h"

#include "host/cpu/insn_slot.h"
#include "host/device/console.h"
#include "host/memory/page_table.h"
#include "host/memory/paging.h"

#define OTHER "other-"
#define INSTRUCTION_RET 0xc3

/* The compiler may not see through these. */
static uint8_t *volatile null_pointer;
static volatile unsigned depth_wanted = ~0u;

static void follow_null(void) { *null_pointer = 1; }
static void call_null(void) { ((void (*)(void))(uintptr_t)null_pointer)(); }
static void write_code(void) { *(volatile uint8_t *)(uintptr_t)provoke = INSTRUCTION_RET; }
/* An instruction that is made at run time, and one that is none; then the page that they were made on. */
static void write_slot(void)
{
	static const uint8_t increment[] = { 0x48, 0xff, 0xc0 }, undefined[] = { 0x0f, 0x0b };
	struct insn_registers s = { .rax = 41, .rflags = RFLAGS_FIXED };
	unsigned first = insn_run(increment, sizeof(increment), &s),
		 second = insn_run(undefined, sizeof(undefined), &s);

	console_log("provoke: INC gave %lu, vector %u; UD2 vector %u", s.rax, first, second);
	*(volatile uint8_t *)s.rip = INSTRUCTION_RET;
}

static void write_constant(void) { *(volatile uint8_t *)(uintptr_t)OTHER = 0; }
static void write_sealed(void) { *(volatile uint64_t *)&frames_base = frames_base; }
static void execute(volatile uint8_t *p)
{
	*p = INSTRUCTION_RET;
	((void (*)(void))(uintptr_t)p)();
}

static void execute_data(void)
{
	static volatile uint8_t data[16];

	execute(data);
}

/* A frame as guests' RAM is made of. */
static void execute_ram(void)
{
	hfn_t f = frames_alloc_run(1, 1);

	if (!hfn_is_none(f))
		execute(frames_ptr(f));
}

static void execute_stack(void)
{
	volatile uint8_t here[16];

	execute(here);
}

static __attribute__((noinline)) unsigned deeper(volatile unsigned n)
{
	return n == depth_wanted ? 0 : deeper(n + 1) + n;
}

static void overrun_stack(void) { deeper(0); }

/* Writes behind an array of its own, up to where its return address is. */
static __attribute__((noinline)) void overrun_array(void)
{
	volatile uint8_t array[16];
	volatile uint8_t *volatile p = array;

	for (unsigned i = 0; i < 64; i++)
		p[i] = 0x41;
}

static void overrun_copy(void)
{
	static uint8_t from[64], to[16];
	volatile size_t n = sizeof(from);

	memcpy(to, from, n);
	__asm__ volatile("" : : "r"(to) : "memory");
}

/* An interrupt that finds no stack but its own: it is taken, and returned from, all the same. */
static void nmi_without_stack(void)
{
	__asm__ volatile("movq %%rsp, %%rbx; xorl %%esp, %%esp; int $2; movq %%rbx, %%rsp" : : : "rbx", "memory", "cc");
	console_log("provoke: an NMI was taken where RSP was 0");
}

static void machine_check_without_stack(void)
{
	__asm__ volatile("movq %%rsp, %%rbx; xorl %%esp, %%esp; int $18; movq %%rbx, %%rsp"
			 :
			 :
			 : "rbx", "memory", "cc");
}

/* Pages that paging_audit() must find. */
static void found(const char *wrong)
{
	if (wrong)
		console_panic("%s", wrong);
}

static void page_writable_code(void) { found(paging_break_promise(0, 0, 0, PTE_NX)); }
static void page_alias(void) { found(paging_break_promise(0, (uintptr_t)image_start, 0, 0)); }
static void page_user(void) { found(paging_break_promise(0, 0, PTE_U, 0)); }
static void page_low(void) { found(paging_break_promise(PAGE_SIZE, PAGE_SIZE, 0, 0)); }
static void page_executable(void) { found(paging_break_promise(0, 0, 0, PTE_NX | PTE_W)); }
static void page_guard(void)
{
	found(paging_break_promise((uintptr_t)boot_stack_guard, (uintptr_t)boot_stack_guard, 0, 0));
}

static const struct {
	const char *name;
	void (*does)(void);
} provocations[] = {
	{ "null", follow_null },
	{ "null-call", call_null },
	{ "write-code", write_code },
	{ "write-constant", write_constant },
	{ "write-sealed", write_sealed },
	{ "slot", write_slot },
	{ "execute-data", execute_data },
	{ "execute-ram", execute_ram },
	{ "execute-stack", execute_stack },
	{ "stack", overrun_stack },
	{ "array", overrun_array },
	{ "copy", overrun_copy },
	{ "nmi", nmi_without_stack },
	{ "machine-check", machine_check_without_stack },
	{ "page-writable-code", page_writable_code },
	{ "page-alias", page_alias },
	{ "page-user", page_user },
	{ "page-low", page_low },
	{ "page-executable", page_executable },
	{ "page-guard", page_guard },
};

static void carry_out(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(provocations); i++) {
		if (strcmp(name, provocations[i].name))
			continue;
		provocations[i].does();
		console_log("provoke: %s: the hypervisor goes on", name);
		return;
	}
	console_panic("provoke: there is no %s", name);
}

void provoke(const char *name)
{
	if (name && strncmp(name, OTHER, strlen(OTHER)))
		carry_out(name);
}

void provoke_other(const char *name)
{
	if (name && !strncmp(name, OTHER, strlen(OTHER)))
		carry_out(name + strlen(OTHER));
}
