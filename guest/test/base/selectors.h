/* guest/test/base/selectors.h - the segments that every test kernel's GDT begins with (common_descriptors in entry.h),
 * and what depends on its mode; for C and for assembly. */
#ifndef VELLUM_GUEST_TEST_SELECTORS_H
#define VELLUM_GUEST_TEST_SELECTORS_H

#define SELECTOR_CODE32 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_CODE64 0x18
/* Of level 3. */
#define SELECTOR_USER_DATA 0x23
#define SELECTOR_USER_CODE32 0x2b
#define SELECTOR_USER_CODE64 0x33
#define SELECTOR_TSS 0x38
#define SELECTOR_OTHERS 0x48 /* and up: the test's own */
#define VECTOR_BACK 0x80 /* INT n at which what trap_call_user called is over */
/* Where the kernel runs, and its programs; and of 8 bytes, what a gate of its IDT has. */
#ifdef __x86_64__
#define CODE_SELECTOR SELECTOR_CODE64
#define USER_CODE_SELECTOR SELECTOR_USER_CODE64
#define GATE_WORDS 2
#else
#define CODE_SELECTOR SELECTOR_CODE32
#define USER_CODE_SELECTOR SELECTOR_USER_CODE32
#define GATE_WORDS 1
#endif

#endif
