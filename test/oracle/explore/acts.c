/* The crossings, and what their steps do. */
#include "test/oracle/explore/acts.h"

#include <string.h>

/* What a step does: its op is one of these. */
enum act {
	LOOK,     /* reads page .a */
	STORE,    /* writes to it */
	EDIT,     /* makes its entry name frame .b */
	CLEAR,    /* makes it not present */
	CLEAN,    /* makes it name frame .b, neither accessed nor dirty */
	EDIT_PD,  /* makes the entry above name the table of page .b */
	LARGE,    /* makes it name the large page in whose middle the tables lie */
	INVLPG,   /* of page .a */
	SAY,      /* tells the other .a */
	HEAR,     /* waits until it is told */
	ROOT,     /* loads CR3 with root .a */
	WP,       /* turns CR0.WP over */
	NARROW,   /* goes over to entries of 4 bytes, by the first of which names the first table */
	EVENT,    /* an event is delivered to a stack in the table of page .a */
	OUT,      /* the host takes frame .a away */
	DROP,     /* and all that is mapped, for no reason */
	ZAP,      /* or what maps frame .a */
	LOG,      /* it begins to log writes, */
	COLLECT,  /* and looks */
	UNSHADOW, /* it forgets root .a */
	GO,       /* the vCPU goes to CPU .a */
	SWITCH,   /* to the next mechanism there is */
};

/* A frame whose entry, read as two of 4 bytes, has a second one that is present, and not accessed. */
#define HIGH_GFN 0x100000u

#define S(op_, a_) { .op = (op_) + 1, .a = (a_) }
#define E(page, frame) { .op = EDIT + 1, .a = (page), .b = (frame) }
#define BY(n, op_, a_, b_) { .op = (op_) + 1, .who = (n), .a = (a_), .b = (b_) }

