/* lab/os/vma.c - the sorted list of a process's VMAs. */
#include <stdlib.h>
#include <string.h>

#include "lab/os/inside.h"

unsigned vma_find(const struct mm *mm, uint64_t va)
{
	unsigned low = 0, high = mm->vmas;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (mm->vma[mid].end <= va)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool alike(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->file == b->file && a->flags == b->flags && a->prot == b->prot &&
	       a->advice == b->advice && a->implied == b->implied &&
	       (!a->file || a->offset + (a->end - a->start) == b->offset);
}

static bool make_room(struct mm *mm)
{
	unsigned room = 2 * mm->room;
	struct vma *grown;

	if (mm->vmas < mm->room)
		return true;
	grown = realloc(mm->vma, room * sizeof(*grown));
	if (!grown)
		return false;
	mm->vma = grown;
	mm->room = room;
	return true;
}

void vma_remove(struct mm *mm, unsigned first, unsigned count)
{
	memmove(mm->vma + first, mm->vma + first + count, (mm->vmas - first - count) * sizeof(*mm->vma));
	mm->vmas -= count;
}

/* Joins those from first - 1 to last + 1 that are alike. */
void vma_merge(struct mm *mm, unsigned first, unsigned last)
{
	unsigned i = first ? first - 1 : 0;

	for (unsigned left = last - i + 1; left && i + 1 < mm->vmas; left--) {
		if (alike(&mm->vma[i], &mm->vma[i + 1])) {
			mm->vma[i].end = mm->vma[i + 1].end;
			mm->vma[i].copied |= mm->vma[i + 1].copied;
			vma_remove(mm, i + 1, 1);
		} else {
			i++;
		}
	}
}

static bool insert_at(struct mm *mm, unsigned i, const struct vma *v)
{
	struct vma copy = *v;

	if (!make_room(mm))
		return false;
	memmove(mm->vma + i + 1, mm->vma + i, (mm->vmas - i) * sizeof(*v));
	mm->vma[i] = copy;
	mm->vmas++;
	return true;
}

bool vma_insert(struct mm *mm, const struct vma *v)
{
	unsigned i = vma_find(mm, v->start);

	if (!insert_at(mm, i, v))
		return false;
	vma_merge(mm, i, i);
	return true;
}

bool vma_cut(struct mm *mm, uint64_t at)
{
	unsigned i = vma_find(mm, at);
	struct vma upper;

	if (!vma_holds(mm, i, at) || mm->vma[i].start == at)
		return true;
	upper = mm->vma[i];
	upper.offset += upper.file ? at - upper.start : 0;
	upper.start = at;
	if (!insert_at(mm, i + 1, &upper))
		return false;
	mm->vma[i].end = at;
	return true;
}
