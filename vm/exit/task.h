/* vm/exit/task.h - private to hardware task switches: vm/exit/task_switch.c (what happens) and vm/exit/task_segment.c
 * (its segment registers). SDM, "Task Management", "32-Bit Task-State Segment (TSS)" and "16-Bit Task-State Segment
 * (TSS)". */
#ifndef VELLUM_VM_TASK_H
#define VELLUM_VM_TASK_H

#include "vm/vm.h"

/* Where a TSS holds what. */
struct tss_format {
	uint8_t type;     /* of its descriptor, not busy */
	uint8_t bytes;    /* its limit is at least that less one */
	uint8_t width;    /* bytes of a register, and of the place of a selector */
	uint8_t cr3;      /* 0: it has none */
	uint8_t ip, flags, gpr;
	uint8_t selector; /* ES, CS, SS, DS, ... in the order of enum segment; the LDT's behind them */
	uint8_t segments; /* so many before the LDT's */
	uint8_t trap;     /* 0: it has none */
};
#define TSS_BYTES_MAX 104u

/* Guest memory that is about to be used: at most two pages. */
struct span {
	gpa_t gpa[2];
	unsigned n[2];
};

struct task {
	struct vcpu *v;
	enum hvm_task_source source;
	uint16_t selector;
	bool faulted;   /* the event that came through a gate is a fault */
	bool has_error; /* it has an error code */
	uint32_t error;
	uint32_t resume; /* EIP of the old task */
	const struct tss_format *old_format, *new_format;
	uint8_t old_tss[TSS_BYTES_MAX], new_tss[TSS_BYTES_MAX];
	struct span old, new, link, old_descriptor, new_descriptor;
	uint64_t old_raw, new_raw;
	struct segment_state tr;
};

/* The CPU's own accesses, which are a supervisor's whatever the level. */
#define TASK_READS ((struct access){ .implicit = true })
#define TASK_WRITES ((struct access){ .write = true, .implicit = true })
/* n bytes at a linear address. The paging registers have been synchronised (hvm_sync_paging), or are newer than
 * the CPU's. false: a page fault has been queued. */
bool task_find(struct vcpu *v, uint32_t linear, unsigned n, struct access access, struct span *s);
/* What is not memory reads as all ones, and swallows what is written. */
void task_copy_in(struct vcpu *v, const struct span *s, void *to);
void task_copy_out(struct vcpu *v, const struct span *s, const void *from);

/* Queues the exception with the selector as its error code; false. */
bool task_refuse(struct task *t, uint8_t vector, uint16_t selector);
/* The selector's descriptor, from the GDT or the LDT, and where it lies, which can be written if write, or if it is a
 * segment's that was never used. false: an exception has been queued. */
bool task_descriptor(struct task *t, uint16_t selector, bool write, uint64_t *raw, struct span *where);
struct segment_state task_unpack(uint16_t selector, uint64_t raw);
/* Loads the segment registers of the new task, which runs already. false: an exception of its has been queued. */
bool task_segments(struct task *t);

/* A register or selector of a TSS, zero-extended. */
static inline uint32_t task_get(const struct tss_format *f, const uint8_t *tss, unsigned at)
{
	uint32_t v = 0;

	memcpy(&v, tss + at, f->width);
	return v;
}

static inline void task_put(const struct tss_format *f, uint8_t *tss, unsigned at, uint32_t v)
{
	memcpy(tss + at, &v, f->width);
}

#endif
