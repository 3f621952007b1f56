/* lab/os/audit.c - whether the guest OS's tables, VMAs and frames agree. For tests: it looks at memory behind the CPU's
 * back. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lab/os/inside.h"

struct audit {
	const struct lab_os *os;
	const struct mm *mm;
	uint32_t *seen;     /* references found, by frame */
	uint64_t leaves[4]; /* by level */
	uint64_t tables;
	char *why;
	size_t size;
};

static bool wrong(struct audit *a, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(a->why, a->size, format, args);
	va_end(args);
	return false;
}

static void see(struct audit *a, uint64_t frame, unsigned level)
{
	if (frame == a->os->zero_frame)
		return;
	if (level == 2 && a->os->frames.state[frame / 512] == BLOCK_SPLIT)
		for (unsigned i = 0; i < 512; i++)
			a->seen[frame + i]++;
	else
		a->seen[frame]++;
}

static bool leaf(struct audit *a, uint64_t va, uint64_t value, unsigned level)
{
	const struct mm *mm = a->mm;
	unsigned i = vma_find(mm, va);
	const struct vma *v = &mm->vma[i];
	uint64_t frame = (value & PTE_ADDRESS) >> 12;

	if (!vma_holds(mm, i, va) || v->end < va + level_size(level))
		return wrong(a, "A2: a leaf at %#llx, outside of any VMA", (unsigned long long)va);
	if ((value & PTE_W) && !(v->prot & LAB_PROT_WRITE))
		return wrong(a, "A2: %#llx is writable", (unsigned long long)va);
	if (!(value & PTE_NX) && !(v->prot & LAB_PROT_EXEC))
		return wrong(a, "A2: %#llx is executable", (unsigned long long)va);
	if (frame >= a->os->frames.blocks * 512 || frame % (level_size(level) >> 12))
		return wrong(a, "F1: frame %#llx at %#llx", (unsigned long long)frame, (unsigned long long)va);
	if ((value & PTE_W) && (frame == a->os->zero_frame || (!(v->file && v->flags & LAB_MAP_SHARED) &&
								 frames_others(&a->os->frames, frame, level) &&
								 a->os->frames.state[frame / 512] != BLOCK_SPLIT)))
		return wrong(a, "F2: a shared frame is writable at %#llx", (unsigned long long)va);
	see(a, frame, level);
	a->leaves[level]++;
	return true;
}

static bool table(struct audit *a, uint64_t at, unsigned level, uint64_t base)
{
	a->tables++;
	see(a, at >> 12, 1);
	for (unsigned i = 0; i < (level == a->os->levels ? 256 : 512); i++) {
		uint64_t value = lab_cpu_peek(a->os->cpu, at + 8 * i), va = base + i * level_size(level);
		unsigned v;

		if (!(value & PTE_P))
			continue;
		if (level == 1 || (level <= 3 && (value & PTE_PS))) {
			if (!leaf(a, va, value, level))
				return false;
			continue;
		}
		v = vma_find(a->mm, va);
		if (v == a->mm->vmas || a->mm->vma[v].start >= va + level_size(level))
			return wrong(a, "A3: a table at %#llx, level %u, where no VMA is", (unsigned long long)va,
				     level - 1);
		if (!table(a, value & PTE_ADDRESS, level - 1, va))
			return false;
	}
	return true;
}

static bool vmas(struct audit *a)
{
	const struct mm *mm = a->mm;

	for (unsigned i = 0; i < mm->vmas; i++)
		if (mm->vma[i].start >= mm->vma[i].end || (mm->vma[i].start | mm->vma[i].end) & 4095 ||
		    (i && mm->vma[i - 1].end > mm->vma[i].start))
			return wrong(a, "A1: VMA %u, %#llx to %#llx", i, (unsigned long long)mm->vma[i].start,
				     (unsigned long long)mm->vma[i].end);
	return true;
}

static void kernel_tables(struct audit *a, uint64_t at, unsigned level)
{
	see(a, at >> 12, 1);
	a->tables++;
	for (unsigned i = level == a->os->levels ? 256 : 0; i < 512; i++) {
		uint64_t value = lab_cpu_peek(a->os->cpu, at + 8 * i);

		if (level > 1 && (value & PTE_P) && !(value & PTE_PS))
			kernel_tables(a, value & PTE_ADDRESS, level - 1);
	}
}

/* Every page has as many references as were found, and none is in use that was not found. */
static bool frames(struct audit *a)
{
	const struct frames *f = &a->os->frames;
	uint64_t used = 1; /* the page of zeros */

	for (uint64_t frame = 0; frame < f->blocks * 512; frame++) {
		unsigned state = f->state[frame / 512], level = state == BLOCK_WHOLE ? 2 : state == BLOCK_GIANT ? 3 : 1;

		if (!a->seen[frame])
			continue;
		if (state == BLOCK_FREE || state == BLOCK_RESERVED ||
		    (state == BLOCK_SPLIT && !(f->split[frame / 512]->used[frame % 512 / 64] >> frame % 64 & 1)))
			return wrong(a, "F1: frame %#llx is mapped and free", (unsigned long long)frame);
		if (a->seen[frame] != 1 + frames_others(f, frame, level))
			return wrong(a, "F2: frame %#llx has %llu references more than one, and %u in all were found",
				     (unsigned long long)frame, (unsigned long long)frames_others(f, frame, level),
				     a->seen[frame]);
		used += level_size(level) >> 12;
	}
	if (used != f->used)
		return wrong(a, "F2: %llu frames are in use, and %llu were found", (unsigned long long)f->used,
			     (unsigned long long)used);
	return true;
}

static bool everything(struct audit *a)
{
	const struct lab_os *os = a->os;

	kernel_tables(a, os->kernel_pgd, os->levels);
	for (uint32_t i = 0; i < os->processes; i++) {
		a->mm = os->process[i];
		if (!a->mm)
			continue;
		if (!vmas(a) || !table(a, a->mm->pgd, os->levels, 0))
			return false;
		if (a->mm->user_pgd) {
			see(a, a->mm->user_pgd >> 12, 1);
			a->tables++;
		}
	}
	for (uint64_t i = 0; i < os->cache.room; i++)
		if (os->cache.e[i].file)
			see(a, os->cache.e[i].frame, 1);
	if (a->tables != os->tables || a->leaves[1] != os->count.os_pages_4k || a->leaves[2] != os->count.os_pages_2m ||
	    a->leaves[3] != os->count.os_pages_1g)
		return wrong(a, "counts: %llu tables found of %llu, pages %llu/%llu/%llu of %llu/%llu/%llu",
			     (unsigned long long)a->tables, (unsigned long long)os->tables,
			     (unsigned long long)a->leaves[1], (unsigned long long)a->leaves[2],
			     (unsigned long long)a->leaves[3], (unsigned long long)os->count.os_pages_4k,
			     (unsigned long long)os->count.os_pages_2m, (unsigned long long)os->count.os_pages_1g);
	return frames(a);
}

bool os_audit(const struct lab_os *os, char *why, size_t size)
{
	struct audit a = { .os = os, .why = why, .size = size };
	bool ok;

	a.seen = calloc(os->frames.blocks * 512, sizeof(*a.seen));
	ok = a.seen ? everything(&a) : wrong(&a, "no memory");
	free(a.seen);
	return ok;
}
