/* vm/vm.h - the virtual machine and the virtual CPU.
 *
 * Locks, in the order in which they may be taken (docs/architecture.md): vm.device_lock, then vm.mmu_lock, then the
 * leaves (frames, the VPID pool, a console port, a queue of disks and its channel, the clock of a machine that is
 * paused). Every exit handler runs with none of them held.
 *
 * VM1  A vCPU lives on one physical CPU at a time (vcpu.cpu), which alone gives it to another (CQ1 in
 *      vm/sched/schedule.h); only that CPU touches it, but for these:
 *      - `requests`, which anybody sets, and `signals`, which anybody sets before a request: changed by atomic
 *        operations only, and taken by its own CPU;
 *      - `lapic`, as L6 and L7 in dev/irq/lapic.h say; `timers.earlier`, which anybody sets;
 *      - `in_guest` (RL2), `running` and `parked` (FZ2, FZ3), `halted` and `deaf`: its own CPU writes them, others
 *        read; `deaf` is written before `halted` is set, and read after it;
 *      - `asleep`, by atomic exchange, and who has taken it puts it among the arrivals (HA2 in vm/sched/sleep.c);
 *      - `cpu`, `moves` and `pin`: its own CPU writes them, others read; `favoured`: anybody;
 *      - `run_ticks`, `run_before`, `run_start`, `lock_waits`, `lock_ticks`, `exit_tsc`, `exits` and what `lapic`
 *        counts: its own CPU writes them, word by word, and does not wait; any CPU adds them up at any time
 *        (vm/account/), so what it tells of exits may lack the last ones. A turn counts once (stats_ran);
 *      - `mmu`: also who holds mmu_lock, as mmu/mmu.h says; and all of it: who has frozen the VM (FZ1).
 * VM2  vcpu.requests is 0, or the vCPU looks at it before it next enters the guest.
 *
 * VM3  What a VM held is given back once, when the last of its vCPUs has left its CPU (vcpus_over).
 *
 * What is a virtual machine's: memory, the mechanism and its tables (struct mmu_vm), how fast it dirties its memory,
 * the firmware's ROM, its files and what lies below 1 MByte (struct vm_firmware), devices, disks (struct vm_disk; what
 * is written to their snapshots outlives it, in struct vm_place), the clock, what CPUID offers, MTRRs, how the TPR is
 * virtualized and the patches for that, its weight, whether it is paused, the end and its status. What is a virtual
 * CPU's: registers, the virtualization extension's state, paging registers and roots (struct mmu_vcpu), its VPID, the
 * local APIC, timers and whether the CPU counts to them itself (its own alarm), events to inject, the instruction that
 * is emulated, exits and ticks; where it lives, may live (pin) and goes (wander), and what it has had of CPUs (fair).
 * What is asked of all of them is asked below ("questions to a VM"). */
#ifndef VELLUM_VM_VM_H
#define VELLUM_VM_VM_H

#include "emulate/emulate.h"
#include "host/cpu/percpu.h"
#include "host/cpu/spinlock.h"
#include "hvm/hvm.h"
#include "vm/account/account.h"
#include "vm/clock.h"
#include "vm/config/config.h"
#include "vm/cpu/resident.h"
#include "vm/device/console.h"
#include "vm/devices.h"
#include "vm/debug/debug.h"
#include "vm/memory/dirty.h"
#include "vm/memory/merge.h"
#include "vm/exit/chain.h"
#include "vm/exit/cpuid.h"
#include "vm/firmware/firmware.h"
#include "vm/machine.h"
#include "vm/memory/ram.h"
#include "vm/insn_cache.h"
#include "vm/snapshot/snapshot.h"
#include "vm/live/account.h"
#include "vm/tpr/patch.h"

#define VCPUS_MAX CONFIG_VCPUS_MAX

/* docs/protocol.md, STATUS. */
enum vm_status {
	VM_STATUS_OK = 0, VM_STATUS_BAD_IMAGE = 64, VM_STATUS_TRIPLE_FAULT = 65,
	VM_STATUS_STOPPED = 66, VM_STATUS_UNSUPPORTED = 67,
	VM_STATUS_PANICKED = 68,
};

/* Things a vCPU must do before it next enters the guest. */
#define REQUEST_EVENT BIT(0)  /* see whether there is something to inject */
#define REQUEST_STOP BIT(1)   /* the VM is over */
#define REQUEST_SWITCH BIT(2) /* let another vCPU of this CPU run */
#define REQUEST_MMU BIT(3)    /* go over to the next mechanism */
#define REQUEST_INIT BIT(4)   /* an INIT, or a start-up IPI, has arrived */
#define REQUEST_DIRTY BIT(5)  /* what the VM has written has been logged for long enough */
#define REQUEST_MOVE BIT(6)   /* go to another CPU */
#define REQUEST_MEMORY BIT(7) /* the memory map has changed (vm/firmware/firmware.c, vm/device/video.c) */
#define REQUEST_DEBUG BIT(8)  /* what a debugger wants has changed, or a step is being made */
#define REQUEST_DEVICES BIT(9) /* frames have come, or a device has more to do (vm/device/virtio.c) */
/* BIT(10): REQUEST_RECLAIM (vm/memory/reclaim.h) */
/* BIT(12): REQUEST_JOIN (vm/memory/ram_join.h) */
#define REQUEST_MERGE BIT(11) /* look for pages that hold the same (vm/memory/merge.c) */

