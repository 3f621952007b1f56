/* test/unit/vm/tpr/patched.h - the TPR by patching, in the bench: it has no CPU, so it says where the guest is, and
 * what the guest has done. */
#ifndef VELLUM_TEST_VM_PATCHED_H
#define VELLUM_TEST_VM_PATCHED_H

#include "test/unit/vm/tpr/lapic.h"

#include "host/memory/frames.h"

#define TPR_AT (PATCH_DATA_GPA + PATCH_DATA_TPR)
#define THRESHOLD_AT (PATCH_DATA_GPA + PATCH_DATA_THRESHOLD)
#define ROM_STUB (PATCH_CODE_GPA + PATCH_STUBS_AT + 4)
#define STORE_EAX "\xa3\x80\0\xe0\xfe"
#define LOAD_EAX "\xa1\x80\0\xe0\xfe"
#define STORE_ECX "\x89\x0d\x80\0\xe0\xfe"
#define AND_IMM "\x81\x25\x80\0\xe0\xfe\x70\0\0\0"

static inline struct vm_patch *patches(void) { return &bench.vm[0]->patch; }

/* The instruction at RIP accesses a register by an exit. */
static inline enum bench_at access_register(bool write, unsigned offset)
{
	if (bench.vm[0]->mmu.ops->nested)
		return bench_exit(&(struct bench_exit){ .reason = EXIT_EPT_VIOLATION,
							.qualification = 0x180 | (write ? 2 : 1),
							.gpa = LAPIC + offset, .gva = LAPIC + offset });
	return bench_exit(&(struct bench_exit){ PAGE_FAULT_EXIT,
						.error = write ? 2 : 0, .qualification = LAPIC + offset });
}

static inline enum bench_at access_tpr(bool write) { return access_register(write, TPR); }

/* By an instruction that is not in the set. */
static inline enum bench_at put_register(unsigned offset, uint32_t value)
{
	mov_store(offset, value);
	return access_register(true, offset);
}

/* A page fault of the supervisor's. */
static inline enum bench_at fault(uint32_t error, uint64_t address)
{
	return bench_exit(&(struct bench_exit){ PAGE_FAULT_EXIT,
						.error = error, .qualification = address });
}

/* What is fetched from gpa: of an overlay, if there is one. */
static inline void fetched(uint64_t gpa, uint8_t *out, size_t n)
{
	const struct mmu_vm *vm = &bench.vm[0]->mmu;

	bench_peek(gpa, out, n);
	for (unsigned i = 0; i < vm->overlays; i++)
		if (vm->overlay[i].gfn.v == gpa >> PAGE_SHIFT)
			memcpy(out, (uint8_t *)frames_ptr(vm->overlay[i].frame) + (gpa & (PAGE_SIZE - 1)), n);
}

static inline bool is_patched(const char *bytes, size_t n)
{
	uint8_t now[16], ram[16];

	fetched(BENCH_CODE, now, n);
	bench_peek(BENCH_CODE, ram, n);
	assert_memory_equal(ram, bytes, n);
	return memcmp(now, bytes, n) != 0;
}

static inline uint32_t word_of(const uint8_t *b)
{
	uint32_t w;

	memcpy(&w, b, 4);
	return w;
}

static inline void put_byte(uint64_t gpa, uint8_t value) { bench_poke(gpa, &value, 1); }

static inline uint8_t get_byte(uint64_t gpa)
{
	uint8_t value;

	bench_peek(gpa, &value, 1);
	return value;
}

static inline void begin(const char *mmu, enum bench_mode mode) { at(mmu, "patch", mode); }

/* The instruction, at RIP, has been replaced, and will run again. */
static inline void patch_it(const char *bytes, size_t n, bool write)
{
	uint64_t made = patches()->made;

	code(bytes, n);
	STEP(access_tpr(write));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, BENCH_CODE);
	assert_int_equal(patches()->made, made + 1);
	assert_true(is_patched(bytes, n));
	assert_true(audits());
}
#define PATCH(bytes, write) patch_it(bytes, sizeof(bytes) - 1, write)

static inline void left_to_the_trap(const char *bytes, size_t n, enum patch_left why)
{
	uint64_t left = patches()->left[why];

	code(bytes, n);
	*bench_gpr(GPR_RAX) = 0x30;
	STEP(access_tpr(true));
	EXPECT_NOTHING();
	assert_int_equal(bench.entry.rip, BENCH_CODE + n);
	assert_int_equal(lapic_tpr(&bench.v->lapic), 0x30);
	assert_int_equal(patches()->left[why], left + 1);
	assert_false(is_patched(bytes, n));
	STEP(put_register(TPR, 0));
}
#define LEFT(bytes, why) left_to_the_trap(bytes, sizeof(bytes) - 1, PATCH_LEFT_##why)

#endif
