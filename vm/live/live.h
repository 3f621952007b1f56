/* vm/live/live.h - a virtual machine goes to another container while its guest works: a second struct vm of the same
 * description, with frames, tables and VPIDs of its own, under the same mechanism or another, as an upgrade of a
 * hypervisor moves its guests (docs/move.md). One at a time, for all of the machine.
 *
 *   LM1  What is copied is complete: every write of the guest's and of its devices is in the log from before the first
 *        page is read on (SN1), and the log is read for the last time when it stands (SN2).
 *   LM2  The old container is over when the new one has all, and not before: whatever fails until then ends in the old
 *        one going on as it was, and nothing of the new one is left.
 *   LM3  The new one is nobody's until then: no network, console, or request finds it. From then on they find it alone:
 *        what is said of the virtual machine, and to it, goes on.
 *   LM4  Each step copies LIVE_PAGES pages at most, looks at LIVE_LOOKS at most, and holds no lock but the reclaimer's
 *        and the heart's, page by page. While another virtual CPU could run on this CPU, or the guest itself, as long
 *        as a step has taken passes before the next.
 *   LM6  Of one whose memory follows (post-copy) RAM that comes when it is touched is not copied before: it is
 *        elsewhere (ram_elsewhere.h), and the old container's, which is over but for that, is given back when all has
 *        come, or when the new one is over and has been released itself. From LIVE_FOLLOWS on there is no way back.
 *   LM5  Steps are made by the CPU of the old boot processor (RA2, DY), of registers by the CPU of each, and what makes
 *        and ends containers by the first CPU (LC1). Who makes one has taken .busy; so the first CPU, which gives back
 *        what is over, waits for one that is being made. */
#ifndef VELLUM_VM_LIVE_H
#define VELLUM_VM_LIVE_H

#include "host/cpu/percpu.h"
#include "vm/live/account.h"

#define LIVE_PAGES 16u
#define LIVE_LOOKS 512u
#define LIVE_BLOCKS 8u   /* of 2 MBytes, that are made ready in a step for what follows */
#define LIVE_FEW 64u     /* pages that are left to the end */
#define LIVE_ROUNDS 32u
#define LIVE_HALVES 3u   /* of the pages that are in use, so many halves are copied, at most, while it runs */

struct vm;
struct mmu_ops;

enum live_state {
	LIVE_NONE,
	LIVE_BEGINS,    /* the log */
	LIVE_EXPECTS,   /* the new one is made ready for what is to follow (LM6) */
	LIVE_COPIES,    /* rounds, while it runs */
	LIVE_STOPS,     /* its vCPUs leave, its disks come to rest */
	LIVE_RESTS,     /* what was written since */
	LIVE_REGISTERS, /* of each vCPU in turn */
	LIVE_HANDS,     /* the new container takes over */
	LIVE_UNDOES,    /* it has failed: the old one is as it was, */
	LIVE_DROPS,     /* and nothing of the new one is left */
	LIVE_FOLLOWS,   /* the guest runs in the new one, and its pages come (LM6) */
	LIVE_ENDS,      /* the old one's vCPUs leave their CPUs, and it is given back */
};

/* What is told of the present move, or of the last one of that VM's place. */
struct live_told {
	enum live_state state;
	bool failed, ended; /* the latter: for the VM has, or had */
	const char *why;    /* then: one clause */
	const char *mmu;
	uint64_t left; /* pages to be copied, or looked at */
	struct live_account account;
};

/* Begins, on the first CPU; ops NULL: under the mechanism that it has; follows: LM6. NULL, or one
 * clause that says why not; it lasts until the next. */
const char *live_begin(struct vm *vm, const struct mmu_ops *ops, bool follows);
/* It is to fail. NULL, or one clause: it cannot any more. */
const char *live_cancel(const struct vm *vm);
/* false: there has been none of it. */
bool live_tell(const struct vm *vm, struct live_told *told);
/* Is this VM being moved? It may be asked on any CPU; on that of its boot processor it stays so meanwhile. */
bool live_is_of(const struct vm *vm);
/* Are there two containers of its place, with frames of the same name? As it is now; on any CPU. */
bool live_is_double(const struct vm *vm);
/* The next step, if it is this CPU's, which is cpu: between two exits, with no lock held. */
void live_serve(struct percpu *cpu);
/* LM4: in how many ticks to go on, behind a step of this CPU that has taken so many. */
FOR_TESTS uint64_t live_pause(const struct percpu *cpu, uint64_t took);
/* The VM, which is over, is about to be given back. On the first CPU. */
void live_forget(const struct vm *vm);