struct vcpu {
	union {
		struct hvm_vcpu hvm;
		union hvm_vcpu_room hvm_room; /* which begins with it */
	};
	uint64_t requests;
	struct mmu_vcpu mmu;
	struct vm *vm;
	unsigned id; /* in vm->vcpu[]; its initial APIC ID */
	struct percpu *cpu; /* where it lives; changed by that CPU alone (CQ1 in vm/sched/schedule.h) */
	struct vcpu *ring, *ring_before; /* the next vCPU on the same CPU, or of its arrivals; and the one before */
	struct percpu *pin; /* the only CPU that it may run on; NULL: any */
	/* it runs, or is on its way, and is to go there when it has left, or has arrived; NULL: it stays */
	struct percpu *move_to;
	bool on_ring;       /* else it sleeps, is on its way to .cpu, or nowhere */
	bool asleep;        /* HA2 in vm/sched/sleep.c */
	struct heap_node sleeps; /* among percpu.sleepers, by the TSC; .in: also when it is being woken */
	uint64_t moves;
	bool favoured, gives_way; /* another vCPU waits for it; it waits for one on another CPU (SC5) */
	bool halted;   /* since a HLT, or waiting for a start-up IPI (event_halt) */
	bool deaf;     /* when it halted, interrupts were disabled: only an NMI ends that, or a reset */
	uint32_t signals; /* SIGNAL_*: atomically, by any CPU (vm/cpu/vcpu.c) */
	uint64_t swap_awaited; /* it has no turn before so many commands of the swap area have ended; its own CPU's */
	bool parked;   /* its CPU waits for a VM to be frozen, or to thaw (vm/sched/freeze.c) */
	uint64_t alarm_due; /* by its VM's clock: what its alarm was set for, slice or not */
	bool slice_alarm; /* its alarm is the end of a slice, not one of its timers' (vm/sched/alarm.c) */
	bool tpr_stale; /* start.tpr is not what it runs with */
	bool undecided; /* .emulated is to be decided when it is next loaded */
	bool started;  /* hvm_vcpu_start() was called */
	bool emulated; /* the CPU cannot enter it: the emulator runs it (vm/cpu/emulated.c) */
	/* event_deliver() has left an interrupt; the heart is asked what becomes of its fault, which may come again */
	bool interrupt_waits, faulting;
	bool in_guest; /* read by other CPUs: entering, or in the guest (vm/run.c) */
	struct hvm_start start;
	uint64_t exit_tsc;   /* when the last exit happened */
	uint64_t host_turn;  /* TSC: when the host's interrupts are let in at an exit, whatever exits there are (SC3) */
	struct exit_stat *exit; /* the account of its reason, in exits[] */
	struct vcpu_traced traced; struct vcpu_last last;
	uint64_t run_start;  /* when this CPU took it up, while it has a turn; else 0 */
	bool running;        /* it has the CPU, at which others may look (vm/sched/freeze.c) */
	/* ticks that the CPU has worked for it, as the scheduler counts them (SC1 in vm/sched/schedule.c) */
	uint64_t fair;
	bool slept;          /* since it last had the CPU, or could not have it */
	bool came;           /* from another CPU, and has not had this one (BA2 in vm/sched/balance.c) */
	struct timer wander; /* when it next goes to another CPU (vm/sched/move.c); its period is the description's */
	/* On a CPU, in the guest and in the hypervisor, in turns that are over; what the exits took of it is in
	 * exits[]. And what that was when the turn that it has began. Of what the exits took in turns that are over:
	 * how often its CPUs waited for locks, and how long. */
	uint64_t run_ticks, run_before, lock_waits, lock_ticks;
	struct event event;
	uint64_t xcr0;
	uint64_t tsc_offset; /* the guest's TSC less the VM's clock */
	uint64_t tsc_offset_written;
	uint64_t tsc_adjust; /* IA32_TSC_ADJUST */
	uint64_t misc_enable; /* IA32_MISC_ENABLE */
	uint64_t saved_msr[SAVED_MSRS], saved_dr[SAVED_DRS], saved_cr2;
	void *fpu;             /* XSAVE area, one page or more */
	/* ... in the form with the selectors of the last x87 instruction, and addresses of 32 bits */
	bool fpu_short;
	uint8_t *xsave_scratch; /* EMULATE_SCRATCH bytes for emulated XSAVE and XRSTOR; NULL: no XSAVE */
	struct timers timers; /* its own; of a VM with one vCPU those of the devices, too (vm_device_timers) */
	struct lapic lapic;
	uint64_t patch_watched;  /* the gpa of the TPR, while accesses to it may be patched; ~0: they may not */
	uint8_t *apic_registers; /* a page for the CPU's use (vm/tpr/tpr.c); NULL: there is none */
	struct emulate emulate;
	uint64_t mode_number; /* of the state (hvm_sync_number) in which the guest's code is of .mode */
	uint8_t mode;         /* enum emulate_mode */
	struct insn_cache insn_cache[INSN_CACHE_SETS][INSN_CACHE_WAYS];
	/* the page of the linear address whose translation the last exit told, and that translation */
	gva_t fault_page;
	gpa_t fault_gpa;
	bool fault_known, fault_write; /* that access was a write: the translation is good for writes too */
	gpa_t emulated_gpa; /* why the heart wants an instruction emulated, while that happens */
	bool emulated_fault;
	/* where an instruction that is carried out by what is known (vm/exit/known.c) has read in order to write;
	 * MEMO_NONE: nowhere yet */
	uint64_t known_linear, known_gpa;
	bool emulated_mmio; /* fault_gpa is known to be a page of a device's */
	/* rip and registers when an instruction was last let run on a page table, and how often it was the same */
	uint64_t unprotected_state;
	unsigned unprotected_count;
	/* DR7, if it has breakpoints on data or ports, while an instruction is done for the guest; else 0 */
	uint64_t breakpoints;
	uint64_t breakpoint_hits; /* of DR0 to DR3, by the accesses of that instruction */
	struct vcpu_debug debug;
	struct vcpu_chain chain;
	struct exit_stat exits[HVM_EXIT_CODES];
};

