/* vm/account/trace.h - exits one by one: what each was, where, and how long it took; sums of that, and where the
 * records go.
 *
 * A vCPU that is traced has no exit codes that handle_exit() (vm/run.c) takes for usual: so one that is not pays
 * nothing for this. What exits is written to a chunk of memory, and when that is full, and when somebody asks, added
 * up.
 *
 *   TR1  A record is whole when its time is known, which is at the next exit: the last one waits until then.
 *   TR2  Only its own CPU touches a vCPU's trace, but for the sums, which others read word by word, and for `busy` and
 *        `lost`, which are changed by atomic operations.
 *   TR3  A chunk that is on its way to the disk is not written. Where both are, what exits is counted as lost.
 *   TR4  The account of a virtual machine is told when all of its records have arrived. */
#ifndef VELLUM_VM_TRACE_H
#define VELLUM_VM_TRACE_H

#include "dev/block/block.h"
#include "hvm/types.h"
#include "lib/trace_record.h"

struct vm;
struct vcpu;
struct exit_stat;

#define TRACE_RECORDS (TRACE_CHUNK / sizeof(struct trace_record) - 1) /* of a chunk, behind its head */

#define TRACE_BUCKETS 32
#define TRACE_NUMBERS 512u
#define TRACE_TRIES 32u /* places that a number may have */

struct trace_sum {
	uint64_t count, ticks, min, max;
};

/* Of the exits of a vCPU: by reason, with how many took 2^n to 2^(n+1) - 1 ticks; by what they were about. */
struct trace_sums {
	struct trace_sum reason[HVM_EXIT_CODES];
	uint64_t bucket[HVM_EXIT_CODES][TRACE_BUCKETS];
	struct trace_number {
		uint64_t key; /* what trace_key_code() and trace_key_name() take; 0: free */
		struct trace_sum sum;
	} number[TRACE_NUMBERS];
	uint64_t others; /* exits whose numbers found no room */
};

struct trace_chunk {
	struct trace_record *record;
	struct block_request request;
	struct guest_segment segment;
	struct vcpu *v;
	bool busy; /* on its way to the disk */
};

struct trace {
	struct trace_record *at, *end; /* the next record's place, and what is behind the last */
	const struct exit_stat *stat;  /* the account of the last one's reason, */
	uint64_t before;               /* and what its ticks were when it came */
	uint64_t spent;                /* ticks that this took of the next one's */
	struct trace_record *summed;   /* what is before is in .sums, and has a neutral address */
	struct trace_record *first;    /* of this chunk */
	struct trace_chunk chunk[2];
	unsigned now;                  /* which of them */
	bool sums_on;                  /* it was asked for sums */
	bool disk;                     /* it is written to the disk */
	bool ended;                    /* its last chunk has been given away */
	struct trace_record *kept;     /* what `ctl trace` has asked for; NULL: it has not */
	uint64_t kept_bytes, kept_count;
	bool keeping;                  /* they are being recorded */
	uint64_t recorded, lost;
	struct trace_sums sums;
};

/* Of a vCPU. */
struct vcpu_traced {
	uint64_t codes;   /* exits with a code below are usual; 0: all are looked at */
	struct trace *by; /* NULL: they have never been recorded */
};

/* The last exits of a vCPU, of those that are traced and of all others: their codes and where the guest was. For who
 * comes to a bad end (vm/life/state.c). As many as a byte counts, so that writing one takes no more instructions than
 * there are here. */
#define LAST_EXITS 256u
#define LAST_NONE 0xffffu /* the code of a place where none was written yet */
struct vcpu_last {
	uint64_t rip[LAST_EXITS];
	uint16_t code[LAST_EXITS];
	uint8_t next; /* where the next one goes */
};

/* An exit of a vCPU whose exits are traced, or which there is no code for: its handler is called. */
void trace_handle(struct vcpu *v, uint64_t code);
/* As that without the handler. */
void trace_exit(struct vcpu *v, unsigned code);

/* By the description. false: the VM has ended, with a sentence. */
bool trace_init(struct vm *vm);
void trace_free(struct vm *vm);
/* On v's CPU. NULL, or why not. */
const char *trace_sums_on(struct vcpu *v, bool on);
const char *trace_keep(struct vcpu *v, uint64_t count);
void trace_keep_no_more(struct vcpu *v);
/* On v's CPU: what has been recorded is in the sums. */
void trace_bring_up_to_date(struct vcpu *v);
/* The vCPUs have left their CPUs: true when nothing is on its way any more. */
bool trace_end(struct vm *vm);

/* vm/account/trace_sums.c: those whose ticks are known, up to `end`, go into the sums (TR1). */
void trace_count(struct vcpu *v, struct trace_record *end);
void trace_sums_add(struct trace_sums *to, const struct trace_sums *from);
/* A VM's sums, of all its vCPUs, added to *sums, which is all 0. */
void trace_add_up(const struct vm *vm, struct trace_sums *sums);
/* The same of one whose vCPUs have left, once trace_end() was called; NULL: nobody asked for them. */
const struct trace_sums *trace_sums_at_end(const struct vm *vm);
/* Records that were made for the disk, and of these, how many have not arrived. false: there is no disk. */
bool trace_written(const struct vm *vm, uint64_t *records, uint64_t *lost);
/* What a key of .number is: its code, and in words, a port with its direction for instance. */
unsigned trace_key_code(uint64_t key);
void trace_key_name(uint64_t key, char *name, size_t size);

/* vm/device/trace_disk.c: the disk that is written to, for all VMs. NULL, or one sentence; name: its place. */
const char *trace_disk_begin(const char *name);
/* Writes a chunk. false: it is full. */
bool trace_disk_write(struct trace_chunk *chunk, unsigned records);

#endif