extern struct live_turn {
	unsigned cpu; /* whose the next step is; its number and 1, 0: nobody's */
	uint64_t due; /* TSC */
} live_turn;

/* When this CPU must look, by the TSC. */
static inline uint64_t live_due(const struct percpu *cpu)
{
	if (likely(__atomic_load_n(&live_turn.cpu, __ATOMIC_ACQUIRE) != cpu->id + 1))
		return UINT64_MAX;
	return live_turn.due;
}

/* That or `next`, whichever comes first. While nobody is moved it costs no more than a look. */
static inline uint64_t live_or(const struct percpu *cpu, uint64_t next)
{
	return unlikely(__atomic_load_n(&live_turn.cpu, __ATOMIC_RELAXED)) ? min_u64(next, live_due(cpu)) : next;
}

/* ---- what a move needs of others ---- */

/* vm/create.c: makes a second container for the guest of that VM, of the same description, under this mechanism: memory
 * and devices as they are at the beginning, vCPUs without registers. As vm_create(). */
struct vm *vm_create_second(const struct vm *of, const struct mmu_ops *ops);
/* vm/sched/freeze.c: pauses it for a while, whatever it is asked to do meanwhile; at its end it is paused, or not, as
 * was asked last. */
void vm_stand(struct vm *vm, bool on);
/* The same: does any of its vCPUs have its turn? */
bool vm_any_runs(const struct vm *vm);
/* vm/tpr/tpr.c: its TPR is virtualized by a method that it has had in another container; nothing is said. false: there
 * is no memory. */
bool tpr_go_on(struct vm *vm, unsigned method);
/* vm/memory/mechanism_switch.c: NULL, or why the VM cannot run under the mechanism. */
const char *switch_refused(const struct vm *vm, const struct mmu_ops *ops);

/* ---- vm/live/copy.c ---- */

/* Copies some of the pages that are to leave (LM4). false: there is no memory for them. */
bool live_copy(struct vm *from, struct vm *to, struct live_account *account);

/* ---- vm/live/follow.c: RAM that comes when it is touched comes later (LM6) ---- */

#define LIVE_NO_WORDS "there is no memory to tell of its pages"

struct live_expected {
	unsigned ram;   /* which is made ready next; behind the last: all is */
	uint64_t block; /* of it */
};

/* The next blocks of `to` are made ready (EL1), while the guest runs. false: there is no memory for that. */
bool live_expect(struct vm *from, struct vm *to, struct live_expected *at);
/* What the guest, which stands, has taken since as well; from now on its pages can be read in the old one. NULL, or one
 * clause. */
const char *live_expect_all(struct vm *from, struct vm *to);
/* There is no way back: the old one is over, and its pages are the new one's to come (EL2). With no lock held. */
void live_leave(struct vm *from, struct vm *to);
/* Brings some pages (LM4). true: all have come. */
bool live_follow(struct vm *to);
/* Pages that are to come, or to be looked at. */
uint64_t live_to_follow(const struct vm *to);
/* What has come is counted, in the account of this move and in the new container's. ticks: that it has taken. */
void live_tally(struct vm *to, struct live_account *one, uint64_t ticks);
/* The old one's RAM, where it was kept beyond its release, is given back. With no lock held. */
void live_give_source(struct vm *from);

/* ---- vm/live/hand.c ---- */

/* to, which is as it was made, becomes what `from` is: machine and devices, then its vCPUs of registers (cpu(n): those
 * of each, as they were saved), with the method of its TPR; all but what live_hand() moves. NULL, or one clause. */
struct live_cpu {
	uint8_t *bytes;
	size_t used;
};
const char *live_fill(struct vm *from, struct vm *to, const struct live_cpu *cpu);
/* What is the machine's, or is of one alone, goes over: records, accounts of phases, networks. */
void live_hand(struct vm *from, struct vm *to);

#endif
