/* vmx/record.h - what the code of a recorded exit (lib/trace_record.h) says, for who reads records outside of the
 * hypervisor: nobody else there knows the numbers. */
#ifndef VELLUM_VMX_RECORD_H
#define VELLUM_VMX_RECORD_H

#include "lib/trace_record.h"
#include "vmx/exits.h"
#include "vmx/vmcs.h"

/* The exit that it was; TRACE_EXCEPTION and TRACE_DEVICE are what exceptions were about. */
static inline unsigned record_exit(uint8_t code) { return code >= TRACE_EXCEPTION ? EXIT_EXCEPTION_OR_NMI : code; }

/* As in the statistics; NULL: there is no such exit. */
static inline const char *record_name(uint8_t code)
{
	return record_exit(code) < HVM_EXIT_CODES ? vmx_exit_names[record_exit(code)] : NULL;
}

/* By it vm/account/trace.c decides what the record's address is. */
static inline enum hvm_exit_kind record_kind(uint8_t code)
{
	return record_exit(code) < HVM_EXIT_CODES ? (enum hvm_exit_kind)vmx_exit_kinds[record_exit(code)] :
						   HVM_EXIT_UNKNOWN;
}

#endif
