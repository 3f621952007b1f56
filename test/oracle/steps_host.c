/* The steps of the host: swapping, merging, logging, the memory map, the vCPUs themselves. */
#include <string.h>

#include "test/oracle/weave.h"

static void all_leave(struct vm *vm)
{
	for (unsigned i = 0; i < vm->world->c.vcpus; i++)
		leave(&vm->vcpu[i]);
}

static uint64_t host_gfn(struct world *w, const struct step *s)
{
	return s->b & 1   ? layout_gfn(w, s->v & 0xfffff)
	       : s->b & 2 ? layout_table(s->b & 4 ? X_32BIT : X_5LEVEL, s->v & 0xfff)
			  : s->v % 3072;
}

static void do_merge(struct vm *vm, const struct step *s)
{
	uint64_t a = host_gfn(vm->world, s), b = layout_gfn(vm->world, s->v >> 20 & 0xfffff);
	struct page *p = page_find(vm, a), *q = page_find(vm, b);

	if (!p || !q || p == q || ram_find(vm, a)->kind != SLOT_RAM || ram_find(vm, b)->kind != SLOT_RAM ||
	    a == IDENTITY_GFN || b == IDENTITY_GFN)
		return;
	if (s->a & 1) {
		/* A device makes them equal. */
		static uint8_t bytes[PAGE_SIZE];

		memset(bytes, 0, sizeof(bytes));
		if (p->bytes)
			memcpy(bytes, p->bytes, PAGE_SIZE);
		if (vm->changes + 600 > HISTORY ||
		    mmu_guest_write(&vm->mmu, GPA(b * 4096), bytes, PAGE_SIZE) != PAGE_SIZE)
			return;
		for (unsigned i = 0; i < PAGE_SIZE; i += 8) {
			uint64_t word;

			memcpy(&word, bytes + i, 8);
			gm_write(vm, b * 4096 + i, 8, word);
		}
	}
	pages_merge(vm, a, b);
}

static struct ram *loggable(struct vm *vm, const struct step *s)
{
	struct ram *r = &vm->ram[s->b % 3 == 2 ? 4 : s->b % 2];

	return r->present && r->kind == SLOT_RAM ? r : NULL;
}

static void log_start(struct vm *vm, struct ram *r)
{
	if (!r || r->logging || r->collecting)
		return;
	r->collecting = true;
	memset(r->log, 0, (r->pages + 63) / 64 * 8);
	if (!mmu_log_start(&vm->mmu, GFN(r->base), r->log)) {
		if (!vm->world->c.starved || vm->world->c.mmu.log != MMU_LOG_PML)
			fail(vm->world, "mmu_log_start refuses");
		r->collecting = false;
		return;
	}
	/* What a vCPU wrote while it was being kicked came before the log. */
	for (uint64_t i = 0; i < r->pages; i++)
		r->page[i].written = false;
	cover(vm->world, COVER_LOGS);
	if (vm->mmu.log_by == MMU_LOG_FLAGS || vm->mmu.log_by == MMU_LOG_PML)
		cover(vm->world, vm->mmu.log_by == MMU_LOG_FLAGS ? COVER_LOG_FLAGS : COVER_LOG_PML);
	r->logging = true;
	r->collecting = false;
}

static void log_collect(struct vm *vm, struct ram *r)
{
	uint64_t began = vm->world->now;

	if (!r || !r->logging || r->collecting)
		return;
	r->collecting = true;
	vm->world->now += vm->world->weave != NULL; /* what is written from now on is later */
	weave_collected(vm->world);
	if (!mmu_log_collect(&vm->mmu, GFN(r->base), r->log_out))
		fail(vm->world, "mmu_log_collect refuses");
	for (uint64_t i = 0; i < r->pages; i++) {
		bool told = r->log_out[i / 64] >> (i & 63) & 1;

		/* What was written in the middle of the call may be for the next. */
		if (!r->page[i].written || (!told && r->page[i].written_at > began))
			continue;
		if (!told)
			fail(vm->world, "page %llx was written, and the log does not say so (S13)",
			     (unsigned long long)(r->base + i));
		cover(vm->world, COVER_LOGGED);
		r->page[i].written = false;
	}
	r->collecting = false;
}

