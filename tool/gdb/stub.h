/* What GDB asks, and what the hypervisor is asked for that (vm/control/debug.c). One debugger, one virtual machine,
 * whose virtual CPUs are GDB's threads, 1 and up. The hypervisor is reached by a function, so that tests can take its
 * place. */
#ifndef VELLUM_TOOL_GDB_STUB_H
#define VELLUM_TOOL_GDB_STUB_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdio.h>

#include "tool/gdb/packet.h"
#include "tool/gdb/registers.h"

enum { STUB_THREADS_MAX = 64 };

enum wideness { WIDE_BY_MODE, WIDE_NO, WIDE_YES };

struct stub {
	/* A request without its tag; the answer, to be deleted, or NULL with a sentence. */
	cJSON *(*ask)(void *context, const char *request, char *error, size_t size);
	/* An answer for people, of "monitor". */
	void (*show)(FILE *out, const char *command, const cJSON *answer);
	void *context;
	const char *vm;
	enum wideness wanted;

	struct packet_reader reader;
	struct bytes out;               /* for GDB, to be written */
	struct bytes last;              /* the last packet's frame, in case that it is asked for again */
	bool no_acks;
	bool tells_why;                 /* GDB knows swbreak and hwbreak */
	unsigned form;                  /* REGISTERS_WIDE, REGISTERS_AVX */
	bool running;                   /* GDB waits for a stop */
	bool interrupted;               /* and has asked for one */
	bool ended;                     /* the virtual machine is over */
	bool detached;                  /* there is nothing more to do */
	unsigned threads, thread, resumed;  /* of registers and memory; of Hc; 0: any */
	struct registers registers;
	uint64_t code_base;             /* the program counter of those is with it */
	unsigned registers_of;          /* the thread whose registers those are; 0: nobody's */
	char description[24];
	char *xml;
	char waiting[STUB_THREADS_MAX][40];     /* a thread's stop that GDB has not been told of; "": none */
};

/* Attaches: the virtual machine stops. false: error is one sentence. */
bool stub_begin(struct stub *stub, char *error, size_t size);
/* Bytes from GDB; the answers are in stub->out. */
void stub_take(struct stub *stub, const char *data, size_t length);
/* While it runs: has it stopped? Then GDB is told. */
void stub_look(struct stub *stub);
/* Leaves the virtual machine running, without a trace. */
void stub_end(struct stub *stub);

/* stub_run.c: vCont, c, s, and what comes of them. */
void stub_continue(struct stub *stub, const char *actions);
void stub_resume_all(struct stub *stub, bool step);
void stub_tell_stop(struct stub *stub);
const char *stub_actions(void);

/* stub_access.c: packets, behind their letter. */
void stub_read_all(struct stub *stub);
void stub_write_all(struct stub *stub, const char *p);
void stub_read_one(struct stub *stub, const char *p);
void stub_write_one(struct stub *stub, const char *p);
void stub_read_memory(struct stub *stub, const char *p);
void stub_change_memory(struct stub *stub, const char *p, bool digits);
void stub_breakpoint(struct stub *stub, const char *p, bool insert);
/* stub->registers are those of stub->thread. false: it does not stand still. */
bool stub_fetch_registers(struct stub *stub);

/* For all of them. */
void stub_ok(struct stub *stub, bool is);
/* Frees what was in *reply. */
void stub_reply_bytes(struct stub *stub, struct bytes *reply);
void stub_reply(struct stub *stub, const char *format, ...) __attribute__((format(printf, 2, 3)));
cJSON *stub_ask(struct stub *stub, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same of a request whose answer does not matter. */
bool stub_do(struct stub *stub, const char *request);

#endif
