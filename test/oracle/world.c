/* A machine with its virtual machines, made from a configuration, which is made from a seed. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test/oracle/oracle.h"

#include "mmu/mechanisms.h"
#include "test/caps.h"

bool oracle_trace;

void fail(struct world *w, const char *format, ...)
{
	va_list ap;

	if (w->failed)
		return;
	w->failed = true;
	w->kind = format;
	va_start(ap, format);
	vsnprintf(w->why, sizeof(w->why), format, ap);
	va_end(ap);
}

/* ---- configurations ---- */

static bool chance(uint64_t *s, unsigned percent) { return next_random(s) % 100 < percent; }

static struct mmu_caps random_caps(uint64_t *s, const struct mmu_ops *ops)
{
	static const uint8_t widths[] = { 36, 39, 40, 46 };
	struct mmu_caps k = { .maxphyaddr = widths[next_random(s) & 3], .nx = true };

	k.page_1g = chance(s, 60);
	k.smep = chance(s, 70);
	k.smap = chance(s, 70);
	k.pku = chance(s, 25);
	k.pcid = chance(s, 50);
	k.la57 = chance(s, 50);
	k.ept = ops->nested || chance(s, 50);
	k.ept_execute_only = chance(s, 70);
	k.ept_wb = chance(s, 80);
	k.ept_2m = chance(s, 80);
	k.ept_1g = k.ept_2m && chance(s, 70);
	k.ept_ad = chance(s, 60);
	k.invept = k.ept;
	k.invept_single = chance(s, 80);
	k.invept_all = !k.invept_single || chance(s, 80);
	k.vpid = chance(s, 85);
	k.invvpid = k.vpid;
	k.invvpid_address = chance(s, 80);
	k.invvpid_single = chance(s, 80);
	k.invvpid_all = !k.invvpid_single || chance(s, 80);
	k.invvpid_single_retaining_globals = chance(s, 70);
	k.unrestricted_guest = k.ept && chance(s, 70);
	if (ops == &mmu_npt)
		caps_be_amds(&k);
	return k;
}

/* Some sequences, by their seed alone, so that those of the others do not depend on it: EPT tables of five levels, as
 * the configuration asks for; the same because there is memory beyond what four translate; and addresses, but no
 * memory, there. */
static void widen(struct config *c)
{
	unsigned which = c->seed % 16;

	if (which == 6 || which == 7 || which == 10)
		c->caps.ept_5level = c->caps.ept;
	if (which == 6 || which == 7)
		c->mmu.ept_levels = c->caps.ept_5level ? 5 : 0;
	c->top = which == 3 || which == 9 || which == 14;
	if (which != 10 && which != 12)
		return;
	c->caps.maxphyaddr = 52;
	/* Mechanisms without EPT have memory there whatever the CPU's EPT can do, unless they may go over to it. */
	c->wide = which == 10 && (c->caps.ept_5level || !c->switching);
	c->mmu.gpa_bits = c->wide ? 52 : 0;
}

/* Some CPUs log page modifications, and some hosts do not let them: by the seed alone, as above. */
static void choose_log(struct config *c)
{
	unsigned which = c->seed / 16 % 8;

	c->caps.pml = c->caps.ept_ad && which >= 2;
	c->mmu.log_entries = which & 1 ? 4 + which : 0;
	c->mmu.log = which == 3 || which == 4 ? MMU_LOG_FLAGS : which == 5   ? MMU_LOG_PROTECT
		     : which == 6 && c->caps.pml ? MMU_LOG_PML
				  : MMU_LOG_AUTO;
}

static void piecewise(struct config *c, uint64_t by)
{
	c->blocks = !c->linear && (by & 1);
	c->touching = by & 2;
}

static void by_seed_alone(struct config *c)
{
	widen(c);
	choose_log(c);
	piecewise(c, mix(c->seed));
}

const struct mmu_ops *config_mechanism(const struct config *c, unsigned n)
{
	static const struct mmu_ops *const others[] = { &mmu_shadow, &mmu_vtlb, &mmu_brute };

	n %= ARRAY_SIZE(others) + 1;
	return n ? others[n - 1] : c->caps.npt ? &mmu_npt : &mmu_ept;
}

struct config config_from_seed(uint64_t seed, const struct mmu_ops *ops)
{
	static const uint8_t limits[] = { PAGE_LIMIT_4K, PAGE_LIMIT_2M, PAGE_LIMIT_1G };
	uint64_t s = seed * 2 + 1;
	struct config c = { .ops = ops, .seed = seed };

