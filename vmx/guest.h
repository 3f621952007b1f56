/* vmx/guest.h - the guest's registers in the VMCS that is current, and what its last exit says, in the terms of
 * hvm/types.h. SDM, "Guest-State Area" and "VM-Exit Information Fields". */
#ifndef VELLUM_VMX_GUEST_H
#define VELLUM_VMX_GUEST_H

#include "hvm/types.h"
#include "lib/descriptor.h"
#include "lib/x86_msr.h"
#include "lib/mutants/mutate.h"
#include "mmu/mmu.h"
#include "vmx/ops.h"

/* ---- registers ---- */

static inline uint64_t vmx_rip(void) { return vmread(VMCS_GUEST_RIP); }
static inline void vmx_rip_to(uint64_t *to) { vmread_to(to, VMCS_GUEST_RIP); }
static inline void vmx_set_rip(uint64_t rip) { vmwrite(VMCS_GUEST_RIP, rip); }
static inline uint64_t vmx_rsp(void) { return vmread(VMCS_GUEST_RSP); }
static inline void vmx_set_rsp(uint64_t rsp) { vmwrite(VMCS_GUEST_RSP, rsp); }
static inline uint64_t vmx_rflags(void) { return vmread(VMCS_GUEST_RFLAGS); }
static inline void vmx_set_rflags(uint64_t rflags) { vmwrite(VMCS_GUEST_RFLAGS, rflags); }
static inline uint64_t vmx_dr7(void) { return vmread(VMCS_GUEST_DR7); }
static inline void vmx_set_dr7(uint64_t dr7) { vmwrite(VMCS_GUEST_DR7, dr7); }
static inline uint64_t vmx_hardware_cr0(void) { return vmread(VMCS_GUEST_CR0); }
/* SDM, "Guest/Host Masks and Read Shadows for CR0 and CR4". */
static inline uint64_t vmx_guest_cr0(void)
{
	uint64_t mask = vmread(VMCS_CR0_MASK);

	return (vmread(VMCS_CR0_SHADOW) & mask) | (vmread(VMCS_GUEST_CR0) & ~mask);
}
static inline uint64_t vmx_hardware_cr3(void) { return vmread(VMCS_GUEST_CR3); }
static inline uint64_t vmx_hardware_cr4(void) { return vmread(VMCS_GUEST_CR4); }
static inline bool vmx_in_long_mode(void) { return vmread(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E; }
static inline uint64_t vmx_segment_base(unsigned n) { return vmread(VMCS_GUEST_ES_BASE + 2 * n); }
static inline uint64_t vmx_segment_limit(unsigned n) { return vmread(VMCS_GUEST_ES_LIMIT + 2 * n); }
static inline uint32_t vmx_segment_access(unsigned n) { return (uint32_t)vmread(VMCS_GUEST_ES_ACCESS + 2 * n); }
static inline uint32_t vmx_cs_access(void) { return (uint32_t)vmread(VMCS_GUEST_CS_ACCESS); }
static inline uint64_t vmx_blocking(void) { return vmread(VMCS_GUEST_INTERRUPTIBILITY); }
static inline void vmx_set_blocking(uint64_t b) { vmwrite(VMCS_GUEST_INTERRUPTIBILITY, b); }
static inline uint64_t vmx_pending_debug(void) { return vmread(VMCS_GUEST_PENDING_DEBUG); }
static inline void vmx_set_pending_debug(uint64_t p) { vmwrite(VMCS_GUEST_PENDING_DEBUG, p); }

/* The guest's privilege level: that of SS (SDM, "Guest Register State"). */
static inline unsigned vmx_cpl(void) { return access_dpl((uint32_t)vmread(VMCS_GUEST_SS_ACCESS)); }

/* Does the guest run 64-bit code? CS.L counts in IA-32e mode only. */
static inline bool vmx_in_64bit_code(void)
{
	return (vmread(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E) && (vmread(VMCS_GUEST_CS_ACCESS) & SEGMENT_L);
}

static inline struct table_register vmx_get_gdtr(void)
{
	return (struct table_register){ vmread(VMCS_GUEST_GDTR_BASE), (uint32_t)vmread(VMCS_GUEST_GDTR_LIMIT) };
}

static inline void vmx_set_gdtr(struct table_register r)
{
	vmwrite(VMCS_GUEST_GDTR_BASE, r.base);
	vmwrite(VMCS_GUEST_GDTR_LIMIT, r.limit);
}

static inline struct table_register vmx_get_idtr(void)
{
	return (struct table_register){ vmread(VMCS_GUEST_IDTR_BASE), (uint32_t)vmread(VMCS_GUEST_IDTR_LIMIT) };
}

static inline void vmx_set_idtr(struct table_register r)
{
	vmwrite(VMCS_GUEST_IDTR_BASE, r.base);
	vmwrite(VMCS_GUEST_IDTR_LIMIT, r.limit);
}

/* The MSRs that are fields of the VMCS. false: it is none of them. */
static inline bool vmx_msr_field(uint32_t msr, enum vmcs_field *field)
{
	switch (msr) {
	case MSR_SYSENTER_CS: *field = VMCS_GUEST_SYSENTER_CS; return true;
	case MSR_SYSENTER_ESP: *field = VMCS_GUEST_SYSENTER_ESP; return true;
	case MSR_SYSENTER_EIP: *field = VMCS_GUEST_SYSENTER_EIP; return true;
	case MSR_FS_BASE: *field = VMCS_GUEST_ES_BASE + 2 * SEG_FS; return true;
	case MSR_GS_BASE: *field = VMCS_GUEST_ES_BASE + 2 * SEG_GS; return true;
	default: return false;
	}
}

static inline bool vmx_own_msr(uint32_t msr, uint64_t *value)
{
	enum vmcs_field field;
	bool found = vmx_msr_field(msr, &field);

	if (found)
		*value = vmread(field);
	return found;
}

static inline void vmx_set_own_msr(uint32_t msr, uint64_t value)
{
	enum vmcs_field field;

	if (vmx_msr_field(msr, &field))
		vmwrite(field, value);
}

/* ---- the last exit ---- */

/* HVM_EXIT_CODES and above: a CPU newer than vmx/vmcs.h. */
static inline uint64_t vmx_exit_code(void) { return vmread(VMCS_EXIT_REASON) & 0xffff; }
static inline uint64_t vmx_exit_detail(void) { return vmread(VMCS_EXIT_QUALIFICATION); }
static inline uint64_t vmx_exit_length(void) { return vmread(VMCS_EXIT_INSTRUCTION_LENGTH); }
static inline uint64_t vmx_exit_delivery(void) { return vmread(VMCS_IDT_VECTORING_INFO); }
static inline uint64_t vmx_exit_delivery_error(void) { return vmread(VMCS_IDT_VECTORING_ERROR); }
static inline uint64_t vmx_exit_event(void) { return vmread(VMCS_EXIT_INTERRUPTION_INFO); }
static inline uint64_t vmx_exit_event_error(void) { return vmread(VMCS_EXIT_INTERRUPTION_ERROR); }
static inline gva_t vmx_exit_fault_gva(void) { return GVA(vmread(VMCS_EXIT_QUALIFICATION)); }
static inline gva_t vmx_exit_invlpg(void) { return GVA(vmread(VMCS_EXIT_QUALIFICATION)); }
static inline gpa_t vmx_exit_gpa(void) { return GPA(vmread(VMCS_GUEST_PHYSICAL_ADDRESS)); }

/* SDM, "Exit Qualification for Control-Register Accesses". */
static inline struct hvm_cr_access vmx_cr_of_word(uint64_t q)
{
	return (struct hvm_cr_access){ (enum hvm_cr_how)(q >> 4 & 3), q & 15, q >> 8 & 15, (uint16_t)(q >> 16) };
}

static inline struct hvm_cr_access vmx_exit_cr(void) { return vmx_cr_of_word(vmread(VMCS_EXIT_QUALIFICATION)); }

/* SDM, "Exit Qualification for I/O Instructions": bits 2:0 are the size less one, 0, 1 or 3. */
#define IO_SIZE_4 BIT(1) /* of 1 and 2 bytes it is clear */
#define IO_IN BIT(3)
#define IO_STRING BIT(4)
#define IO_PORT_SHIFT 16
static inline hvm_io_t vmx_exit_io(void) { return (hvm_io_t){ (uint32_t)vmread(VMCS_EXIT_QUALIFICATION) }; }
static inline bool vmx_io_is_byte(hvm_io_t io) { return !(io.v & MASK(2, 0)); }
/* Whatever the bits are: nothing but 1, 2 and 4 goes on to a device. */
static inline unsigned vmx_io_size(hvm_io_t io) { return io.v & IO_SIZE_4 ? 4 : vmx_io_is_byte(io) ? 1 : 2; }
static inline bool vmx_io_in(hvm_io_t io) { return io.v & IO_IN; }
static inline bool vmx_io_string(hvm_io_t io) { return io.v & IO_STRING; }
static inline uint16_t vmx_io_port(hvm_io_t io) { return (uint16_t)(io.v >> IO_PORT_SHIFT); }

/* SDM, "Exit Qualification for Task Switches". */
static inline struct hvm_task_switch vmx_exit_task_switch(void)
{
	uint64_t q = vmread(VMCS_EXIT_QUALIFICATION);

	return (struct hvm_task_switch){ (enum hvm_task_source)(q >> 30 & 3), (uint16_t)q };
}

/* SDM, "Exit Qualification for Debug Exceptions": bits of DR6 that the exception sets. */
static inline uint64_t vmx_exit_debug_causes(void)
{
	return vmread(VMCS_EXIT_QUALIFICATION) & (DR6_BREAKPOINTS | DR6_BD | DR6_BS);
}

/* SDM, "Exit Qualification for EPT Violations". */
#define VIOLATION_READ BIT(0)
#define VIOLATION_WRITE BIT(1)
#define VIOLATION_FETCH BIT(2)
#define VIOLATION_LINEAR_VALID BIT(7)
#define VIOLATION_TRANSLATED BIT(8) /* the access was to what the linear address means, not on the way there */
#define VIOLATION_NMI_UNBLOCKED BIT(12) /* SDM, "Information About NMI Unblocking Due to IRET" */

_Static_assert(MMU_READ == VIOLATION_READ && MMU_WRITE == VIOLATION_WRITE && MMU_FETCH == VIOLATION_FETCH &&
	       MMU_LINEAR == VIOLATION_LINEAR_VALID, "taken over as they are");
static inline struct hvm_nested_fault vmx_exit_nested_fault(void)
{
	uint64_t q = vmread(VMCS_EXIT_QUALIFICATION);
	struct hvm_nested_fault f = {
		.gpa = GPA(vmread(VMCS_GUEST_PHYSICAL_ADDRESS)),
		.access = q & (MMU_READ | MMU_WRITE | MMU_FETCH | MMU_LINEAR),
		.translated = (q & VIOLATION_LINEAR_VALID) && (q & VIOLATION_TRANSLATED),
		.nmi_unblocked = q & VIOLATION_NMI_UNBLOCKED,
	};

	if (!f.translated)
		f.access |= MMU_TABLE;
	if (f.access & MMU_LINEAR)
		f.gva = GVA(vmread(VMCS_GUEST_LINEAR_ADDRESS));
	return f;
}

/* Of the exit of a full log of page modifications; the bit is the same one. */
static inline bool vmx_exit_log_nmi_unblocked(void)
{
	return vmread(VMCS_EXIT_QUALIFICATION) & VIOLATION_NMI_UNBLOCKED;
}

/* SDM, "Exit Qualification for APIC-Access VM Exits from Linear Accesses and Guest-Physical Accesses". */
#define APIC_ACCESS_OFFSET MASK(11, 0)
#define APIC_ACCESS_TYPE(q) ((q) >> 12 & 15)
enum { APIC_ACCESS_READ, APIC_ACCESS_WRITE }; /* by an instruction, of data */

static inline struct hvm_apic_access vmx_exit_apic_access(void)
{
	uint64_t q = vmread(VMCS_EXIT_QUALIFICATION);
	unsigned type = APIC_ACCESS_TYPE(q);

	return (struct hvm_apic_access){ q & APIC_ACCESS_OFFSET, type <= APIC_ACCESS_WRITE, type == APIC_ACCESS_WRITE };
}

/* SDM, "APIC-Write VM Exits" and "EOI Virtualization": an offset in the page, a vector. */
static inline unsigned vmx_exit_apic_write(void) { return vmread(VMCS_EXIT_QUALIFICATION) & APIC_ACCESS_OFFSET; }
static inline uint8_t vmx_exit_eoi(void) { return (uint8_t)vmread(VMCS_EXIT_QUALIFICATION); }

/* ---- the next entry ---- */

static inline uint64_t vmx_entry_error(void) { return vmread(VMCS_INSTRUCTION_ERROR); }
static inline void vmx_set_tsc_offset(uint64_t ticks) { vmwrite(VMCS_TSC_OFFSET, ticks); }

/* SDM, "Guest Non-Register State": RVI and SVI. */
static inline void vmx_set_interrupts(uint8_t rvi, uint8_t svi)
{
	vmwrite(VMCS_GUEST_INTERRUPT_STATUS, (uint64_t)svi << INTERRUPT_STATUS_SVI_SHIFT | rvi);
}

static inline uint8_t vmx_interrupts(uint8_t *svi)
{
	uint64_t status = vmread(VMCS_GUEST_INTERRUPT_STATUS);

	*svi = (uint8_t)(status >> INTERRUPT_STATUS_SVI_SHIFT);
	return (uint8_t)status;
}

static inline void vmx_request_interrupt(uint8_t vector)
{
	uint64_t status = vmread(VMCS_GUEST_INTERRUPT_STATUS);

	if (vector > (uint8_t)status)
		vmwrite(VMCS_GUEST_INTERRUPT_STATUS, (status & ~INTERRUPT_STATUS_RVI) | vector);
}

static inline void vmx_set_eoi_exits(const uint32_t vectors[8])
{
	for (unsigned n = 0; n < 4; n++)
		vmwrite(VMCS_EOI_EXIT_BITMAP0 + 2 * n, vectors[2 * n] | (uint64_t)vectors[2 * n + 1] << 32);
}

static inline void vmx_inject(const struct event *e)
{
	/* The error code counts with its bit only, the length with events of software only (SDM, "VM-Entry Controls
	 * for Event Injection"). */
	vmwrite(VMCS_ENTRY_INTERRUPTION_INFO, e->info);
	if (VM_KEPT(INJECT_ERROR, e->info & EVENT_HAS_ERROR))
		vmwrite(VMCS_ENTRY_ERROR_CODE, e->error);
	if (VM_KEPT(INJECT_LENGTH, e->length))
		vmwrite(VMCS_ENTRY_INSTRUCTION_LENGTH, e->length);
}

#endif
