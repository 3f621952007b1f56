/* vm/tpr/patch.h - the TPR by patching: what a virtual machine has for it. The rules are in vm/tpr/patch.c. */
#ifndef VELLUM_VM_PATCH_H
#define VELLUM_VM_PATCH_H

#include "mmu/mmu.h"
#include "vm/tpr/patch_insn.h"

/* Two pages in the hole for option ROMs, which no memory map of the guest's calls RAM: the stubs, with the header of
 * an option ROM in front, and their data. */
#define PATCH_CODE_GPA 0xc8000ull
#define PATCH_DATA_GPA (PATCH_CODE_GPA + PAGE_SIZE)
#define PATCH_DATA_TPR 0x80u
#define PATCH_DATA_THRESHOLD 0x90u
#define PATCH_STUBS_AT 0x40u
#define PATCH_STUB_ROOM (4 + PATCH_STUB_MAX) /* its address, then its code */
#define PATCH_STUBS ((unsigned)(PAGE_SIZE - PATCH_STUBS_AT) / PATCH_STUB_ROOM)
#define PATCH_SITES 192u
#define PATCH_WORN 16u

/* Why an access is left to the trap. L(name, in words) */
#define PATCH_LEFT(L) \
	L(cpus, "the virtual machine has several CPUs") \
	L(mode, "it is not of 32-bit code of the kernel with flat segments") \
	L(debug, "breakpoints are set, instructions are stepped through, or no interrupt may come in front of it") \
	L(form, "the instruction is not in the set") \
	L(page, "its page is no plain RAM, was written or read too often, or another patch is in its way") \
	L(mapping, "no linear address maps the stubs") \
	L(room, "there is no room for more")
enum patch_left {
#define L(name, words) PATCH_LEFT_##name,
	PATCH_LEFT(L)
#undef L
	PATCH_LEFTS
};
extern const char *const patch_left_names[PATCH_LEFTS];

struct vm_patch {
	bool rom;      /* it is there, of this run or of the one that a snapshot was taken of */
	uint8_t *data; /* the page at PATCH_DATA_GPA; NULL: the method has never been chosen in this run */
	uint32_t linear; /* of the stubs' page; 0: not known */
	uint8_t searches; /* for it, through all that a table maps */
	bool said;
	struct patch_page {
		bool used;
		gfn_t gfn;
		hfn_t frame; /* 0: none yet */
	} page[MMU_OVERLAYS_MAX];
	struct patch_site {
		gfn_t gfn;
		uint16_t offset;
		uint8_t length; /* 0: none */
		bool live, write;
	} site[PATCH_SITES];
	unsigned stubs;
	struct patch_slot {
		struct patch_key key;
		uint32_t linear; /* of the page for which it was made */
		uint32_t apic;   /* linear: where the guest reaches the TPR itself */
		uint8_t tpr_at[2], tprs, tell_at;
	} stub[PATCH_STUBS];
	uint8_t unfit; /* 1 + enum patch_left, of a place that was looked at just now; 0: none was */
	struct patch_worn {
		gfn_t gfn;
		uint8_t times; /* that its overlay was dropped by the guest's doing */
	} worn[PATCH_WORN];
	unsigned worn_next;
	uint64_t made, left[PATCH_LEFTS], told;
};

struct vm;
struct vcpu;

/* ---- vm/tpr/patch.c ---- */
/* The instruction at v's RIP has accessed the TPR, by an exit. true: it is patched now, and must run again. */
bool patch_try(struct vcpu *v);
/* PX8. The same access was carried out; rip: of the instruction. What was found of it is remembered. */
void patch_remember(struct vcpu *v, uint64_t rip);
/* c, which has been decoded and is at v's RIP, accesses the TPR. true: it has been looked at, and left to the trap; the
 * access is counted. */
struct insn_cache;
bool patch_left(struct vcpu *v, const struct insn_cache *c);
/* Takes all patches back. The VM is frozen, or has not run. */
void patch_undo(struct vm *vm);
/* Of patches that were made, those that are in force. Takes no lock. */
uint64_t patch_live(const struct vm *vm);
/* What linear means to v for the access, with nothing changed: accessed and dirty flags stay as they are. */
struct walk_result patch_walk(struct vcpu *v, uint32_t linear, struct access access);

/* ---- vm/tpr/patch_page.c ---- */
/* The method is chosen, or left. The VM is frozen, or has not run. begin, false: there is no memory at the place of the
 * stubs. */
bool patch_begin(struct vm *vm);
void patch_end(struct vm *vm);
void patch_free(struct vm *vm);
/* IA32_APIC_BASE has changed, or the method. The VM is frozen, or has not run; its device lock is held. */
void patch_aim_anew(struct vm *vm);
/* The linear address of the stubs' page as v's tables are now, for code at rip whose address in memory is gpa; user:
 * programs can reach that. 0: there is none. */
uint32_t patch_linear(struct vcpu *v, uint32_t rip, gpa_t gpa, bool user);
/* v has executed an instruction that its CPU does not have. true: it was a stub's, which has found the TPR low enough,
 * and what waits comes before the next entry. */
bool patch_told(struct vcpu *v);
/* The stub for insn: its number; -1: there is no room. linear: of the page. */
int patch_stub_for(struct vm *vm, const struct patch_insn *insn, uint32_t linear);

/* Of the only vCPU, where there is only one. */
static inline void patch_set_threshold(struct vm_patch *p, unsigned class)
{
	__atomic_store_n(&p->data[PATCH_DATA_THRESHOLD], (uint8_t)(class << 4), __ATOMIC_RELAXED);
}

/* ---- vm/tpr/patch_fault.c ---- */
/* A page fault of the guest's supervisor is about to be delivered. true: a patch is to blame for it; it is gone, and
 * the guest goes on as if it had never been there. */
bool patch_fault(struct vcpu *v, uint64_t cr2);

#endif
