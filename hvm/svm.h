/* hvm/svm.h - hvm/hvm.h for AMD-V (svm/), included by it. What is said there is not said again. What AMD-V does not
 * have is not offered by svm_caps_read(), and so not asked for. */
#ifndef VELLUM_HVM_SVM_H
#define VELLUM_HVM_SVM_H

#include "host/cpu/x86.h"
#include "svm/cpu.h"
#include "svm/entry_check.h"
#include "svm/exits.h"
#include "svm/maps.h"
#include "svm/vcpu.h"
#include "vmx/guards.h"

/* Room for what the vendor keeps of a virtual CPU, and of the machine. */
union hvm_vcpu_room {
	struct hvm_vcpu hvm;
	struct svm_vcpu svm;
};
union hvm_caps_room {
	struct hvm_caps hvm;
	struct svm_caps svm;
};

#define HVM_TELL_LENGTH ((unsigned)sizeof(svm_tell_insn))

static inline struct svm_vcpu *hvm_svm(const struct hvm_vcpu *v)
{
	return (struct svm_vcpu *)container_of(v, struct svm_vcpu, hvm);
}
static inline struct vmcb *hvm_vmcb(const struct hvm_vcpu *v) { return hvm_svm(v)->vmcb; }
static inline struct svm_caps *hvm_svm_caps(const struct hvm_caps *c)
{
	return (struct svm_caps *)container_of(c, struct svm_caps, hvm);
}

/* ---- the machine ---- */

static inline uint32_t hvm_tag_count(const struct hvm_caps *c) { return hvm_svm_caps(c)->asids - 1; }
static inline bool hvm_enters_any_state(void) { return true; }
static inline bool hvm_switches_syscall(void) { return true; }
static inline const char *hvm_caps_read(struct hvm_caps *c) { return svm_caps_read(hvm_svm_caps(c)); }
static inline const char *hvm_cpu_enable(const struct hvm_caps *c) { return svm_cpu_enable(hvm_svm_caps(c)); }
static inline void hvm_intercepts_init(const struct hvm_caps *c) { svm_maps_init(hvm_svm_caps(c)); }
static inline bool hvm_flush_tag(enum tag_flush type, uint16_t tag, gva_t gva)
{
	return svm_flush_tag(type, tag, gva);
}
static inline bool hvm_flush_nested(enum nested_flush type, uint64_t root)
{
	(void)type;
	(void)root;
	return svm_flush_nested();
}
static inline const char *hvm_exit_name(unsigned code) { return svm_exit_names[code]; }
static inline enum hvm_exit_kind hvm_exit_kind(unsigned code) { return (enum hvm_exit_kind)svm_exit_kinds[code]; }
static inline const uint8_t *hvm_tell_insn(void) { return svm_tell_insn; }

/* ---- a virtual CPU's life ---- */

static inline bool hvm_vcpu_init(struct hvm_vcpu *v, const struct hvm_caps *c)
{
	return svm_vcpu_init(hvm_svm(v), hvm_svm_caps(c));
}
static inline bool hvm_vcpu_exists(const struct hvm_vcpu *v) { return hvm_svm(v)->vmcb; }
static inline void hvm_vcpu_destroy(struct hvm_vcpu *v) { svm_vcpu_destroy(hvm_svm(v)); }
static inline void hvm_set_measures(struct hvm_vcpu *v, const struct speculation *s, uint32_t measures)
{
	v->guards = vmx_guards(s, measures);
}
static inline void hvm_vcpu_start(struct hvm_vcpu *v, const struct hvm_start *start, struct mmu_vcpu *mmu)
{
	svm_vcpu_start(hvm_svm(v), start, mmu);
}
static inline void hvm_vcpu_reset(struct hvm_vcpu *v, const struct hvm_start *start)
{
	svm_vcpu_reset(hvm_svm(v), start);
}
static inline void hvm_load(struct hvm_vcpu *v) { svm_load(hvm_svm(v)); }
/* A VMCB that nobody runs is all in memory. */
static inline void hvm_unload(struct hvm_vcpu *v) { (void)v; }
static inline void hvm_begin_turn(struct hvm_vcpu *v) { (void)v; }
static ALWAYS_INLINE struct hvm_vcpu *hvm_enter(struct hvm_vcpu *v, uint32_t *failed)
{
	*failed = 0;
	svm_enter(hvm_svm(v));
	return v;
}
static inline uint64_t hvm_entry_error(const struct hvm_vcpu *v) { (void)v; return 0; }
static inline const char *hvm_entry_check(const struct hvm_vcpu *v, const struct hvm_caps *c)
{
	(void)c;
	return svm_entry_check(hvm_svm(v));
}

