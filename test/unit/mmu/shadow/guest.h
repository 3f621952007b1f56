/* A guest on a mechanism without EPT, under a CPU that has no TLB: the hardware tables are walked anew at every access.
 * The auditors run after whatever changes something. */
#ifndef VELLUM_TEST_MMU_SHADOW_GUEST_H
#define VELLUM_TEST_MMU_SHADOW_GUEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mmu/mechanisms.h"
#include "test/unit/mmu/fake_below.h"

#define PAGES 1024u         /* guest RAM: the first TABLES pages hold tables */
#define TABLES 12u
#define RAM_HFN 0x2000u
#define MMIO_GFN 0x500u

extern struct fake *f;
extern struct mmu_vm vm;
extern struct mmu_vcpu vcpu;
extern bool same_frames;    /* backing as one run, so that large leaves are possible */
extern uint64_t frame_of[PAGES];

/* Makes the VM, its RAM all zero and its vCPU without paging; frames: the limit of table pages, 0 for none. */
void guest_start(const struct mmu_ops *ops, bool one_run, uint32_t frames);
/* Nothing may be left but the guest's RAM. */
void guest_stop(void);

static inline uint8_t *ram(uint64_t gfn) { return f->frame[frame_of[gfn]]; }
/* What a test has put into pages, as if the hypervisor had written it. */
void rewritten(uint64_t gfn, uint64_t pages);
void audit(const char *where);
/* The device at MMIO_GFN goes, or comes. */
void change_slots(void);
void expect_loaded(struct mmu_result r);

struct outcome {
	enum mmu_outcome how; /* MMU_FIXED: the access went through memory */
	uint64_t gpa;
	uint32_t error;
};

/* One access of the guest, to its end. */
struct outcome access_guest(uint64_t gva, struct access a);

#endif
