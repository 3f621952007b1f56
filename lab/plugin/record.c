/* lab/plugin/record.c - the plugin that QEMU's user-mode emulator loads: every access of the program goes, as one word,
 * into the memory that it shares with the recorder; system calls that concern memory go there too; programs that are
 * exec'ed are started under QEMU again.
 *
 * Instructions are recorded by block: all fetches of a block come before its data accesses. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lab/machine/event.h"
#include "lab/plugin/inside.h"
#include "lab/plugin/program.h"
#include "lab/plugin/qemu.h"

enum { VCPUS = 4096 };

QEMU_PLUGIN_EXPORT int qemu_plugin_version = 1;

static struct vcpu vcpus[VCPUS];
static struct ring *ring;
static const char *plugin_option, *qemu_path;
static pid_t own_pid;
static _Atomic bool image_begun;

/* ---- chunks ---- */

static void submit(struct vcpu *v)
{
	uint64_t ticket;

	if (!v->chunk)
		return;
	ticket = atomic_fetch_add(&ring->tail, 1);
	atomic_store(&ring->queue[ticket % RING_CHUNKS], (uint32_t)(v->chunk - ring->chunk) + 1);
	v->chunk = NULL;
	v->at = v->end = NULL;
	v->instruction = NULL;
}

static void claim(struct vcpu *v)
{
	for (unsigned i = (unsigned)syscall(SYS_gettid) * 7;; i++) {
		struct ring_chunk *c = &ring->chunk[i % RING_CHUNKS];
		uint32_t want = CHUNK_FREE;

		if (atomic_compare_exchange_strong(&c->state, &want, CHUNK_CLAIMED)) {
			c->pid = (uint32_t)own_pid;
			c->tid = (uint32_t)syscall(SYS_gettid);
			v->chunk = c;
			v->at = c->record;
			v->end = c->record + RING_RECORDS;
			return;
		}
		if (i % RING_CHUNKS == 0)
			usleep(100);
	}
}

static void room(struct vcpu *v, unsigned words)
{
	if ((size_t)(v->end - v->at) >= words)
		return;
	submit(v);
	claim(v);
}

static inline void put(struct vcpu *v, uint64_t record)
{
	if (__builtin_expect(v->at == v->end, 0))
		room(v, 1);
	*v->at++ = record;
}

void put_call(struct vcpu *v, unsigned kind, const uint64_t words[RING_CALL_WORDS - 1])
{
	room(v, RING_CALL_WORDS);
	memcpy(v->at + 1, words, (RING_CALL_WORDS - 1) * sizeof(*words));
	*v->at = (uint64_t)RING_CALL << 60 | (uint64_t)kind << 48;
	v->at += RING_CALL_WORDS;
}

static void put_simple(struct vcpu *v, unsigned kind, uint64_t word)
{
	const uint64_t words[RING_CALL_WORDS - 1] = { word };

	put_call(v, kind, words);
}

/* ---- what the program does ---- */

static bool stack_known;

static void on_block(unsigned vcpu, void *record)
{
	struct vcpu *v = &vcpus[vcpu % VCPUS];

	if (__builtin_expect(!v->begun, 0)) {
		v->begun = true;
		if (vcpu >= VCPUS)
			put_simple(v, RING_LOST, LOST_THREADS);
		if (!atomic_exchange(&image_begun, true)) {
			put_simple(v, RING_IMAGE, 0);
			put_regions(v);
		}
	}
	put(v, (uint64_t)(uintptr_t)record);
	v->instruction = NULL;
}

/* An access of 16 bytes and more comes in pieces of at most 8, all of one instruction: they are joined again. */
static void on_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t va, void *instruction)
{
	struct vcpu *v = &vcpus[vcpu % VCPUS];
	bool write = qemu_plugin_mem_is_store(info);
	uint64_t bytes = 1ull << qemu_plugin_mem_size_shift(info);

	if (__builtin_expect(!stack_known, 0) && write) {
		stack_known = true;
		put_stack(v, va);
	}
	if (instruction == v->instruction && va == v->next && write == v->write && v->chunk) {
		v->at[-1] += bytes << 48;
		v->next += bytes;
		return;
	}
	put(v, (uint64_t)(write ? RING_WRITE : RING_READ) << 60 | bytes << 48 | (va & 0xffffffffffffull));
	v->instruction = instruction;
	v->next = va + bytes;
	v->write = write;
}

