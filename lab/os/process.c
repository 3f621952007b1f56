/* lab/os/process.c - processes: fork with copy on write, exec, exit, and which one runs. */
#include <stdlib.h>
#include <string.h>

#include "lab/os/inside.h"

/* The kernel's half of the top table is every process's; a user's own copy has just what entering the kernel takes. */
static bool make_top(struct lab_os *os, uint64_t *pgd, unsigned first)
{
	*pgd = os_table(os);
	if (*pgd == UINT64_MAX)
		return false;
	for (unsigned i = first; i < 512; i++) {
		uint64_t value = lab_cpu_peek(os->cpu, os->kernel_pgd + 8 * i);

		if (value)
			os_write(os, *pgd + 8 * i, value);
	}
	return true;
}

struct mm *os_mm_new(struct lab_os *os)
{
	struct mm *mm = calloc(1, sizeof(*mm));

	if (!mm) {
		lab_fail(os->error, "no memory");
		return NULL;
	}
	mm->id = ++os->next_id;
	mm->room = 16;
	mm->vma = calloc(mm->room, sizeof(*mm->vma));
	if (!mm->vma || !make_top(os, &mm->pgd, 256) || (os->pti && !make_top(os, &mm->user_pgd, 511))) {
		free(mm->vma);
		free(mm);
		lab_fail(os->error, "no memory");
		return NULL;
	}
	return mm;
}

/* Everything below the top tables goes, with one flush at the end; the CPU is on other tables when the top ones go. */
static bool empty(struct lab_os *os, struct mm *mm)
{
	for (unsigned i = 0; i < mm->vmas; i++)
		if (!os_zap(os, mm, mm->vma[i].start, mm->vma[i].end))
			return false;
	os_free_tables(os, mm, 0, os->user_top, 0, os->user_top);
	os_gather_flush(os, mm);
	mm->vmas = 0;
	return true;
}

static void free_mm(struct lab_os *os, struct mm *mm)
{
	frames_put(&os->frames, mm->pgd >> 12, 1);
	os->tables--;
	if (mm->user_pgd) {
		frames_put(&os->frames, mm->user_pgd >> 12, 1);
		os->tables--;
	}
	free(mm->vma);
	free(mm);
}

/* ---- fork ---- */

static bool copy_leaf(struct lab_os *os, struct mm *mm, uint64_t va, struct spot *s, void *ctx)
{
	struct mm *child = ctx;
	uint64_t frame = (s->value & PTE_ADDRESS) >> 12, value = s->value & ~PTE_W;
	struct spot there;

	(void)mm;
	if (!os_descend(os, child, va, s->level, true, &there))
		return false;
	if (frame != os->zero_frame && !frames_get(&os->frames, frame, s->level))
		return lab_fail(os->error, "no memory");
	if (value != s->value) {
		os_write(os, s->at, value);
		os_gather_range(os, va, level_shift(s->level));
	}
	os_write(os, there.at, value & ~PTE_A);
	os_count_leaf(os, s->level, 1);
	lab_cpu_work(os->cpu, WORK_FORK, os->config->path_page);
	return true;
}

/* Tables are copied where the process has pages of its own; all else is found again by faults. */
static bool copy_mappings(struct lab_os *os, struct mm *mm, struct mm *child)
{
	bool ok = true;

	for (unsigned i = 0; ok && i < mm->vmas; i++) {
		const struct vma *v = &mm->vma[i];

		if (!vma_insert(child, v))
			return lab_fail(os->error, "no memory");
		if (v->copied && !(v->file && (v->flags & LAB_MAP_SHARED)))
			ok = os_each_leaf(os, mm, v->start, v->end, copy_leaf, child);
	}
	if (os->gather.first != os->gather.last) {
		os->gather.first = os->gather.last = 0;
		os_flush_mm(os, mm);
	}
	return ok;
}

static bool room_for(struct lab_os *os, uint32_t number)
{
	uint32_t more = number + 1 > 2 * os->processes ? number + 16 : 2 * os->processes;
	struct mm **grown;

	if (number < os->processes)
		return true;
	grown = realloc(os->process, more * sizeof(*grown));
	if (!grown)
		return lab_fail(os->error, "no memory");
	memset(grown + os->processes, 0, (more - os->processes) * sizeof(*grown));
	os->process = grown;
	os->processes = more;
	return true;
}

bool os_fork(struct lab_os *os, uint32_t child)
{
	struct mm *mm = os_mm(os), *new;

	if (child >> 20)
		return lab_fail(os->error, "process numbers go to %u", (1u << 20) - 1);
	if (!room_for(os, child))
		return false;
	if (os->process[child])
		return lab_fail(os->error, "process %u is forked, and there is one of that number", child);
	new = os_mm_new(os);
	if (!new)
		return false;
	os->process[child] = new;
	new->brk_start = mm ? mm->brk_start : 0;
	new->brk_end = mm ? mm->brk_end : 0;
	new->brk_known = mm && mm->brk_known;
	os->count.os_forks++;
	return !mm || copy_mappings(os, mm, new);
}

bool os_exec(struct lab_os *os)
{
	struct mm *old = os_mm(os), *new = os_mm_new(os);

	if (!new)
		return false;
	os_note_sizes(os);
	os->process[os->current] = new;
	if (!empty(os, old))
		return false;
	os_load(os, new);
	free_mm(os, old);
	return true;
}

bool os_exit(struct lab_os *os)
{
	struct mm *mm = os_mm(os);

	os_note_sizes(os);
	if (!empty(os, mm))
		return false;
	os_load(os, NULL);
	os->process[os->current] = NULL;
	free_mm(os, mm);
	return true;
}

bool os_switch(struct lab_os *os, uint32_t process)
{
	struct mm *mm = process < os->processes ? os->process[process] : NULL;

	if (!mm)
		return lab_fail(os->error, "a switch to process %u, which there is not", process);
	os->current = process;
	if (os->own.loaded != mm) {
		os_load(os, mm);
		os->count.os_switches++;
	}
	return true;
}
