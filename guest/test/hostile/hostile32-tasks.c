/* guest/test/hostile/hostile32-tasks.c - descriptors of 32-bit experiments, and hardware tasks: the supervisor's own,
 * one each for the double fault and the NMI, and those that programs may switch to, whose states lie in the region. */
#include "guest/test/hostile/hostile32.h"

/* Flags that a task may begin with; and those that few do. */
#define FLAGS_SOME ((RFLAGS_STATUS & ~RFLAGS_OF) | RFLAGS_DF | RFLAGS_NT)
#define FLAGS_RARE (RFLAGS_OF | RFLAGS_TF | RFLAGS_IF | RFLAGS_RF | RFLAGS_VM)

struct task_state {
	uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t es, cs, ss, ds, fs, gs, ldt, bitmap, redirection[8];
};
struct task_state16 {
	uint16_t link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags, ax, cx, dx, bx, sp, bp, si, di, es, cs, ss, ds, ldt;
};

uint64_t gdt_page[GDT_COUNT] ALIGNED;
struct table_register hostile_gdtr = { sizeof(gdt_page) - 1, (word)gdt_page };
static uint64_t idt[256] ALIGNED;
static struct task_state task_main ALIGNED, task_fault ALIGNED, task_nmi ALIGNED;
static uint8_t stack_main[PAGE] ALIGNED, stack_fault[PAGE] ALIGNED, stack_nmi[PAGE] ALIGNED;

/* ---- descriptors ---- */

static uint64_t gdt_fixed(unsigned n)
{
	switch (n) {
	case 1: case 3: return DESCRIPTOR_FLAT_CODE32;
	case 2: return DESCRIPTOR_FLAT_DATA;
	case 4: return DESCRIPTOR_FLAT_DATA | DESCRIPTOR_DPL3;
	case 5: return DESCRIPTOR_FLAT_CODE32 | DESCRIPTOR_DPL3;
	case 6: return descriptor_pack(0, 0xffffffff, SEGMENT_FLAT_CODE32 | TYPE_CONFORMING | SEGMENT_DPL);
	case 7: return descriptor_pack((word)&task_main, sizeof(struct task_state) - 1, SEGMENT_TSS);
	case 9: return descriptor_pack(REGION, 0xffff, SEGMENT_CODE16);
	case 10: return descriptor_pack(REGION, 0xffff, SEGMENT_DATA16);
	case 11: return descriptor_pack(REGION, 0xffff, SEGMENT_CODE16 | SEGMENT_DPL);
	case 12: return descriptor_pack(REGION, 0xffff, SEGMENT_DATA16 | SEGMENT_DPL);
	case 13: return descriptor_pack(REGION + PAGE_DATA * PAGE, 0x3f, SEGMENT_LDT);
	case 14: return descriptor_pack(REAL_LOW, 0xffff, SEGMENT_CODE16);
	case 15: return descriptor_pack(0, 0xffff, SEGMENT_DATA16);
	case 16: return gate_pack(REGION, CODE, GATE_CALL | SEGMENT_DPL);
	case 17: return descriptor_pack(0, 0xffffffff, SEGMENT_FLAT_CODE32 | TYPE_CONFORMING);
	case 18: return descriptor_pack(0, REGION, SEGMENT_FLAT_DATA | TYPE_EXPAND_DOWN | SEGMENT_DPL);
	case 19: return (DESCRIPTOR_FLAT_DATA | DESCRIPTOR_DPL3) & ~DESCRIPTOR_P;
	case 20: return descriptor_pack(REGION, 0xfff, SEGMENT_DATA16 | TYPE_EXPAND_DOWN);
	case 21: return descriptor_pack((word)&task_fault, TSS_LIMIT_LEAST, SEGMENT_TSS);
	case 22: return descriptor_pack((word)&task_nmi, TSS_LIMIT_LEAST, SEGMENT_TSS);
	default: return 0;
	}
}

static uint64_t descriptor_any(struct experiment *x)
{
	uint64_t v = random_next(x);

	if (chance(x, 2))
		v = (v & 0x00ffff0000000000) | REGION << 16 | 0xffff;
	/* A TSS at a random place would be the next one that is switched from. */
	if ((descriptor_access(v) & (SEGMENT_S | TYPE_EXPAND_DOWN | TYPE_ACCESSED)) == TYPE_TSS16)
		v |= DESCRIPTOR_S;
	return v;
}