struct mtrrs {
	uint64_t def_type;
	uint64_t fixed[11];
	uint64_t variable[16]; /* base, mask, base, mask, … */
};

/* Going through several mechanisms, over and over (vm/memory/mechanism_switch.c). */
struct switching {
	const struct mmu_ops *list[CONFIG_SWITCHES_MAX];
	unsigned count; /* 0: it does not */
	unsigned at;
	uint64_t period; /* TSC ticks, or */
	unsigned exits;  /* VM exits */
	unsigned seen;   /* exits since the last change */
	uint64_t since;  /* the guest's ticks at the last change */
	struct timer timer;
};

struct vm {
	unsigned id;
	const struct vm_config *config;
	bool ending; /* somebody has said so (vm_end), and says why; then: */
	bool ended;
	bool again;    /* who has ended it wants it to begin again; written before .ended */
	bool for_good; /* the first CPU's: it does not, whatever that was (vm/life/life.c) */
	bool released; /* it holds nothing any more but what is said of it (vm/life/release.c) */
	bool settled;  /* the first CPU knows (LC2 in vm/life/life.c) */
	bool paused; /* by the control channel, for a panic, or for a move: none of its vCPUs is picked */
	struct percpu *frozen_by; /* changed by atomic operations (vm/sched/freeze.c); NULL: it is not */
	unsigned frozen_depth;    /* that CPU's */
	unsigned weight; /* the machine's, among others (SC4) */
	int status;
	char end_text[240];
	unsigned vcpus_over; /* that have left their CPUs after its end; changed by atomic operations (VM3) */
	struct vm *untold;   /* the next one on the list of percpu.untold */
	uint64_t told;       /* lines of its account that have been written, after its end */
	bool all_told;

	struct spinlock pause_lock; /* a leaf: whether the clock of a paused VM stands still */
	struct spinlock device_lock;
	/* The alarms of the devices, where there are several vCPUs: the boot processor looks at them */
	struct timers device_timers;
	struct fair_lock mmu_lock;
	struct mmu_vm mmu;
	bool has_mmu; /* .mmu has been set up */
	struct mmu_below below;
	struct backing_extents low_backing, high_backing;
	struct extent extent[VM_EXTENT_LISTS][VM_EXTENTS_MAX]; /* by enum vm_extents */
	struct ram ram[VM_EXTENTS_HIGH + 1]; /* taken when it is touched, below and above 4 GBytes */
	/* Bytes; and pages of RAM that were taken at once, and that are compressed (vm/memory/packed.c). */
	uint64_t low_ram, high_ram, preallocated, packed;
	struct vcpu *vcpu[VCPUS_MAX]; /* the first is the boot processor */
	unsigned vcpu_count;          /* fixed once the VM is made; 0: there was no memory for one */
	struct cpuid_policy cpuid;
	struct mtrrs mtrrs;

	struct vm_firmware firmware;
	struct vm_debug debug;
	struct switching switching;
	struct dirty_rate dirty; struct merge merge;
	struct vm_save save; struct live_part live;

	struct {
		enum config_tpr method;  /* not CONFIG_TPR_AUTO */
		struct tpr_accounts account;
		gfn_t page_at;           /* where .frame is mapped; ~0: nowhere */
		struct extent frame;     /* of one page, or of none */
		struct backing_extents backing;
		bool over_memory;        /* a local APIC has lain over memory, and the log has said so */
	} tpr; /* vm/tpr/tpr.c */
	struct vm_patch patch;

