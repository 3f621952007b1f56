/* lab/trace/record.h - what the recorder's two halves share: lab/trace/record.c starts the program,
 * lab/trace/record_drain.c makes events of what the plugin wrote. */
#ifndef VELLUM_LAB_RECORD_H
#define VELLUM_LAB_RECORD_H

#include "lab/plugin/ring.h"
#include "lab/trace/trace.h"

/* Processes and files of the program by the numbers that the trace gives them. */
struct drain {
	struct ring *ring;
	struct lab_writer *writer;
	uint64_t head;                /* ticket of the next chunk */
	uint32_t *pid;                /* by process number; 0: ended */
	unsigned processes, room;
	uint64_t *file;               /* by file number - 1 */
	unsigned files, files_room;
	uint32_t process, thread;     /* that run in the trace */
	bool running;                 /* a switch was written */
	bool image;                   /* some program began: QEMU and the plugin work */
	uint64_t lost_threads, lost_execs;
};

/* Takes the next chunk, if there is one. false: there is none. */
bool drain_chunk(struct drain *d);
/* A thread that is killed between taking a ticket and using it leaves a hole. Called when nothing has come for some
 * seconds: a hole at the head is passed over, or everybody would wait for ever. */
void drain_stalled(struct drain *d);
/* All processes have ended: what they left behind is taken, and their ends are written. */
void drain_rest(struct drain *d);
void drain_free(struct drain *d);

#endif