static void set_gate(unsigned v, word at, unsigned selector, unsigned type)
{
	idt[v] = gate_pack(at, (uint16_t)selector, type);
}

static void make_gates(struct experiment *x)
{
	static const uint8_t types[8] = {
		GATE_INTERRUPT | SEGMENT_DPL,
		GATE_INTERRUPT | SEGMENT_DPL,
		GATE_TRAP | SEGMENT_DPL,
		SEGMENT_P | SEGMENT_DPL | TYPE_INTERRUPT_GATE16,
		GATE_INTERRUPT,
		SEGMENT_DPL | TYPE_INTERRUPT_GATE32, /* not present */
		SEGMENT_P | SEGMENT_DPL | TYPE_TRAP_GATE16,
		GATE_TASK | SEGMENT_DPL,
	};

	for (unsigned v = GATES_FIRST; v < GATES_FIRST + GATES; v++) {
		word at = chance(x, 2) ? (word)hostile_stubs + 16 * v
				       : REGION + CODE_START + SLOT * below(x, SLOTS) + SLOT / 2;
		unsigned type = types[below(x, 8)], selector = chance(x, 6) ? 8 * below(x, 24) : CODE;

		if (x->kind->may & MAY_TASKS && chance(x, 2)) {
			type = GATE_TASK | SEGMENT_DPL;
			selector = 8 * (TASKS_FIRST + below(x, TASKS));
		}
		set_gate(v, chance(x, 16) ? value_any(x) : at, selector, type);
	}
}

/* ---- tasks ---- */

static void set_task(struct task_state *t, const char *entry, uint8_t *stack)
{
	t->cr3 = read_cr3();
	t->eip = (word)entry;
	t->eflags = RFLAGS_FIXED;
	t->esp = (word)stack + PAGE;
	t->es = t->ds = t->fs = t->gs = 0x23;
	t->cs = CODE;
	t->ss = DATA;
	t->ldt = 0;
	t->bitmap = 104u << 16;
}

bool tasks_moved(void)
{
	word task;

	__asm__ volatile("str %0" : "=r"(task));
	return (task & 0xffff) != TASK_MAIN;
}

void tasks_restore(void)
{
	task_main.link = 0;
	task_main.cr3 = read_cr3();
	task_main.esp0 = (word)stack_main + PAGE;
	task_main.ss0 = DATA;
	task_main.ldt = 0;
	task_main.bitmap = sizeof(struct task_state) << 16;
	set_task(&task_fault, hostile_double_fault, stack_fault);
	set_task(&task_nmi, hostile_nmi, stack_nmi);
	gdt_page[7] = gdt_fixed(7);
	gdt_page[21] = gdt_fixed(21);
	gdt_page[22] = gdt_fixed(22);
	__asm__ volatile("clts; ltr %w0; lldt %w1" : : "r"(TASK_MAIN), "r"(0) : "memory");
}

/* Where a task's state lies in the region: behind what pointers mostly hit. */
#define STATE_SIZE 128u
static uint32_t state_at(unsigned n) { return PAGE_DATA * PAGE + 0x800 + n * STATE_SIZE; }

static word segment_any(struct experiment *x, word usual)
{
	return chance(x, 100) ? 8 * below(x, 24) + below(x, 4) : usual;
}

static const struct { uint8_t code, data; bool is16; } levels[4] = {
	{ CODE, DATA, false }, { SELECTOR_CODE16, SELECTOR_DATA16, true },
	{ SELECTOR_USER_CODE32, SELECTOR_USER_DATA, false }, { SELECTOR_USER_CODE16, SELECTOR_USER_DATA16, true },
};

static void make_state(struct experiment *x, struct task_state *t)
{
	unsigned level = below(x, 4);
	word base = levels[level].is16 ? 0 : REGION, data = levels[level].data;

	for (uint32_t *r = &t->link; r < (uint32_t *)(t + 1); r++)
		*r = value_any(x);
	t->link = 8 * (TASKS_FIRST + below(x, TASKS));
	t->esp0 = t->esp1 = t->esp2 = REGION + PAGE_STACK * PAGE + 0x700;
	t->ss0 = segment_any(x, DATA);
	t->cr3 = read_cr3();
	t->eip = base + CODE_START + SLOT * below(x, SLOTS);
	t->eflags = RFLAGS_FIXED | (random_next(x) & (chance(x, 8) ? FLAGS_SOME | FLAGS_RARE : FLAGS_SOME));
	t->esp = base + PAGE_STACK * PAGE + 0xe00;
	t->cs = segment_any(x, levels[level].code);
	t->ss = segment_any(x, data);
	t->ds = segment_any(x, data);
	t->es = segment_any(x, data);
	t->fs = segment_any(x, data);
	t->gs = segment_any(x, data);
	t->ldt = chance(x, 8) ? 0x68 : 0;
	t->bitmap = 104u << 16;
}