	struct vm_clock clock;
	struct uart uart; struct pic pic; struct pit pit; struct rtc rtc;
	struct ioapic ioapic; struct irqhub irqhub;
	struct apic_bus apic_bus;
	struct acpi_pm acpi_pm;
	struct pci pci; struct i440fx i440fx;
	struct piix piix;       /* with a firmware or IDE drives only; what follows, with a firmware only */
	struct dma8237 dma8237;
	struct i8042 i8042;
	struct vm_video *video; /* NULL: it has no display */
	struct vga text;        /* without a firmware: the text screen that one would leave */
	struct debugcon debugcon;
	struct guest_memory memory; /* as devices reach it */
	struct ports ports;
	struct fw_cfg fw_cfg;
	struct pvpanic pvpanic;
	uint32_t panics_said;    /* BIT(enum machine_event) of what of that has been passed on */
	struct testdev *testdev; /* NULL: not offered */
	struct vm_disk *disks;   /* as many as the description says; NULL: none */
	struct ide *ide;         /* the controller of those that are IDE drives; NULL: none are */
	struct vm_net *nets;     /* its network cards, in the same way */
	struct vm_virtio *virtio; /* NULL: neither of what is in there */
	/* NULL: the guest has marked none; and the same by mechanism, NULL: it has kept the one that it began with */
	struct phases *phases, *under;
	bool input_waiting;      /* bytes for the UART are in the host's ring */
	struct vm_console console;
	struct mmio_space mmio;
	struct pio_space pio;
};

