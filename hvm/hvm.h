/* hvm/hvm.h - one virtual CPU, whoever made the real one: everything that vm/ does with the CPU's virtualization
 * extension. Behind each function is the vendor's: hvm/vmx.h (VT-x, vmx/) or hvm/svm.h (AMD-V, svm/). What is a
 * vendor's alone - how a virtual CPU lies in memory, the numbers of exits, the bits that tell of them - is known there
 * only.
 *
 * Everything that includes this is compiled once for each vendor (VELLUM_SVM says for which), and linked to that
 * vendor's room alone. The image has both, and start/start.c starts the one that the CPU has. So no call goes through a
 * pointer, and nothing asks which it is.
 *
 * HV1 Every function wants the vCPU to be loaded on the calling CPU, but those of the machine, and of a vCPU
 *     hvm_vcpu_init, hvm_vcpu_exists, hvm_vcpu_destroy, hvm_set_measures, hvm_load and hvm_unload. */
#ifndef VELLUM_HVM_HVM_H
#define VELLUM_HVM_HVM_H

#include "host/cpu/speculation.h"
#include "hvm/types.h"
#include "lib/descriptor.h"
#include "lib/x86_msr.h"
#include "mmu/mmu.h"
#include "mmu/tag.h"

/* ---- the machine ---- */

/* What this CPU can do, into *c, which begins a union hvm_caps_room. NULL, or one sentence that says what is
 * missing. */
static inline const char *hvm_caps_read(struct hvm_caps *c);
/* Lets the calling CPU run guests. NULL, or one sentence that says why it cannot. */
static inline const char *hvm_cpu_enable(const struct hvm_caps *c);
/* Which ports and MSRs exit: once, before any vCPU is started. */
static inline void hvm_intercepts_init(const struct hvm_caps *c);
/* What this CPU caches under a tag, and of nested tables, for the heart (struct mmu_below). false: it lacks the type,
 * or has not done it. */
static inline bool hvm_flush_tag(enum tag_flush type, uint16_t tag, gva_t gva);
static inline bool hvm_flush_nested(enum nested_flush type, uint64_t root);

/* How many tags there are, that of the host counted. */
static inline uint32_t hvm_tag_count(const struct hvm_caps *c);
/* A guest may be entered whatever its mode and segments are: real mode too, with paging or without. */
static inline bool hvm_enters_any_state(void);
/* The MSRs of SYSCALL, and KERNEL_GS_BASE, change hands at each entry and exit: hvm_own_msr() has them. */
static inline bool hvm_switches_syscall(void);

/* The name of an exit's code in statistics, NULL: there is no such exit; and what it asks for. */
static inline const char *hvm_exit_name(unsigned code);
static inline enum hvm_exit_kind hvm_exit_kind(unsigned code);

/* The bytes of an instruction that no guest has, which exits as HVM_EXIT_ABSENT before the privilege level is looked
 * at; HVM_TELL_LENGTH of them. */
static inline const uint8_t *hvm_tell_insn(void);

/* ---- a virtual CPU's life ---- */

/* Allocates what it is kept in. false: no memory. */
static inline bool hvm_vcpu_init(struct hvm_vcpu *v, const struct hvm_caps *c);
static inline bool hvm_vcpu_exists(const struct hvm_vcpu *v);
static inline void hvm_vcpu_destroy(struct hvm_vcpu *v);
/* Before hvm_vcpu_start(): what each way in and out does against speculation. The CPU can each of the measures. */
static inline void hvm_set_measures(struct hvm_vcpu *v, const struct speculation *s, uint32_t measures);
/* Before the first entry. mmu->regs, ->intercepts and ->root are set. */
static inline void hvm_vcpu_start(struct hvm_vcpu *v, const struct hvm_start *start, struct mmu_vcpu *mmu);
/* What INIT changes of a started one, but paging registers: start->real_mode is set. */
static inline void hvm_vcpu_reset(struct hvm_vcpu *v, const struct hvm_start *start);
/* Loads it on this CPU; unload leaves it loaded nowhere, so that another CPU may load it. */
static inline void hvm_load(struct hvm_vcpu *v);
static inline void hvm_unload(struct hvm_vcpu *v);

