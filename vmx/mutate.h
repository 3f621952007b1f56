/* vmx/mutate.h - the names of the checks, requeues, windows, truncations and blocking rules of vm/ and vmx/, each of which a
 * mutation build can leave out. As mmu/mutate.h for the heart.
 *
 * In every normal build VM_MUTANT(NAME, statement) is the statement, VM_KEPT(NAME, condition) and VM_LEFT_OUT_OR(NAME, condition)
 * are the condition. With -DVM_MUTATION, while NAME is the mutant that was selected at run time, the statement is skipped,
 * VM_KEPT is false and VM_LEFT_OUT_OR is true; then some unit test must fail, or what was left out is excess. `make mutate` goes
 * through the list. */
#ifndef VELLUM_VMX_MUTATE_H
#define VELLUM_VMX_MUTATE_H

/* M(name, what is left out) */
#define VM_MUTANTS(M) \
	M(NONE, "nothing") \
	M(SKIP_WRAP, "cutting RIP to 32 bits outside 64-bit code, behind a skipped instruction") \
	M(SKIP_BLOCKING, "the end of blocking by STI and MOV SS after a skipped instruction") \
	M(SKIP_STEP, "the single-step trap of a skipped instruction") \
	M(REQUEUE, "delivering again the event whose delivery an exit interrupted") \
	M(REQUEUE_UNDEFINED, "masking the undefined bit of IDT-vectoring information") \
	M(REQUEUE_ERROR, "the error code of such an event") \
	M(REQUEUE_LENGTH, "the length of the instruction of such an event") \
	M(REQUEUE_RF, "clearing RF, which a fault has set, for an event that is no fault") \
	M(REQUEUE_NMI, "unblocking NMIs for one that is delivered again") \
	M(HLT_FOR_GOOD, "stopping a guest that halts with nothing to wake it") \
	M(VMCALL_CPL, "refusing hypercalls of programs") \
	M(RF, "RF in the image of RFLAGS that a fault saves") \
	M(REAL_ERROR, "dropping the error code in real mode") \
	M(TRIPLE_FAULT, "the triple fault after a double fault") \
	M(DOUBLE_FAULT, "the double fault of two exceptions") \
	M(KEEP_INTERRUPT, "keeping an acknowledged interrupt that an exception came before") \
	M(KEEP_NMI, "keeping an NMI that an exception came before") \
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
	M(REAL_MODE, "ending a guest that goes to real mode where it cannot run") \
	M(LONG_TSS, "#GP where IA-32e mode would begin with a TSS of 16 bits") \
	M(LMSW_PE, "that LMSW does not clear PE") \
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
	M(TASK_FREE, "that a task which JMP or IRET leaves is not busy") \
	M(TASK_BUSY, "that the new task is busy") \
	M(TASK_LINK, "the link to the old task") \
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
	M(PIC_WIRE, "the wire from the 8259s to the local APIC") \
	M(IOAPIC_WIRE, "the wire from the I/O APIC to the local APIC") \
	M(IPI, "interrupts that the guest sends to itself") \
	M(EOI_BROADCAST, "telling the I/O APIC of the end of a level-triggered interrupt") \
	M(LAPIC_KICK, "looking for events when the local APIC has one") \
	M(NMI_KICK, "looking for events when a device sends an NMI") \
	M(INIT_RESETS, "the reset of a guest that sends INIT to itself") \
	M(LINT_NMI, "that a HLT with interrupts disabled may wait for an NMI of a local pin") \
	M(IOAPIC_NMI, "that it may wait for one of the I/O APIC") \
	M(DEBUG_STATUS, "cutting the status of a debug exit to a byte") \
	M(CONSOLE_BUSY, "the transmitter of the first guest being busy while the port has no room") \
	M(CONSOLE_READY, "its going on when there is room") \
	M(CONSOLE_KEEP, "keeping a line of another guest's console while the port has no room") \
	M(OTHER_BUSY, "the transmitter of that guest being busy meanwhile") \
	M(OTHER_READY, "its going on when there is room") \
	M(OTHER_ENDED, "leaving out guests that have ended there") \
	M(CONSOLE_CR, "leaving carriage returns out of such lines") \
	M(ESCAPE_CONTROL, "escaping control characters in them") \
	M(ESCAPE_HIGH, "escaping bytes that are not ASCII") \
	M(ESCAPE_ITSELF, "escaping the escape character") \
	M(CONSOLE_FULL, "sending a long line in pieces") \
	M(FEED_ROOM, "not giving the guest's receiver more bytes than it takes") \
	M(FEED_REST, "giving it the rest when it has taken some") \
	M(FEED_ENDED, "giving nothing to the receiver of a guest that has ended") \
	M(LAPIC_ACTIVE, "that the local APIC's page is there in xAPIC mode only") \
	M(LAPIC_BASE, "where that page is") \
	M(DROP_MAPPING, "taking a mapping away as the test device says") \
	M(AFTER_BIOS, "the 8259s as a BIOS leaves them") \
	M(VIRTUAL_WIRE, "virtual-wire mode at the start") \
	M(LAPIC_TSC, "the TSC that the local APIC's timer goes by") \
	M(CONSOLE_REST, "what a guest wrote last to its console, when it has ended") \
	M(SWITCH_OFF, "that a guest which may not change its mechanism has all features of the one that it has") \
	M(SWITCH_HIDDEN, "hiding from a guest what a mechanism lacks that it may come to") \
	M(SEGMENTS_V86, "that segment registers of virtual-8086 mode are none of real mode") \
	M(SEGMENTS_CODE, "not leaving \"unrestricted guest\" while CS holds no code") \
	M(SEGMENTS_RPL, "nor while CS and SS are of two levels") \
	M(SEGMENTS_SS, "nor while SS has another level than its selector") \
	M(SEGMENTS_DATA, "nor while a data segment is of a lower level than its selector") \
	M(SEGMENTS_UNUSABLE, "that this is not asked of segments that cannot be used") \
	M(SEGMENTS_CONFORMING, "nor of conforming code") \
	M(SWITCH_LACKS, "not going over to what the CPU cannot run") \
	M(SWITCH_OFFERED, "nor to what lacks a feature that the guest was offered") \
	M(SWITCH_REAL_MODE, "nor from real mode to what cannot run it") \
	M(SWITCH_STARTED, "that this is asked of the VMCS only once it is written") \
	M(SWITCH_WRITTEN, "writing what is to be written into the VMCS before a change (W1)") \
	M(SWITCH_READ, "reading the guest's registers before it (W1)") \
	M(SWITCH_HALTED, "that a guest in HLT needs no progress between two changes") \
	M(SWITCH_EXITS, "counting the exits between two changes (W3)") \
	M(SWITCH_TICKS, "progress of the guest between two changes (W3)") \
	M(SWITCH_SLEEP, "letting a guest in HLT sleep") \
	M(SWITCH_SOON, "looking again soon where it was too early") \
	M(SWITCH_WOKEN, "counting exits again after a HLT") \
	M(SWITCH_USABLE, "leaving what the CPU cannot run out of the round") \
	M(SWITCH_LIST, "refusing it in a list") \
	M(SWITCH_OUTSIDE, "beginning with the first of a list that does not have the mechanism at the start") \
	M(MITIGATIONS_SAID, "saying what the CPU needs and cannot do (M2)") \
	M(MITIGATIONS_CAN, "taking only what the CPU can do (M1)") \
	M(MITIGATIONS_REFUSED, "refusing a measure that cannot be had") \
	M(MITIGATIONS_HOST, "that the host runs without IBRS where it is not asked for") \
	M(MITIGATIONS_GUEST, "that a guest is offered its controls only where it is asked for") \
	M(SPEC_CTRL_READ, "#GP for reading IA32_SPEC_CTRL where it is not offered") \
	M(ARCH_READ, "#GP for reading IA32_ARCH_CAPABILITIES where it is not offered") \
	M(SPEC_CTRL_WRITE, "#GP for writing IA32_SPEC_CTRL where it is not offered") \
	M(SPEC_CTRL_BITS, "#GP for what IA32_SPEC_CTRL does not have") \
	M(PRED_CMD_WRITE, "#GP for IA32_PRED_CMD where it is not offered") \
	M(PRED_CMD_BITS, "#GP for what IA32_PRED_CMD does not have") \
	M(PRED_CMD_ZERO, "that writing 0 to it does nothing") \
	M(PRED_CMD_BARRIER, "the barrier that the guest asks for") \
	M(L1D_RDCL_NO, "no flush of the L1D for a CPU that says RDCL_NO") \
	M(L1D_SKIP, "nor under another hypervisor that does it") \
	M(L1D_CAN, "its check of CPUID") \
	M(VERW_CAN, "the check of CPUID for VERW") \
	M(VERW_MDS, "VERW for a CPU without MDS_NO") \
	M(VERW_TAA, "for one with RTM and without TAA_NO") \
	M(VERW_FB, "for one with FB_CLEAR") \
	M(VERW_RFDS, "for one with RFDS_CLEAR") \
	M(IBRS_CAN, "the check of CPUID for IBRS") \
	M(IBRS_ENHANCED, "that IBRS_ALL without IA32_SPEC_CTRL means nothing") \
	M(RSB_ALONE, "not filling the RSB where indirect jumps are open anyway") \
	M(RSB_PBRSB_NO, "not filling it where PBRSB_NO and enhanced IBRS are there") \
	M(GUEST_FEATURES, "that a guest is offered known features only") \
	M(GUEST_PROMISES, "that it is shown known bits of IA32_ARCH_CAPABILITIES only") \
	M(GUEST_SKIP, "telling it that nothing is to be flushed for guests of its own") \
	M(RSB_ONE, "filling all of the RSB where IBRS is not enhanced") \
	M(SPEC_CTRL_GUEST, "switching IA32_SPEC_CTRL for a guest that may set it") \
	M(SPEC_CTRL_EACH, "writing IBRS at each exit where it is not enhanced") \
	M(LOAD_SPEC_CTRL, "the host's IA32_SPEC_CTRL when a virtual CPU gets the CPU") \
	M(LOAD_IBPB, "the barrier between two virtual CPUs") \
	M(ACCOUNT_ONCE, "taking an account up where it was (A1)") \
	M(ACCOUNT_PIECE, "that it leaves some lines at a time (A1)") \
	M(ACCOUNT_WAITS, "that its lines wait for each other where the port has no room (A1)") \
	M(ACCOUNT_ZEROS, "leaving out of a phase what did not happen") \
	M(ACCOUNT_RUNNING, "counting the ticks of the turn that is not over") \
	M(ACCOUNT_MECHANISM, "which exits are the mechanism's") \
	M(ACCOUNT_STARTED, "that who has not run has no account") \
	M(ACCOUNT_WHOLE, "waiting with the end until all is told") \
	M(PHASE_CLOSED, "closing a phase") \
	M(PHASE_OPENED, "that a phase begins with what was counted before") \
	M(PHASE_RANGE, "the range of a phase's number") \
	M(PHASE_TICKS, "the ticks of the turn in which a phase begins or ends") \
	M(PHASE_END, "closing a phase with the guest's end") \
	M(PHASE_CLEAR, "accounts that begin empty") \
	M(RELEASE_ROOTS, "giving back a vCPU's roots") \
	M(RELEASE_VMCS, "giving back the VMCS") \
	M(RELEASE_TABLES, "giving back the tables") \
	M(RELEASE_RAM, "giving back the guest's RAM") \
	M(RELEASE_PHASES, "giving back the accounts of phases") \
	M(RELEASE_TESTDEV, "giving back the test device") \
	M(RELEASE_VCPU, "giving back the vCPU") \
	M(RELEASE_VM, "giving back what is known of a virtual machine") \
	M(RELEASE_SAID, "saying that frames are missing") \
	M(RUN_PAUSED, "not running who is paused") \
	M(RUN_HALTED, "not running who sleeps in HLT") \
	M(IDLE_UNTOLD, "coming back to an account that waits while nobody runs") \
	M(IDLE_STOPPED, "that a clock which stands still wakes nobody") \
	M(SLICE_ARMED, "the CPU's timer for the end of a slice") \
	M(ARM_AGAIN, "looking at the timers of who runs before its next entry (R1)") \
	M(TIMERS_OF_ALL, "looking at the timers of all of a CPU when a slice ends (F2)") \
	M(SLICE_OVER, "that a timer of its own does not end a slice") \
	M(SLICE_ENDS, "the end of a slice") \
	M(HOST_WINDOW, "letting the host's interrupts in once a slice (F3)") \
	M(HOST_TIMER, "looking then whether the CPU's timer was among them") \
	M(HOST_CONTROL, "serving the control channel once a slice") \
	M(HOST_TELL, "telling accounts while others run") \
	M(FAIR_SLEPT, "that who slept is not given all that it did not use (F1)") \
	M(FAIR_LEAST, "giving the CPU to the one that had least of it (F1)") \
	M(FAIR_TICKS, "counting how long the CPU worked for each (F1)") \
	M(FAIR_NEW, "that who is new begins with as much as the others had") \
	M(END_FIRST, "that the first end counts") \
	M(END_STOP, "asking who has ended to leave") \
	M(LOAD_FPU, "the FPU's registers of who runs") \
	M(LOAD_TSC, "the TSC offset of who gets the CPU again") \
	M(CURRENT_UNOWNED, "what the guest changed without an exit, before its intercepts change") \
	M(IN_GUEST, "that others can see that a vCPU is in the guest (R2)") \
	M(OUT_OF_GUEST, "or no more (R2)") \
	M(EXIT_TICKS, "the ticks of an exit") \
	M(ALARM_LATE, "that the alarm of a clock which stands still comes after its time, not before") \
	M(ENTRY_FAILED, "ending a guest that the CPU does not enter") \
	M(HOST_TURN, "the host's turn once a slice, at an exit (F3)") \
	M(SET_ALARM, "an alarm for a timer that is earlier than the others (R1)") \
	M(CLOCK_OFFSET, "the TSC that the guest reads going by its clock (K2)") \
	M(CLOCK_BEGINS, "that a clock of the guest's own stands still in the hypervisor") \
	M(CLOCK_PAUSED, "that it stands still") \
	M(CLOCK_HALTED, "that the clock goes on in HLT") \
	M(RETIRE_FPU, "that nobody's registers are saved to who has ended") \
	M(RETIRE_LOADED, "giving up the VMCS of who has ended") \
	M(PREEMPTION_REQUEUE, "delivering again what the preemption timer interrupted") \
	M(PREEMPTION_TURN, "the host's turn after a whole slice without an exit (F3)") \
	M(HOST_INTERRUPT, "the host's interrupt that a guest was left for") \
	M(EXIT_TIMER, "the host's timer then") \
	M(EXIT_CONTROL, "the control channel then") \
	M(TIMERS_OWN, "that timers go by the guest's own clock where it has one") \
	M(FAIR_RAISED, "that this least goes up while one runs alone (F1)") \
	M(CURRENT, "tables and flushes that are in force before an entry") \
	M(CONTROL_MAY, "taking only controls that the CPU has") \
	M(CONTROL_MUST, "taking those that it wants set") \
	M(EPT_CONTROL, "the check of the control for EPT") \
	M(EPT_WALK, "that EPT needs a walk of 4 levels") \
	M(EPT_INVEPT, "that it needs INVEPT") \
	M(EPT_INVEPT_TYPE, "of one of two types") \
	M(VPID_CONTROL, "the check of the control for VPIDs") \
	M(VPID_INVVPID, "that VPIDs need INVVPID") \
	M(VPID_INVVPID_TYPE, "of one of two types") \
	M(UNRESTRICTED_EPT, "that \"unrestricted guest\" needs EPT") \
	M(LACKS_PIN, "refusing a CPU without the pin-based controls") \
	M(LACKS_NMI_WINDOW, "or without NMI windows") \
	M(LACKS_PROC, "or without the processor-based controls") \
	M(LACKS_EXIT, "or without the controls for exits") \
	M(LACKS_ENTRY, "or without 64-bit guests") \
	M(LACKS_VMX, "or without VT-x") \
	M(LACKS_UNLOCKED, "or whose firmware has locked VT-x away") \
	M(LACKS_CACHE, "or that wants its VMCS uncached") \
	M(SWITCHES_EXIT, "MSR areas where a control for exits is missing") \
	M(SWITCHES_ENTRY, "MSR areas where a control for entries is missing") \
	M(TRUE_CONTROLS, "reading the true controls only where they are") \
	M(SECONDARY, "reading secondary controls only where they are") \
	M(RDTSCP_CONTROL, "the check of the control for RDTSCP") \
	M(RDTSCP_CPUID, "the check of CPUID for it") \
	M(CAPS_LEAF7, "reading CPUID's leaf 7 only where it is") \
	M(CAPS_WIDTH, "reading the width of addresses only where it is told") \
	M(BITMAP_IO, "exits of all ports") \
	M(BITMAP_MSR, "exits of all MSRs but those of the guest's own") \
	M(BITMAP_AUX, "exits of IA32_TSC_AUX where RDTSCP is not offered") \
	M(BITMAP_HIGH, "the two halves of MSR numbers") \
	M(AREAS_FREED, "giving back the MSR areas") \
	M(AREAS_COUNT, "loading the MSRs of the areas") \
	M(AREAS_HOST_EFER, "the host's EFER after an exit, by the areas") \
	M(AREAS_HOST_PAT, "the host's PAT after an exit, by the areas") \
	M(AREAS_STORE, "storing no MSR at an exit") \
	M(HOST_EFER, "the host's EFER after an exit") \
	M(HOST_PAT, "the host's PAT after an exit") \
	M(WANTS_VPID, "refusing VPIDs that the CPU has not") \
	M(WANTS_LEVELS, "refusing EPT tables of 5 levels") \
	M(WANTS_1G, "refusing pages of 1 GByte") \
	M(WANTS_2M, "refusing pages of 2 MBytes") \
	M(REAL_EPT, "that real mode needs the mechanism ept") \
	M(REAL_UNRESTRICTED, "that it needs \"unrestricted guest\"") \
	M(WANTS_MMU, "refusing a mechanism that the CPU cannot run") \
	M(BEST_LACKS, "passing over such a mechanism where none was asked for") \
	M(CPUID_PASS_1C, "offering known features only: leaf 1, ECX") \
	M(CPUID_PASS_1D, "leaf 1, EDX") \
	M(CPUID_PASS_7B, "leaf 7, EBX") \
	M(CPUID_PASS_7C, "leaf 7, ECX") \
	M(CPUID_PASS_81C, "leaf 0x80000001, ECX") \
	M(CPUID_PASS_81D, "leaf 0x80000001, EDX") \
	M(CPUID_RDRAND, "hiding RDRAND where it is asked for") \
	M(CPUID_RDSEED, "hiding RDSEED where it is asked for") \
	M(CPUID_PCID, "PCIDs only where the mechanism has them") \
	M(CPUID_INVPCID, "INVPCID only there") \
	M(CPUID_INVPCID_CONTROL, "INVPCID only where its control is") \
	M(CPUID_PKU, "protection keys only where the mechanism has them") \
	M(CPUID_AVX512, "AVX-512 only with its state") \
	M(XCR0_PKU, "the state of protection keys only with them") \
	M(XCR0_KNOWN, "known states only") \
	M(XCR0_ALL_512, "all of AVX-512's state or none") \
	M(XSAVE_XSAVES, "hiding XSAVES") \
	M(XSAVE_OFFERED, "the sizes of states that are offered only") \
	M(XSAVE_ENABLED, "the size of the states that are enabled only") \
	M(CPUID_CORES, "one core, of one thread") \
	M(CPUID_RDTSCP, "RDTSCP only where its control is") \
	M(EFER_NX, "EFER.NXE only where CPUID has it") \
	M(CR4_POSSIBLE, "bits of CR4 that the CPU can set only") \
	M(CR4_OFFERED_PCID, "CR4.PCIDE only with its feature") \
	M(CR4_OFFERED_SMEP, "CR4.SMEP only with its feature") \
	M(CR4_OFFERED_SMAP, "CR4.SMAP only with its feature") \
	M(CR4_OFFERED_PKE, "CR4.PKE only with its feature") \
	M(CPUID_OSXSAVE, "the mirror of CR4.OSXSAVE") \
	M(CPUID_OSPKE, "the mirror of CR4.PKE") \
	M(CPUID_APIC, "the mirror of IA32_APIC_BASE's enable bit") \
	M(CPUID_HIGHEST, "the answer of the highest leaf for those above") \
	M(CPUID_XSAVE_END, "the end of leaf 0xd's subleaves") \
	M(CPUID_CACHE_END, "the end of leaf 4's subleaves") \
	M(CPUID_SUBLEAF, "that leaf 7 has one subleaf") \
	M(CPUID_HAS_D, "asking the CPU for leaf 0xd only where it is") \
	M(CPUID_HAS_7, "asking it for leaf 7 only where it is") \
	M(LOAD_FILE, "not reading beyond the end of an image") \
	M(LOAD_CLAIMS, "the bound of an image's segments") \
	M(LOAD_WRAP, "refusing a segment that goes round the address space") \
	M(LOAD_RAM, "refusing a segment that ends beyond RAM") \
	M(LOAD_HOLE, "refusing one in the hole below 1 MByte") \
	M(LOAD_OVERLAP, "refusing one where another is") \
	M(LOAD_EMPTY, "refusing an empty image") \
	M(LOAD_LOW, "refusing what RAM below 4 GBytes cannot be") \
	M(ELF_KIND, "refusing ELF files that are no executables for x86") \
	M(ELF_HEADERS, "refusing program headers of another size, or none") \
	M(ELF_SIZES, "refusing a segment that is larger in the file than in memory") \
	M(ELF_NOTHING, "refusing an image with nothing to load") \
	M(ELF_ENTRY, "refusing an entry in no segment") \
	M(ELF_LOAD, "loading PT_LOAD segments only") \
	M(MB_CHECKSUM, "the checksum of a Multiboot header") \
	M(MB_BEGIN, "refusing a header that lies before its file") \
	M(MB_ADDRESSES, "refusing addresses that contradict each other") \
	M(MB_UNKNOWN, "refusing what the header demands and nobody knows") \
	M(MB_VIDEO, "refusing a video mode") \
	M(MB_CMDLINE, "the length of the command line") \
	M(MB_NAME, "the length of a name") \
	M(MB_CLASS, "refusing a kernel that says nowhere where it goes") \
	M(LINUX_CMDLINE, "the length of the command line that a kernel takes") \
	M(LINUX_OLD, "refusing a boot protocol that is too old") \
	M(LINUX_SIZE, "refusing a kernel without code") \
	M(LINUX_CODE, "that all of its code is in the file") \
	M(LINUX_PLACE, "refusing a place below 1 MByte or between pages") \
	M(LINUX_ADDRESSES, "refusing a program that is no kernel") \
	M(LINUX_MAGIC, "the magic of a bzImage") \
	M(CONFIG_LONG, "the length of a text") \
	M(CONFIG_NO_FILE, "refusing a file without a name") \
	M(CONFIG_NUMBER, "numbers of 64 bits only") \
	M(CONFIG_MEM_UNIT, "a size's unit, with nothing behind it") \
	M(CONFIG_MEM_MOST, "the most RAM") \
	M(CONFIG_MEM_LEAST, "the least RAM") \
	M(CONFIG_MEM_PAGES, "RAM of whole pages") \
	M(CONFIG_ONE_CPU, "one virtual CPU") \
	M(CONFIG_CONTROL, "no control characters in values") \
	M(CONFIG_CONTROL_KEY, "nor in keys") \
	M(CONFIG_NAME_CHARS, "the characters of a machine's name") \
	M(CONFIG_NAME_LENGTH, "the length of a machine's name") \
	M(CONFIG_TWICE, "refusing a key that is given twice") \
	M(CONFIG_NO_KERNEL, "refusing a machine without a kernel") \
	M(CONFIG_SWITCH_OFF, "refusing switch-every with switch off") \
	M(CONFIG_AMONG_ALONE, "refusing switch-among without switch-every") \
	M(CONFIG_SAME_NAME, "refusing two machines of one name") \
	M(CONFIG_COMPLETE, "that each machine is complete") \
	M(CONFIG_MOST, "as many machines as there is room for") \
	M(CONFIG_BEFORE, "refusing a key before the first machine") \
	M(CONFIG_NONE, "refusing a description of nothing") \
	M(CONFIG_PERIOD, "the least and most of a period") \
	M(CONFIG_EXITS_LEAST, "the least number of exits between two changes") \
	M(CONFIG_EXITS_MOST, "the most") \
	M(CONFIG_UNIT, "the unit of a period") \
	M(CONFIG_AMONG_KNOWN, "refusing mechanisms in a list that there are not") \
	M(CONFIG_AMONG_LONG, "the length of a list") \
	M(CONFIG_AMONG_NAME, "the length of a name in it") \
	M(CONFIG_MEASURE, "refusing measures that there are not") \
	M(REQUEST_LONG, "the length of a request") \
	M(REQUEST_GARBAGE, "refusing bytes that are no text") \
	M(REQUEST_NAME, "the characters of a name") \
	M(REQUEST_NAME_LENGTH, "the length of a name") \
	M(REQUEST_NUMBER, "numbers of 64 bits only") \
	M(REQUEST_COUNT, "how many words a command takes") \
	M(REQUEST_LENGTH, "the length of a dump") \
	M(REQUEST_TAG, "that a tag shown back is one") \
	M(REQUEST_VM, "the name of a machine") \
	M(REQUEST_WORD, "the name of a mechanism") \
	M(JSON_FULL, "the end of the answer's buffer") \
	M(JSON_COMMA, "commas") \
	M(JSON_PRINTABLE, "that an answer is printable") \
	M(JSON_ESCAPE, "escaping quotes and backslashes") \
	M(REPLY_WAITS, "that an answer waits where the port has no room (CT2)") \
	M(FIND_WHOLE, "that a virtual machine's number is nothing but digits") \
	M(PAUSE_STOPS, "stopping the clock of one that sleeps when it is paused") \
	M(RESUME_OWN, "not letting a clock of the guest's own go before the guest does") \
	M(RESUME_GOES, "letting the clock go when it is resumed") \
	M(PAUSE_LEAVES, "leaving the CPU when it is paused") \
	M(VISIT_LOADS, "loading the VMCS of who is asked") \
	M(VISIT_WRITTEN, "that what is to be written into it is, before it is read") \
	M(VISIT_READ, "reading the guest's registers for an answer") \
	M(VISIT_RESTORES, "loading the VMCS of who runs again") \
	M(ONE_AT_A_TIME, "one request at a time (CT1)") \
	M(DUMP_STARTED, "that who has not run has no registers") \
	M(DUMP_OWNER, "CR2 of who has not the CPU") \
	M(DUMP_PAGES, "reading page by page") \
	M(DUMP_NOTHING, "saying that there is no memory") \
	M(TRANSLATE_RIGHTS, "looking past SMAP and protection keys") \
	M(RAM_CLEAR, "RAM that is clear at the start") \
	M(LOAD_INITRD, "the initrd that is named") \
	M(TSC_ZERO, "a TSC that starts at 0") \
	M(CR4_RESERVED, "bits of CR4 that are not offered being reserved") \
	M(EFER_RESERVED, "bits of EFER that are not offered being reserved")

#ifdef VM_MUTATION
#include "lib/base.h"
#define M(name, what) VM_MUTANT_##name,
enum vm_mutant { VM_MUTANTS(M) VM_MUTANT_COUNT };
#undef M
extern enum vm_mutant vm_mutant_selected;
#define VM_MUTANT(name, ...) \
	do { \
		if (vm_mutant_selected != VM_MUTANT_##name) { \
			__VA_ARGS__; \
		} \
	} while (0)
#define VM_KEPT(name, cond) ((cond) && vm_mutant_selected != VM_MUTANT_##name)
#define VM_LEFT_OUT_OR(name, cond) ((cond) || vm_mutant_selected == VM_MUTANT_##name)
#else
#define VM_MUTANT(name, ...) \
	do { \
		__VA_ARGS__; \
	} while (0)
#define VM_KEPT(name, cond) (cond)
#define VM_LEFT_OUT_OR(name, cond) (cond)
#endif

#endif