const struct crossing crossing_all[] = {
	{ "one edit with its shootdown, and an access",
	  { BY(0, LOOK, 0, 0), BY(1, LOOK, 0, 0) },
	  { { E(0, 104), S(INVLPG, 0), S(SAY, 0), S(LOOK, 0) },
	    { S(LOOK, 0), S(HEAR, 0), S(INVLPG, 0), S(LOOK, 0) } } },
	{ "one page is taken away, and a fault",
	  { BY(0, LOOK, 0, 0), BY(1, STORE, 0, 0) },
	  { { S(OUT, 100) }, { S(STORE, 0) } } },
	{ "one table comes back into sync, and a write to it",
	  { BY(0, LOOK, 0, 0), BY(1, LOOK, 1, 0), BY(1, EDIT, 1, 103), BY(1, EDIT, 1, 104), BY(1, LOOK, 1, 0) },
	  { { S(WP, 0), S(LOOK, 1) }, { E(1, 105) } } },
	{ "one root is forgotten, and CR3 is loaded with it",
	  { BY(1, ROOT, 1, 0), BY(1, LOOK, 0, 0), BY(1, ROOT, 0, 0), BY(0, LOOK, 0, 0) },
	  { { S(UNSHADOW, 1) }, { S(ROOT, 1), S(LOOK, 0) } } },
	{ "one vCPU moves, and a flush is requested of it",
	  { BY(0, LOOK, 0, 0), BY(1, STORE, 0, 0), BY(1, GO, 2, 0), BY(1, LOOK, 0, 0), BY(1, GO, 1, 0) },
	  { { S(ZAP, 100) }, { S(GO, 2), S(LOOK, 0) } } },
	{ "an edit with its shootdown, and an access",
	  { BY(0, LOOK, 0, 0), BY(1, LOOK, 0, 0) },
	  { { E(0, 104), S(INVLPG, 0), S(SAY, 0), S(HEAR, 1), S(LOOK, 0) },
	    { S(LOOK, 0), S(STORE, 0), S(HEAR, 0), S(INVLPG, 0), S(SAY, 1), S(LOOK, 0) } } },
	{ "an edit of a page that others have written",
	  { BY(1, STORE, 0, 0), BY(0, LOOK, 1, 0) },
	  { { S(CLEAR, 0), S(INVLPG, 0), S(SAY, 0), E(0, 104), S(LOOK, 0) },
	    { S(STORE, 0), S(HEAR, 0), S(INVLPG, 0), S(STORE, 0) } } },
	{ "an edit above, and an access",
	  { BY(0, LOOK, 0, 0), BY(1, LOOK, 1, 0) },
	  { { { .op = EDIT_PD + 1, .a = 0, .b = 512 }, S(INVLPG, 0), S(SAY, 0), S(LOOK, 0) },
	    { S(LOOK, 0), S(HEAR, 0), S(INVLPG, 0), S(LOOK, 0) } } },
	{ "the host takes a page away, and a fault",
	  { BY(0, LOOK, 0, 0), BY(1, STORE, 0, 0) },
	  { { S(OUT, 100), S(LOOK, 0) }, { S(STORE, 0), S(LOOK, 1), S(STORE, 0) } } },
	{ "it takes a table away",
	  { BY(0, LOOK, 0, 0), BY(1, STORE, 1, 0) },
	  { { S(OUT, 1), S(LOOK, 1) }, { S(STORE, 0), E(1, 105), S(INVLPG, 1), S(LOOK, 1) } } },
	{ "a table comes back into sync, and a write to it",
	  { BY(0, LOOK, 0, 0), BY(1, LOOK, 1, 0), BY(1, EDIT, 1, 103), BY(1, EDIT, 1, 104), BY(1, LOOK, 1, 0) },
	  { { S(WP, 0), S(LOOK, 0), S(LOOK, 1) }, { E(1, 105), S(INVLPG, 1), S(LOOK, 1) } } },
	{ "a table at rest comes back into sync, and a write to it",
	  { BY(0, LOOK, 0, 0), BY(1, LOOK, 1, 0), BY(1, EDIT, 1, 103), BY(1, EDIT, 1, 104), BY(1, LOOK, 1, 0),
	    BY(0, ROOT, 0, 0), BY(0, ROOT, 0, 0), BY(0, ROOT, 0, 0), BY(0, ROOT, 0, 0), BY(0, ROOT, 0, 0),
	    BY(0, ROOT, 0, 0) },
	  { { S(ROOT, 0), S(ROOT, 0), S(ROOT, 0), S(LOOK, 1) }, { E(1, 105), S(INVLPG, 1), S(LOOK, 1) } } },
	{ "a table goes out of sync, and INVLPG",
	  { BY(0, LOOK, 0, 0), BY(1, LOOK, 0, 0), BY(1, LOOK, 1, 0) },
	  { { E(0, 104), S(SAY, 0), E(0, 105), S(INVLPG, 0), S(LOOK, 0) },
	    { S(LOOK, 1), S(HEAR, 0), S(INVLPG, 0), S(LOOK, 0) } } },
	{ "a table goes out of sync, and another's edit of it",
	  { BY(0, LOOK, 0, 0), BY(1, LOOK, 1, 0) },
	  { { E(0, 104), S(INVLPG, 0), S(LOOK, 0) }, { E(1, 105), S(INVLPG, 1), S(LOOK, 1) } } },
	{ "a root is forgotten, and CR3 is loaded with it",
	  { BY(1, ROOT, 1, 0), BY(1, LOOK, 0, 0), BY(1, ROOT, 0, 0), BY(0, LOOK, 0, 0) },
	  { { S(UNSHADOW, 1), S(LOOK, 0) }, { S(ROOT, 1), S(LOOK, 0), S(ROOT, 0), S(LOOK, 1) } } },
	{ "CR3 is loaded, and an edit of what it reaches",
	  { BY(1, LOOK, 0, 0), BY(1, ROOT, 1, 0), BY(0, LOOK, 0, 0), BY(0, EDIT, 0, 103), BY(0, EDIT, 0, 104) },
	  { { E(0, 105), S(SAY, 0), E(1, 103) }, { S(HEAR, 0), S(ROOT, 0), S(LOOK, 0), S(LOOK, 1) } } },
	{ "a vCPU moves, and a flush is requested of it",
	  { BY(0, LOOK, 0, 0), BY(1, STORE, 0, 0), BY(1, GO, 2, 0), BY(1, LOOK, 0, 0), BY(1, GO, 1, 0) },
	  { { S(OUT, 100), S(LOOK, 1) }, { S(LOOK, 0), S(GO, 2), S(STORE, 0), S(GO, 1), S(LOOK, 0) } } },
	{ "a log begins, is looked at, and writes",
	  { BY(0, LOOK, 1, 0), BY(1, STORE, 0, 0), BY(1, STORE, 1, 0) },
	  { { S(LOG, 0), S(COLLECT, 0), S(COLLECT, 0) }, { S(STORE, 0), S(STORE, 1), S(STORE, 0) } } },
	{ "a log begins while another writes, and it is looked at when that one has written again",
	  { BY(0, STORE, 0, 0), BY(1, LOOK, 1, 0) },
	  { { S(LOG, 0), S(SAY, 1), S(HEAR, 2), S(COLLECT, 0) },
	    { S(STORE, 0), S(HEAR, 1), S(STORE, 0), S(SAY, 2) } } },
	{ "another mechanism, and a fault",
	  { BY(0, LOOK, 0, 0), BY(1, STORE, 1, 0) },
	  { { S(SWITCH, 0), S(LOOK, 0) }, { S(STORE, 0), E(1, 104), S(INVLPG, 1), S(LOOK, 1) } } },
	{ "two first faults of one table",
	  { BY(0, DROP, 0, 0) },
	  { { S(LOOK, 0), S(STORE, 1) }, { S(STORE, 1), S(LOOK, 0) } } },
	{ "all goes, and accesses",
	  { BY(0, LOOK, 0, 0), BY(1, STORE, 1, 0) },
	  { { S(DROP, 0), S(STORE, 0) }, { S(STORE, 1), S(LOOK, 0), S(STORE, 1) } } },
	{ "two writes to pages of one word of a log",
	  { BY(0, LOG, 0, 0), BY(0, DROP, 0, 0), BY(0, LOOK, 0, 0), BY(0, LOOK, 1, 0) },
	  { { S(STORE, 0), S(HEAR, 1), S(COLLECT, 0), S(STORE, 1) }, { S(STORE, 1), S(SAY, 1), S(STORE, 0) } } },
	{ "a read and a write of one page, and a look at the log",
	  { BY(0, LOOK, 0, 0), BY(0, LOG, 0, 0), BY(0, DROP, 0, 0), BY(0, LOOK, 1, 0) },
	  { { S(LOOK, 0), S(HEAR, 1), S(COLLECT, 0), S(SAY, 2), S(HEAR, 3), S(COLLECT, 0) },
	    { S(STORE, 0), S(SAY, 1), S(HEAR, 2), S(STORE, 0), S(SAY, 3) } } },
	{ "the first entry of a table out of sync, and its edit",
	  { BY(0, LOOK, 0, 0), BY(1, LOOK, 1, 0), BY(1, CLEAR, 0, 0), BY(1, CLEAR, 1, 0), BY(1, INVLPG, 0, 0),
	    BY(1, INVLPG, 1, 0), BY(1, EDIT, 0, 100) },
	  { { S(LOOK, 0), S(SAY, 1) }, { E(0, 104), S(INVLPG, 0), S(HEAR, 1), S(LOOK, 0) } } },
	{ "two leaves of one table",
	  { BY(0, LOOK, 0, 0), BY(1, LOOK, 1, 0), BY(0, ZAP, 100, 0), BY(0, ZAP, 101, 0) },
	  { { S(LOOK, 0), S(STORE, 1) }, { S(STORE, 1), S(LOOK, 0) } } },
	{ "leaves of one frame in two tables",
	  { BY(0, EDIT, 1, 100), BY(0, EDIT, 512, 100), BY(0, LOOK, 0, 0), BY(1, LOOK, 512, 0), BY(0, LOOK, 513, 0),
	    BY(0, ZAP, 100, 0) },
	  { { S(LOOK, 0), S(STORE, 1) }, { S(STORE, 512), S(LOOK, 1) } } },
	{ "a read and a write of one page, which is looked at then",
	  { BY(0, LOOK, 0, 0), BY(1, LOOK, 1, 0), BY(0, LOG, 0, 0), BY(0, CLEAN, 0, 100), BY(0, INVLPG, 0, 0),
	    BY(1, INVLPG, 0, 0), BY(0, COLLECT, 0, 0) },
	  { { S(LOOK, 0), S(SAY, 0) },
	    { S(STORE, 0), S(HEAR, 0), S(COLLECT, 0), S(STORE, 0), S(COLLECT, 0) } } },
	{ "a fault that sets flags, and one that looks up a frame where the look-up before was another's",
	  { BY(0, LOOK, 0, 0), BY(1, LOOK, 1, 0), BY(0, EDIT, 512, 600), BY(0, LOOK, 512, 0), BY(0, CLEAN, 0, 100),
	    BY(0, INVLPG, 0, 0), BY(1, INVLPG, 0, 0), BY(0, ZAP, 101, 0), BY(0, ZAP, 600, 0) },
	  { { S(LOOK, 0), S(LOOK, 1) }, { S(LOOK, 1), S(LOOK, 0) } } },
	{ "an edit above that is carried out, and INVLPG by who sees it",
	  { BY(0, LOOK, 0, 0), BY(1, LOOK, 0, 0), BY(0, INVLPG, 0, 0), BY(1, INVLPG, 0, 0), BY(1, LOOK, 0, 0) },
	  { { { .op = EDIT_PD + 1, .a = 0, .b = 512 }, S(LOOK, 1) }, { S(INVLPG, 0), S(LOOK, 0) } } },
	{ "an edit above that is carried out, and INVLPG of a part by who sees it",
	  { BY(0, LARGE, 0, 0), BY(0, INVLPG, 0, 0), BY(1, INVLPG, 0, 0), BY(1, LOOK, 0, 0), BY(1, LOOK, 1, 0),
	    BY(0, LOOK, 0, 0), BY(0, INVLPG, 0, 0), BY(1, INVLPG, 0, 0), BY(1, LOOK, 0, 0), BY(1, LOOK, 1, 0) },
	  { { { .op = EDIT_PD + 1, .a = 0, .b = 512 }, S(LOOK, 1) }, { S(INVLPG, 0), S(LOOK, 1) } } },
	{ "flags of an entry that is half of another's, and INVLPG by who sees them",
	  { BY(1, EDIT, 1, HIGH_GFN), BY(0, NARROW, 0, 0), BY(0, LOOK, 0, 0), BY(1, LOOK, 1, 0), BY(0, INVLPG, 0, 0),
	    BY(1, INVLPG, 1, 0), BY(1, LOOK, 1, 0) },
	  { { S(LOOK, 3) }, { S(INVLPG, 1), S(LOOK, 1) } } },
	{ "INVLPG need not exit, and exits again while that is entered with",
	  { BY(0, EDIT_PD, 0, 512), BY(0, LOOK, 0, 0), BY(0, LOOK, 513, 0), BY(1, LOOK, 513, 0), BY(0, EDIT_PD, 0, 0),
	    BY(1, ROOT, 0, 0), BY(1, INVLPG, 0, 0) },
	  { { E(513, 105), S(SAY, 0) }, { S(LOOK, 513), S(HEAR, 0), S(INVLPG, 513), S(LOOK, 513) } } },
	{ "a root that is new to the shadow, and an edit of a table out of sync below it",
	  { BY(0, LOOK, 0, 0), BY(0, EDIT, 1, 104), BY(0, LOOK, 1, 0) },
	  { { E(1, 105), S(SAY, 0) }, { S(HEAR, 0), S(ROOT, 1), S(LOOK, 0), S(LOOK, 1) } } },
	{ "an event is delivered into a table, and an access by it",
	  { BY(0, LOOK, 0, 0), BY(1, LOOK, 1, 0) },
	  { { S(EVENT, 0), S(LOOK, 0) }, { S(LOOK, 1), S(INVLPG, 1), S(LOOK, 1) } } },
};