static void make_state16(struct experiment *x, struct task_state16 *t)
{
	for (uint16_t *r = &t->link; r < (uint16_t *)(t + 1); r++)
		*r = (uint16_t)value_any(x);
	t->link = (uint16_t)(8 * (TASKS_FIRST + below(x, TASKS)));
	t->ip = (uint16_t)(CODE_START + SLOT * below(x, SLOTS));
	t->flags = (uint16_t)(RFLAGS_FIXED | (random_next(x) & FLAGS_SOME));
	t->sp = PAGE_STACK * PAGE + 0xe00;
	t->cs = (uint16_t)segment_any(x, SELECTOR_CODE16);
	t->es = t->ss = t->ds = (uint16_t)segment_any(x, SELECTOR_DATA16);
	t->ldt = 0;
}

void world_make_tss(struct experiment *x, void *at)
{
	struct task_state t;

	make_state(x, &t);
	for (unsigned i = 0; i < offsetof(struct task_state, redirection) / 4; i++)
		((uint32_t *)at)[i] = (&t.link)[i];
}

/* Available ones and busy ones, of 32 and 16 bits, some too short, some not there; gates that lead to them. */
static void make_tasks(struct experiment *x)
{
	for (unsigned n = 0; n < TASKS; n++) {
		void *state = region_memory[0] + state_at(n);
		unsigned type = chance(x, 4) ? TYPE_TSS16 : TYPE_TSS32, access = type | (chance(x, 8) ? TYPE_BUSY : 0);

		access |= (chance(x, 16) ? 0 : SEGMENT_P) | (chance(x, 2) ? SEGMENT_DPL : 0);

		if (n % 4 == 3) {
			gdt_page[TASKS_FIRST + n] =
				gate_pack(0, (uint16_t)(8 * (TASKS_FIRST + below(x, TASKS))), GATE_TASK | SEGMENT_DPL);
			continue;
		}
		if (type == TYPE_TSS16)
			make_state16(x, state);
		else
			make_state(x, state);
		gdt_page[TASKS_FIRST + n] =
			descriptor_pack(REGION + state_at(n),
					chance(x, 16) ? below(x, TSS_LIMIT_LEAST + 1) : TSS_LIMIT_LEAST, access);
	}
	task_main.link = 8 * (TASKS_FIRST + below(x, TASKS));
}

/* ---- all of them ---- */

void descriptors_make(struct experiment *x)
{
	for (unsigned i = 0; i < GDT_COUNT; i++)
		gdt_page[i] = i > 22 && (x->kind->may & MAY_SEGMENTS) ? descriptor_any(x) : gdt_fixed(i);
	tasks_restore();
	/* Which INT virtual-8086 mode serves itself, where CR4.VME is set. */
	for (unsigned i = 0; i < 8; i++)
		task_main.redirection[i] = (uint32_t)random_next(x);
	if (x->kind->may & MAY_GATES)
		make_gates(x);
	if (x->kind->may & MAY_TASKS)
		make_tasks(x);
	system_make(x);
}

void descriptors_init(void)
{
	for (unsigned i = 0; i < GDT_COUNT; i++)
		gdt_page[i] = gdt_fixed(i);
	for (unsigned v = 0; v < 256; v++)
		set_gate(v, (word)hostile_stubs + 16 * v, CODE, GATE_INTERRUPT | (program_may(v) ? SEGMENT_DPL : 0));
	set_gate(VECTOR_NMI, 0, TASK_NMI, GATE_TASK);
	set_gate(VECTOR_DF, 0, TASK_FAULT, GATE_TASK);
	hostile_idtr = (struct table_register){ sizeof(idt) - 1, (word)idt };
	__asm__ volatile("lgdt %0; lidt %1" : : "m"(hostile_gdtr), "m"(hostile_idtr));
	tasks_restore();
}
