/* lab/os/os.c - the guest OS: its beginning, its system calls. What it is for is said in lab/os/os.h, how it is built
 * in lab/os/inside.h. */
#include <stdlib.h>

#include "lab/os/inside.h"

/* All that can go wrong before the guest runs. */
static bool boot(struct lab_os *os, const struct lab_config *config)
{
	uint64_t cr4 = CR4_PAE | (os->pti || !config->guest.global ? 0 : CR4_PGE) | (os->pcid ? CR4_PCIDE : 0) |
		       (os->levels == 5 ? CR4_LA57 : 0);

	if (os->features.memory < 64ull << 20)
		return lab_fail(os->error, "guest.memory must be at least 64M");
	if (!frames_init(&os->frames, os->features.memory, config->guest.fragmentation, config->seed))
		return lab_fail(os->error, "no memory for the guest's frame allocator");
	if (!os_boot_tables(os))
		return false;
	os->zero_frame = os_alloc(os, 1);
	if (os->zero_frame == UINT64_MAX)
		return false;
	if (!lab_cpu_start(os->cpu, os->kernel_pgd, cr4))
		return lab_fail(os->error, "the guest cannot run: %s", lab_cpu_why(os->cpu));
	os->process = calloc(1, sizeof(*os->process));
	if (!os->process)
		return lab_fail(os->error, "no memory");
	os->processes = 1;
	os->process[0] = os_mm_new(os);
	if (!os->process[0])
		return false;
	os_load(os, os->process[0]);
	os_leave(os);
	return true;
}

struct lab_os *lab_os_new(struct lab_cpu *cpu, const struct lab_config *config, bool implicit, struct lab_error *error)
{
	struct lab_os *os = calloc(1, sizeof(*os));

	if (!os) {
		lab_fail(error, "no memory for the guest OS");
		return NULL;
	}
	os->cpu = cpu;
	os->config = &config->guest;
	os->features = lab_cpu_features(cpu);
	os->implicit = implicit;
	os->levels = os->features.levels;
	os->pcid = config->guest.pcid && os->features.pcid;
	os->pti = config->guest.pti;
	os->direct = os->levels == 5 ? LAB_DIRECT_MAP_5LEVEL : LAB_DIRECT_MAP;
	os->user_top = 1ull << (os->levels == 5 ? 56 : 47);
	os->kernel_flags = config->guest.global && !os->pti ? PTE_G : 0;
	os->error = error;
	if (!boot(os, config)) {
		lab_os_delete(os);
		return NULL;
	}
	os->count = (struct lab_os_counters){ 0 };
	return os;
}

void lab_os_delete(struct lab_os *os)
{
	if (!os)
		return;
	for (uint32_t i = 0; i < os->processes; i++) {
		if (os->process[i])
			free(os->process[i]->vma);
		free(os->process[i]);
	}
	free(os->process);
	free(os->cache.e);
	frames_fini(&os->frames);
	free(os);
}

/* A range of user addresses, page-aligned at its beginning. */
static bool good_range(struct lab_os *os, uint64_t start, uint64_t length, const char *what)
{
	if (!(start & 4095) && length && start < os->user_top && length <= os->user_top - start)
		return true;
	return lab_fail(os->error, "%s of %llu bytes at %#llx, which is no range of user addresses that begins a page",
			what, (unsigned long long)length, (unsigned long long)start);
}

static bool change_mappings(struct lab_os *os, struct mm *mm, const struct lab_call *c)
{
	uint64_t end = (c->addr + c->length + 4095) & ~4095ull;

	switch (c->kind) {
	case LAB_MMAP: return good_range(os, c->addr, c->length, "mmap") && os_mmap(os, mm, c);
	case LAB_MUNMAP: return good_range(os, c->addr, c->length, "munmap") && os_munmap(os, mm, c->addr, end);
	case LAB_MPROTECT:
		return good_range(os, c->addr, c->length, "mprotect") && os_mprotect(os, mm, c->addr, end, c->prot & 7);
	case LAB_MADVISE:
		return good_range(os, c->addr, c->length, "madvise") && os_madvise(os, mm, c->addr, end, c->prot);
	case LAB_MREMAP:
		return good_range(os, c->addr, c->length, "mremap") && good_range(os, c->to, c->to_length, "mremap") &&
		       os_mremap(os, mm, c);
	default:
		return (c->addr < os->user_top || lab_fail(os->error, "brk to a kernel address")) &&
		       os_brk(os, mm, c->addr);
	}
}

bool lab_os_call(struct lab_os *os, const struct lab_call *c, struct lab_error *error)
{
	struct mm *mm = os_mm(os);
	bool ok = true;

	os->error = error;
	if (!mm && c->kind != LAB_SWITCH)
		return lab_fail(error, "a system call while no process runs");
	os_enter(os);
	if (c->kind == LAB_SWITCH && os_cpu_of(os, c->process) != os->at && c->process < os->processes &&
	    os->process[c->process])
		os_go_to(os, os_cpu_of(os, c->process));
	lab_cpu_work(os->cpu, c->kind == LAB_SWITCH ? WORK_SWITCH : WORK_SYSCALL,
		     c->kind == LAB_SWITCH    ? os->config->path_switch
		     : c->kind == LAB_SYSCALL ? c->length
					      : os->config->path_syscall);
	switch (c->kind) {
	case LAB_SWITCH: ok = os_switch(os, c->process); break;
	case LAB_FORK: ok = os_fork(os, c->process); break;
	case LAB_EXEC: ok = os_exec(os); break;
	case LAB_EXIT: ok = os_exit(os); break;
	case LAB_SYSCALL: break;
	default:
		if (c->kind < LAB_MMAP || c->kind > LAB_MREMAP)
			return lab_fail(error, "call %u is none of the guest OS's", c->kind);
		ok = change_mappings(os, mm, c);
	}
	os_leave(os);
	return ok;
}

void lab_os_mode(struct lab_os *os, bool kernel)
{
	if (kernel)
		os_enter(os);
	os->in_kernel = kernel;
	if (!kernel)
		os_leave(os);
}

void lab_os_tick(struct lab_os *os)
{
	os_enter(os);
	lab_cpu_work(os->cpu, WORK_TICK, os->config->path_switch);
	os_leave(os);
}

void lab_os_khugepaged(struct lab_os *os)
{
	struct lab_error ignored = { "" }; /* what is not to be had is not collapsed */

	os->error = &ignored;
	os_collapse_some(os);
}

struct lab_os_counters lab_os_counters(const struct lab_os *os)
{
	struct lab_os_counters c = os->count;

	c.os_table_pages = os->tables;
	os_sizes_at_most(os, &c);
	return c;
}

void lab_os_reset_counters(struct lab_os *os)
{
	os->count = (struct lab_os_counters){
		.os_pages_4k = os->count.os_pages_4k,
		.os_pages_2m = os->count.os_pages_2m,
		.os_pages_1g = os->count.os_pages_1g,
	};
	os->most = os->entered = 0;
}