const unsigned crossing_count = ARRAY_SIZE(crossing_all);

#define PAGES_FIRST 100u
#define L1_GFN 1u
#define L2_GFN 18u
#define L1_OTHER 2u

static uint64_t entry_at(unsigned page)
{
	return (page < 512 ? L1_GFN : L1_OTHER) * 4096ull + page % 512 * 8;
}

/* What each vCPU's accesses came to. */
static uint64_t saw[VCPUS];

static void access_page(struct vcpu *v, unsigned page, bool write)
{
	uint64_t value = 0x5eed0000 + 16 * page + (uint64_t)(v - v->vm->vcpu), gpa;

	bool ok = guest_access(v, page * 4096ull + 16, (struct x_access){ .write = write }, 8, write ? &value : NULL,
			       &gpa);

	saw[v - v->vm->vcpu] = mix(saw[v - v->vm->vcpu] ^ (ok ? gpa : 1));
}

static void to_next_mechanism(struct vm *vm)
{
	struct step s = { .op = OP_SWITCH };

	while (config_mechanism(&vm->world->c, s.a) != vm->mmu.ops)
		s.a++;
	s.a++;
	host_step(&vm->vcpu[0], &s);
}

static void by_host(struct vcpu *v, const struct step *s)
{
	struct vm *vm = v->vm;
	struct step log = { .op = s->op - 1 == LOG ? OP_LOG_START : OP_LOG_COLLECT };

	leave(v);
	vm->world->by_host = true;
	switch (s->op - 1) {
	case OUT:
		page_out(vm, s->a);
		break;
	case DROP:
		mmu_unmap(&vm->mmu, GFN(0), 4096);
		break;
	case ZAP:
		mmu_unmap(&vm->mmu, GFN(s->a), 1);
		break;
	case UNSHADOW:
		mmu_unshadow(&vm->mmu, GPA(layout_root(X_4LEVEL, s->a)));
		break;
	case GO:
		weave_migrate(v, s->a);
		break;
	case SWITCH:
		to_next_mechanism(vm);
		break;
	default:
		host_step(v, &log);
	}
	vm->world->by_host = false;
}