static void log_stop(struct vm *vm, struct ram *r)
{
	if (!r || !r->logging || r->collecting)
		return;
	r->collecting = true;
	if (!mmu_log_stop(&vm->mmu, GFN(r->base)))
		fail(vm->world, "mmu_log_stop refuses");
	r->logging = r->collecting = false;
}

static void slot_toggle(struct vm *vm, struct ram *r)
{
	if (r->present) {
		log_stop(vm, r);
		if (!mmu_slot_remove(&vm->mmu, GFN(r->base)))
			fail(vm->world, "mmu_slot_remove refuses");
	} else {
		struct slot slot = ram_slot(r);

		if (!mmu_slot_add(&vm->mmu, &slot))
			fail(vm->world, "mmu_slot_add refuses");
	}
	r->present = !r->present;
	cover(vm->world, r->present ? COVER_SLOT_BACK : COVER_SLOT_GONE);
}

/* A slot goes or comes back. Guests flush, since their tables may have been in it. */
static void do_slot(struct vcpu *v, const struct step *s)
{
	struct vm *vm = v->vm;
	struct ram *r = &vm->ram[s->a & 1 ? 1 : s->a & 2 ? 3 : 2];
	bool twice;

	if ((s->a >> 7 & 3) == 3)
		r = vm->apic;
	/* Where the devices are there may be memory for a while. */
	if (r == &vm->ram[3] && (vm->ram[5].present || (!r->present && s->a & 4)))
		r = &vm->ram[5];
	twice = r->base == DEVICE_GFN && r->present && s->a & 8;

	if (twice && r->kind == SLOT_MMIO)
		guest_map_device(v);
	if (vm->world->failed)
		return;
	if (!r->present && s->a & 64)
		guest_table_nowhere(v, r->base);
	else if (r == &vm->ram[1] && s->a & 64)
		guest_table_in(v, r->base);
	if (vm->world->failed)
		return;
	/* A user of the heart may stop the vCPUs first, and need not. */
	if (s->a & 32)
		all_leave(vm);
	/* Or it changed so often unseen that its generation looks the same in an MMIO leaf. */
	if (s->a & 16)
		vm->mmu.slots.generation += BIT(14) - (twice ? 2 : 1);
	slot_toggle(vm, r);
	/* The one for the other, under the guest's eyes. */
	if (twice)
		slot_toggle(vm, &vm->ram[r == &vm->ram[3] ? 5 : 3]);
	for (unsigned i = 0; i < vm->world->c.vcpus && !vm->world->failed; i++)
		guest_flush_all(&vm->vcpu[i]);
	if (!vm->world->failed && x_mode(&v->regs) != X_NONE)
		guest_look_again(v);
}

static void do_migrate(struct vcpu *v, const struct step *s)
{
	unsigned cpu = s->a % v->vm->world->c.cpus;

	leave(v);
	if (v->cpu != cpu)
		cover(v->vm->world, COVER_MIGRATED);
	if (v->vm->world->weave)
		weave_migrate(v, cpu);
	v->cpu = cpu;
}

/* INIT, after which the guest goes to its mode as after power-up. */
static void do_init(struct vcpu *v, const struct step *s)
{
	leave(v);
	if (!vcpu_init_reset(v))
		fail(v->vm->world, "mmu_vcpu_reset refuses");
	cover(v->vm->world, COVER_INIT);
	if (!v->vm->world->failed)
		guest_cr0(v, v->regs.cr0 | X_CR0_PE);
	if (!v->vm->world->failed && (v->vm->world->c.mode_fixed || s->a & 2))
		guest_mode(v, v->vm->world->c.mode, s->b);
}