	c.caps = random_caps(&s, ops);
	c.mmu.page_limit = limits[next_random(&s) % 3];
	c.mmu.vpid = chance(&s, 85);
	c.mmu.identity_map = GPA(c.caps.unrestricted_guest ? 0 : IDENTITY_GFN * 4096);
	c.mmu.table_frames = chance(&s, 30) ? next_random(&s) % 64 : 0;
	c.vms = chance(&s, 40) ? 2 : 1;
	c.vcpus = chance(&s, 60) ? 2 : 1;
	c.cpus = 1 + next_random(&s) % CPUS_AT_RANDOM;
	c.vpid_limit = 2 + next_random(&s) % 4;
	c.guest_pcid = chance(&s, 60);
	c.big_ram = chance(&s, 8);
	c.switching = chance(&s, 30);
	c.adversarial = chance(&s, 85);
	c.races = chance(&s, 50);
	c.low_frames = chance(&s, 50);
	/* Guests of shadow tables have neither protection keys nor PCIDs. */
	c.caps.pku &= !c.switching && ops->nested;
	c.caps.pcid &= !c.switching && ops->nested;
	c.guest_pcid &= c.caps.pcid;
	c.mode = next_random(&s) % 20;
	c.mode = c.mode < 1		       ? X_NONE
		 : c.mode < 5		       ? X_32BIT
		 : c.mode < 9		       ? X_PAE
		 : c.mode < 17 || !c.caps.la57 ? X_4LEVEL
					       : X_5LEVEL;
	c.mode_fixed = chance(&s, 70);
	c.linear = chance(&s, 30);
	c.refusing = chance(&s, 20);
	c.starved = chance(&s, 40);
	c.mmu.work = chance(&s, 40) ? 2 + next_random(&s) % 8 : 0;
	c.mmu.ram_pages = 4096;
	if (c.mmu.table_frames)
		c.mmu.table_frames += c.switching ? 180 : ops->least;
	by_seed_alone(&c);
	return c;
}

/* ---- machines ---- */

static struct walk_regs walk_regs_of(const struct world *w, const struct x_regs *r)
{
	const struct mmu_caps *k = &w->c.caps;
	struct walk_regs out = { .cr0 = r->cr0,
				 .cr3 = r->cr3,
				 .cr4 = r->cr4,
				 .efer = r->efer,
				 .maxphyaddr = r->maxphyaddr,
				 .has_1g = r->page_1g,
				 .pkru = r->pkru,
				 .ac = r->ac };
	uint64_t cr4 = X_CR4_PSE | X_CR4_PAE | X_CR4_PGE | (k->la57 ? X_CR4_LA57 : 0) | (k->pcid ? X_CR4_PCIDE : 0) |
		       (k->smep ? X_CR4_SMEP : 0) | (k->smap ? X_CR4_SMAP : 0) | (k->pku ? X_CR4_PKE : 0);

	memcpy(out.pdpte, r->pdpte, sizeof(out.pdpte));
	out.cr4_reserved = ~cr4;
	out.efer_reserved = ~(X_EFER_LME | X_EFER_LMA | X_EFER_NXE);
	return out;
}

static void forget(struct vcpu *v)
{
	memset(&v->vmcs, 0, sizeof(v->vmcs));
	v->view = v->regs;
	v->vmcs.guest = v->regs;
	v->in = NULL;
	v->stage = STAGE_OUT;
	v->unsynced = false;
	spec_forget(v);
}

bool vcpu_init_reset(struct vcpu *v)
{
	struct m_vmcs was = v->vmcs;
	struct walk_regs regs;

	v->regs.cr0 = X_CR0_ET | (v->regs.cr0 & (X_CR0_CD | X_CR0_NW));
	v->regs.cr3 = v->regs.cr4 = v->regs.efer = 0;
	regs = walk_regs_of(v->vm->world, &v->regs);
	forget(v);
	v->vmcs.pml_kept = was.pml_kept;
	v->vmcs.pml_index = was.pml_index;
	return mmu_vcpu_reset(&v->mmu, &regs).outcome == MMU_FIXED;
}

bool vcpu_boot(struct vcpu *v)
{
	struct world *w = v->vm->world;
	struct walk_regs regs = walk_regs_of(w, &v->regs);

	memset(&v->mmu, 0, sizeof(v->mmu));
	forget(v);
	return mmu_vcpu_init(&v->mmu, &v->vm->mmu, &regs);
}

#define APIC_HOME 0x1ff000 /* a frame of the VM's that no other slot has */