/* Before the first of a series of hvm_enter() calls that are made with the same stack pointer, where that may be
 * another than that of the last. The first behind hvm_load() is such a one by itself. */
static inline void hvm_begin_turn(struct hvm_vcpu *v);
/* Enters the guest; interrupts are off. Returns v again, so that the caller need not keep it: the guest takes every
 * register. *failed: there was no entry (hvm_entry_error() says why), and no exit. */
static ALWAYS_INLINE struct hvm_vcpu *hvm_enter(struct hvm_vcpu *v, uint32_t *failed);
static inline uint64_t hvm_entry_error(const struct hvm_vcpu *v);
/* Would a CPU enter with this state? NULL, or the manual's rule that it breaks. */
static inline const char *hvm_entry_check(const struct hvm_vcpu *v, const struct hvm_caps *c);

/* ---- paging ---- */

/* What the heart changed of intercepts, registers and roots becomes the CPU's. */
static inline void hvm_apply_paging(struct hvm_vcpu *v, struct mmu_vcpu *mmu);
static inline void hvm_apply_root(struct hvm_vcpu *v, struct mmu_vcpu *mmu);
/* The log of pages that the CPU makes dirty begins anew, at this index (mmu_log_index()). */
static inline void hvm_restart_log(struct hvm_vcpu *v, uint16_t index);
/* Its exit when it is full: as hvm_nested_fault.nmi_unblocked. */
static inline bool hvm_exit_log_nmi_unblocked(const struct hvm_vcpu *v);
/* The reverse: what the guest changed without an exit, into mmu->regs. */
static inline void hvm_sync_paging(struct hvm_vcpu *v, struct mmu_vcpu *mmu);
/* The same for who has read the guest's RFLAGS, and counts each instruction. */
static ALWAYS_INLINE void hvm_sync_known(struct hvm_vcpu *v, struct mmu_vcpu *mmu, uint64_t rflags);
/* The number of the state that mmu->regs have been in since they were synchronised last, PDPTEs apart (mmu_translate),
 * and CS, base and access rights, and RFLAGS.VM: no state gets that of another. */
static inline uint64_t hvm_sync_number(const struct hvm_vcpu *v);
/* Of SS, access rights and limit, and of CS the base, since then. */
static inline uint64_t hvm_synced_ss(const struct hvm_vcpu *v);
static inline uint64_t hvm_synced_cs_base(const struct hvm_vcpu *v);
/* Of CR0 and CR4 only the bits that the guest changes without an exit: before hvm_apply_paging() where nobody has
 * synchronised since the last entry, for what is applied must not undo them. */
static inline void hvm_sync_unowned(struct hvm_vcpu *v, struct mmu_vcpu *mmu);
/* Only what an access depends on beside control registers: enough without nested paging, where each change of a bit of
 * those that paging looks at has exited. */
static inline void hvm_sync_access(struct hvm_vcpu *v, struct mmu_vcpu *mmu);

/* ---- registers that are not in gpr[] ---- */

static inline uint64_t hvm_rip(const struct hvm_vcpu *v);
/* The same to memory, for those of whom each instruction counts. */
static inline void hvm_rip_to(const struct hvm_vcpu *v, uint64_t *to);
static inline void hvm_set_rip(struct hvm_vcpu *v, uint64_t rip);
static inline uint64_t hvm_rsp(const struct hvm_vcpu *v);
static inline void hvm_set_rsp(struct hvm_vcpu *v, uint64_t rsp);
static inline uint64_t hvm_rflags(const struct hvm_vcpu *v);
static inline void hvm_set_rflags(struct hvm_vcpu *v, uint64_t rflags);
static inline uint64_t hvm_dr7(const struct hvm_vcpu *v);
static inline void hvm_set_dr7(struct hvm_vcpu *v, uint64_t dr7);
/* As the CPU runs with; the guest's own are in mmu->regs. */
static inline uint64_t hvm_hardware_cr0(const struct hvm_vcpu *v);
/* CR0 as the guest reads it. */
static inline uint64_t hvm_guest_cr0(const struct hvm_vcpu *v);
static inline uint64_t hvm_hardware_cr3(const struct hvm_vcpu *v);
static inline uint64_t hvm_hardware_cr4(const struct hvm_vcpu *v);
static inline uint64_t hvm_pat(const struct hvm_vcpu *v);
static inline void hvm_set_pat(struct hvm_vcpu *v, uint64_t pat);
/* MSRs of the guest that are neither the CPU's own nor exit. false: this is none of them. */
static inline bool hvm_own_msr(const struct hvm_vcpu *v, uint32_t msr, uint64_t *value);
static inline void hvm_set_own_msr(struct hvm_vcpu *v, uint32_t msr, uint64_t value);
static inline void hvm_set_tsc_offset(struct hvm_vcpu *v, uint64_t ticks);