/* ---- paging ---- */

static inline void hvm_apply_paging(struct hvm_vcpu *v, struct mmu_vcpu *mmu) { svm_apply_paging(hvm_svm(v), mmu); }
static inline void hvm_apply_root(struct hvm_vcpu *v, struct mmu_vcpu *mmu) { svm_apply_root(hvm_svm(v), mmu); }
static inline void hvm_restart_log(struct hvm_vcpu *v, uint16_t index)
{
	(void)v;
	(void)index;
}
static inline bool hvm_exit_log_nmi_unblocked(const struct hvm_vcpu *v) { (void)v; return false; }
static inline void hvm_sync_paging(struct hvm_vcpu *v, struct mmu_vcpu *mmu) { svm_sync_paging(hvm_svm(v), mmu); }
static ALWAYS_INLINE void hvm_sync_known(struct hvm_vcpu *v, struct mmu_vcpu *mmu, uint64_t rflags)
{
	(void)rflags;
	svm_sync_paging(hvm_svm(v), mmu);
}
static inline uint64_t hvm_sync_number(const struct hvm_vcpu *v) { return hvm_svm(v)->synced.number; }
static inline uint64_t hvm_synced_ss(const struct hvm_vcpu *v) { return hvm_svm(v)->synced.ss; }
static inline uint64_t hvm_synced_cs_base(const struct hvm_vcpu *v) { return hvm_svm(v)->synced.cs_base; }
static inline void hvm_sync_unowned(struct hvm_vcpu *v, struct mmu_vcpu *mmu) { svm_sync_unowned(hvm_svm(v), mmu); }
static inline void hvm_sync_access(struct hvm_vcpu *v, struct mmu_vcpu *mmu)
{
	mmu->regs.ac = hvm_vmcb(v)->rflags & RFLAGS_AC;
	mmu->regs.cpl = hvm_vmcb(v)->cpl;
}

/* ---- registers that are not in gpr[] ---- */

