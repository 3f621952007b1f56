/* test/vm/bench.h - the exit handlers in an ordinary process: vm/, vmx/, dev/, emulate/ and mmu/ as they are, over a
 * CPU in software with its VMCS in memory. The run loop of vm/run.c runs too, on a stack of its own: where it would
 * enter the guest, it comes back to the test, which is the guest. The test changes registers and memory as the guest's
 * code would, says how the guest was left, and goes on (bench_exit) until the next entry, a CPU with nothing to do, or
 * the end of the last virtual machine.
 *
 * B1  Every entry is put through the manual's checks (model/vmentry.h): bench.broken is the rule that a CPU would find
 *     broken. The fixture of the unit tests and the fuzzers fail by it.
 * B2  VMREAD and VMWRITE of a field that the CPU model does not have fail, as on a CPU, and end the process by bug().
 * B3  After an entry the VMCS is as a CPU has it once the event was delivered: NMIs blocked by one that was injected,
 *     blocking by STI and MOV SS over, pending debug exceptions delivered. bench.entry is the VMCS as it was entered
 *     with.
 *     What an interrupt that waits needs is asked for: a window, or a TPR threshold that is its class (TP3 in
 *     vm/tpr/tpr.c).
 * B4  One process, one bench: bench_new and bench_delete in turn. The same calls give the same results, to the tick.
 * B5  The run loop comes to its next entry, or to its sleep, in bounded time; else bug() ends the process.
 * B6  With several CPUs, each has a run loop of its own, and stands where it stands; one of them goes on at a time, the
 *     one that bench_on() chose. A kick goes nowhere: it is counted, and the test delivers it. */
#ifndef VELLUM_TEST_VM_BENCH_H
#define VELLUM_TEST_VM_BENCH_H

#include "host/boot/multiboot.h"
#include "model/vmentry.h"
#include "vm/vm.h"

#define BENCH_VMS_MAX 16

/* CPU models: what VT-x offers. */
enum bench_cpu {
	BENCH_HASWELL,   /* everything that Vellum uses but SMAP and protection keys */
	BENCH_MODERN,    /* these too */
	BENCH_LYNNFIELD, /* EPT without unrestricted guest */
	BENCH_PENRYN,    /* no EPT, no VPID, EFER and PAT by the MSR areas */
	BENCH_CPUS,
};

struct bench_config {
	enum bench_cpu cpu;
	const char *mmu;         /* "": the best */
	const char *tpr;         /* as --tpr; NULL: trap */
	const char *description; /* further lines of the virtual machine's description; NULL: none */
	unsigned vms;            /* 0: one */
	bool restore;            /* goes on with bench_snapshot */
	bool firmware;           /* starts at a firmware, without a kernel: 256 KiB, byte n is n >> 12,
	                          * but for the first instruction, a jump to 0xf000:0 */
	bool vm86;               /* real mode by virtual-8086 mode, where the CPU cannot enter it */
	bool guest_clock;
	unsigned host_cpus;      /* 0: one */
	/* what the CPU says of itself there; NULL: nothing is needed, nothing can be had */
	const struct speculation_cpu *speculation;
	/* What the CPU says in place of what its model does; NULL: that. */
	uint64_t (*msr)(uint32_t msr, uint64_t value);
	struct cpuid (*cpuid)(uint32_t leaf, uint32_t subleaf, struct cpuid c);
};

/* Where the run loop stands. */
enum bench_at {
	BENCH_ENTRY, /* about to enter the guest */
	BENCH_IDLE,  /* nothing to run: the CPU waits for an interrupt */
	BENCH_EMULATED, /* the emulator has run the guest for some hundred instructions, and goes on */
	BENCH_OVER,  /* the last virtual machine has ended */
};

/* The modes that bench_mode() brings a guest to. */
enum bench_mode {
	BENCH_REAL,   /* needs ept with unrestricted guest */
	BENCH_V86,
	BENCH_PROT16,
	BENCH_PROT32, /* without paging */
	BENCH_PAGED32,
	BENCH_PAE,
	BENCH_COMPAT,
	BENCH_LONG64,
	BENCH_MODES,
};

/* What an entry was made with. */
struct bench_entry {
	uint32_t event; /* interruption information of what was injected, or came by the CPU itself; 0: nothing */
	uint32_t error, length;
	uint64_t rip, rflags, interruptibility, activity, pending_debug, proc;
};

/* How the guest is left. What is 0 is written as 0; the field that the reason does not have is not looked at. */
struct bench_exit {
	uint32_t reason;
	uint64_t qualification;
	uint32_t length; /* of the instruction */
	uint32_t info, error;           /* VM-exit interruption information */
	uint32_t vectoring, vectoring_error;
	uint64_t gva, gpa;
	uint32_t instruction_info;
};

#define BENCH_HOST_CPUS 4

