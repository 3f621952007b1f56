/* lib/mutants/trace.h - the mutants of the records of exits (lib/mutants/mutate.h). */
#ifndef VELLUM_LIB_MUTANTS_TRACE_H
#define VELLUM_LIB_MUTANTS_TRACE_H

#define VM_MUTANTS_TRACE(M) \
	M(EXIT_UNKNOWN_CODE, "that a reason nobody knows has a place of its own") \
	M(TRACE_ON, "recording only where that was asked for") \
	M(TRACE_BUSY, "not writing to a chunk that is on its way") \
	M(TRACE_LAST, "the last chunk, which is not full") \
	M(TRACE_ARRIVES, "waiting for the last chunk before the account is told") \
	M(TRACE_FREED, "giving a trace's memory back") \
	M(TRACE_FAILS, "counting as lost what the disk has not taken") \
	M(TRACE_ROOM, "the end of the disk") \
	M(TRACE_ONE_DISK, "refusing two disks for traces") \
	M(TRACE_OWN_DISK, "refusing a guest's disk for the trace") \
	M(REQUEST_DETAIL, "that detail is on or off") \
	M(REQUEST_TRACE, "how many exits can be kept") \
	M(TRACED_WHOLE, "whole records, those that are there, in an answer") \
	M(MEMORY_ZEROES, "how much empty memory is looked at for one answer") \
	M(STATE_ONCE, "that only the first who ends a machine tells of its registers") \
	M(PANIC_TELLS, "telling registers where the guest says that it has panicked") \
	M(FAILED_TELLS, "telling registers where the CPU has refused to enter the guest") \
	M(CHAIN_INTERRUPTS, "that no interrupt comes in front of the instruction that is looked at again") \
	M(CHAIN_NMI, "nor an NMI") \
	M(CHAIN_EXITS, "that nothing else of it is carried out") \
	M(CHAIN_BOUND, "that it is looked at for so many exits only") \
	M(CHAIN_STEPS, "that a CPU which steps by TF alone does one instruction") \
	M(CHAIN_DELIVERS, "that there the emulator delivers what it raises") \
	M(CHAIN_LAST, "that the last exits are those before it is looked at") \
	M(CHAIN_TRAP, "that the trap of a guest which steps itself may have been the first") \
	M(CHAIN_TRAP_PLACE, "that it was one at this place") \
	M(CHAIN_TRAP_HANDLED, "forgetting it where it finds its handler") \
	M(CHAIN_DEBUGGER, "that a debugger's step ends before an instruction is looked at again") \
	M(CHAIN_BREAKPOINTS, "nor has it a breakpoint there") \
	M(TRIPLE_TELLS, "telling registers at a triple fault") \
	M(RESETS_TOLD, "that a guest which begins again is told of so often only") \
	M(CHAIN_EMULATED, "what is raised in the delivery of what the emulator delivers") \
	M(NOTE_EXIT, "noting each exit among the last ones") \
	M(CHAIN_ANEW, "forgetting the chain of an exception that the emulator has delivered") \
	M(CONFIG_TRACE_PLACE, "the check of the place that a trace goes to")

#endif
