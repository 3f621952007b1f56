/* hvm/vmx.h - hvm/hvm.h for VT-x (vmx/), included by it. What is said there is not said again. */
#ifndef VELLUM_HVM_VMX_H
#define VELLUM_HVM_VMX_H

#include "vmx/bitmaps.h"
#include "vmx/cpu.h"
#include "vmx/entry_check.h"
#include "vmx/exits.h"
#include "vmx/guards.h"
#include "vmx/guest.h"
#include "vmx/msrs.h"
#include "vmx/v86.h"
#include "vmx/vcpu.h"

/* Room for what the vendor keeps of a virtual CPU, and of the machine. */
union hvm_vcpu_room {
	struct hvm_vcpu hvm;
	struct vmx_vcpu vmx;
};
union hvm_caps_room {
	struct hvm_caps hvm;
	struct vmx_caps vmx;
};

#define HVM_TELL_LENGTH ((unsigned)sizeof(vmx_tell_insn))

static inline uint32_t hvm_tag_count(const struct hvm_caps *c) { (void)c; return VPID_COUNT; }
static inline bool hvm_enters_any_state(void) { return false; }
static inline bool hvm_switches_syscall(void) { return false; }
static inline struct vmx_vcpu *hvm_vmx(const struct hvm_vcpu *v)
{
	return (struct vmx_vcpu *)container_of(v, struct vmx_vcpu, hvm);
}
static inline struct vmx_caps *hvm_vmx_caps(const struct hvm_caps *c)
{
	return (struct vmx_caps *)container_of(c, struct vmx_caps, hvm);
}
static inline const char *hvm_caps_read(struct hvm_caps *c) { return vmx_caps_read(hvm_vmx_caps(c)); }
static inline const char *hvm_cpu_enable(const struct hvm_caps *c) { return vmx_cpu_enable(hvm_vmx_caps(c)); }
static inline void hvm_intercepts_init(const struct hvm_caps *c) { vmx_bitmaps_init(hvm_vmx_caps(c)); }
static inline bool hvm_flush_tag(enum tag_flush type, uint16_t tag, gva_t gva)
{
	return invvpid_insn(type, tag, gva.v);
}
static inline bool hvm_flush_nested(enum nested_flush type, uint64_t root) { return invept_insn(type, root); }
static inline const char *hvm_exit_name(unsigned code) { return vmx_exit_names[code]; }
static inline enum hvm_exit_kind hvm_exit_kind(unsigned code) { return (enum hvm_exit_kind)vmx_exit_kinds[code]; }
static inline const uint8_t *hvm_tell_insn(void) { return vmx_tell_insn; }
static inline bool hvm_vcpu_init(struct hvm_vcpu *v, const struct hvm_caps *c)
{
	return vmx_vcpu_init(hvm_vmx(v), hvm_vmx_caps(c));
}
static inline bool hvm_vcpu_exists(const struct hvm_vcpu *v) { return hvm_vmx(v)->vmcs.v; }
static inline void hvm_vcpu_destroy(struct hvm_vcpu *v) { vmx_vcpu_destroy(hvm_vmx(v)); }
static inline void hvm_set_measures(struct hvm_vcpu *v, const struct speculation *s, uint32_t measures)
{
	v->guards = vmx_guards(s, measures);
}
static inline void hvm_vcpu_start(struct hvm_vcpu *v, const struct hvm_start *start, struct mmu_vcpu *mmu)
{
	vmx_vcpu_start(hvm_vmx(v), start, mmu);
}
static inline void hvm_vcpu_reset(struct hvm_vcpu *v, const struct hvm_start *start)
{
	vmx_vcpu_reset(hvm_vmx(v), start);
}
static inline void hvm_load(struct hvm_vcpu *v) { vmx_load(hvm_vmx(v)); }
static inline void hvm_unload(struct hvm_vcpu *v) { vmx_unload(hvm_vmx(v)); }
static inline void hvm_begin_turn(struct hvm_vcpu *v) { vmx_begin_turn(hvm_vmx(v)); }
static ALWAYS_INLINE struct hvm_vcpu *hvm_enter(struct hvm_vcpu *v, uint32_t *failed)
{
	return &vmx_enter(hvm_vmx(v), failed)->hvm;
}
static inline uint64_t hvm_entry_error(const struct hvm_vcpu *v) { (void)v; return vmx_entry_error(); }
static inline const char *hvm_entry_check(const struct hvm_vcpu *v, const struct hvm_caps *c)
{
	(void)v;
	return vmx_entry_check(c);
}
static inline void hvm_apply_paging(struct hvm_vcpu *v, struct mmu_vcpu *mmu) { vmx_apply_paging(hvm_vmx(v), mmu); }
static inline void hvm_apply_root(struct hvm_vcpu *v, struct mmu_vcpu *mmu) { vmx_apply_root(hvm_vmx(v), mmu); }
static inline void hvm_restart_log(struct hvm_vcpu *v, uint16_t index) { (void)v; vmx_restart_log(index); }
static inline bool hvm_exit_log_nmi_unblocked(const struct hvm_vcpu *v)
{
	(void)v;
	return vmx_exit_log_nmi_unblocked();
}
static inline void hvm_sync_paging(struct hvm_vcpu *v, struct mmu_vcpu *mmu) { vmx_sync_paging(hvm_vmx(v), mmu); }
static ALWAYS_INLINE void hvm_sync_known(struct hvm_vcpu *v, struct mmu_vcpu *mmu, uint64_t rflags)
{
	vmx_sync_known(hvm_vmx(v), mmu, rflags);
}
static inline uint64_t hvm_sync_number(const struct hvm_vcpu *v) { return hvm_vmx(v)->synced.number; }
static inline uint64_t hvm_synced_ss(const struct hvm_vcpu *v) { return hvm_vmx(v)->synced.ss; }
static inline uint64_t hvm_synced_cs_base(const struct hvm_vcpu *v) { return hvm_vmx(v)->synced.cs_base; }
static inline void hvm_sync_unowned(struct hvm_vcpu *v, struct mmu_vcpu *mmu) { (void)v; vmx_sync_unowned(mmu); }
static inline void hvm_sync_access(struct hvm_vcpu *v, struct mmu_vcpu *mmu) { (void)v; vmx_sync_access(mmu); }
static inline uint64_t hvm_rip(const struct hvm_vcpu *v) { (void)v; return vmx_rip(); }
static inline void hvm_rip_to(const struct hvm_vcpu *v, uint64_t *to) { (void)v; vmx_rip_to(to); }
static inline void hvm_set_rip(struct hvm_vcpu *v, uint64_t rip) { (void)v; vmx_set_rip(rip); }
static inline uint64_t hvm_rsp(const struct hvm_vcpu *v) { (void)v; return vmx_rsp(); }
static inline void hvm_set_rsp(struct hvm_vcpu *v, uint64_t rsp) { (void)v; vmx_set_rsp(rsp); }
static inline uint64_t hvm_rflags(const struct hvm_vcpu *v) { (void)v; return vmx_rflags(); }
static inline void hvm_set_rflags(struct hvm_vcpu *v, uint64_t rflags) { (void)v; vmx_set_rflags(rflags); }
static inline uint64_t hvm_dr7(const struct hvm_vcpu *v) { (void)v; return vmx_dr7(); }
static inline void hvm_set_dr7(struct hvm_vcpu *v, uint64_t dr7) { (void)v; vmx_set_dr7(dr7); }
static inline uint64_t hvm_hardware_cr0(const struct hvm_vcpu *v) { (void)v; return vmx_hardware_cr0(); }
static inline uint64_t hvm_guest_cr0(const struct hvm_vcpu *v) { (void)v; return vmx_guest_cr0(); }
static inline uint64_t hvm_hardware_cr3(const struct hvm_vcpu *v) { (void)v; return vmx_hardware_cr3(); }
static inline uint64_t hvm_hardware_cr4(const struct hvm_vcpu *v) { (void)v; return vmx_hardware_cr4(); }
static inline uint64_t hvm_pat(const struct hvm_vcpu *v) { return vmx_get_pat(hvm_vmx(v)); }
static inline void hvm_set_pat(struct hvm_vcpu *v, uint64_t pat) { vmx_set_pat(hvm_vmx(v), pat); }
static inline bool hvm_own_msr(const struct hvm_vcpu *v, uint32_t msr, uint64_t *value)
{
	(void)v;
	return vmx_own_msr(msr, value);
}
static inline void hvm_set_own_msr(struct hvm_vcpu *v, uint32_t msr, uint64_t value)
{
	(void)v;
	vmx_set_own_msr(msr, value);
}
static inline void hvm_set_tsc_offset(struct hvm_vcpu *v, uint64_t ticks) { (void)v; vmx_set_tsc_offset(ticks); }
static inline unsigned hvm_cpl(const struct hvm_vcpu *v) { (void)v; return vmx_cpl(); }
static inline bool hvm_in_64bit_code(const struct hvm_vcpu *v) { (void)v; return vmx_in_64bit_code(); }
static inline bool hvm_in_long_mode(const struct hvm_vcpu *v) { (void)v; return vmx_in_long_mode(); }
static inline struct segment_state hvm_segment(const struct hvm_vcpu *v, enum segment n)
{
	(void)v;
	return vmx_get_segment(n);
}
static inline void hvm_v86_begin(struct hvm_vcpu *v, const struct hvm_tss *tss, struct hvm_v86 *was)
{
	vmx_v86_begin(hvm_vmx(v), tss, was);
}
static inline void hvm_v86_end(struct hvm_vcpu *v, const struct hvm_v86 *was) { vmx_v86_end(hvm_vmx(v), was); }
static inline uint64_t hvm_segment_base(const struct hvm_vcpu *v, enum segment n)
{
	(void)v;
	return vmx_segment_base(n);
}
static inline uint64_t hvm_segment_limit(const struct hvm_vcpu *v, enum segment n)
{
	(void)v;
	return vmx_segment_limit(n);
}
static inline uint32_t hvm_segment_access(const struct hvm_vcpu *v, enum segment n)
{
	(void)v;
	return vmx_segment_access(n);
}
static inline uint32_t hvm_cs_access(const struct hvm_vcpu *v) { (void)v; return vmx_cs_access(); }
static inline void hvm_set_segment(struct hvm_vcpu *v, enum segment n, const struct segment_state *s)
{
	(void)v;
	vmx_set_segment(n, s);
}
static inline struct table_register hvm_gdtr(const struct hvm_vcpu *v) { (void)v; return vmx_get_gdtr(); }
static inline struct table_register hvm_idtr(const struct hvm_vcpu *v) { (void)v; return vmx_get_idtr(); }
static inline void hvm_set_gdtr(struct hvm_vcpu *v, struct table_register r) { (void)v; vmx_set_gdtr(r); }
static inline void hvm_set_idtr(struct hvm_vcpu *v, struct table_register r) { (void)v; vmx_set_idtr(r); }
static inline uint64_t hvm_blocking(const struct hvm_vcpu *v) { (void)v; return vmx_blocking(); }
static inline void hvm_set_blocking(struct hvm_vcpu *v, uint64_t b) { (void)v; vmx_set_blocking(b); }
static inline uint64_t hvm_pending_debug(const struct hvm_vcpu *v) { (void)v; return vmx_pending_debug(); }
static inline void hvm_set_pending_debug(struct hvm_vcpu *v, uint64_t p) { (void)v; vmx_set_pending_debug(p); }
static inline uint64_t hvm_exit_code(const struct hvm_vcpu *v) { (void)v; return vmx_exit_code(); }
static inline uint64_t hvm_exit_detail(const struct hvm_vcpu *v) { (void)v; return vmx_exit_detail(); }
static inline uint64_t hvm_exit_length(const struct hvm_vcpu *v) { (void)v; return vmx_exit_length(); }
static inline bool hvm_exit_lacks_length(const struct hvm_vcpu *v) { (void)v; return false; }
static inline void hvm_set_exit_length(struct hvm_vcpu *v, unsigned length) { (void)v; (void)length; }
static inline uint64_t hvm_exit_delivery(const struct hvm_vcpu *v) { (void)v; return vmx_exit_delivery(); }
static inline uint64_t hvm_exit_delivery_error(const struct hvm_vcpu *v) { (void)v; return vmx_exit_delivery_error(); }
static inline bool hvm_exit_delivery_anew(const struct hvm_vcpu *v) { (void)v; return false; }
static inline uint64_t hvm_exit_event(const struct hvm_vcpu *v) { (void)v; return vmx_exit_event(); }
static inline uint64_t hvm_exit_event_error(const struct hvm_vcpu *v) { (void)v; return vmx_exit_event_error(); }
static inline gva_t hvm_exit_fault_gva(const struct hvm_vcpu *v) { (void)v; return vmx_exit_fault_gva(); }
static inline uint64_t hvm_exit_debug_causes(const struct hvm_vcpu *v) { (void)v; return vmx_exit_debug_causes(); }
static inline gva_t hvm_exit_invlpg(const struct hvm_vcpu *v) { (void)v; return vmx_exit_invlpg(); }
static inline struct hvm_cr_access hvm_exit_cr(const struct hvm_vcpu *v) { (void)v; return vmx_exit_cr(); }
static inline uint64_t hvm_exit_cr_word(const struct hvm_vcpu *v) { (void)v; return vmx_exit_detail(); }
static inline struct hvm_cr_access hvm_cr_of_word(uint64_t word) { return vmx_cr_of_word(word); }
static inline hvm_io_t hvm_exit_io(const struct hvm_vcpu *v) { (void)v; return vmx_exit_io(); }
static inline bool hvm_io_is_byte(hvm_io_t io) { return vmx_io_is_byte(io); }
static inline unsigned hvm_io_size(hvm_io_t io) { return vmx_io_size(io); }
static inline bool hvm_io_in(hvm_io_t io) { return vmx_io_in(io); }
static inline bool hvm_io_string(hvm_io_t io) { return vmx_io_string(io); }
static inline uint16_t hvm_io_port(hvm_io_t io) { return vmx_io_port(io); }
static inline struct hvm_task_switch hvm_exit_task_switch(const struct hvm_vcpu *v)
{
	(void)v;
	return vmx_exit_task_switch();
}
static inline struct hvm_nested_fault hvm_exit_nested_fault(const struct hvm_vcpu *v)
{
	(void)v;
	return vmx_exit_nested_fault();
}
static inline gpa_t hvm_exit_gpa(const struct hvm_vcpu *v) { (void)v; return vmx_exit_gpa(); }
static inline struct hvm_apic_access hvm_exit_apic_access(const struct hvm_vcpu *v)
{
	(void)v;
	return vmx_exit_apic_access();
}
static inline unsigned hvm_exit_apic_write(const struct hvm_vcpu *v) { (void)v; return vmx_exit_apic_write(); }
static inline uint8_t hvm_exit_eoi(const struct hvm_vcpu *v) { (void)v; return vmx_exit_eoi(); }
static inline void hvm_inject(struct hvm_vcpu *v, const struct event *e) { (void)v; vmx_inject(e); }
static inline void hvm_set_interrupt_window(struct hvm_vcpu *v, bool on) { vmx_set_interrupt_window(hvm_vmx(v), on); }
static inline void hvm_set_nmi_window(struct hvm_vcpu *v, bool on) { vmx_set_nmi_window(hvm_vmx(v), on); }
static inline void hvm_set_debug(struct hvm_vcpu *v, const struct hvm_debug *d) { vmx_set_debug(hvm_vmx(v), d); }
static inline void hvm_set_alarm(struct hvm_vcpu *v, uint32_t ticks) { vmx_set_alarm(hvm_vmx(v), ticks); }
static inline void hvm_set_tpr(struct hvm_vcpu *v, const struct hvm_tpr *tpr) { vmx_set_tpr(hvm_vmx(v), tpr); }
static inline void hvm_set_tpr_threshold(struct hvm_vcpu *v, unsigned class)
{
	vmx_set_tpr_threshold(hvm_vmx(v), class);
}
static inline void hvm_set_interrupts(struct hvm_vcpu *v, uint8_t waiting, uint8_t in_service)
{
	(void)v;
	vmx_set_interrupts(waiting, in_service);
}
static inline uint8_t hvm_interrupts(const struct hvm_vcpu *v, uint8_t *in_service)
{
	(void)v;
	return vmx_interrupts(in_service);
}
static inline void hvm_request_interrupt(struct hvm_vcpu *v, uint8_t vector)
{
	(void)v;
	vmx_request_interrupt(vector);
}
static inline void hvm_set_eoi_exits(struct hvm_vcpu *v, const uint32_t vectors[8])
{
	(void)v;
	vmx_set_eoi_exits(vectors);
}
static inline const char *hvm_control(const struct hvm_vcpu *v, unsigned n, uint64_t *value)
{
	return vmx_control_shown(hvm_vmx(v), n, value);
}

#endif
