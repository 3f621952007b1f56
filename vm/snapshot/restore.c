/* vm/snapshot/restore.c - a virtual machine that begins as a snapshot has it: in place of a kernel its description
 * names a boot module with that. */
#include "vm/snapshot/firmware.h"

#include "host/boot/multiboot.h"
#include "host/cpu/unpack.h"
#include "lib/mutants/mutate.h"
#include "vm/load/image.h"
#include "vm/vm.h"

static bool refuse(struct vm *vm, const char *why)
{
	vm_end(vm, VM_STATUS_BAD_IMAGE, "cannot be restored: %s", why);
	return false;
}

static bool refuse_fields(struct vm *vm, const struct fields *s)
{
	bool within = s->where && s->where[0];

	vm_end(vm, VM_STATUS_BAD_IMAGE, "cannot be restored: in its snapshot%s%s, %s", within ? "'s section " : "",
	       within ? s->where : "", s->why ? s->why : "something is wrong");
	return false;
}

/* That of the virtual machine which is being made: one at a time, by the first CPU (LC1), from restore_begin() to
 * restore_vcpus(). It has been looked at whole, once (SF1). */
static struct snapshot_file file;

static bool open_file(struct vm *vm)
{
	const struct boot_module *m = vm_find_module(vm, vm->config->restore, "snapshot");
	char why[sizeof(vm->end_text) - 40];

	if (!m)
		return false;
	if (snapshot_open(&file, m->data, m->size, why, sizeof(why)))
		return true;
	return refuse(vm, why);
}

/* The guest keeps the CPU that it was shown, where this one can be that. Which controls of speculation the CPU has is
 * known behind mitigations_choose. */
bool restore_begin(struct vm *vm)
{
	static struct cpuid_policy shown, can; /* as .file */
	struct snapshot_chunk c;
	struct fields s;
	const char *lacks;

	if (!open_file(vm) || !snapshot_find(&file, SNAPSHOT_MACHINE, 0, &c))
		return false;
	can = vm->cpuid;
	state_load(&s, c.data, c.bytes, 0);
	cpuid_state(&s, &shown);
	if (s.bad)
		return refuse_fields(vm, &s);
	can.basic[CPUID_LEAF_FEATURES].edx |= machine.speculation.guest_l7_edx;
	lacks = cpuid_lacks(&shown, &can);
	if (lacks) {
		vm_end(vm, VM_STATUS_UNSUPPORTED, "cannot be restored: its guest was shown a CPU with %s, which this "
		       "one has not; use the CPU that the snapshot was taken on, or one that has all of that", lacks);
		return false;
	}
	vm->cpuid = shown;
	return true;
}

/* ---- memory ---- */

/* At most SNAPSHOT_RUN_MAX pages. */
static bool is_ram(const struct vm *vm, uint64_t gfn, uint64_t pages)
{
	for (; pages; pages--)
		if (!save_is_memory(vm, gfn + pages - 1))
			return false;
	return true;
}

static bool put_run(struct vm *vm, const struct snapshot_chunk *c)
{
	static uint8_t run[SNAPSHOT_RUN_MAX * PAGE_SIZE];
	uint64_t gfn = snapshot_u64(c->data), bytes;
	uint32_t pages = snapshot_u32(c->data + 8);

	if (VM_KEPT(RESTORE_RAM, pages > SNAPSHOT_RUN_MAX || !pages || !is_ram(vm, gfn, pages)))
		return refuse(vm, "its snapshot has memory where it has no RAM");
	bytes = (uint64_t)pages << PAGE_SHIFT;
	if (snapshot_u32(c->data + 12) > c->bytes - SNAPSHOT_RUN_HEAD ||
	    VM_KEPT(RESTORE_UNPACKS, !unpack_block(run, bytes, c->data + SNAPSHOT_RUN_HEAD,
						   snapshot_u32(c->data + 12))))
		return refuse(vm, "its snapshot has memory that does not unpack");
	if (save_write(vm, gfn << PAGE_SHIFT, run, bytes))
		return true;
	return refuse(vm, "there is no memory for its RAM");
}

static bool put_memory(struct vm *vm)
{
	struct snapshot_chunk c = { .next = 0 };

	while (snapshot_next(&file, &c)) {
		if (c.kind != SNAPSHOT_MEMORY)
			continue;
		if (c.bytes < SNAPSHOT_RUN_HEAD)
			return refuse(vm, "its snapshot has memory that does not unpack");
		if (!put_run(vm, &c))
			return false;
	}
	return true;
}

/* ---- devices and CPUs ---- */

/* The chunk's first section was read by restore_begin(). */
bool restore_machine(struct vm *vm)
{
	static struct cpuid_policy again;
	struct cpu_start start; /* which it is past */
	struct snapshot_chunk c;
	struct fields s;

	if (!snapshot_find(&file, SNAPSHOT_MACHINE, 0, &c) || (firmware_given(vm) && !firmware_load(vm, &start)) ||
	    !put_memory(vm))
		return false;
	state_load(&s, c.data, c.bytes, 0);
	cpuid_state(&s, &again);
	spin_lock(&vm->device_lock);
	machine_state(&s, vm);
	spin_unlock(&vm->device_lock);
	state_done(&s);
	if (s.bad)
		return refuse_fields(vm, &s);
	vm->save.shift = s.shift;
	return true;
}

bool restore_vcpus(struct vm *vm)
{
	uint32_t shown = vm->cpuid.basic[CPUID_LEAF_FEATURES].edx;
	struct snapshot_chunk c;
	struct fields s;
	struct vcpu *v;

	mitigations_choose(vm);
	vm->cpuid.basic[CPUID_LEAF_FEATURES].edx = shown;
	if (vm->ended)
		return false;
	for_each_vcpu(v, vm) {
		if (!snapshot_find(&file, SNAPSHOT_CPU, v->id, &c))
			return refuse(vm, "its snapshot has no registers of a CPU of it");
		if (hvm_switches_syscall())
			return refuse(vm, "on this CPU (AMD-V) no snapshot holds all of a guest's registers yet");
		vcpu_prepare(v);
		state_load(&s, c.data, c.bytes, vm->save.shift);
		if (!cpu_state(&s, v))
			return s.bad ? refuse_fields(vm, &s) : refuse(vm, "there is no memory for its tables");
		if (VM_KEPT(RESTORE_CPU_END, (state_done(&s), s.bad)))
			return refuse_fields(vm, &s);
	}
	return true;
}
