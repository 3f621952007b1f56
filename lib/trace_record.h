/* lib/trace_record.h - the record of one VM exit, as it is on the disk and on the control channel (docs/tracing.md):
 * who writes it is vm/account/trace.c, who reads it tool/base/exits.c. */
#ifndef VELLUM_LIB_TRACE_RECORD_H
#define VELLUM_LIB_TRACE_RECORD_H

#include "lib/bits.h"

/* .code, beside that of an exit. */
enum trace_code {
	TRACE_EXCEPTION = 0x80, /* and its vector: the address is #PF's */
	TRACE_DEVICE = 0xa0,    /* #PF on a device's page, whose guest-physical address it is */
};

/* .address of an access to a port, and to a control register. */
#define TRACE_PORT MASK(15, 0)
#define TRACE_PORT_SIZE_SHIFT 16
#define TRACE_PORT_IN BIT(20)
#define TRACE_CR MASK(3, 0)
#define TRACE_CR_HOW_SHIFT 8 /* enum hvm_cr_how */

struct trace_record {
	uint64_t tsc;
	uint64_t rip;
	uint64_t address; /* by the kind of its exit */
	uint32_t ticks;   /* of the hypervisor, modulo 2^32 */
	uint8_t code;
	uint8_t vcpu;
	uint16_t vm;
};

#define TRACE_CHUNK 16384u /* bytes */

/* In place of a chunk's first record. `spare` is where that one's ticks would be. */
struct trace_head {
	char magic[8];
	uint64_t run; /* the same in all chunks of a run of the hypervisor */
	uint64_t tsc_hz;
	uint32_t spare;
	uint16_t records;
	uint16_t version;
};
_Static_assert(sizeof(struct trace_head) == sizeof(struct trace_record) &&
	       offsetof(struct trace_head, spare) == offsetof(struct trace_record, ticks), "trace_exit()");
#define TRACE_MAGIC "VELTRACE"
#define TRACE_VERSION 1

#endif