static inline uint64_t hvm_rip(const struct hvm_vcpu *v) { return hvm_vmcb(v)->rip; }
static inline void hvm_rip_to(const struct hvm_vcpu *v, uint64_t *to) { *to = hvm_vmcb(v)->rip; }
static inline void hvm_set_rip(struct hvm_vcpu *v, uint64_t rip) { hvm_vmcb(v)->rip = rip; }
static inline uint64_t hvm_rsp(const struct hvm_vcpu *v) { return hvm_vmcb(v)->rsp; }
static inline void hvm_set_rsp(struct hvm_vcpu *v, uint64_t rsp) { hvm_vmcb(v)->rsp = rsp; }
static inline uint64_t hvm_rflags(const struct hvm_vcpu *v) { return hvm_vmcb(v)->rflags; }
static inline void hvm_set_rflags(struct hvm_vcpu *v, uint64_t rflags) { svm_set_rflags(hvm_svm(v), rflags); }
static inline uint64_t hvm_dr7(const struct hvm_vcpu *v) { return hvm_vmcb(v)->dr7; }
static inline void hvm_set_dr7(struct hvm_vcpu *v, uint64_t dr7) { hvm_vmcb(v)->dr7 = dr7; }
static inline uint64_t hvm_hardware_cr0(const struct hvm_vcpu *v) { return hvm_vmcb(v)->cr0; }
static inline uint64_t hvm_guest_cr0(const struct hvm_vcpu *v)
{
	const struct svm_vcpu *s = hvm_svm(v);

	return (s->cr0_shadow & s->cr0_mask) | (s->vmcb->cr0 & ~s->cr0_mask);
}
static inline uint64_t hvm_hardware_cr3(const struct hvm_vcpu *v) { return hvm_vmcb(v)->cr3; }
static inline uint64_t hvm_hardware_cr4(const struct hvm_vcpu *v) { return hvm_vmcb(v)->cr4; }
static inline uint64_t hvm_pat(const struct hvm_vcpu *v) { return hvm_svm(v)->pat; }
static inline void hvm_set_pat(struct hvm_vcpu *v, uint64_t pat) { svm_set_pat(hvm_svm(v), pat); }
static inline bool hvm_own_msr(const struct hvm_vcpu *v, uint32_t msr, uint64_t *value)
{
	return svm_own_msr(hvm_svm(v), msr, value);
}
static inline void hvm_set_own_msr(struct hvm_vcpu *v, uint32_t msr, uint64_t value)
{
	svm_set_own_msr(hvm_svm(v), msr, value);
}
static inline void hvm_set_tsc_offset(struct hvm_vcpu *v, uint64_t ticks) { hvm_vmcb(v)->tsc_offset = ticks; }

static inline unsigned hvm_cpl(const struct hvm_vcpu *v) { return hvm_vmcb(v)->cpl; }
static inline bool hvm_in_long_mode(const struct hvm_vcpu *v)
{
	const struct vmcb *c = hvm_vmcb(v);

	return (c->efer & EFER_LME) && (c->cr0 & CR0_PG);
}
static inline bool hvm_in_64bit_code(const struct hvm_vcpu *v)
{
	return hvm_in_long_mode(v) && (hvm_vmcb(v)->segment[SEG_CS].attributes & (SEGMENT_L >> 4));
}

static inline struct segment_state hvm_segment(const struct hvm_vcpu *v, enum segment n)
{
	return svm_get_segment(hvm_svm(v), n);
}
/* There is no state that would need them: hvm_enters_any_state(). */
static inline void hvm_v86_begin(struct hvm_vcpu *v, const struct hvm_tss *tss, struct hvm_v86 *was)
{
	(void)v;
	(void)tss;
	(void)was;
}
static inline void hvm_v86_end(struct hvm_vcpu *v, const struct hvm_v86 *was)
{
	(void)v;
	(void)was;
}
static inline uint64_t hvm_segment_base(const struct hvm_vcpu *v, enum segment n)
{
	return svm_get_segment(hvm_svm(v), n).base;
}
static inline uint64_t hvm_segment_limit(const struct hvm_vcpu *v, enum segment n)
{
	return svm_get_segment(hvm_svm(v), n).limit;
}
static inline uint32_t hvm_segment_access(const struct hvm_vcpu *v, enum segment n)
{
	return svm_get_segment(hvm_svm(v), n).access;
}
static inline uint32_t hvm_cs_access(const struct hvm_vcpu *v) { return svm_get_segment(hvm_svm(v), SEG_CS).access; }
static inline void hvm_set_segment(struct hvm_vcpu *v, enum segment n, const struct segment_state *s)
{
	svm_set_segment(hvm_svm(v), n, s);
}
static inline struct table_register hvm_gdtr(const struct hvm_vcpu *v)
{
	return (struct table_register){ hvm_vmcb(v)->gdtr.base, hvm_vmcb(v)->gdtr.limit };
}
static inline struct table_register hvm_idtr(const struct hvm_vcpu *v)
{
	return (struct table_register){ hvm_vmcb(v)->idtr.base, hvm_vmcb(v)->idtr.limit };
}
static inline void hvm_set_gdtr(struct hvm_vcpu *v, struct table_register r)
{
	hvm_vmcb(v)->gdtr = (struct vmcb_segment){ .limit = r.limit, .base = r.base };
}
static inline void hvm_set_idtr(struct hvm_vcpu *v, struct table_register r)
{
	hvm_vmcb(v)->idtr = (struct vmcb_segment){ .limit = r.limit, .base = r.base };
}