static void do_reboot(struct vcpu *v)
{
	leave(v);
	mmu_vcpu_destroy(&v->mmu);
	v->vm->world->made = false; /* a new vCPU's two low frames come from below */
	if (!vcpu_boot(v))
		fail(v->vm->world, "mmu_vcpu_init refuses");
	v->vm->world->made = true;
	if (v->mmu.tag.vpid)
		cover(v->vm->world, COVER_VPID_REUSED);
}

static void do_switch(struct vm *vm, const struct step *s)
{
	const struct mmu_ops *to = config_mechanism(&vm->world->c, s->a);

	if (!vm->world->c.switching || mmu_unsupported(to, &vm->world->c.caps, &vm->world->c.mmu))
		return;
	if (s->b % 8 == 7 && vm_may_move(vm)) {
		weave_freeze(vm->world);
		vm_move(vm, to);
		weave_thaw(vm->world);
		return;
	}
	if (to == vm->mmu.ops)
		return;
	weave_freeze(vm->world);
	all_leave(vm);
	for (unsigned i = 0; i < vm->world->c.vcpus; i++)
		tell_registers(&vm->vcpu[i]);
	/* Where there are no frames for tables but those that it has, the other mechanism may need more. */
	if (mmu_switch(&vm->mmu, to)) {
		cover(vm->world, COVER_SWITCHED);
		pages_forget_age(vm);
	} else if (!vm->world->c.starved)
		fail(vm->world, "mmu_switch refuses");
	weave_thaw(vm->world);
}

/* A 2-MByte block leaves memory at once; or all of it comes back together, to where it was contiguous. */
static void do_block(struct vm *vm, const struct step *s)
{
	struct ram *r = &vm->ram[s->b & 1];
	uint64_t first = (s->b >> 1 & 1) * 512;

	if (!r->present || first + 512 > r->pages)
		return;
	block_out(r, first);
	if (s->a & 1)
		block_home(r, first);
}

/* The vCPU leaves its guest, and pages may be aged before, with others in theirs. */
static void do_exit(struct vcpu *v, uint64_t gfn, const struct step *s)
{
	unsigned order = s->a >> 3 & 15;

	if (!(s->a & 2) && order < 10)
		pages_age(v->vm, align_down(gfn, BIT(order)), BIT(order), s->a & 4);
	leave(v);
}

static void log_step(struct vm *vm, const struct step *s)
{
	struct ram *which = loggable(vm, s);

	if (s->op == OP_LOG_START)
		log_start(vm, which);
	else if (s->op == OP_LOG_COLLECT)
		log_collect(vm, which);
	else
		log_stop(vm, which);
}

void host_step(struct vcpu *v, const struct step *s)
{
	struct vm *vm = v->vm;
	uint64_t gfn = host_gfn(vm->world, s); /* never IDENTITY_GFN */
	switch (overlay_instead(&vm->world->c, s) && !vm->world->weave ? OP_COUNT : s->op) {
	case OP_MIGRATE:
		do_migrate(v, s);
		break;
	case OP_EXIT:
		do_exit(v, gfn, s);
		break;
	case OP_REBOOT:
		s->a & 1 ? do_init(v, s) : do_reboot(v);
		break;
	case OP_SWITCH:
		do_switch(vm, s);
		break;
	case OP_SLOT:
		do_slot(v, s);
		break;
	case OP_SWAP_OUT:
		page_out(vm, gfn);
		break;
	case OP_MERGE:
		do_merge(vm, s);
		break;
	case OP_BLOCK:
		do_block(vm, s);
		break;
	case OP_DROP:
		/* As a balloon or a change of policy might, for no reason that the tables know. */
		mmu_unmap(&vm->mmu, GFN(align_down(gfn, BIT(s->a % 12))), BIT(s->a % 12));
		break;
	case OP_PROTECT:
		mmu_write_protect(&vm->mmu, GFN(gfn), 1 + (s->a & 3));
		break;
	case OP_COUNT:
		overlay_step(v, gfn, s);
		break;
	default:
		log_step(vm, s);
	}
}
