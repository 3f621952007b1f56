#include "host/cpu/vector.h"

#include "host/cpu/x86.h"

/* System V ABI, AMD64 supplement, "Thread-Local Storage": the canary is at %fs:0x28. The library's functions compare it
 * with itself. */
static const uint64_t thread[8];

_Noreturn void library_alloc(void) { bug(__FILE__, __LINE__, "a library asks for a heap"); }
_Noreturn void library_free(void) { library_alloc(); }

void vector_begin(struct vector_saved *s)
{
	__asm__ volatile("movups %%xmm0, 0(%0); movups %%xmm1, 16(%0); movups %%xmm2, 32(%0); movups %%xmm3, 48(%0);"
			 "movups %%xmm4, 64(%0); movups %%xmm5, 80(%0); movups %%xmm6, 96(%0); movups %%xmm7, 112(%0);"
			 "movups %%xmm8, 128(%0); movups %%xmm9, 144(%0); movups %%xmm10, 160(%0);"
			 "movups %%xmm11, 176(%0); movups %%xmm12, 192(%0); movups %%xmm13, 208(%0);"
			 "movups %%xmm14, 224(%0); movups %%xmm15, 240(%0)"
			 : : "r"(s->xmm) : "memory");
	s->fs_base = rdmsr(MSR_FS_BASE);
	wrmsr(MSR_FS_BASE, (uintptr_t)thread);
}

void vector_end(const struct vector_saved *s)
{
	wrmsr(MSR_FS_BASE, s->fs_base);
	__asm__ volatile("movups 0(%0), %%xmm0; movups 16(%0), %%xmm1; movups 32(%0), %%xmm2; movups 48(%0), %%xmm3;"
			 "movups 64(%0), %%xmm4; movups 80(%0), %%xmm5; movups 96(%0), %%xmm6; movups 112(%0), %%xmm7;"
			 "movups 128(%0), %%xmm8; movups 144(%0), %%xmm9; movups 160(%0), %%xmm10;"
			 "movups 176(%0), %%xmm11; movups 192(%0), %%xmm12; movups 208(%0), %%xmm13;"
			 "movups 224(%0), %%xmm14; movups 240(%0), %%xmm15"
			 : : "r"(s->xmm) : "memory");
}
