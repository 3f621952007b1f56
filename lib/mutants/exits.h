/* lib/mutants/exits.h - mutants (lib/mutants/mutate.h) of what becomes of an exit, and of what is injected. */
#ifndef VELLUM_LIB_MUTANTS_EXITS_H
#define VELLUM_LIB_MUTANTS_EXITS_H

#define VM_MUTANTS_EXITS(M) \
	M(STRING_DEVICE, "that strings from ports go to memory at once only") \
	M(SKIP_WRAP, "cutting RIP to 32 bits outside 64-bit code, behind a skipped instruction") \
	M(SKIP_BLOCKING, "the end of blocking by STI and MOV SS after a skipped instruction") \
	M(SKIP_STEP, "the single-step trap of a skipped instruction") \
	M(SKIP_RF, "clearing RF, which the exit has set, behind an instruction whose access was made for it") \
	M(SYNCED_CS, "looking at CS, whether the guest's paging registers are those that are known") \
	M(SYNCED_SS, "and at SS") \
	M(SYNCED_CS_BASE, "and at the base of CS") \
	M(SYNCED_FLAGS, "and at RFLAGS") \
	M(SYNCED_CR0, "and at CR0") \
	M(SYNCED_CR4, "and at CR4") \
	M(SYNCED_CR3, "and at CR3") \
	M(SYNCED_RIGHTS, "and whether the rights are those that they were made of") \
	M(SYNCED_KEYS, "that with protection keys nothing is known without a look at PKRU") \
	M(SYNCED_PKRU, "and at PKRU, with protection keys") \
	M(SYNC_PKRU, "taking PKRU") \
	M(SYNCED_PDPTES, "taking PDPTEs anew, whatever the registers are") \
	M(SYNCED_APPLIED, "forgetting what was known when masks and shadows are written") \
	M(MODE_NUMBER, "finding the mode of the guest's code anew in another state") \
	M(DECODED_KEY, "looking whether a decoded instruction is in the state in which it was found") \
	M(DECODED_NOTED, "and by the walk that is remembered") \
	M(DECODED_WALK, "and whether the walk to its bytes is the same") \
	M(PUSH_FLAT, "looking whether a stack is flat, before a store to it is quick") \
	M(PUSH_ALIGNED, "and whether that lies in one page") \
	M(PUSH_CANONICAL, "and, of 64-bit code, whether it is canonical") \
	M(SERVED_WIDE, "leaving to the emulator what is an access to each of two registers") \
	M(QUICK_BREAKPOINT, "leaving accesses to the local APIC to the emulator where there are breakpoints") \
	M(QUICK_STRADDLE, "or where the operand may begin in another page") \
	M(QUICK_EVENT, "or where it is the delivery of an event that made it") \
	M(QUICK_PUSH, "or where it is the store of a PUSH that exited, not its read") \
	M(QUICK_MAY_WRITE, "looking whether it may write, for an instruction that exited by its read and writes too") \
	M(STRING_CANONICAL, "looking whether a string is at a canonical address, before its access is quick") \
	M(STRING_FLAT, "and, outside 64-bit code, whether nothing but paging can be in the way") \
	M(STRING_ALIGNED, "and whether it is aligned") \
	M(STRING_ONCE, "and whether it is not repeated") \
	M(STRING_TOLD_ALIGNED, "or reaches into the next register, where the exit tells of the access") \
	M(STRING_TOLD_ONE, "and which of two reads it was") \
	M(TOLD_ALIGNED, "the same of what is pushed to the page or popped from it") \
	M(TOLD_ACCESS, "and whether such an access was told of") \
	M(TARGET_CANONICAL, "looking whether a branch leads to a canonical address, before it is quick") \
	M(TARGET_LIMIT, "and, outside 64-bit code, within the limit") \
	M(QUICK_DIVIDES, "leaving to the emulator a division whose quotient does not fit") \
	M(POP_SMALL_LIMIT, "and whether a stack of 16 bits holds what is popped") \
	M(POP_SMALL_FROM, "and whether it was the operand that exited, which the CPU has looked at then") \
	M(KNOWN_PROGRESS, "the flags of iterations before one that faults") \
	M(EMULATED_MMIO_PAGE, "saying which page is a device's, before a quick way accesses others") \
	M(KNOWN_IMPLICIT, "leaving to the emulator an access that is none of the program's") \
	M(QUICK_RSP_READ, "taking the stack pointer from the CPU for an instruction whose register it is") \
	M(QUICK_RSP, "and giving it back") \
	M(QUICK_FLAGS, "the flags of an instruction whose access was made for it") \
	M(OVER_MEMORY, "that a local APIC is in front of the memory that it lies over") \
	M(COVERED, "trapping accesses to the memory that a local APIC lies over") \
	M(UNCOVERED, "giving that memory back when it is elsewhere") \
	M(COVERED_ANEW, "trapping them again when the memory map has changed") \
	M(SERVED_ACTIVE, "looking whether the local APIC answers, before a trapped access to it is quick") \
	M(SERVED_BASE, "looking whether the page is its own") \
	M(SERVED_OPERAND, "looking whether it was the operand that led there, and not the guest's tables") \
	M(OPERAND_NOTED, "and whether the walk that led it there the last time is still that one") \
	M(OPERAND_PAGE, "to that page") \
	M(OPERAND_WALK, "by the entries that are there now") \
	M(SERVED_WRITE, "and whether it may be written, where it is") \
	M(REQUEUE, "delivering again the event whose delivery an exit interrupted") \
	M(REQUEUE_UNDEFINED, "masking the undefined bit of IDT-vectoring information") \
	M(REQUEUE_ERROR, "the error code of such an event") \
	M(REQUEUE_LENGTH, "the length of the instruction of such an event") \
	M(REQUEUE_RF, "clearing RF, which a fault has set, for an event that is no fault") \
	M(REQUEUE_NMI, "unblocking NMIs for one that is delivered again") \
	M(LOG_QUEUED, "delivering again the event whose delivery found the CPU's log of dirty pages full") \
	M(LOG_RESTARTS, "having that log begin anew when it was full") \
	M(TPR_LOWERED, "looking for events when the guest has lowered its TPR below the threshold") \
	M(TPR_BLOCKING, "that the instruction which lowered it ends blocking by STI and MOV SS") \
	M(APIC_WROTE, "taking what the guest has written to a register in the page") \
	M(EOI_DONE, "telling who waits for an EOI that the CPU has done") \
	M(TPR_THRESHOLD, "the TPR threshold of what waits") \
	M(PATCH_HELD, "that the page which has the TPR stays where it is") \
	M(PATCH_ROM_STAYS, "that stubs which have come with a snapshot stay") \
	M(PATCH_IN_SNAPSHOT, "that a snapshot has what is known of them") \
	M(TPR_WINDOW, "that there is none while the interrupt window is asked for") \
	M(APIC_QUEUED, "delivering again the event whose delivery reached the local APIC's page") \
	M(HLT_FOR_GOOD, "stopping a guest that halts with nothing to wake it") \
	M(ALL_DEAF, "that it has another virtual CPU that can wake it") \
	M(VMCALL_CPL, "refusing hypercalls of programs") \
	M(RF, "RF in the image of RFLAGS that a fault saves") \
	M(REAL_ERROR, "dropping the error code in real mode") \
	M(TRIPLE_FAULT, "the triple fault after a double fault") \
	M(DOUBLE_FAULT, "the double fault of two exceptions") \
	M(LOST_NMI, "blocking NMIs after one whose delivery has faulted") \
	M(CR2, "CR2 of a page fault") \
	M(INJECT_ERROR, "the error code of an injected event") \
	M(INJECT_LENGTH, "the instruction length of an injected event") \
	M(INTERRUPT_ACK, "acknowledging an interrupt at the local APIC") \
	M(TRAP_FIRST, "letting a debug trap come before an interrupt") \
	M(INTERRUPT_IF, "RFLAGS.IF before an interrupt is injected") \
	M(INTERRUPT_BLOCKING, "blocking by STI and MOV SS before an interrupt is injected") \
	M(NMI_BLOCKING, "blocking before an NMI is injected") \
	M(NMI_WINDOW, "asking for an NMI window") \
	M(INTERRUPT_WINDOW, "asking for an interrupt window") \
	M(WINDOW_CLOSED, "giving a window up when nothing waits for it") \
	M(ONE_EVENT, "injecting no interrupt over an event that is being injected") \
	M(WAKE_TRAP, "a debug trap that ends a HLT") \
	M(WAKE_IF, "sleeping through interrupts while RFLAGS.IF is 0") \
	M(WAKE_ABOVE_TPR, "sleeping on where what the CPU would deliver is not above the TPR") \
	M(WAKE_ABOVE_SERVICE, "or not above what is in service") \
	M(HANDED_WINDOW, "giving a window up that nothing waits for when such an interrupt ends a HLT") \
	M(DB_REGISTERS, "DR6 of a #DB that exited") \
	M(DB_GD, "clearing DR7.GD for such a #DB") \
	M(DB_PENDING, "keeping the single-step trap pending where STI or MOV SS blocks") \
	M(AC_REQUEUE, "the event that an #AC came before") \
	M(MC_REQUEUE, "the event that a machine check came before") \
	M(MC_FATAL, "ending a guest that used what a machine check lost") \
	M(INTERCEPT, "intercepting #DB, #AC and #MC") \
	M(DELIVERY, "not emulating the instruction at RIP where a delivery faulted") \
	M(IRET_NMI, "blocking NMIs again after a fault of IRET") \
	M(IRET_NMI_INJECT, "leaving them unblocked where the guest gets the fault") \
	M(IRET_NMI_DELIVERY, "not looking at that bit where an event was being delivered") \
	M(FAULT_QUEUED, "queueing what was being delivered when a fault exited") \
	M(KNOWN_QUEUED, "the same at an access to a device's page that is known") \
	M(KNOWN_VIOLATION_QUEUED, "and where that has no MMIO leaf") \
	M(KNOWN_APIC, "serving a page fault at a register of the local APIC quickly only where its page is known") \
	M(KNOWN_APIC_QUEUED, "queueing what was being delivered there") \
	M(KNOWN_PLANES_QUEUED, "and of an access to planes") \
	M(PDPTES_CR3, "looking whether such an access may load PDPTEs from where CR3 says") \
	M(PDPTES_OPERAND, "or from where an operand of MOV to CR3 says") \
	M(EMULATE_RIGHTS, "using the translation of a read for reads only") \
	M(EMULATE_STEP, "the single-step trap of an emulated instruction") \
	M(EMULATE_BREAKPOINT, "breakpoints on data that an emulated instruction accesses") \
	M(BREAKPOINT_DE, "that ports are watched where CR4.DE says so only") \
	M(IO_BREAKPOINT, "breakpoints on ports") \
	M(EMULATE_WRITES_ONLY, "that reads do not meet a breakpoint on writes") \
	M(EMULATE_REPEAT, "the bound of a repeated instruction for each exit") \
	M(OPERAND_32, "cutting the operand of MOV to a control register to 32 bits outside 64-bit code") \
	M(CR8_RANGE, "#GP for what CR8 cannot hold") \
	M(CR_APPLY, "taking a control register that the guest wrote over into the VMCS") \
	M(CR_SYNC, "what the guest changed without an exit, before a control register is emulated") \
	M(REAL_MODE, "that a load of CR0 may lead to where the CPU cannot run it") \
	M(EMULATED_DE, "#UD for DR4 and DR5 with CR4.DE, emulated") \
	M(EMULATED_GD, "the #DB that DR7.GD asks for, emulated") \
	M(EMULATED_MSR, "#GP for values of MSRs that make no sense, emulated") \
	M(EMULATED_TRAP, "delivering the traps of emulated instructions where no entry does") \
	M(EMULATED_TRAP_HELD, "that a load of SS holds them back") \
	M(UNKNOWN_0F, "#UD and #GP for what is no instruction of the guest's, where no CPU can be given it") \
	M(CACHE_LIMIT, "the limit of CS, of decoded instructions that no CPU fetched") \
	M(CACHE_PAGE_END, "that decoded instructions that go on on another page are fetched anew") \
	M(CACHE_ROOM, "that memory behind a page is looked at only where it goes on there") \
	M(LONG_TSS, "#GP where IA-32e mode would begin with a TSS of 16 bits") \
	M(LMSW_PE, "that LMSW does not clear PE") \
	M(XSETBV_CPL, "#GP for XSETBV outside level 0") \
	M(XCR_INDEX, "#GP for other registers than XCR0") \
	M(XCR0_VALID, "#GP for what XCR0 cannot hold") \
	M(XCR0_AVX, "that AVX state needs SSE state") \
	M(PAT_TYPES, "#GP for types that PAT does not have") \
	M(MTRR_DEF, "checking IA32_MTRR_DEF_TYPE") \
	M(MTRR_FIXED, "checking types of fixed MTRRs") \
	M(MTRR_VARIABLE, "checking variable MTRRs") \
	M(EFER_APPLY, "taking EFER over into the VMCS") \
	M(TSC_OFFSET, "moving the TSC that the guest reads") \
	M(TSC_ADJUST, "moving IA32_TSC_ADJUST with it") \
	M(MISC_ENABLE, "reserved bits of IA32_MISC_ENABLE") \
	M(DEBUGCTL, "#GP for what IA32_DEBUGCTL does not have") \
	M(MSR_ABSENT, "#GP(0) for MSRs that are not there") \
	M(STOP, "leaving a virtual machine that has ended") \
	M(WOKEN, "the end of a HLT by what wakes it") \
	M(LEAVE_WITH_EVENT, "looking for events again after another's turn") \
	M(LAST_TURN, "the last turn of a virtual machine that ended while it slept") \
	M(CR0_FIXED, "fixed bits of CR0") \
	M(CR0_CACHING, "keeping CD and NW out of the CPU's CR0") \
	M(CR0_MASK, "the mask of CR0") \
	M(CR4_FIXED, "fixed bits of CR4") \
	M(CR4_MASK, "the mask of CR4") \
	M(PML_ON, "having the CPU log which pages it makes dirty") \
	M(PML_ADDRESS, "where it does so") \
	M(PML_INDEX, "where that log begins") \
	M(PML_INDEX_STAYS, "leaving its index as it is where the log stays the same") \
	M(IA32E, "the control \"IA-32e mode guest\" following EFER.LMA") \
	M(ROOT, "the root of the tables") \
	M(PDPTES, "PDPTEs of a guest with PAE under EPT") \
	M(CONTROLS, "exits of CR3, INVLPG and page faults as the mechanism wants them") \
	M(SYNC_SHADOW, "the guest's own value of bits that the host owns") \
	M(EMULATED_RSP, "RSP after an emulated instruction") \
	M(EMULATED_SEGMENTS, "segment registers that an emulated instruction has loaded") \
	M(EMULATED_BLOCKING, "the end of blocking by STI and MOV SS after an emulated instruction") \
	M(EMULATED_SHADOW, "blocking after an emulated STI or MOV SS") \
	M(EMULATED_TRAPS, "traps of an emulated instruction") \
	M(EMULATED_HELD_BACK, "the trap that an emulated MOV SS holds back") \
	M(EMULATED_NMI, "unblocking NMIs by an emulated IRET") \
	M(EMULATED_CACHE, "comparing a remembered instruction with what stands there") \
	M(EMULATED_UD, "#UD for a program that executes what Vellum does not know") \
	M(DELIVERED, "that an event which was delivered by hand is") \
	M(DELIVERED_NMI, "blocking NMIs after one that was delivered by hand") \
	M(DELIVERED_BLOCKING, "the end of blocking with a delivery by hand") \
	M(DELIVERED_TRAPS, "dropping pending traps with a delivery by hand") \
	M(TASK_RESUME, "where the old task goes on") \
	M(TASK_NT, "clearing NT in the image of a task that IRET leaves") \
	M(TASK_RF, "RF in the flags of a task that a fault leaves") \
	M(TASK_FREE, "that a task which JMP or IRET leaves is not busy") \
	M(TASK_BUSY, "that the new task is busy") \
	M(TASK_LINK, "the link to the old task") \
	M(TASK_OLD_ALONE, "leaving the old TSS's descriptor alone when a task nests") \
	M(TASK_LINK_WRITE, "finding out that the link can be written before anything changes") \
	M(TASK_SAVED, "saving the old task before the new one is read") \
	M(TASK_BUSY_ALONE, "only reading the new TSS's descriptor at IRET") \
	M(TASK_FLAGS, "reserved flags of the new task") \
	M(TASK_ACCESSED, "marking descriptors as accessed") \
	M(TASK_DR7, "local breakpoints, which a task switch turns off") \
	M(TASK_BLOCKING, "the end of blocking by STI and MOV SS") \
	M(TASK_TS, "CR0.TS after a task switch") \
	M(TASK_NMI, "blocking NMIs after one that came through a task gate") \
	M(TASK_ERROR, "the error code on the new task's stack") \
	M(TASK_TRAP, "the trap of a task with the T flag") \
	M(TASK_DELIVERED, "that the event is delivered by the switch") \
	M(TASK_CHECK_BUSY, "checking that the new TSS is free, or for IRET busy") \
	M(TASK_CHECK_PRESENT, "checking that it is present") \
	M(TASK_CHECK_LIMIT, "checking its limit") \
	M(TASK_CHECK_SEGMENT, "checking what the new segment registers may hold") \
	M(TASK_EXTERNAL, "the bit EXT of an error code") \
	M(TASK_CR3, "CR3 of the new task") \
	M(CACHE_MODE, "the mode of a remembered instruction") \
	M(MODE_64, "that 64-bit code is so in IA-32e mode only") \
	M(MODE_V86, "virtual-8086 mode of an emulated instruction") \
	M(MODE_REAL, "real mode of an emulated instruction") \
	M(KNOWN_PAGE, "using the translation that the exit told for its page only") \
	M(USER_ACCESS, "that a program's access is a user's") \
	M(DEVICE_ALIGNED, "aligned accesses to devices") \
	M(TASK_TABLE_LIMIT, "the limit of a descriptor table") \
	M(TASK_MARKED, "finding out that a descriptor can be marked before it is loaded") \
	M(TASK_STACK_LIMIT, "the limit of the stack that an error code goes to") \
	M(TASK_STACK_LEVEL, "that it is written at the new task's level") \
	M(TASK_SS_LEVEL, "the level of an SS that is not loaded yet") \
	M(TASK_SS_RPL, "its RPL, without unrestricted guest") \
	M(SEGMENT_SYSTEM, "refusing a system descriptor in a segment register") \
	M(SEGMENT_CS_LEVEL, "the level of CS") \
	M(SEGMENT_SS_LEVEL, "the level of SS") \
	M(SEGMENT_READABLE, "that code in a data segment register can be read") \
	M(SEGMENT_LEVEL, "the level of a data segment") \
	M(SEGMENT_NULL, "refusing a null selector in CS and SS") \
	M(SEGMENT_PRESENT, "refusing a segment that is not present") \
	M(TASK_LDT_TYPE, "that an LDT is one, and present") \
	M(TASK_V86, "segment registers of a task in virtual-8086 mode") \
	M(BREAKPOINT_ENABLED, "breakpoints that are enabled only") \
	M(BREAKPOINT_PORT_KIND, "that breakpoints on ports are none on data") \
	M(BREAKPOINT_DATA_KIND, "and the other way round") \
	M(LENGTH_GROUP, "which instructions without a name have a length that is known") \
	M(LENGTH_PREFIXES, "the prefixes of one without a name") \
	M(CPUID_XSTATE, "that AVX needs a CR4.OSXSAVE that guests may set") \
	M(XCR0_X87, "that XCR0 has x87 state") \
	M(XCR0_OFFERED, "what XCR0 may hold") \
	M(CR_RSP, "RSP as the operand of MOV to a control register")

#endif
