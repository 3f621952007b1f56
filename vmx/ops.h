/* vmx/ops.h - the VMX instructions. SDM, "VMX Instruction Reference". VMfail sets CF or ZF ("Conventions"): that of
 * VMREAD or VMWRITE is Vellum's own mistake (a field that this CPU does not have must not be touched), which stops a
 * debug build and goes by in others; the other instructions report it. */
#ifndef VELLUM_VMX_OPS_H
#define VELLUM_VMX_OPS_H

#include "host/device/console.h"
#include "mmu/addr.h"
#include "vmx/vmcs.h"

_Noreturn void vmx_access_failed(enum vmcs_field field, bool write);

static inline uint64_t vmread(enum vmcs_field field)
{
	uint64_t v;
#ifdef VELLUM_DEBUG
	__asm__ goto volatile("vmread %1, %0\n\tjbe %l[fail]" : "=r"(v) : "r"((uint64_t)field) : "cc" : fail);
	return v;
fail:
	vmx_access_failed(field, false);
#else
	__asm__ volatile("vmread %1, %0" : "=r"(v) : "r"((uint64_t)field) : "cc");
	return v;
#endif
}

/* To memory, by one instruction less. */
static inline void vmread_to(uint64_t *to, enum vmcs_field field)
{
#ifdef VELLUM_DEBUG
	*to = vmread(field);
#else
	__asm__ volatile("vmread %1, %0" : "=m"(*to) : "r"((uint64_t)field) : "cc");
#endif
}

static inline void vmwrite(enum vmcs_field field, uint64_t v)
{
#ifdef VELLUM_DEBUG
	__asm__ goto volatile("vmwrite %1, %0\n\tjbe %l[fail]" : : "r"((uint64_t)field), "r"(v) : "cc" : fail);
	return;
fail:
	vmx_access_failed(field, true);
#else
	__asm__ volatile("vmwrite %1, %0" : : "r"((uint64_t)field), "r"(v) : "cc");
#endif
}

/* From here on, false: VMfail. */
static inline bool vmxon(hpa_t region)
{
	bool ok;
	__asm__ volatile("vmxon %1" : "=@cca"(ok) : "m"(region.v) : "memory");
	return ok;
}

static inline void vmxoff(void) { __asm__ volatile("vmxoff" : : : "cc", "memory"); }

static inline bool vmclear(hpa_t vmcs)
{
	bool ok;
	__asm__ volatile("vmclear %1" : "=@cca"(ok) : "m"(vmcs.v) : "memory");
	return ok;
}

static inline bool vmptrld(hpa_t vmcs)
{
	bool ok;
	__asm__ volatile("vmptrld %1" : "=@cca"(ok) : "m"(vmcs.v) : "memory");
	return ok;
}

static inline bool invept_insn(uint64_t type, uint64_t eptp)
{
	struct { uint64_t eptp, reserved; } d = { eptp, 0 };
	bool ok;
	__asm__ volatile("invept %1, %2" : "=@cca"(ok) : "m"(d), "r"(type) : "memory");
	return ok;
}

static inline bool invvpid_insn(uint64_t type, uint16_t vpid, uint64_t gva)
{
	struct { uint64_t vpid, gva; } d = { vpid, gva }; /* bits 63:16 of the first must be 0 (SDM, "INVVPID") */
	bool ok;
	__asm__ volatile("invvpid %1, %2" : "=@cca"(ok) : "m"(d), "r"(type) : "memory");
	return ok;
}

#endif