struct bench {
	struct vm *vm[BENCH_VMS_MAX];
	struct vcpu *v; /* the one that is about to enter, or entered last */
	enum bench_at at;
	struct bench_entry entry;
	const char *broken;    /* the last entry's broken rule; NULL: none */
	uint64_t accesses;     /* VMREAD and VMWRITE since the loop went on */
	uint64_t emulated_before; /* bench_emulated() then */
	uint64_t entered; /* the TSC at the last entry */
	unsigned invvpids, invepts, entries;
	unsigned kicks[BENCH_HOST_CPUS]; /* that have been sent to each CPU */
	const char *why_not; /* the sentence of disks_begin(), for the last that was made; NULL: none */
	bool no_card;            /* nic_host_init() finds none */
	uint64_t bytes_out;      /* of frames that it was given */
	bool machine_check_fatal; /* what the host's machine check lost was in use */
	/* What a triple fault is made of is asked for (vm/exit/chain.c), and the test answers; else the CPU does, that
	 * no exception came again. */
	bool chains;
	bool entry_fails;        /* the next VMLAUNCH or VMRESUME: VMCS_INSTRUCTION_ERROR says 7 */
	bool stalled;            /* the host's serial ports take no byte */
	bool invalidations_fail; /* INVVPID and INVEPT but of all contexts fail, as on a CPU that lacks the type */
};
extern struct bench bench;
/* The boot module "snapshot": the test's; .data NULL: there is none. */
extern struct boot_module bench_snapshot;

/* Makes the machine and its virtual machines, and runs to the first entry: protected mode without paging, at the
 * kernel's first instruction. Fails the process where that is not possible. */
void bench_new(const struct bench_config *config);
/* One more virtual machine of the same machine, as vm/main.c makes it: it waits for its turn, or it has ended, and a
 * sentence says why. */
struct vm *bench_create(const struct bench_config *config);
/* What is said of the bench is from now on said of this CPU, which is the one that goes on. */
void bench_on(unsigned cpu);
/* Ends what still runs, and takes everything down. */
void bench_delete(void);

/* The guest is left for this reason; goes on to where the run loop stands next. */
enum bench_at bench_exit(const struct bench_exit *exit);
enum bench_at bench_exit_simple(uint32_t reason, uint32_t length);
/* The guest writes its TPR where the CPU keeps it: where that is below the threshold, it exits; where the CPU delivers
 * interrupts, the one that may come now is bench.entry.event, as if it had been injected. */
enum bench_at bench_write_tpr(uint8_t value);
/* With virtual-interrupt delivery: the guest writes to the local APIC's page. */
enum bench_at bench_apic_write(unsigned offset, unsigned size, uint32_t value);
/* It reads a register there. false: that exits. */
bool bench_apic_read(unsigned offset, uint32_t *value);
/* Instructions that the emulator has carried out for guests that it runs. */
uint64_t bench_emulated(void);
/* The emulator goes on. */
enum bench_at bench_emulate(void);
/* A CPU that is idle, or emulates, or a guest that runs, gets an interrupt of the host. */
enum bench_at bench_interrupt(uint8_t vector);
/* The host's time goes on by ticks of the TSC; the CPU's timer is noticed by bench_timer(). */
void bench_wait(uint64_t ticks);
/* Goes on to when the CPU's timer is due, and takes its interrupt. */
enum bench_at bench_timer(void);
/* The same, or a slice later, if it is not due before. */
enum bench_at bench_slice(void);
/* What the hypervisor wrote to COM2 since bench_new, and to COM1; all of it, also where the ports are stalled. */
const char *bench_log(void);
const char *bench_console(void);
/* The host's serial port sends some of what waits, and says so by its interrupt. */
enum bench_at bench_sent(unsigned port);
/* n bytes arrive on a serial port of the host; they stay where they are until they have been read. */
void bench_type(unsigned port, const void *bytes, size_t n);

/* ---- the guest (test/vm/guest.c) ---- */

/* Guest-physical places that bench_mode() uses; RAM is 4 MiB. */
#define BENCH_CODE 0x180000u
#define BENCH_STACK 0x190000u
#define BENCH_GDT 0x1a0000u
#define BENCH_TSS 0x1b0000u
#define BENCH_DATA 0x1c0000u
#define BENCH_TABLES 0x200000u
#define BENCH_RAM 0x400000u
/* Selectors in its GDT. */
enum {
	BENCH_CODE0 = 0x08,
	BENCH_DATA0 = 0x10,
	BENCH_CODE3 = 0x1b,
	BENCH_DATA3 = 0x23,
	BENCH_TSS1 = 0x28,
	BENCH_TSS2 = 0x38
};

/* As guest code would get there: through exits where there are any. cpl: 0 or 3 (real mode 0, virtual-8086 mode 3).
 * false: this CPU and mechanism cannot run the mode. */
bool bench_mode(enum bench_mode mode, unsigned cpl);
/* MOV to CRn by the guest: an exit where the VMCS says so, else its effect. */
enum bench_at bench_mov_to_cr(unsigned n, uint64_t value);
enum bench_at bench_wrmsr(uint32_t msr, uint64_t value);
enum bench_at bench_rdmsr(uint32_t msr);
/* Guest-physical memory. */
void bench_poke(uint64_t gpa, const void *bytes, size_t n);
void bench_peek(uint64_t gpa, void *bytes, size_t n);

static inline uint64_t *bench_gpr(enum gpr n) { return &bench.v->hvm.gpr[n]; }

#endif