static void fetch(struct qemu_plugin_tb *tb, uint64_t va, size_t count)
{
	uint64_t record = (uint64_t)RING_FETCH << 60 | (uint64_t)count << 48 | (va & 0xffffffffffffull);

	qemu_plugin_register_vcpu_tb_exec_cb(tb, on_block, QEMU_PLUGIN_CB_NO_REGS, (void *)(uintptr_t)record);
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t n = qemu_plugin_tb_n_insns(tb), first = 0;
	uint64_t begin = 0;

	(void)id;
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint64_t va = qemu_plugin_insn_vaddr(insn);

		if (i && (va ^ begin) >> 12) { /* the block goes on in the next page */
			fetch(tb, begin, i - first);
			first = i;
		}
		if (first == i)
			begin = va;
		qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW,
						 (void *)(uintptr_t)va);
	}
	if (n)
		fetch(tb, begin, n - first);
}

/* ---- system calls ---- */

/* The program's strings and pointers, which may be bad. */
static bool copy(void *to, uint64_t from, size_t bytes)
{
	struct iovec here = { to, bytes }, there = { (void *)(uintptr_t)from, bytes };

	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)bytes;
}

static bool copy_string(char *to, uint64_t from, size_t room_for)
{
	for (size_t i = 0; i < room_for; i++) {
		if (!copy(to + i, from + i, 1))
			return false;
		if (!to[i])
			return true;
	}
	return false;
}

/* The arguments can be used where they lie, once each pointer was seen to be readable. */
static char **vector(uint64_t from)
{
	char **out;
	uint64_t pointer;
	char byte;
	size_t n = 0;

	if (!from)
		return calloc(1, sizeof(*out));
	while (copy(&pointer, from + 8 * n, 8) && pointer && copy(&byte, pointer, 1))
		n++;
	if (!copy(&pointer, from + 8 * n, 8) || pointer)
		return NULL;
	out = calloc(n + 1, sizeof(*out));
	for (size_t i = 0; out && i < n; i++)
		if (!copy(&out[i], from + 8 * i, 8))
			return NULL;
	return out;
}

/* Starts the program under QEMU in place of the one that runs. Returns where that is not possible, or where it is for
 * the system call itself to fail. */
static void on_exec(struct vcpu *v, uint64_t path, uint64_t argv, uint64_t envp)
{
	static char given[PROGRAM_PATH];
	static struct program p;
	char **arguments, **environment, **whole;

	if (!copy_string(given, path, sizeof(given)))
		return;
	switch (program_look(given, &p)) {
	case PROGRAM_NONE: return;
	case PROGRAM_OTHER:
		put_simple(v, RING_LOST, LOST_EXEC);
		submit(v);
		return;
	case PROGRAM_X86_64: break;
	}
	arguments = vector(argv);
	environment = vector(envp);
	whole = arguments && environment ? program_arguments(&p, given, arguments, qemu_path, plugin_option) : NULL;
	submit(v);
	if (whole)
		execve(qemu_path, whole, environment);
	put_simple(v, RING_LOST, LOST_EXEC);
	submit(v);
}

static void on_syscall(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2, uint64_t a3,
		       uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
	struct vcpu *v = &vcpus[vcpu % VCPUS];
	const uint64_t all[SYS_ARGUMENTS] = { a1, a2, a3, a4, a5, a6 };

	(void)id;
	(void)a7;
	(void)a8;
	memcpy(v->argument, all, sizeof(all));
	if (number == SYS_exit_group)
		put_simple(v, LAB_EXIT, 0);
	else if (number == SYS_exit)
		put_simple(v, RING_THREAD_EXIT, 0);
	/* Whatever the call does to others, they do later than this. */
	submit(v);
	if (number == SYS_execve)
		on_exec(v, a1, a2, a3);
}

