/* exhaustive: every combination of the bits that decide an access, through every mechanism, each access fresh and again
 * cached.
 *
 *   exhaustive [--full] [--mechanism NAME] [--mode 32|pae|4level|5level]
 *
 * P, W, U, A, D, XD and a reserved bit in the leaf and one level up, by CR0.WP, EFER.NXE, CR4.SMEP, CR4.SMAP,
 * RFLAGS.AC, by user or supervisor, by read, write or fetch, and by implicit reads and writes. A guest of five levels
 * runs through EPT tables of four levels and of five. Without --full, entries that are not present are tried in a few
 * forms only. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mmu/mechanisms.h"
#include "test/caps.h"
#include "test/oracle/oracle.h"

#define TABLE_L4 layout_root(X_4LEVEL, 0)
#define L3_GFN 200u
#define L2_GFN 201u
#define L1_GFN 202u
#define DATA_GFN 100u
#define INDEX 1u

static const char *const mode_names[] = { "none", "32", "pae", "4level", "5level" };

/* The seven flags, by number. */
static uint64_t flags(enum x_mode mode, unsigned n)
{
	static const uint64_t bit[] = { X_P, X_W, X_U, X_A, X_D, X_XD, BIT(51) };
	uint64_t e = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(bit); i++)
		if (n >> i & 1)
			e |= bit[i];
	return mode == X_32BIT ? e & 0xffffffff : e;
}

static bool worth(enum x_mode mode, unsigned n, bool full)
{
	if (mode == X_32BIT && n >= 32)
		return false; /* the format has neither XD nor, here, reserved bits */
	return full || n & 1 || n == 0 || n == 0x3e || n == 0x7e;
}

struct place {
	struct vcpu *v;
	enum x_mode mode;
	uint64_t va, up, leaf; /* where the two entries are */
	unsigned size;
};

static void store(struct place *p, uint64_t at, uint64_t value)
{
	if (gm_read(p->v->vm, at, p->size) != value)
		guest_store(p->v, at, p->size, value, true);
}

static struct place set_up(struct vcpu *v, enum x_mode mode)
{
	struct place p = { .v = v, .mode = mode, .size = mode == X_32BIT ? 4 : 8 };
	uint64_t all = X_P | X_W | X_U | X_A, l2 = L2_GFN * 4096ull;

	if (mode == X_32BIT)
		l2 = layout_root(mode, 0);
	else if (mode == X_PAE)
		guest_store(v, layout_root(mode, 0), 8, l2 | X_P, true);
	else {
		if (mode == X_5LEVEL) {
			guest_store(v, layout_root(mode, 0) + 8 * INDEX, 8, TABLE_L4 | all, true);
			p.va = (uint64_t)INDEX << 48;
		}
		guest_store(v, TABLE_L4 + 8 * INDEX, 8, L3_GFN * 4096ull | all, true);
		guest_store(v, L3_GFN * 4096ull, 8, l2 | all, true);
		p.va |= (uint64_t)INDEX << 39;
	}
	p.up = l2 + INDEX * p.size;
	p.leaf = L1_GFN * 4096ull + INDEX * p.size;
	p.va |= (uint64_t)INDEX << (mode == X_32BIT ? 22 : 21) | INDEX << 12;
	guest_mode(v, mode, 0);
	return p;
}

static bool set_registers(struct vcpu *v, unsigned n)
{
	uint64_t cr4 = v->regs.cr4 & ~(X_CR4_SMEP | X_CR4_SMAP);

	return guest_cr0(v, n & 1 ? v->regs.cr0 | X_CR0_WP : v->regs.cr0 & ~X_CR0_WP) &&
	       guest_efer(v, n & 2 ? v->regs.efer | X_EFER_NXE : v->regs.efer & ~X_EFER_NXE) &&
	       guest_cr4(v, cr4 | (n & 4 ? X_CR4_SMEP : 0) | (n & 8 ? X_CR4_SMAP : 0));
}

