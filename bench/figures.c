/* bench/figures.c - draws the figures of docs/mmu.md: a tiny guest runs under each mechanism, then its tables and the
 * mechanism's are read from memory as they are and drawn, so that the figures cannot say what the code does not do.
 *
 * The guest: one chain of tables in frames 1 to 4 (PML4, PDPT, PD, PT); the PT maps two pages of data, and the PT
 * itself, through which the kernel edits it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/machine.h"
#include "mmu/ept/ept.h"
#include "mmu/mechanisms.h"
#include "mmu/shadow/shadow.h"

#define VA_A 0x0ull
#define VA_B 0x1000ull
#define VA_PT 0x5000ull

/* ---- what is drawn ---- */

#define BOXES 48
#define ROWS 12
#define COLUMN_WIDTH 236
#define BOX_WIDTH 190
#define ROW_HEIGHT 17
#define TITLE_HEIGHT 22

enum format { FORMAT_GUEST, FORMAT_HARDWARE, FORMAT_EPT };
enum look { LOOK_PLAIN, LOOK_TRACKED, LOOK_UNSYNC, LOOK_DATA };

struct row {
	char text[48];
	int target; /* a box; -1: none */
};

struct box {
	uint64_t frame;
	unsigned level; /* 0: a page */
	enum look look;
	char title[64];
	struct row row[ROWS];
	unsigned rows;
	int x, y, height;
};

struct picture {
	struct machine *m;
	enum format format;
	unsigned top;             /* level of the root */
	struct box box[BOXES];
	unsigned boxes;
	int column_end[6];        /* by level */
};

static const char *const level_names[] = { "page", "PT", "PD", "PDPT", "PML4" };

static bool is_shadow(const struct mmu_vm *vm) { return vm->ops == &mmu_shadow || vm->ops == &mmu_brute; }

/* How the mechanism treats guest frame gfn. */
static enum look look_of(struct machine *m, uint64_t gfn)
{
	struct gframe *g;
	struct shadow *s;

	if (!is_shadow(&m->vm))
		return LOOK_PLAIN;
	s = shadow_of(&m->vm);
	g = rmap_gframe(&s->rmap, GFN(gfn), false);
	if (!g || !g->tracked)
		return LOOK_PLAIN;
	for (struct spage *sp = spage_at(s, g->pages); sp; sp = spage_at(s, sp->next_of_gfn))
		if (sp->unsync)
			return LOOK_UNSYNC;
	return LOOK_TRACKED;
}

/* The shadow page whose hardware table is in this frame; NULL: none. */
static const struct spage *spage_of(struct machine *m, uint64_t hfn)
{
	if (!is_shadow(&m->vm))
		return NULL;
	for (const struct spage *sp = shadow_of(&m->vm)->newest; sp; sp = sp->older)
		if (sp->frame.v == hfn)
			return sp;
	return NULL;
}

static uint64_t entry(struct picture *p, uint64_t frame, unsigned index)
{
	uint64_t base = p->format == FORMAT_GUEST ? MACHINE_RAM_HFN + frame : frame;

	return phys_read(&p->m->phys, (base << 12) + index * 8, 8);
}

static bool present(const struct picture *p, uint64_t e)
{
	return p->format == FORMAT_EPT ? e & (EPT_R | EPT_W | EPT_X) : e & PTE_P;
}

static void flags(const struct picture *p, uint64_t e, bool leaf, char *out)
{
	if (p->format == FORMAT_EPT) {
		sprintf(out, "%c%c%c %c%c", e & EPT_R ? 'R' : '-', e & EPT_W ? 'W' : '-', e & EPT_X ? 'X' : '-',
			e & EPT_A ? 'A' : '-', leaf && (e & EPT_D) ? 'D' : '-');
		return;
	}
	sprintf(out, "P%c%c%c %c%c", e & PTE_W ? 'W' : '-', e & PTE_U ? 'U' : '-', e & PTE_NX ? '-' : 'X',
		e & PTE_A ? 'A' : '-', leaf && (e & PTE_D) ? 'D' : '-');
}

static void title(struct picture *p, struct box *b)
{
	bool guest = p->format == FORMAT_GUEST;
	const struct spage *sp = guest ? NULL : spage_of(p->m, b->frame);

	if (b->level == 0 && guest)
		sprintf(b->title, "gfn %llx", (unsigned long long)b->frame);
	else if (b->level == 0)
		sprintf(b->title, "hfn %llx = gfn %llx", (unsigned long long)b->frame,
			(unsigned long long)(b->frame - MACHINE_RAM_HFN));
	else if (guest)
		sprintf(b->title, "%s, gfn %llx%s", level_names[b->level], (unsigned long long)b->frame,
			b->look == LOOK_TRACKED ? ": tracked" : b->look == LOOK_UNSYNC ? ": out of sync" : "");
	else if (sp && !(sp->role & ROLE_DIRECT))
		sprintf(b->title, "hfn %llx, for gfn %llx", (unsigned long long)b->frame,
			(unsigned long long)sp->gfn.v);
	else
		sprintf(b->title, "level %u, hfn %llx", b->level, (unsigned long long)b->frame);
}