static unsigned map_flags(uint64_t flags)
{
	unsigned out = (flags & MAP_TYPE) == MAP_PRIVATE ? 0 : LAB_MAP_SHARED;

	if (flags & MAP_HUGETLB)
		out |= (flags >> 26 & 63) == 30 ? LAB_MAP_HUGE_1G : LAB_MAP_HUGE_2M;
	return out | (flags & MAP_GROWSDOWN ? LAB_MAP_STACK : 0) | (flags & MAP_POPULATE ? LAB_MAP_POPULATE : 0);
}

static void on_mmap(struct vcpu *v, const uint64_t *a, uint64_t addr)
{
	uint64_t words[RING_CALL_WORDS - 1] = {
		[WORD_ADDR] = addr,   [WORD_LENGTH] = a[1], [WORD_PROT] = a[2], [WORD_FLAGS] = map_flags(a[3]),
		[WORD_OFFSET] = a[5],
	};
	struct stat st;

	if (!(a[3] & MAP_ANONYMOUS) && !fstat((int)a[4], &st))
		words[WORD_FILE] = file_number(st.st_dev, st.st_ino);
	put_call(v, LAB_MMAP, words);
}

static void forked(struct vcpu *v, int64_t result)
{
	pid_t parent = own_pid;

	if (result != 0 || getpid() == own_pid) {
		put_simple(v, LAB_FORK, (uint64_t)result);
		return;
	}
	for (unsigned i = 0; i < VCPUS; i++) { /* the other threads' chunks are theirs */
		if (&vcpus[i] != v) {
			vcpus[i].chunk = NULL;
			vcpus[i].at = vcpus[i].end = NULL;
		}
	}
	own_pid = getpid();
	put_simple(v, RING_FORKED, (uint64_t)parent);
}

static void on_syscall_ret(qemu_plugin_id_t id, unsigned vcpu, int64_t number, int64_t result)
{
	struct vcpu *v = &vcpus[vcpu % VCPUS];
	const uint64_t *a = v->argument;
	uint64_t words[RING_CALL_WORDS - 1] = { [WORD_ADDR] = a[0], [WORD_LENGTH] = a[1], [WORD_PROT] = a[2] };
	unsigned kind = LAB_SYSCALL;

	(void)id;
	if (result < 0 && result > -4096)
		number = -1;
	switch (number) {
	case SYS_mmap: on_mmap(v, a, (uint64_t)result); return;
	case SYS_munmap: kind = LAB_MUNMAP; break;
	case SYS_mprotect: kind = LAB_MPROTECT; break;
	case SYS_madvise: kind = LAB_MADVISE; break;
	case SYS_brk: kind = LAB_BRK; words[WORD_ADDR] = (uint64_t)result; break;
	case SYS_mremap:
		kind = LAB_MREMAP;
		words[WORD_TO] = (uint64_t)result;
		words[WORD_TO_LENGTH] = a[2];
		break;
	case SYS_clone: /* QEMU makes a thread of CLONE_VM, but of vfork's a process */
		if ((a[0] & (CLONE_VM | CLONE_VFORK)) == CLONE_VM)
			break;
		forked(v, result);
		return;
	case SYS_fork: case SYS_vfork: forked(v, result); return;
	default: break;
	}
	put_call(v, kind, words);
}

static const char *option_value(int argc, char **argv, const char *name)
{
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], name, strlen(name)))
			return argv[i] + strlen(name);
	return "";
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	static char option[3 * PROGRAM_PATH], qemu[PROGRAM_PATH];
	const char *path = option_value(argc, argv, "ring="), *self = option_value(argc, argv, "self=");
	int fd = open(path, O_RDWR | O_CLOEXEC);

	(void)info;
	ring = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*ring), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (ring == MAP_FAILED || ring->magic != RING_MAGIC || readlink("/proc/self/exe", qemu, sizeof(qemu) - 1) < 0) {
		fprintf(stderr, "vellum: the recorder's memory %s cannot be used: %s\n", path, strerror(errno));
		return 1;
	}
	close(fd);
	qemu_path = qemu;
	snprintf(option, sizeof(option), "file=%s,self=%s,ring=%s", self, self, path);
	plugin_option = option;
	own_pid = getpid();
	note_regions_before();
	qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
	qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
	qemu_plugin_register_vcpu_syscall_ret_cb(id, on_syscall_ret);
	return 0;
}