/* One access of every kind, each from the same entries. */
static bool try_entries(struct place *p, uint64_t up, uint64_t leaf)
{
	struct vcpu *v = p->v;
	uint64_t value = 0x123456789abcdef0ull, gpa;

	/* A long history is slow to search. */
	if (v->vm->changes > 64 || v->events > EVENTS / 2 || v->contexts > CONTEXTS / 2)
		flush_history(v->vm);
	for (unsigned kind = 0; kind < 16; kind++) {
		struct x_access a = { .user = kind & 1, .write = kind / 2 % 3 == 1, .fetch = kind / 2 % 3 == 2 };

		v->regs.ac = kind / 6;
		if (kind >= 12) {
			a = (struct x_access){ .implicit = true, .write = kind & 1 };
			v->regs.ac = kind / 2 & 1;
		}
		store(p, p->up, up);
		store(p, p->leaf, leaf);
		guest_invlpg(v, p->va);
		for (unsigned twice = 0; twice < 2; twice++) {
			guest_access(v, p->va, a, 8, a.write ? &value : NULL, &gpa);
			if (v->vm->world->failed)
				return false;
		}
	}
	return true;
}

static bool try_mode(struct world *w, enum x_mode mode, bool full)
{
	struct place p = set_up(&w->vm[0].vcpu[0], mode);
	unsigned registers = mode == X_32BIT ? 13 : 15;

	for (unsigned r = 0; r < 16 && !w->failed; r++) {
		if ((r & registers) != r)
			continue;
		if (!set_registers(p.v, r))
			fail(w, "the registers cannot be set");
		for (unsigned u = 0; u < 128 && !w->failed; u++)
			for (unsigned l = 0; l < 128 && worth(mode, u, full); l++)
				if (worth(mode, l, full) && !try_entries(&p, flags(mode, u) | L1_GFN * 4096ull,
									 flags(mode, l) | DATA_GFN * 4096ull)) {
					printf("  registers %x, upper entry flags %x, leaf flags %x\n", r, u, l);
					break;
				}
	}
	return !w->failed;
}

static bool try_mechanism(const struct mmu_ops *ops, enum x_mode mode, unsigned ept_levels, bool full,
			  uint64_t *accesses)
{
	struct config c = config_from_seed(0, ops);
	struct world *w;
	bool ok;

	c.caps = caps_all();
	c.caps.maxphyaddr = 39;
	c.caps.pku = c.caps.pcid = c.caps.ept_ad = false;
	if (ops == &mmu_npt)
		caps_be_amds(&c.caps);
	c.mmu = (struct mmu_config){ .page_limit = PAGE_LIMIT_2M, .vpid = true, .ept_levels = (uint8_t)ept_levels };
	c.vms = c.vcpus = c.cpus = 1;
	c.adversarial = c.races = c.switching = c.big_ram = false;
	c.mode = X_NONE;
	w = world_make(&c);
	if (!w) {
		printf("FAILED: %s cannot run\n", ops->name);
		return false;
	}
	ok = try_mode(w, mode, full);
	if (!ok)
		printf("FAILED: %s\n", w->why);
	printf("%-7s %-6s %8llu accesses, each combination fresh and cached%s\n", ops->name, mode_names[mode],
	       (unsigned long long)w->account.accesses, ept_levels == 5 ? ", through EPT of five levels" : "");
	*accesses += w->account.accesses;
	world_free(w);
	free(w);
	return ok;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "full", 0, NULL, 'f' }, { "mechanism", 1, NULL, 'm' }, { "mode", 1, NULL, 'o' }, { NULL, 0, NULL, 0 }
	};
	const char *mechanism = NULL, *mode = NULL;
	bool full = false, ok = true;
	uint64_t accesses = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		if (c == 'f')
			full = true;
		else if (c == 'm')
			mechanism = optarg;
		else if (c == 'o')
			mode = optarg;
		else
			return 2;
	}
	for (unsigned i = 0; mmu_mechanisms[i]; i++) {
		if (mechanism && strcmp(mechanism, mmu_mechanisms[i]->name) != 0)
			continue;
		for (enum x_mode m = X_32BIT; m <= X_5LEVEL; m++)
			if (!mode || strcmp(mode, mode_names[m]) == 0)
				ok &= try_mechanism(mmu_mechanisms[i], m, 4, full, &accesses);
		if (mmu_mechanisms[i] == &mmu_ept && (!mode || strcmp(mode, mode_names[X_5LEVEL]) == 0))
			ok &= try_mechanism(mmu_mechanisms[i], X_5LEVEL, 5, full, &accesses);
	}
	printf("%llu accesses\n", (unsigned long long)accesses);
	return ok ? 0 : 1;
}