#define for_each_vcpu(v, vm) \
	for (unsigned n_##v = 0; n_##v < (vm)->vcpu_count && ((v) = (vm)->vcpu[n_##v]); n_##v++)

/* ---- questions to a VM ---- */

/* The boot processor; NULL: there was no memory for one. On PCs the 8259s' output is wired to its local APIC (MP
 * Specification, "Virtual Wire Mode"). What is done once for all of a VM's vCPUs is done by it, on its CPU: changes of
 * the mechanism, answers to the control channel. */
static inline struct vcpu *vm_boot_vcpu(const struct vm *vm) { return vm->vcpu[0]; }
/* The number of the CPU where that is. */
static inline unsigned vm_home(const struct vm *vm)
{
	return vm->vcpu_count ? __atomic_load_n(&vm_boot_vcpu(vm)->cpu, __ATOMIC_RELAXED)->id : 0;
}
/* Has any vCPU been in the guest, so that there is something to tell? */
static inline bool vm_started(const struct vm *vm)
{
	const struct vcpu *v;

	for_each_vcpu(v, vm)
		if (v->started)
			return true;
	return false;
}
/* Has every vCPU a VPID? */
static inline bool vm_tagged(const struct vm *vm)
{
	const struct vcpu *v;

	for_each_vcpu(v, vm)
		if (!v->mmu.tag.vpid)
			return false;
	return vm->vcpu_count;
}

/* ---- vm/create.c ---- */
/* Makes a VM of config from the boot modules: memory, devices, loaded image, a vCPU on CPU cpu, not yet running.
 * Returns it; where it cannot be started, it has ended already, with a status and a text. NULL: no memory even for
 * that. */
struct vm *vm_create(unsigned id, const struct vm_config *config, struct percpu *cpu);

/* ---- vm/firmware/firmware.c ---- */
static inline bool firmware_given(const struct vm *vm) { return vm->config->bios[0] != '\0'; }

/* ---- vm/cpu/hide.c ---- */
/* Takes features from caps by a list of names with commas between them (NULL: none). NULL, or one sentence that says
 * which name is none; valid until the next call. */
const char *caps_hide(struct hvm_caps *caps, const char *list);

/* ---- vm/cpu/vcpu.c ---- */
/* Makes the vCPUs that the description asks for, the first on the CPU first, each on the next. false: the VM has
 * ended. */
bool vcpus_create(struct vm *vm, struct percpu *first);
/* Gives each its registers: boot the first, the others wait to be started. false: the VM has ended. */
struct cpu_start;
bool vcpus_start(struct vm *vm, const struct cpu_start *boot);
/* Serves REQUEST_INIT; v is loaded. */
void vcpu_serve_init(struct vcpu *v);
/* An INIT, a start-up IPI or an NMI for v, from any CPU. */
void vcpu_signal_init(struct vcpu *v);
void vcpu_signal_sipi(struct vcpu *v, uint8_t vector);
void vcpu_signal_nmi(struct vcpu *v);

/* ---- vm/life/release.c ---- */
/* Gives back what a VM held that has ended and whose account has been told: its RAM, tables, virtual CPUs' state and
 * all else but what is still said of it on request (struct vm and struct vcpu). Its vCPUs are on no ring, and loaded on
 * no CPU. Once (VM3). */
void vm_release(struct vm *vm);
/* Gives back the rest of one that was released. */
void vm_free(struct vm *vm);
/* Gives back the rest, of every VM, when the last one is over; says so in the log where frames are missing of those
 * that there were before the first was made (machine.frames_before). */
void vm_release_all(void);

/* ---- vm/cpu/mitigations.c ---- */
/* For a new VM whose vCPU has not run: what is done around its runs, and what its guest is offered; one line in the log
 * says what and why. What cannot be had, though it was asked for, ends the VM. */
void mitigations_choose(struct vm *vm);
/* The guest's MSRs that control speculation. false: there is no such register, or the value makes no sense (#GP). */
bool mitigations_read(const struct vcpu *v, uint32_t msr, uint64_t *value);
bool mitigations_write(struct vcpu *v, uint32_t msr, uint64_t value);

/* ---- vm/memory/mechanism.c ---- */
/* The mechanism that the VM's description asks for, or the best that this CPU can run; one line in the log says which
 * and why. NULL: the CPU lacks what was asked for; the VM has ended, with a sentence that says what. */
const struct mmu_ops *mechanism_choose(struct vm *vm, const struct mmu_config *config);
/* NULL, or what this CPU lacks for it. */
const char *mechanism_lacks(const struct mmu_ops *ops);
/* The one of this name; NULL, with *why: there is none, or this CPU cannot run it. */
const struct mmu_ops *mechanism_named(const char *name, const char **why);
/* Can this CPU run the VM in real mode under the mechanism? */
bool mechanism_runs_real_mode(const struct vm *vm, const struct mmu_ops *ops);

/* ---- vm/run.c ---- */
/* Makes the guest's TSC what its clock and its offset say (K2 in vm/clock.h); the vCPU is loaded. */
static inline void vcpu_write_tsc_offset(struct vcpu *v)
{
	uint64_t offset = v->tsc_offset - v->vm->clock.behind;

	if (offset != v->tsc_offset_written) {
		v->tsc_offset_written = offset;
		hvm_set_tsc_offset(&v->hvm, offset);
	}
}
/* The calling CPU runs the vCPUs on its ring until the last VM of the machine has ended; an application processor then
 * parks. */
void vm_cpu_loop(void);
/* Gives a new VM's vCPUs to their CPUs, which find them there when they next look. */
void vm_start(struct vm *vm);
/* Goes on with the accounts of VMs that have ended on the calling CPU, which is cpu. false: there is nothing to tell,
 * or no room. */
bool vm_tell(struct percpu *cpu);
/* ---- vm/life/end.c ---- */
/* Ends the VM: its vCPUs stop before their next entries. The first call counts, on whatever CPU. */
void vm_end(struct vm *vm, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* The same by a reset: whose description says so (on-reset), or who is asked to, then begins again. */
void vm_reset(struct vm *vm, bool asked, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* And by a triple fault, which is a reset where resets are booted from, as chipsets have it (SDM, "Shutdown"). */
void vm_triple_fault(struct vcpu *v), vm_tell_state(struct vcpu *v); /* its registers and last exits, in the log */
/* ---- vm/run.c ---- */
/* Makes the vCPU look at its requests, wherever it is; with 0, its CPU at its alarms and whether it may run. */
void vcpu_request(struct vcpu *v, uint64_t request);
/* The same, of one that lives on the calling CPU, which looks at them before it enters the guest. */
static inline void vcpu_note(struct vcpu *v, uint64_t request)
{
	__atomic_fetch_or(&v->requests, request, __ATOMIC_SEQ_CST);
}
/* Is there a request that it has not served? Other CPUs set them at any time: a relaxed load. With what looks at it, it
 * is one instruction, where compilers make two or three of __atomic_load_n(). */
static inline bool vcpu_requested(const struct vcpu *v)
{
	bool some;

	__asm__ volatile("cmpq $0, %1" : "=@ccne"(some) : "m"(v->requests));
	return some;
}
/* Enters the guest, whose registers are as vcpu_v86_fits() wants them, and handles its exit. false: it has faulted, and
 * the emulator is to see why. */
bool run_v86(struct vcpu *v);
/* ---- vm/sched/freeze.c ---- */
/* Stops all vCPUs of the VM (FZ1); waits for that, so no lock is held. The vCPU that the calling CPU runs, if any, is
 * loaded, and between two guest instructions. May be nested; thaw lets them go on. */
void vm_freeze(struct vm *vm);
void vm_thaw(struct vm *vm);
/* Of v, which is loaded: the guest's registers are in the heart, and what the heart changed is written. */
void vcpu_sync_heart(struct vcpu *v);
/* The calling CPU has left v, which it had taken up (vcpu_may_run() in vm/sched/schedule.h). */
void vcpu_has_left(struct vcpu *v);
/* What was changed for v while it was on another CPU is done: v is loaded. */
void vcpu_catch_up(struct vcpu *v);
/* emulated_decide() for v, which does not run and has started: now, or when its own CPU next loads it. */
void vcpu_decide(struct vcpu *v);
/* Pauses the VM: its vCPUs leave their CPUs before their next entries, and are not picked; or lets it go on. */
void vm_pause(struct vm *vm, bool on);
/* Has v, which lives on the calling CPU and has been started, loaded there for a while; returns who was, for
 * vcpu_visited(). */
struct vcpu *vcpu_visit(struct vcpu *v);
void vcpu_visited(struct vcpu *before);
/* Takes v off the calling CPU, on which it lives and does not run: its registers and what the CPU keeps of it in memory
 * go to memory, so that another CPU may take it up (or nobody, if it is over). */
void vcpu_leave_cpu(struct vcpu *v);

/* What the heart changed of registers, intercepts and roots is in the CPU's state of v, which is loaded, and flushes
 * are done. */
void vcpu_bring_up_to_date(struct vcpu *v);

/* ---- vm/cpu/enterable.c ---- */
/* Does the CPU enter the vCPU, which is loaded, as its registers are? EN1 */
bool vcpu_enterable(const struct vcpu *v);

/* Is the guest in real mode, such that the CPU runs it in virtual-8086 mode as it would there? EN2 */
bool vcpu_v86_fits(const struct vcpu *v);

/* ---- vm/cpu/emulated.c ---- */
/* To be called, with the vCPU loaded and its paging registers synchronised, by whoever has changed what
 * vcpu_enterable() looks at, but by the CPU or the emulator. */
void emulated_decide(struct vcpu *v);
/* The same before an entry, of one with .emulated. */
void emulated_look_again(struct vcpu *v);
/* After each instruction of one: its time. */
void emulated_time(struct vcpu *v);
/* The emulator runs a vCPU with .emulated for a while. */
void emulated_turn(struct vcpu *v);

/* ---- vm/sched/alarm.c ---- */
/* Does the CPU itself count to the next alarm of v while its guest runs (AL1)? Before it is started. */
bool alarm_wanted(const struct vcpu *v);
/* Sets it, before an entry; and, it rang. */
void alarm_set(struct vcpu *v);
void alarm_rings(struct vcpu *v);

/* ---- vm/tpr/tpr.c ---- */
/* Chooses how the TPR is virtualized, for a VM with its vCPUs, devices and memory that has not run; one line in the log
 * says which and why. false: the VM has ended, with a sentence. */
bool tpr_init(struct vm *vm);
/* Gives its pages back. */
void tpr_free(struct vm *vm);
/* The method in use; "auto": none has been chosen yet. */
const char *tpr_name(const struct vm *vm);
const char *tpr_method_name(unsigned method);
/* Goes over to the method of this name; freezes the VM for that. NULL, or one clause that says why not; the VM then
 * goes on as it was. */
const char *tpr_change(struct vm *vm, const char *name);
/* Is the page of the local APIC mapped for the CPU to serve? */
static inline bool tpr_page_mapped(const struct vm *vm) { return vm->tpr.page_at.v != ~0ull; }
/* IA32_APIC_BASE of v has changed, which is loaded on this CPU and is not in its guest. Freezes the VM. */
void tpr_page_moves(struct vcpu *v);
/* The memory map is another; no vCPU runs, the device lock is held. */
void tpr_memory_changed(struct vm *vm);
/* Before an entry, by whoever looked for events: TP3. window: for what waits, it is asked for. Where the CPU delivers,
 * there is no threshold, and none is looked for. */
static inline void tpr_set_threshold(struct vcpu *v, bool window)
{
	unsigned class = v->lapic.page || VM_KEPT(TPR_WINDOW, window) ? 0 : lapic_tpr_threshold(&v->lapic);

	if (v->vm->tpr.method == CONFIG_TPR_FLEXPRIORITY)
		hvm_set_tpr_threshold(&v->hvm, class);
	else if (unlikely(v->vm->tpr.method == CONFIG_TPR_PATCH))
		VM_MUTANT(PATCH_THRESHOLD, patch_set_threshold(&v->vm->patch, class));
}
/* The same where the CPU delivers: TP4. */
static inline bool tpr_cpu_delivers(const struct vcpu *v) { return v->lapic.page && likely(!v->emulated); }
void tpr_hand(struct vcpu *v);

/* ---- vm/memory/mechanism_switch.c ---- */
/* Sets up the changes that the description asks for. false: the VM has ended. */
bool switch_init(struct vm *vm);
/* CR4 bits of features that the guest must not be offered. */
uint64_t switch_hidden_cr4(const struct vm *vm);
/* Goes over to the mechanism; freezes the VM for that. NULL, or one clause that says why not: the VM then goes
 * on as it was. */
const char *vm_switch(struct vm *vm, const struct mmu_ops *ops);
/* Serves REQUEST_MMU, which is the boot processor's. */
void switch_next(struct vcpu *boot);
/* The vCPU goes on after a HLT. */
void switch_woken(struct vcpu *v);

/* ---- vm/exit/dispatch.c ---- */
typedef void exit_handler(struct vcpu *v);
/* By the exits' codes; set up once, before any vCPU runs. */
extern exit_handler *exit_handlers[HVM_EXIT_CODES];
void exit_handlers_init(void);
/* For one that this hypervisor has not asked for: the VM is over. */
exit_handler exit_unknown;
/* For exits that can happen while an event is being delivered: puts the event back (SDM, "Information for VM Exits That
 * Occur During Event Delivery"). */
void exit_requeue_event(struct vcpu *v);
/* Past the instruction that exited. */
void exit_skip(struct vcpu *v);
/* The same where its access of data exited as a fault does, and was made for it; length: of the instruction, bytes. */
void exit_skip_access(struct vcpu *v, unsigned length);

/* ---- vm/exit/event.c ---- */
/* Queues an exception for the next entry; together with one that was being delivered it may become a double or triple
 * fault. */
void event_exception(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error);
/* Does this event (.info) push RFLAGS with RF set? */
bool event_sets_rf(uint32_t info);
/* #PF, with its error code and what CR2 becomes. */
void event_page_fault(struct vcpu *v, uint32_t error, uint64_t cr2);
/* The #DB that INT1 raises, with the instruction's length in bytes: no DR6 changes, and no DPL is checked. */
void event_int1(struct vcpu *v, uint32_t length);
static inline void event_gp(struct vcpu *v) { event_exception(v, VECTOR_GP, true, 0); }
static inline void event_ud(struct vcpu *v) { event_exception(v, VECTOR_UD, false, 0); }
/* Injects what can be injected now, or asks for a window; or delivers it, where the vCPU is emulated. */
void event_deliver(struct vcpu *v);
/* Of one that is emulated: is there something that event_deliver() would deliver now? */
bool event_may_come(const struct vcpu *v);
/* A HLT has been done, by the guest or for it, and RIP and RFLAGS are those behind it: the vCPU sleeps, or its VM ends
 * if nothing can wake it. */
void event_halt(struct vcpu *v);
/* Is there something that ends a HLT, and what is to be done with it? */
enum event_wakes {
	EVENT_NONE,       /* nothing ends a HLT */
	EVENT_TO_DELIVER, /* what event_deliver() sees to */
	EVENT_WITH_CPU,   /* an interrupt that the CPU has been handed; nothing else is to be delivered */
};
enum event_wakes event_wakes(struct vcpu *v);
/* What has arrived, and whether it waits for a start-up IPI. */
enum { SIGNAL_INIT = 1, SIGNAL_SIPI = 2, SIGNAL_NMI = 4, SIGNAL_WAITS = 8 };
enum { SIGNAL_VECTOR_SHIFT = 8, SIGNAL_VECTOR = 0xff << SIGNAL_VECTOR_SHIFT };
static inline uint32_t vcpu_signals(const struct vcpu *v) { return __atomic_load_n(&v->signals, __ATOMIC_ACQUIRE); }
static inline bool vcpu_waits(const struct vcpu *v) { return vcpu_signals(v) & SIGNAL_WAITS; }
/* One behind a start-up IPI is none yet while that has not been taken. */
static inline bool vcpu_nmi_pending(const struct vcpu *v)
{
	uint32_t signals = vcpu_signals(v);

	return (signals & SIGNAL_NMI) && VM_LEFT_OUT_OR(NMI_EARLY, !(signals & (SIGNAL_WAITS | SIGNAL_INIT)));
}

/* Is the exception that exited from virtual-8086 mode one that the emulator looks into? Else it is handled as from real
 * mode. */
bool v86_faulted(struct vcpu *v);
/* ---- vm/exit/: cr.c, msr.c, io.c, exception.c, mmu.c ---- */
exit_handler exit_cr_access, exit_xsetbv, exit_invlpg;
exit_handler exit_rdmsr, exit_wrmsr, exit_io;
exit_handler exit_exception, exit_machine_check, exit_nested_fault, exit_nested_misconfig, exit_log_full;
/* Emulates the instruction at RIP, which has accessed the page of a device at gpa; or, where an event was being
 * delivered, its delivery. */
void exit_emulate_mmio(struct vcpu *v, gpa_t gpa);
/* A #PF that exited; info: hvm_exit_event(). */
void exit_page_fault(struct vcpu *v, uint64_t info);
/* RDMSR and WRMSR of the vCPU; false: #GP(0). */
bool msr_read(struct vcpu *v, uint32_t msr, uint64_t *value);
bool msr_write(struct vcpu *v, uint32_t msr, uint64_t value);
/* Those that need no exit (vm/exit/msr_own.c), for the emulator. */
bool msr_is_own(const struct vcpu *v, uint32_t msr);
bool msr_read_own(const struct vcpu *v, uint32_t msr, uint64_t *value);
bool msr_write_own(struct vcpu *v, uint32_t msr, uint64_t value);
/* What CPUID answers the vCPU. */
struct cpuid vcpu_cpuid(const struct vcpu *v, uint32_t leaf, uint32_t subleaf);
/* The MTRRs of a new VM; IA32_MISC_ENABLE of a new vCPU. */
void msr_reset(struct vm *vm);
void msr_reset_vcpu(struct vcpu *v);
/* MOV to CRn; the paging registers have been synchronised (hvm_sync_paging). false: an exception has been queued, or
 * the VM has ended. */
bool cr_write(struct vcpu *v, unsigned n, uint64_t value);
/* Would XSETBV take it? */
bool cr_xcr0_valid(const struct vcpu *v, uint64_t x);

/* ---- vm/exit/apic.c ---- */
exit_handler exit_tpr_below, exit_apic_access, exit_apic_write, exit_eoi;
/* The instruction at RIP has accessed gpa, where no memory is. true: that was a register of the local APIC, and it is
 * done; false: the emulator must look. */
bool apic_served(struct vcpu *v, gpa_t gpa);
/* The same of an access to the TPR that cannot be patched, as was found just now (patch_try). */
bool apic_served_anyhow(struct vcpu *v, gpa_t gpa);
/* The same of any device's. */
bool device_served(struct vcpu *v, gpa_t gpa);
/* An EPT misconfiguration at gpa, within the display's aperture (vm/exit/planes.c); and any other (vm/exit/mmu.c). */
void exit_planes(struct vcpu *v, gpa_t gpa);
/* Reserved bits have stopped an access to gva. true: the instruction at RIP has accessed planes, and is done. */
bool planes_fault_served(struct vcpu *v, gva_t gva);
void exit_other_misconfig(struct vcpu *v, gpa_t gpa);

/* ---- vm/exit/task_switch.c ---- */
exit_handler exit_task_switch;

/* ---- vm/exit/emulation.c ---- */
/* Emulates the instruction at the guest's RIP. */
void emulation_step(struct vcpu *v);
/* The same, and up to max in all as long as they change no more than general registers, flags and memory; how many. */
unsigned emulation_steps(struct vcpu *v, unsigned max);
/* Delivers v->event, whose delivery by the CPU has been cut short by an access that only the emulator can make. */
void emulation_deliver(struct vcpu *v);

/* ---- vm/exit/emulation_ops.c ---- */
extern const struct emulate_ops emulation_ops;
/* Is gpa memory for such an access, and not a device's or nobody's? */
bool emulation_is_memory(struct vm *vm, gpa_t gpa, bool write);
/* What gva means to the guest for the access, A/D bits set. false: *error is the page fault's error code. The paging
 * registers have been synchronised (hvm_sync_paging). */
bool vcpu_translate(struct vcpu *v, gva_t gva, struct access access, gpa_t *gpa, uint32_t *error);

/* ---- vm/platform.c ---- */
/* Wires the devices. false: a table was too small (Vellum's own mistake), or no memory. */
bool platform_init(struct vm *vm);
/* The guest's local APIC page or another device. */
uint64_t platform_mmio_read(struct vcpu *v, uint64_t gpa, unsigned size);
/* Is gpa in the page at which v's local APIC answers? */
bool platform_is_lapic(const struct vcpu *v, uint64_t gpa);
void platform_mmio_write(struct vcpu *v, uint64_t gpa, unsigned size, uint64_t value);
/* Is there a device whose interrupt comes as an NMI or as INIT, as the guest has programmed it? */
bool platform_sends_nmi(struct vm *vm);
/* Presses the PC's power button. */
void platform_power_button(struct vm *vm);

/* ---- vm/account/stats.c ---- */
/* What the machine is, in lines of "host". */
void stats_host(void);
/* Some lines of the account of a VM that has ended, and as the last why it did; to be called until vm->all_told. false:
 * the port had no room for one. */
bool stats_vm(struct vm *vm);
/* The account of exits with this code, of all vCPUs. */
struct exit_stat stats_exit(const struct vm *vm, unsigned code);
/* Ticks of exits with this code, of a part of a run. The last exit of the part before may have ended in this one, which
 * then has ticks without a count; what is before the first exit of all is none's. */
uint64_t stats_ticks_of(const struct vm *vm, unsigned code, const struct exit_stat *e);
/* Accesses to the TPR that were exits, or parts of one. */
struct lapic_tpr_count stats_tpr(const struct vm *vm);
/* Do such exits belong to what virtualizing the guest's memory costs? */
bool stats_of_mechanism(unsigned code);
/* The accounts so far of all VMs that have not told theirs, without their phases: what a panic says before its reason
 * (console_last_words). Takes no lock. */
void stats_last_words(void);
/* Ticks that the vCPU has had CPUs: of a turn that is not over, those up to its last exit, as its exits' are. On any
 * CPU, at any time; it never goes back. */
FOR_TESTS uint64_t stats_ran(const struct vcpu *v);
uint64_t stats_vm_ran(const struct vm *vm);
/* Of them, those in the guest and in its exits' handlers. On any CPU too; the guest's of one that is in its guest may
 * then lack as much as its last exit took. */
void stats_ticks(const struct vcpu *v, uint64_t *guest, uint64_t *hypervisor);

#include "vm/sched/schedule.h"

#endif