static inline uint64_t hvm_blocking(const struct hvm_vcpu *v)
{
	return (hvm_vmcb(v)->interrupt_shadow & INTERRUPT_SHADOW ? BLOCKING_STI : 0) |
	       (hvm_svm(v)->nmi_blocked ? BLOCKING_NMI : 0);
}
static inline void hvm_set_blocking(struct hvm_vcpu *v, uint64_t b) { svm_set_blocking(hvm_svm(v), b); }
static inline uint64_t hvm_pending_debug(const struct hvm_vcpu *v) { return hvm_svm(v)->pending_debug; }
static inline void hvm_set_pending_debug(struct hvm_vcpu *v, uint64_t p) { hvm_svm(v)->pending_debug = p; }

/* ---- the last exit ---- */

static inline uint64_t hvm_exit_code(const struct hvm_vcpu *v) { return hvm_svm(v)->exit; }
static inline uint64_t hvm_exit_detail(const struct hvm_vcpu *v) { return hvm_vmcb(v)->exit_info[0]; }
static inline uint64_t hvm_exit_length(const struct hvm_vcpu *v) { return svm_exit_length(hvm_svm(v)); }
static inline bool hvm_exit_lacks_length(const struct hvm_vcpu *v)
{
	return unlikely(!hvm_svm(v)->caps->next_rip) && svm_exit_lacks_length(hvm_svm(v));
}
static inline void hvm_set_exit_length(struct hvm_vcpu *v, unsigned length)
{
	svm_set_exit_length(hvm_svm(v), length);
}
static inline uint64_t hvm_exit_delivery(const struct hvm_vcpu *v) { return svm_exit_delivery(hvm_svm(v)); }
static inline uint64_t hvm_exit_delivery_error(const struct hvm_vcpu *v)
{
	return hvm_vmcb(v)->exit_interrupt >> SVM_EVENT_ERROR_SHIFT;
}
static inline bool hvm_exit_delivery_anew(const struct hvm_vcpu *v) { return svm_exit_delivery_anew(hvm_svm(v)); }
/* What has interrupted the guest is taken through the IDT as soon as the host's interrupt flag is set. */
static inline uint64_t hvm_exit_event(const struct hvm_vcpu *v)
{
	if (hvm_svm(v)->exit == SVM_EXIT_INTR)
		irq_window();
	return svm_exit_event(hvm_svm(v));
}
static inline uint64_t hvm_exit_event_error(const struct hvm_vcpu *v) { return (uint32_t)hvm_vmcb(v)->exit_info[0]; }
static inline gva_t hvm_exit_fault_gva(const struct hvm_vcpu *v) { return GVA(hvm_vmcb(v)->exit_info[1]); }
static inline uint64_t hvm_exit_debug_causes(const struct hvm_vcpu *v) { return hvm_svm(v)->debug_causes; }
/* Of these the CPU does not tell the operands: HVM_EXIT_EMULATE. */
static inline gva_t hvm_exit_invlpg(const struct hvm_vcpu *v) { (void)v; return GVA(0); }
static inline struct hvm_cr_access hvm_exit_cr(const struct hvm_vcpu *v)
{
	(void)v;
	return (struct hvm_cr_access){ 0 };
}
static inline uint64_t hvm_exit_cr_word(const struct hvm_vcpu *v) { (void)v; return 0; }
static inline struct hvm_cr_access hvm_cr_of_word(uint64_t word) { (void)word; return (struct hvm_cr_access){ 0 }; }
static inline hvm_io_t hvm_exit_io(const struct hvm_vcpu *v)
{
	return (hvm_io_t){ (uint32_t)hvm_vmcb(v)->exit_info[0] };
}
static inline bool hvm_io_is_byte(hvm_io_t io) { return io.v & IOIO_SIZE_1; }
static inline unsigned hvm_io_size(hvm_io_t io) { return io.v & IOIO_SIZE_4 ? 4 : hvm_io_is_byte(io) ? 1 : 2; }
static inline bool hvm_io_in(hvm_io_t io) { return io.v & IOIO_IN; }
static inline bool hvm_io_string(hvm_io_t io) { return io.v & IOIO_STRING; }
static inline uint16_t hvm_io_port(hvm_io_t io) { return (uint16_t)(io.v >> IOIO_PORT_SHIFT); }
static inline struct hvm_task_switch hvm_exit_task_switch(const struct hvm_vcpu *v)
{
	return svm_exit_task_switch(hvm_svm(v));
}
static inline struct hvm_nested_fault hvm_exit_nested_fault(const struct hvm_vcpu *v)
{
	return svm_exit_nested_fault(hvm_svm(v));
}
static inline gpa_t hvm_exit_gpa(const struct hvm_vcpu *v) { return GPA(hvm_vmcb(v)->exit_info[1]); }
static inline struct hvm_apic_access hvm_exit_apic_access(const struct hvm_vcpu *v)
{
	(void)v;
	return (struct hvm_apic_access){ 0 };
}
static inline unsigned hvm_exit_apic_write(const struct hvm_vcpu *v) { (void)v; return 0; }
static inline uint8_t hvm_exit_eoi(const struct hvm_vcpu *v) { (void)v; return 0; }

