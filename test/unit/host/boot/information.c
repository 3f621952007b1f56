#include "test/unit/host/boot/information.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/cpu/spinlock.h"
#include "host/cpu/x86.h"
#include "host/memory/frames.h"
#include "lib/multiboot.h"

/* What the linker script gives the hypervisor: the image lies from 4 MiB on, 3 MiB of it. */
__asm__(".globl image_start, image_end\n.set image_start, 0x400000\n.set image_end, 0x700000");

/* Nobody else takes the lock. */
void spin_wait(struct spinlock *l) { fail_msg("%p is held", (void *)l); }

/* ---- the CPU ---- */

uint64_t cr4 = CR4_OF_THE_LOADER;
static uint64_t fs_base;

uint64_t read_cr4(void) { return cr4; }
void write_cr4(uint64_t v) { cr4 = v; }

/* Asked for by who is about to execute vector instructions (host/cpu/vector.h). */
uint64_t rdmsr(uint32_t msr)
{
	BUG_ON(msr != MSR_FS_BASE);
	BUG_ON(!(cr4 & CR4_OSFXSR)); /* #UD, for which there is no handler yet */
	return fs_base;
}

void wrmsr(uint32_t msr, uint64_t v)
{
	BUG_ON(msr != MSR_FS_BASE);
	fs_base = v;
}

/* ---- RAM ---- */

uint8_t *memory;

void map_memory(void)
{
	memory = mmap(NULL, SEEN, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		abort();
	frames_base = (uintptr_t)memory;
}

/* ---- a Multiboot2 information ---- */

void add_tag(struct information *i, uint32_t type, const void *data, uint32_t n)
{
	uint32_t head[2] = { type, n + 8 };

	memcpy((uint8_t *)i + i->total, head, 8);
	if (n)
		memcpy((uint8_t *)i + i->total + 8, data, n);
	i->total += (n + 8 + 7) & ~7u;
}

void add_named_module(struct information *i, uint32_t start, uint32_t end, const char *string)
{
	struct { uint32_t start, end; char string[32]; } module = { .start = start, .end = end };

	snprintf(module.string, sizeof(module.string), "%s", string);
	add_tag(i, 3, &module, sizeof(module));
}

void add_module(struct information *i, uint32_t start, uint32_t end) { add_named_module(i, start, end, "module"); }

const char *read_information(struct information *i)
{
	add_tag(i, 0, NULL, 0);
	return boot_info_read(MULTIBOOT2_BOOT_MAGIC, i);
}

void in_child(int (*test)(void))
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		int line = test();

		if (line)
			fprintf(stderr, "line %d: not so\n", line);
		_exit(line != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}