static bool make_map(struct vm *vm, unsigned n)
{
	const struct config *c = &vm->world->c;
	uint64_t home = (1u << 20) + n * (1u << 21);
	bool ok = ram_init(vm, 0, 1024, c->linear || c->blocks || c->seed & 64 ? home : 0, SLOT_RAM, MEMTYPE_WB) &&
		  ram_init(vm, 2048, 1024, home + 2048, SLOT_RAM, MEMTYPE_WB) &&
		  ram_init(vm, 1024, 16, 0, SLOT_ROM, MEMTYPE_WP) &&
		  ram_init(vm, DEVICE_GFN, 16, 0, SLOT_MMIO, MEMTYPE_UC) &&
		  ram_init(vm, 0x100000, 512, home + 0x100000, SLOT_RAM, MEMTYPE_WT) &&
		  ram_init(vm, DEVICE_GFN, 16, 0, SLOT_RAM, MEMTYPE_WB);

	if (ok && c->big_ram)
		ok = ram_init(vm, 0x40000, 1u << 18, (1u << 23) + n * (1u << 18), SLOT_RAM, MEMTYPE_WB);
	if (ok && c->wide)
		ok = ram_init(vm, WIDE_GFN, 1024, 0x8c0000 + n * 0x1000, SLOT_RAM, MEMTYPE_WB);
	if (ok && c->top)
		ok = ram_init(vm, TOP_GFN, 1, 0, SLOT_RAM, MEMTYPE_WB);
	if (ok && !c->caps.unrestricted_guest)
		ok = ram_init(vm, IDENTITY_GFN, 1, 0, SLOT_RAM, MEMTYPE_WB);
	vm->apic = &vm->ram[vm->rams];
	ok = ok && ram_init(vm, APIC_GFN, 1, home + APIC_HOME, SLOT_APIC, MEMTYPE_WB);
	for (unsigned i = 0; ok && i < vm->rams; i++) {
		struct slot slot = ram_slot(&vm->ram[i]);

		if (i == 5)
			continue; /* it takes turns with the devices */
		vm->ram[i].present = true;
		ok = mmu_slot_add(&vm->mmu, &slot);
	}
	return ok;
}

static bool make_vm(struct world *w, unsigned n)
{
	struct vm *vm = &w->vm[n];
	const struct config *c = &w->c;

	vm->world = w;
	vm->change = malloc(HISTORY * sizeof(*vm->change)); /* from 1 on, each is written before it is looked at */
	if (!vm->change || !mmu_vm_init(&vm->mmu, c->ops, &w->below, &c->caps, &c->mmu, w->vpids) || !make_map(vm, n))
		return false;
	layout_fill(vm);
	for (unsigned i = 0; i < c->vcpus; i++) {
		struct vcpu *v = &vm->vcpu[i];

		v->vm = vm;
		v->cpu = (n + i) % c->cpus;
		v->regs = (struct x_regs){ .cr0 = X_CR0_PE | X_CR0_ET,
					   .maxphyaddr = c->caps.maxphyaddr,
					   .page_1g = c->caps.page_1g };
		if (!vcpu_boot(v))
			return false;
	}
	if (overlay_config(c))
		mmu_watch(&vm->mmu, true);
	for (unsigned i = 0; i < c->vcpus; i++)
		guest_mode(&vm->vcpu[i], c->mode, 0);
	return true;
}

struct world *world_make(const struct config *c)
{
	struct world *w;

	if (mmu_unsupported(c->ops, &c->caps, &c->mmu))
		return NULL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->c = *c;
	w->now = 1;
	w->vpids = calloc(1, sizeof(*w->vpids));
	if (!w->vpids || !host_init(w))
		return NULL;
	vpid_pool_init(w->vpids, c->vpid_limit);
	for (unsigned i = 0; i < CPUS; i++)
		if (!m_cpu_init(&w->cpu[i], &w->phys, &w->c.caps,
				c->adversarial ? &m_geometry_adversarial : &m_geometry_plain))
			return NULL;
	for (unsigned i = 0; i < c->vms; i++)
		if (!make_vm(w, i))
			return NULL;
	w->made = true;
	return w;
}

static void tear_down(struct world *w)
{
	for (unsigned i = 0; i < w->c.vms; i++) {
		for (unsigned k = 0; k < w->c.vcpus; k++) {
			leave(&w->vm[i].vcpu[k]);
			mmu_vcpu_destroy(&w->vm[i].vcpu[k].mmu);
		}
		mmu_vm_destroy(&w->vm[i].mmu);
	}
	if (w->tables)
		fail(w, "%llu frames are still held by mmu/ at the end", (unsigned long long)w->tables);
}

void world_free(struct world *w)
{
	/* After a failure nothing in mmu/ can be relied on, nor is it needed. */
	if (!w->failed)
		tear_down(w);
	for (unsigned i = 0; i < CPUS; i++)
		m_cpu_fini(&w->cpu[i]);
	host_fini(w);
	free(w->vpids);
}