static inline unsigned hvm_cpl(const struct hvm_vcpu *v);
static inline bool hvm_in_64bit_code(const struct hvm_vcpu *v);
/* IA-32e mode, with code of whatever width. */
static inline bool hvm_in_long_mode(const struct hvm_vcpu *v);

static inline struct segment_state hvm_segment(const struct hvm_vcpu *v, enum segment n);
/* A guest in real mode that the CPU enters in virtual-8086 mode only: before an entry its registers, and what exits,
 * become what that needs, and after it what they were. tss: its bit map says which ports are no fault. */
static inline void hvm_v86_begin(struct hvm_vcpu *v, const struct hvm_tss *tss, struct hvm_v86 *was);
static inline void hvm_v86_end(struct hvm_vcpu *v, const struct hvm_v86 *was);

static inline uint64_t hvm_segment_base(const struct hvm_vcpu *v, enum segment n);
static inline uint64_t hvm_segment_limit(const struct hvm_vcpu *v, enum segment n);
static inline uint32_t hvm_segment_access(const struct hvm_vcpu *v, enum segment n);
static inline uint32_t hvm_cs_access(const struct hvm_vcpu *v);
static inline void hvm_set_segment(struct hvm_vcpu *v, enum segment n, const struct segment_state *s);
static inline struct table_register hvm_gdtr(const struct hvm_vcpu *v);
static inline struct table_register hvm_idtr(const struct hvm_vcpu *v);
static inline void hvm_set_gdtr(struct hvm_vcpu *v, struct table_register r);
static inline void hvm_set_idtr(struct hvm_vcpu *v, struct table_register r);

/* BLOCKING_*, PENDING_DEBUG_*. */
static inline uint64_t hvm_blocking(const struct hvm_vcpu *v);
static inline void hvm_set_blocking(struct hvm_vcpu *v, uint64_t b);
static inline uint64_t hvm_pending_debug(const struct hvm_vcpu *v);
static inline void hvm_set_pending_debug(struct hvm_vcpu *v, uint64_t p);

/* ---- the last exit ---- */

/* HVM_EXIT_CODES and above: of a CPU newer than this hypervisor. */
static inline uint64_t hvm_exit_code(const struct hvm_vcpu *v);
/* What else the CPU says, for sentences. */
static inline uint64_t hvm_exit_detail(const struct hvm_vcpu *v);
/* Of the instruction that exited, or whose event was being delivered, bytes. */
static inline uint64_t hvm_exit_length(const struct hvm_vcpu *v);
/* The CPU does not tell it, where the exit is of an instruction: somebody has to look at its bytes, and say. */
static inline bool hvm_exit_lacks_length(const struct hvm_vcpu *v);
static inline void hvm_set_exit_length(struct hvm_vcpu *v, unsigned length);
/* The event that was being delivered, as struct event's .info and .error (SDM, "Information for VM Exits That Occur
 * During Event Delivery"). */
static inline uint64_t hvm_exit_delivery(const struct hvm_vcpu *v);
static inline uint64_t hvm_exit_delivery_error(const struct hvm_vcpu *v);
/* An instruction was delivering its event, of which hvm_exit_delivery() tells nothing: it is carried out anew. */
static inline bool hvm_exit_delivery_anew(const struct hvm_vcpu *v);
/* HVM_EXIT_EXCEPTION, HVM_EXIT_INTERRUPT: what it was, in the same format. An interrupt with EVENT_VALID has been
 * acknowledged. */
