/* vm/control/control.h - the control channel: requests that arrive on COM2 are carried out between the guests' exits,
 * and answered there.
 *
 *   CT1  One request at a time, in the order of their arrival, on the CPU where its virtual CPU lives: the boot
 *        processor, or the one that it names; where it is about all of them, on the CPU of each, in turn. Where that
 *        one has moved away before it was its turn, the request goes after it.
 *   CT2  Nobody waits: a request whose CPU is busy waits for its next exit; an answer leaves as the port's ring has
 *        room, line by line; what arrives while the ring for it is full is lost, which spoils that line alone.
 *   CT3  Nothing here is held during an exit that no request is about: one look at control_cpus in the
 *        external-interrupt handler.
 *
 * control.c is the channel, request.c reads what is asked; each other file has the answers about what its name says. */
#ifndef VELLUM_VM_CONTROL_H
#define VELLUM_VM_CONTROL_H

#include "host/cpu/percpu.h"
#include "vm/control/request.h"
#include "vm/control/json.h"
#include "vm/vm.h"

/* Bytes arrived on COM2, or left it: called on the first CPU, by the interrupt handler. */
void control_port_event(void);
/* Bytes of the longest answer; or, before the first request, room for longer ones, which stays. */
#define CONTROL_ANSWER_SIZE 32768
void control_make_room(char *more, size_t size);
/* Bytes that the list of virtual machines takes for one with so many vCPUs, at most. */
#define CONTROL_LINE_OF_LIST(vcpus) (512 + 64 * (size_t)(vcpus))

/* Is a request being carried out on another CPU, or to be? For the first CPU. */
bool control_is_asked(void);

/* By a CPU's number: it has to look at the channel. */
extern bool control_cpus[CPUS_MAX];
void control_serve(void);
/* Between two exits, and after the idle loop woke up. */
static inline void control_poll(const struct percpu *cpu)
{
	if (unlikely(__atomic_load_n(&control_cpus[cpu->id], __ATOMIC_ACQUIRE)))
		control_serve();
}

/* The answers; v is loaded on this CPU (if it has started) and its registers known to the heart. false:
 * error is one sentence. */
bool control_list(struct json *j, char *error, size_t size);
bool control_stats(struct vm *vm, struct json *j, char *error, size_t size);
/* The accounts of the phases that the guest has marked, the open one until now. */
bool control_phases(struct vm *vm, struct json *j, char *error, size_t size);
bool control_translate(struct vcpu *v, gva_t gva, struct json *j, char *error, size_t size);
/* Begins a measurement of that many seconds, 0: none; then what is known of the last one. */
bool control_dirty(struct vm *vm, const struct control_request *r, struct json *j, char *error, size_t size);
/* The latter; or merging begins or ends, and what is known of it; or control_balloon(). */
bool control_of_memory(struct vm *vm, const struct control_request *r, struct json *j, char *error, size_t size);
/* The same in an object "merge" of another answer. */
void control_show_merge(struct json *j, const struct vm *vm);
/* How much of its RAM the guest is to have, or 0; then what it has, and asks for its statistics anew
 * (vm/control/balloon.c). */
bool control_balloon(struct vm *vm, const struct control_request *r, struct json *j, char *error, size_t size);
bool control_dump(struct vcpu *v, struct json *j, char *error, size_t size);
/* A debugger's requests (vm/control/debug.c). */
bool control_debug(struct vcpu *v, const struct control_request *r, struct json *j, char *error, size_t size);
bool control_memory(struct vcpu *v, const struct control_request *r, struct json *j, char *error, size_t size);
/* Exits one by one; last as below (vm/control/trace.c). */
bool control_of_exits(struct vcpu *v, bool last, const struct control_request *r, struct json *j, char *error,
		      size_t size);
/* What is asked about where v runs; last: it is the last of those that it is about, and the answer is of them all. */
bool control_pin(struct vcpu *v, bool last, const struct control_request *r, struct json *j, char *error, size_t size);
bool control_migrate(struct vcpu *v, const struct control_request *r, struct json *j, char *error, size_t size);
bool control_weight(struct vm *vm, const struct control_request *r, struct json *j, char *error, size_t size);
/* Parts of a snapshot (vm/control/save.c). */
bool control_save(struct vcpu *v, const struct control_request *r, struct json *j, char *error, size_t size);
/* A move to another container, on the first CPU (vm/control/move.c). */
bool control_move(struct vm *vm, const struct control_request *r, struct json *j, char *error, size_t size);
/* Is it being moved, and what is asked of it would be another container's? Then error is one sentence. */
bool control_stays(const struct vm *vm, enum control_command command, char *error, size_t size);
/* The screen (vm/control/screen.c): its registers, if they have changed since a number that was told before (0: never),
 * the pages of its memory that have, and the number for next time; that memory, at most CONTROL_VIDEO_MAX bytes; what
 * the keyboard and the mouse do, of which the answer says how much has found room. */
bool control_of_screen(struct vm *vm, const struct control_request *r, struct json *j, char *error, size_t size);
/* What its console has said since a number of bytes, at most CONTROL_SAID_MAX of them; what is typed there, of which
 * the answer says how much has found room (vm/control/console.c). */
bool control_console(struct vm *vm, const struct control_request *r, struct json *j);
bool control_input(struct vm *vm, const struct control_request *r, struct json *j);
/* start, stop, reset and destroy, on the first CPU (vm/control/life.c). false: refused, error is one sentence. */
bool control_life_begin(unsigned id, enum control_command command, char *error, size_t size);
/* Has what was begun come to its end? Then *ok says how; false: error is one sentence. */
bool control_life_done(unsigned id, enum control_command command, char *error, size_t size, bool *ok);
/* The answer. */
void control_life_say(struct json *j, unsigned id);
const char *control_state(const struct vm *vm);
const char *control_paging_mode(const struct walk_regs *r);
/* What gva means to the guest, of whatever rights, with nothing changed: accessed and dirty flags stay as they are. */
struct walk_result control_walk(struct vcpu *v, gva_t gva);

#endif