static int add(struct picture *p, uint64_t frame, unsigned level)
{
	struct box *b;
	int self;

	for (unsigned i = 0; i < p->boxes; i++)
		if (p->box[i].frame == frame && p->box[i].level == level)
			return (int)i;
	if (p->boxes == BOXES)
		exit(1);
	self = (int)p->boxes++;
	b = &p->box[self];
	*b = (struct box){ .frame = frame, .level = level, .look = level ? LOOK_PLAIN : LOOK_DATA };
	if (p->format == FORMAT_GUEST && level)
		b->look = look_of(p->m, frame);
	title(p, b);
	for (unsigned i = 0; level && i < 512; i++) {
		uint64_t e = entry(p, frame, i), next = (e & PT_OWN_ADDRESS) >> 12;
		bool leaf = level == 1 || (e & PTE_PS);
		char f[16];

		if (!e)
			continue;
		if (b->rows == ROWS)
			exit(1);
		flags(p, e, leaf, f);
		b->row[b->rows].target = -1;
		sprintf(b->row[b->rows].text, "%3u: %6llx  %s", i, (unsigned long long)next, f);
		if (present(p, e))
			b->row[b->rows].target = add(p, next, leaf ? 0 : level - 1);
		b->rows++;
	}
	return self;
}

/* ---- SVG ---- */

static int lay_out(struct picture *p, int y0)
{
	int end = y0;

	for (unsigned i = 0; i < 6; i++)
		p->column_end[i] = y0;
	for (unsigned i = 0; i < p->boxes; i++) {
		struct box *b = &p->box[i];
		int *y = &p->column_end[b->level];

		b->x = 120 + (int)(p->top - b->level) * COLUMN_WIDTH;
		b->y = *y;
		b->height = TITLE_HEIGHT + (int)b->rows * ROW_HEIGHT + (b->rows ? 5 : 0);
		*y += b->height + 8;
		if (*y > end)
			end = *y;
	}
	return end;
}

static void draw_box(FILE *out, const struct box *b)
{
	static const char *const fill[] = { "#ffffff", "#ffe3e3", "#fff2cc", "#e6f0fa" };
	static const char *const edge[] = { "#444444", "#c00000", "#b8860b", "#2f5f8f" };

	fprintf(out,
		"<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"%s\" stroke=\"%s\" "
		"stroke-width=\"1.5\"%s/>\n",
		b->x, b->y, BOX_WIDTH, b->height, fill[b->look], edge[b->look],
		b->look == LOOK_UNSYNC ? " stroke-dasharray=\"5 3\"" : "");
	fprintf(out, "<text x=\"%d\" y=\"%d\" font-weight=\"bold\">%s</text>\n", b->x + 6, b->y + 15, b->title);
	for (unsigned i = 0; i < b->rows; i++)
		fprintf(out, "<text x=\"%d\" y=\"%d\" class=\"m\" xml:space=\"preserve\">%s</text>\n", b->x + 6,
			b->y + TITLE_HEIGHT + (int)i * ROW_HEIGHT + 12, b->row[i].text);
}

static void draw_arrows(FILE *out, const struct picture *p, const struct box *b)
{
	for (unsigned i = 0; i < b->rows; i++) {
		int x1 = b->x + BOX_WIDTH, y1 = b->y + TITLE_HEIGHT + (int)i * ROW_HEIGHT + 8, x2, y2;

		if (b->row[i].target < 0)
			continue;
		x2 = p->box[b->row[i].target].x;
		y2 = p->box[b->row[i].target].y + 11;
		fprintf(out, "<path d=\"M%d %d C%d %d %d %d %d %d\" class=\"a\"/>\n", x1, y1, x1 + 20, y1, x2 - 24, y2,
			x2 - 2, y2);
	}
}

static void draw(FILE *out, const struct picture *p, int y0, const char *root, const char *caption)
{
	fprintf(out, "<text x=\"10\" y=\"%d\" font-weight=\"bold\">%s</text>\n", y0 - 12, caption);
	fprintf(out, "<text x=\"10\" y=\"%d\" class=\"m\">%s</text>\n", y0 + 15, root);
	fprintf(out, "<path d=\"M100 %d L118 %d\" class=\"a\"/>\n", y0 + 11, y0 + 11);
	for (unsigned i = 0; i < p->boxes; i++)
		draw_box(out, &p->box[i]);
	for (unsigned i = 0; i < p->boxes; i++)
		draw_arrows(out, p, &p->box[i]);
}