#define FLAGS ((uint64_t)(X_P | X_W | X_U | X_A | X_D))

static void to_narrow(struct vcpu *v)
{
	guest_store(v, layout_root(X_32BIT, 0), 4, L1_GFN * 4096ull | FLAGS, true);
	guest_mode(v, X_32BIT, 0);
}

static void by_guest(struct vcpu *v, const struct step *s)
{
	switch (s->op - 1) {
	case LOOK:
	case STORE:
		access_page(v, s->a, s->op - 1 == STORE);
		break;
	case EDIT:
	case CLEAR:
		guest_edit(v, entry_at(s->a), 8, s->op - 1 == EDIT ? s->b * 4096ull | FLAGS : 0, false);
		break;
	case CLEAN:
		guest_edit(v, entry_at(s->a), 8, s->b * 4096ull | X_P | X_W | X_U, false);
		break;
	case EDIT_PD:
		guest_edit(v, L2_GFN * 4096ull, 8, align_down(entry_at(s->b), 4096) | FLAGS, false);
		break;
	case LARGE:
		guest_edit(v, L2_GFN * 4096ull, 8, FLAGS | X_PS, false);
		break;
	case INVLPG:
		guest_invlpg(v, s->a * 4096ull);
		break;
	case SAY:
		weave_say(v->vm->world, s->a);
		break;
	case HEAR:
		weave_hear(v->vm->world, s->a);
		break;
	case ROOT:
		guest_cr3(v, layout_root(X_4LEVEL, s->a));
		break;
	case WP:
		guest_cr0(v, v->regs.cr0 ^ X_CR0_WP);
		break;
	case NARROW:
		to_narrow(v);
		break;
	default:
		guest_deliver(v, layout_direct(X_4LEVEL, L1_GFN * 4096ull + 0x800), 2, PAGES_FIRST * 4096 | FLAGS);
	}
}