static inline uint64_t hvm_exit_event(const struct hvm_vcpu *v);
static inline uint64_t hvm_exit_event_error(const struct hvm_vcpu *v);
/* #PF: what CR2 would be. #DB: the bits of DR6 that it sets. */
static inline gva_t hvm_exit_fault_gva(const struct hvm_vcpu *v);
static inline uint64_t hvm_exit_debug_causes(const struct hvm_vcpu *v);
/* By their kinds. */
static inline gva_t hvm_exit_invlpg(const struct hvm_vcpu *v);
static inline struct hvm_cr_access hvm_exit_cr(const struct hvm_vcpu *v);
/* The same in one word, as the vendor tells it, and what that says. */
static inline uint64_t hvm_exit_cr_word(const struct hvm_vcpu *v);
static inline struct hvm_cr_access hvm_cr_of_word(uint64_t word);
static inline hvm_io_t hvm_exit_io(const struct hvm_vcpu *v);
static inline bool hvm_io_is_byte(hvm_io_t io);
/* 1, 2 or 4 bytes. */
static inline unsigned hvm_io_size(hvm_io_t io);
static inline bool hvm_io_in(hvm_io_t io);
/* INS or OUTS. */
static inline bool hvm_io_string(hvm_io_t io);
static inline uint16_t hvm_io_port(hvm_io_t io);
static inline struct hvm_task_switch hvm_exit_task_switch(const struct hvm_vcpu *v);
static inline struct hvm_nested_fault hvm_exit_nested_fault(const struct hvm_vcpu *v);
/* HVM_EXIT_NESTED_MISCONFIG tells nothing but that. */
static inline gpa_t hvm_exit_gpa(const struct hvm_vcpu *v);

static inline struct hvm_apic_access hvm_exit_apic_access(const struct hvm_vcpu *v);

/* Of which register, as an offset in the page; and of which vector. */
static inline unsigned hvm_exit_apic_write(const struct hvm_vcpu *v);
static inline uint8_t hvm_exit_eoi(const struct hvm_vcpu *v);

/* ---- the next entry ---- */

static inline void hvm_inject(struct hvm_vcpu *v, const struct event *e);
/* Asks for an exit as soon as an interrupt, or an NMI, can be delivered. */
static inline void hvm_set_interrupt_window(struct hvm_vcpu *v, bool on);
static inline void hvm_set_nmi_window(struct hvm_vcpu *v, bool on);

/* From the next entry on. */
static inline void hvm_set_debug(struct hvm_vcpu *v, const struct hvm_debug *d);

/* With hvm_start.alarm: HVM_EXIT_TIMER when the guest has run for so many ticks of the TSC, over all entries from now
 * on; a CPU may count more coarsely. */
static inline void hvm_set_alarm(struct hvm_vcpu *v, uint32_t ticks);

/* Who serves the guest's accesses to its local APIC; the CPU can do what is asked for. */
static inline void hvm_set_tpr(struct hvm_vcpu *v, const struct hvm_tpr *tpr);
/* With hvm_tpr.registers: asks for an exit as soon as the guest has written a TPR of a lower class than this, which is
 * not above the TPR's of now; 0: never. */
static inline void hvm_set_tpr_threshold(struct hvm_vcpu *v, unsigned class);

/* With hvm_tpr.delivery: the highest vectors that wait and that are in service, as the page has them; 0: none. */
static inline void hvm_set_interrupts(struct hvm_vcpu *v, uint8_t waiting, uint8_t in_service);
/* The two as the CPU has them now: returns the one that waits. */
static inline uint8_t hvm_interrupts(const struct hvm_vcpu *v, uint8_t *in_service);
/* One more that waits in the page. */
static inline void hvm_request_interrupt(struct hvm_vcpu *v, uint8_t vector);
/* The set of 256 vectors whose EOI exits: HVM_EXIT_EOI. */
static inline void hvm_set_eoi_exits(struct hvm_vcpu *v, const uint32_t vectors[8]);

/* ---- for people ---- */

/* The n-th of the controls that the CPU runs the guest with; its value into *value. Returns its name, NULL behind the
 * last. */
static inline const char *hvm_control(const struct hvm_vcpu *v, unsigned n, uint64_t *value);

#ifdef VELLUM_SVM
#include "hvm/svm.h"
#else
#include "hvm/vmx.h"
#endif

#endif