static void write_svg(struct machine *m, const char *path, const char *what)
{
	static struct picture guest, hardware;
	bool nested = m->vcpu.root.nested != 0, ept = m->vm.ops == &mmu_ept;
	FILE *out = fopen(path, "w");
	int middle, end;

	if (!out) {
		perror(path);
		exit(1);
	}
	guest = (struct picture){ .m = m, .format = FORMAT_GUEST, .top = 4 };
	add(&guest, m->regs.cr3 >> 12, 4);
	hardware = (struct picture){ .m = m, .format = ept ? FORMAT_EPT : FORMAT_HARDWARE, .top = 4 };
	add(&hardware, (nested ? m->vcpu.root.nested : m->vcpu.root.cr3) >> 12, 4);
	middle = lay_out(&guest, 62) + 48;
	end = lay_out(&hardware, middle) + 34;
	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1280\" height=\"%d\" viewBox=\"0 0 1280 %d\" "
		"font-family=\"sans-serif\" font-size=\"12.5\">\n", end, end);
	fprintf(out, "<style>.m{font-family:monospace;font-size:12px}.a{fill:none;stroke:#555;marker-end:url(#h)}</"
		     "style>\n");
	fprintf(out,
		"<defs><marker id=\"h\" markerWidth=\"8\" markerHeight=\"8\" refX=\"6\" refY=\"3\" orient=\"auto\">"
		"<path d=\"M0 0L7 3L0 6z\" fill=\"#555\"/></marker></defs>\n");
	fprintf(out, "<rect width=\"1280\" height=\"%d\" fill=\"white\"/>\n", end);
	fprintf(out, "<text x=\"10\" y=\"22\" font-size=\"15\" font-weight=\"bold\">%s: %s</text>\n", m->vm.ops->name,
		what);
	draw(out, &guest, 62, "guest CR3", "The guest's tables, in guest frames");
	draw(out, &hardware, middle, ept ? "EPTP" : nested ? "nCR3" : "CPU's CR3",
	     nested ? "What the CPU walks for each guest-physical address, in host frames" :
		      "What the CPU walks instead of them, in host frames");
	fprintf(out,
		"<text x=\"10\" y=\"%d\" fill=\"#555\">index: frame, flags (%s; all numbers but the index "
		"hexadecimal). "
		"Red: guest table tracked, in sync. Yellow, dashed: out of sync. Blue: a page.</text>\n",
		end - 12, ept ? "guest: P W U X A D; EPT: R W X A D" : "P W U X A D");
	fprintf(out, "</svg>\n");
	fclose(out);
}

/* ---- the guest, and its moments ---- */

static uint64_t page_a, page_b, page_c, table;

static struct machine *guest_new(const struct mmu_ops *ops)
{
	struct machine *m = machine_new(ops, 512, PAGE_LIMIT_4K);
	uint64_t root = machine_root(m);

	machine_map(m, root, VA_A, 0x10, PTE_P | PTE_W | PTE_U);
	page_a = 0x10;
	page_b = 0x11;
	page_c = 0x12;
	table = machine_pte(m, root, VA_A) & ~4095ull;
	machine_map(m, root, VA_B, page_b, PTE_P | PTE_W | PTE_U);
	machine_map(m, root, VA_PT, table >> 12, PTE_P | PTE_W);
	machine_start(m, root);
	return m;
}

static void figure(const struct mmu_ops *ops, const char *dir, bool edit)
{
	struct machine *m = guest_new(ops);
	char path[512];

	machine_touch(m, VA_A, false, true);
	machine_touch(m, VA_B, true, true);
	if (edit)
		machine_store(m, VA_PT + 2 * 8, page_c << 12 | PTE_P | PTE_W | PTE_U);
	snprintf(path, sizeof(path), "%s/%s%s.svg", dir, ops->name, edit ? "-edit" : "");
	write_svg(m, path,
		  edit ? "the kernel has then written entry 2 of its PT"
		       : "the guest has read page 0 and written page 1");
	machine_delete(m);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: figures DIRECTORY\n");
		return 2;
	}
	for (unsigned i = 0; mmu_mechanisms[i]; i++) {
		figure(mmu_mechanisms[i], argv[1], false);
		figure(mmu_mechanisms[i], argv[1], true);
	}
	return 0;
}
