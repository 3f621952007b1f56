/* guest/test/hostile/hostile32-real.c - experiments in real mode. Its vectors lie with the supervisor, out of its
 * reach; they lead to code below 1 MiB, which comes back by protected mode. */
#include "guest/test/hostile/hostile32.h"

extern char real_low[], real_low_end[], real_frame[], real_stack[], real_seen[], real_gdtr[];
extern struct table_register real_idtr;

static uint32_t vectors[256] ALIGNED;

static void *low(const char *at) { return (void *)(REAL_LOW + (word)(at - real_low)); }

static void copy_low(void)
{
	for (const char *p = real_low; p < real_low_end; p++)
		*(volatile char *)low(p) = *p;
	*(struct table_register *)low(real_gdtr) = (struct table_register){ GDT_COUNT * 8 - 1, (word)gdt_page };
}

void real_init(void)
{
	for (unsigned v = 0; v < 256; v++)
		vectors[v] = (uint32_t)REAL_LOW / 16 << 16 | 4 * v;
	real_idtr = (struct table_register){ sizeof(vectors) - 1, (word)vectors };
}

void real_aim(word ip, word sp, word flags)
{
	struct hostile_frame *to;
	uint16_t *words = (uint16_t *)(region_memory[0] + sp - 6);

	copy_low();
	to = low(real_frame);
	for (unsigned i = 0; i < REGISTERS; i++)
		((word *)to)[i] = ((word *)&hostile_frame)[i];
	*(struct stack_pointer *)low(real_stack) = (struct stack_pointer){ sp - 6, REGION / 16 };
	words[0] = (uint16_t)ip;
	words[1] = REGION / 16;
	words[2] = (uint16_t)flags;
}

void real_fetch(void)
{
	const uint16_t *seen = low(real_seen);
	const uint32_t *registers = (const uint32_t *)(seen + 3);

	for (unsigned i = 0; i < REGISTERS; i++)
		((word *)&hostile_frame)[i] = registers[i];
	hostile_frame.vector = (seen[19] - 3u) / 4 & 255;
	hostile_frame.error = 0;
	hostile_frame.ip = seen[20];
	hostile_frame.cs = seen[21];
	hostile_frame.flags = seen[22];
	hostile_frame.sp = registers[3];
	hostile_frame.ss = seen[0];
	hostile_frame.es = seen[1];
	hostile_frame.ds = seen[2];
	hostile_frame.fs = hostile_frame.gs = 0;
	/* The next NMI waits for an IRET. */
	if (hostile_frame.vector == VECTOR_NMI) {
		nmi_seen = 1;
		__asm__ volatile("pushfl; pushl %0; pushl $1f; iretl; 1:" : : "i"(CODE) : "memory");
	}
}