/* ---- the next entry ---- */

static inline void hvm_inject(struct hvm_vcpu *v, const struct event *e) { svm_inject(hvm_svm(v), e); }
static inline void hvm_set_interrupt_window(struct hvm_vcpu *v, bool on)
{
	if (on != hvm_svm(v)->interrupt_window)
		svm_set_interrupt_window(hvm_svm(v), on);
}
static inline void hvm_set_nmi_window(struct hvm_vcpu *v, bool on) { svm_set_nmi_window(hvm_svm(v), on); }
static inline void hvm_set_debug(struct hvm_vcpu *v, const struct hvm_debug *d) { svm_set_debug(hvm_svm(v), d); }
static inline void hvm_set_alarm(struct hvm_vcpu *v, uint32_t ticks)
{
	(void)v;
	(void)ticks;
}
static inline void hvm_set_tpr(struct hvm_vcpu *v, const struct hvm_tpr *tpr)
{
	(void)v;
	(void)tpr;
}
static inline void hvm_set_tpr_threshold(struct hvm_vcpu *v, unsigned class)
{
	(void)v;
	(void)class;
}
static inline void hvm_set_interrupts(struct hvm_vcpu *v, uint8_t waiting, uint8_t in_service)
{
	(void)v;
	(void)waiting;
	(void)in_service;
}
static inline uint8_t hvm_interrupts(const struct hvm_vcpu *v, uint8_t *in_service)
{
	(void)v;
	*in_service = 0;
	return 0;
}
static inline void hvm_request_interrupt(struct hvm_vcpu *v, uint8_t vector)
{
	(void)v;
	(void)vector;
}
static inline void hvm_set_eoi_exits(struct hvm_vcpu *v, const uint32_t vectors[8])
{
	(void)v;
	(void)vectors;
}

/* ---- for people ---- */

static inline const char *hvm_control(const struct hvm_vcpu *v, unsigned n, uint64_t *value)
{
	return svm_control_shown(hvm_svm(v), n, value);
}

#endif