void acts_do(struct vcpu *v, const struct step *s)
{
	TRACE("act %u of %u, vcpu %u\n", s->op - 1u, s->a, (unsigned)(v - v->vm->vcpu));
	if (s->op - 1 >= OUT)
		by_host(v, s);
	else
		by_guest(v, s);
}

#define SPARE 16u /* an entry of the first table that nobody uses: each has written to the table before */
#define PAGES_IN 128u

/* What the sequences use is in memory, but for what the host takes away. */
static void bring_in(struct vm *vm)
{
	for (uint64_t gfn = 0; gfn < PAGES_IN; gfn++) {
		struct page *p = page_find(vm, gfn);

		if (!p || ram_find(vm, gfn)->kind != SLOT_RAM)
			continue;
		page_in(ram_find(vm, gfn), gfn - ram_find(vm, gfn)->base, true);
		phys_ptr(&vm->world->phys, p->hfn);
	}
}

/* The first two pages of either table, by both roots. */
static void lay_out(struct vcpu *v)
{
	uint64_t flags = X_P | X_W | X_U | X_A | X_D, gfns[] = { 24, 25, 22, L2_GFN, L1_GFN };

	for (unsigned i = 0; i < 5; i++) {
		uint64_t next = i < 2 ? 22 : i == 4 ? PAGES_FIRST : gfns[i + 1];

		guest_store(v, gfns[i] * 4096, 8, next * 4096 | flags, true);
	}
	guest_store(v, L2_GFN * 4096 + 8, 8, L1_OTHER * 4096 | flags, true);
	guest_store(v, entry_at(1), 8, 101 * 4096 | flags, true);
	guest_store(v, entry_at(512), 8, 102 * 4096 | flags, true);
	guest_store(v, entry_at(513), 8, 103 * 4096 | flags, true);
	for (unsigned i = 0; i < v->vm->world->c.vcpus; i++) {
		guest_mode(&v->vm->vcpu[i], X_4LEVEL, 0);
		guest_flush_all(&v->vm->vcpu[i]);
	}
}

unsigned acts_length(const struct step *s, unsigned most)
{
	unsigned n = 0;

	while (n < most && s[n].op)
		n++;
	return n;
}

void acts_begin(struct world *w, const struct crossing *c)
{
	bring_in(&w->vm[0]);
	lay_out(&w->vm[0].vcpu[0]);
	for (unsigned i = 0; i < w->c.vcpus && !w->failed; i++)
		guest_edit(&w->vm[0].vcpu[i], entry_at(SPARE), 8, i, false);
	for (unsigned i = 0; i < acts_length(c->before, BEFORE_MOST) && !w->failed; i++)
		acts_do(&w->vm[0].vcpu[c->before[i].who], &c->before[i]);
}

void acts_forget(void) { memset(saw, 0, sizeof(saw)); }

uint64_t acts_halves(const struct crossing *c)
{
	for (unsigned i = 0; i < acts_length(c->before, BEFORE_MOST); i++)
		if (c->before[i].op == NARROW + 1)
			return L1_GFN;
	return 0;
}

uint64_t acts_state(struct world *w)
{
	uint64_t h = 0;

	for (unsigned i = 0; i < w->c.vcpus; i++)
		h = mix(h ^ saw[i]);
	for (uint64_t gfn = 0; gfn < PAGES_IN; gfn++) {
		struct page *p = page_find(&w->vm[0], gfn);

		for (unsigned i = 0; p && p->bytes && i < PAGE_SIZE; i += 8)
			h = mix(h ^ *(const uint64_t *)(p->bytes + i));
		h = mix(h ^ (p && p->in));
	}
	return h;
}

void acts_look_at_all(struct world *w)
{
	for (unsigned i = 0; i < w->c.vcpus && !w->failed; i++) {
		guest_flush_all(&w->vm[0].vcpu[i]);
		for (unsigned page = 0; page < 2 && !w->failed; page++)
			access_page(&w->vm[0].vcpu[i], page, true);
	}
	gm_settle_flags(&w->vm[0]);
	gm_compare(&w->vm[0]);
}
