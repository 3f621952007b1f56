/* lib/mutants/run.h - mutants (lib/mutants/mutate.h) of what goes on around exits: the guest's machine, turns, clocks,
 * changes of the mechanism, accounts, the control channel. */
#ifndef VELLUM_LIB_MUTANTS_RUN_H
#define VELLUM_LIB_MUTANTS_RUN_H

#define VM_MUTANTS_RUN(M) \
	M(PIC_WIRE, "the wire from the 8259s to the local APIC") \
	M(IOAPIC_WIRE, "the wire from the I/O APIC to the local APIC") \
	M(IPI, "interrupts that the guest sends to itself") \
	M(EOI_BROADCAST, "telling the I/O APIC of the end of a level-triggered interrupt") \
	M(LAPIC_KICK, "looking for events when the local APIC has one") \
	M(NMI_KICK, "looking for events when a device sends an NMI") \
	M(INIT_RESETS, "the reset of a guest by an INIT to its boot processor") \
	M(AP_WAITS, "that other processors wait to be started") \
	M(INIT_PAGING, "the paging registers after INIT, for the CPU") \
	M(INIT_REGISTERS, "the registers after INIT") \
	M(INIT_RESIDENT, "those of them that entries and exits leave alone") \
	M(INIT_EVENT, "forgetting the event that was to be injected before an INIT") \
	M(INIT_NMI, "and the NMI that waited") \
	M(INIT_APIC, "the local APIC after INIT") \
	M(INIT_OVER_SIPI, "forgetting a start-up IPI that came before an INIT") \
	M(INIT_KICK, "telling a virtual CPU of an INIT") \
	M(SIPI_KICK, "and of a start-up IPI") \
	M(SIPI_IGNORED, "ignoring start-up IPIs to one that runs") \
	M(SIPI_FIRST, "that of two start-up IPIs the first counts") \
	M(NMI_WAITS, "that an NMI to a virtual CPU which waits to be started is lost") \
	M(NMI_STARTED, "that one behind a start-up IPI is not") \
	M(NMI_EARLY, "and waits for the start") \
	M(DEAF_REQUESTED, "that one which has something to do may yet wake another") \
	M(ALARM_KICK, "telling the boot processor's CPU of an alarm that another CPU has armed") \
	M(HEART_WRITTEN, "writing what the heart changed, of one that leaves its CPU") \
	M(HEART_READ, "reading its registers then") \
	M(MAY_RUN_FROZEN, "not taking up a virtual CPU of a machine that has been frozen meanwhile") \
	M(MAY_RUN_PAUSED, "nor of one that has been paused") \
	M(PARK_SYNCS, "the registers of the virtual CPU of a CPU that waits") \
	M(PARK, "that it counts as stopped") \
	M(UNPARK_WAITS, "that it does not go on while its machine is frozen") \
	M(FREEZE_REQUEST, "asking the other virtual CPUs to stop") \
	M(FREEZE_WAITS, "waiting until they have") \
	M(THAW_LAST, "that what was frozen twice thaws at the second call") \
	M(THAW_KICK, "telling their CPUs that they may go on") \
	M(RUN_FROZEN, "not picking a virtual CPU of a frozen machine") \
	M(PAUSE_LAST, "that the clock of a machine which is paused goes on until the last has left") \
	M(SWITCH_FREEZES, "freezing a machine that goes over to another mechanism") \
	M(PAGE_FREEZES, "and one whose local APICs' page moves") \
	M(UNPARK_TPR, "another way to virtualize the TPR, for the virtual CPU that its CPU has parked") \
	M(DECIDE_ELSEWHERE, "leaving it to another CPU who runs its virtual CPUs, it or the emulator") \
	M(SIPI_DECIDES, "letting the emulator run what a start-up IPI starts, where the CPU cannot") \
	M(LOAD_TPR, "and for others when they are loaded") \
	M(LINT_NMI, "that a HLT with interrupts disabled may wait for an NMI of a local pin") \
	M(IOAPIC_NMI, "that it may wait for one of the I/O APIC") \
	M(APIC_MOVED, "following the local APIC when its page moves, or ends") \
	M(PAGE_ACTIVE, "leaving the local APIC's page alone where it does not answer") \
	M(X2APIC_GIVEN, "virtualizing x2APIC mode when the guest goes to it, and no longer when it leaves it") \
	M(X2APIC_HAS, "leaving that mode's TPR to exits on a CPU that cannot") \
	M(PAGE_UNMAPPED, "taking its frame from where the local APIC was") \
	M(ALARM_CAN, "the CPU's alarm only where it has one") \
	M(ALARM_OWN, "and only for who has a clock of its own") \
	M(ALARM_SLICE, "ringing after a slice at the latest") \
	M(ALARM_TURN, "the host's turn then") \
	M(ALARM_FORWARD, "putting its clock forward to what the CPU has counted") \
	M(ALARM_DUE, "to that, not to an alarm that came in the place of one that was cancelled") \
	M(EMULATED_ALARM, "setting it anew after instructions that were emulated") \
	M(ALARM_RUNS, "running the guest's timers when it rings") \
	M(ALARM_AGAIN, "setting it anew then") \
	M(APICV_PAGE, "moving what waits and is in service to where the CPU delivers, and back") \
	M(APICV_EXTINT, "injecting the interrupts of the 8259s where the CPU delivers the others") \
	M(HANDED, "telling the CPU what is new and waits") \
	M(HANDED_ALL, "or all that waits and is in service") \
	M(EOI_EXITS, "telling it which EOIs must exit") \
	M(FLEX_LOOK, "a threshold of its own after a change of the method, or of IA32_APIC_BASE") \
	M(CHANGE_LACKS, "refusing a method for the TPR that the CPU lacks, while the guest runs") \
	M(ACCOUNT_TPR, "keeping the account of a method when another is chosen") \
	M(ACCOUNT_LEFT, "counting what is left to the trap for there are several CPUs, and only that") \
	M(PATCH_CPL, "patching what the guest's kernel executes, and nobody else") \
	M(PATCH_FLAT, "patching where its data are flat") \
	M(PATCH_DEBUG, "leaving code alone that is debugged") \
	M(PATCH_SHADOW, "leaving to the trap what is behind an STI or a load of SS") \
	M(PATCH_TOLD, "looking whether it was a stub that has told") \
	M(PATCH_ADDRESS, "patching what accesses the TPR, and no other register") \
	M(PATCH_MAPPED, "looking whether the stubs are where they were") \
	M(PATCH_WORN_OUT, "letting a page alone whose patches are undone again and again") \
	M(PATCH_CPUS, "watching for what may be patched in virtual machines of one CPU only") \
	M(PATCH_LEFT_BYTES, "forgetting that a place was left to the trap when its bytes are others") \
	M(PATCH_LEFT_UNDONE, "and when patches are undone") \
	M(PATCH_LEFT_MODE, "and when the kernel's segments may be others") \
	M(PATCH_LEFT_AGAIN, "and after some accesses, whatever has changed") \
	M(PATCH_UNDO, "undoing patches when the method or the local APIC's page changes") \
	M(PATCH_AIM, "where stubs write when the method is another") \
	M(PATCH_LOWERED, "a look at what waits when a stub says that the TPR is low enough") \
	M(PATCH_THRESHOLD, "telling stubs how low that is") \
	M(PATCH_FAULT, "page faults that patches have brought upon the guest") \
	M(PATCH_FLAGS, "the flags of a write that is begun anew") \
	M(RELEASE_OVERLAYS, "giving back the frames of patched pages") \
	M(RELEASE_APIC_FRAME, "giving back the frame that stands for the local APIC") \
	M(RELEASE_APIC_REGISTERS, "and the pages of its registers") \
	M(DEBUG_STATUS, "cutting the status of a debug exit to a byte") \
	M(UNDER, "accounts by mechanism") \
	M(UNDER_END, "closing the last of them") \
	M(PHASE_OPEN, "counting a phase that is open until now, for who asks") \
	M(PHASE_NONE, "leaving out phases that have not been") \
	M(PANIC_ONCE, "telling once that a guest has panicked, however often it says so") \
	M(PANIC_PAUSES, "pausing it, if that is asked for") \
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
	M(PROTECT_MAPPING, "taking the right to write away as the test device says") \
	M(AFTER_BIOS, "the 8259s as a BIOS leaves them") \
	M(VIRTUAL_WIRE, "virtual-wire mode at the start") \
	M(LAPIC_TSC, "the TSC that the local APIC's timer goes by") \
	M(CONSOLE_REST, "what a guest wrote last to its console, when it has ended") \
	M(SWITCH_OFF, "that a guest which may not change its mechanism has all features of the one that it has") \
	M(SWITCH_HIDDEN, "hiding from a guest what a mechanism lacks that it may come to") \
	M(ENTER_REAL, "not entering a guest in real mode without \"unrestricted guest\"") \
	M(SEGMENTS_V86, "that segment registers of virtual-8086 mode are none of protected mode") \
	M(SEGMENTS_CODE, "nor while CS holds no code") \
	M(SEGMENTS_RPL, "nor while CS and SS are of two levels") \
	M(SEGMENTS_SS, "nor while SS has another level than its selector") \
	M(SEGMENTS_DATA, "nor while a data segment is of a lower level than its selector") \
	M(SEGMENTS_UNUSABLE, "that this is not asked of segments that cannot be used") \
	M(SEGMENTS_CONFORMING, "nor of conforming code") \
	M(ENTER_CANONICAL, "nor while the base of FS or GS is not canonical") \
	M(ENTER_BASE, "nor while another base has more than 32 bits") \
	M(ENTER_PRESENT, "nor while a segment is absent, or one of the system") \
	M(ENTER_RESERVED, "nor while reserved access rights are set") \
	M(ENTER_GRANULARITY, "nor while G is not as the limit needs it") \
	M(ENTER_CODE_LEVEL, "nor while CS is of another level than SS") \
	M(ENTER_L_AND_D, "nor with both L and D in IA-32e mode") \
	M(ENTER_STACK_TYPE, "nor while SS cannot be written") \
	M(ENTER_ACCESSED, "nor while a data segment was not accessed") \
	M(ENTER_READABLE, "nor while a data segment is code that cannot be read") \
	M(V86_BASE, "that real mode is run in virtual-8086 mode with bases of selectors only") \
	M(V86_LIMIT, "and limits of 64K at least") \
	M(V86_CUT, "which the CPU finds to be 64K") \
	M(V86_LIMITS_BACK, "and the guest as they were") \
	M(V86_ACCESS, "and the attributes of real mode") \
	M(V86_TRAPS, "that traps in real mode are the emulator's") \
	M(V86_ALIGNMENT, "that nothing is aligned in real mode") \
	M(V86_VME, "that INT n is the emulator's there") \
	M(V86_FAULTS, "that the emulator does what faults in virtual-8086 mode") \
	M(V86_EXCEPTIONS, "that every exception exits there") \
	M(V86_SYSENTER, "that SYSENTER does not leave it") \
	M(V86_INTERRUPTS, "that the CPU delivers no interrupt there") \
	M(ENTER_V86_BASE, "nor in virtual-8086 mode with another base than the selector's") \
	M(ENTER_V86_LIMIT, "nor there with another limit") \
	M(ENTER_V86_ACCESS, "nor there with other access rights") \
	M(ENTER_TR, "nor without a TSS in TR") \
	M(ENTER_LDTR, "nor with something else than a table in LDTR") \
	M(EMULATED_RUN, "running by the emulator what the CPU cannot enter") \
	M(EMULATED_NOTED, "that the run loop looks at it before the next entry (RE1)") \
	M(EMULATED_TICKS, "the account of emulated instructions") \
	M(EMULATED_HOST_TURN, "letting the host's interrupts in between them (RE2)") \
	M(EMULATED_EVENTS, "interrupts as soon as they are open, between them") \
	M(EMULATED_CLOCK, "that the clock goes on with them (RE3)") \
	M(EMULATED_TIMERS, "running the guest's timers between them") \
	M(EMULATED_GO_ON, "what has to be looked at between two emulated instructions") \
	M(EMULATED_QUIET, "and what keeps several from being carried out at once") \
	M(EMULATED_REGISTERS, "taking over what an emulated instruction loads, before the next") \
	M(EMULATED_END, "entering again what can be entered") \
	M(DIRTY_ONE, "refusing a second user of the log of dirtied memory") \
	M(DIRTY_PAUSED, "or while the machine is paused") \
	M(DIRTY_STOPS, "the end of logging when the time is over") \
	M(DIRTY_AGAIN, "a watch's next period") \
	M(DIRTY_DISARMED, "that no alarm of a watch comes when it is over") \
	M(REQUEST_MERGE_WORD, "refusing another word than those that merging has") \
	M(REQUEST_DIRTY_COUNT, "refusing a method where there is none to be named") \
	M(DIRTY_FREED, "giving the log's memory back") \
	M(SWITCH_LACKS, "not going over to what the CPU cannot run") \
	M(SWITCH_OFFERED, "nor to what lacks a feature that the guest was offered") \
	M(SWITCH_REAL_MODE, "that the new mechanism may need the emulator for the mode") \
	M(SWITCH_STARTED, "that this is asked of the VMCS only once it is written") \
	M(SWITCH_HALTED, "that a guest in HLT needs no progress between two changes") \
	M(SWITCH_EXITS, "counting the exits between two changes (SW3)") \
	M(SWITCH_TICKS, "progress of the guest between two changes (SW3)") \
	M(SWITCH_SLEEP, "letting a guest in HLT sleep") \
	M(SWITCH_SOON, "looking again soon where it was too early") \
	M(SWITCH_WOKEN, "counting exits again after a HLT") \
	M(SWITCH_USABLE, "leaving what the CPU cannot run out of the round") \
	M(SWITCH_LIST, "refusing it in a list") \
	M(SWITCH_OUTSIDE, "beginning with the first of a list that does not have the mechanism at the start") \
	M(MITIGATIONS_SAID, "saying what the CPU needs and cannot do (SP2)") \
	M(MITIGATIONS_CAN, "taking only what the CPU can do (SP1)") \
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
	M(LOAD_HOST, "that an exit leads to the CPU that has loaded the vCPU, and not to the one before it") \
	M(LOAD_SPEC_CTRL, "the host's IA32_SPEC_CTRL when a virtual CPU gets the CPU") \
	M(LOAD_IBPB, "the barrier between two virtual CPUs") \
	M(ACCOUNT_ONCE, "taking an account up where it was (AC1)") \
	M(ACCOUNT_PIECE, "that it leaves some lines at a time (AC1)") \
	M(ACCOUNT_WAITS, "that its lines wait for each other where the port has no room (AC1)") \
	M(ACCOUNT_ZEROS, "leaving out of a phase what did not happen") \
	M(ACCOUNT_KNOWN, "leaving out what is 0 and whose name is known") \
	M(ACCOUNT_NUMBER, "that what is left out has its number (AC1)") \
	M(ACCOUNT_RUNNING, "counting the ticks of the turn that is not over") \
	M(ACCOUNT_MECHANISM, "which exits are the mechanism's") \
	M(ACCOUNT_STARTED, "that who has not run has no account") \
	M(ACCOUNT_DISKS, "the account of disks") \
	M(ACCOUNT_NETS, "and of network cards") \
	M(ACCOUNT_MERGE, "and of pages that hold the same") \
	M(DEVICES_ASK, "asking for devices to be served again") \
	M(DEVICES_SERVED, "serving them") \
	M(BALLOON_FREEZES, "that nothing runs while pages are given back") \
	M(BALLOON_HOLDS, "and nobody has them on their way out") \
	M(BALLOON_MASTER, "that who is no bus master is not served") \
	M(BALLOON_DRIVEN, "saying that a balloon has no driver") \
	M(BALLOON_SIZE, "how large a balloon can be") \
	M(DEVICES_TURN, "another's turn before they are served once more") \
	M(NET_THERE, "telling of a frame only where somebody is there") \
	M(NET_REQUEST, "telling of a frame") \
	M(NET_YIELDS, "leaving the CPU to who has many frames to read") \
	M(CONSOLE_HUNGRY, "giving a console input when it has buffers again") \
	M(INPUT_CONSOLE, "giving input to the virtio console") \
	M(VCONSOLE_READY_AGAIN, "going on with output when there is room") \
	M(OTHER_VCONSOLE_READY, "and of those that are not the first") \
	M(SAID_OLDEST, "beginning with the oldest byte that is kept of what a console has said") \
	M(SAID_FUTURE, "and where it has not said so much yet") \
	M(ACCOUNT_WHOLE, "waiting with the end until all is told") \
	M(PHASE_CLOSED, "closing a phase") \
	M(PHASE_OPENED, "that a phase begins with what was counted before") \
	M(PHASE_RANGE, "the range of a phase's number") \
	M(PHASE_END, "closing a phase with the guest's end") \
	M(PHASE_CLEAR, "accounts that begin empty") \
	M(RELEASE_ROOTS, "giving back a vCPU's roots") \
	M(RELEASE_STATE, "giving back the CPU's state of a vCPU") \
	M(RELEASE_DIRTY, "the memory of a log of dirtied pages, of one that is over") \
	M(RELEASE_TABLES, "giving back the tables") \
	M(RELEASE_RAM, "giving back the guest's RAM") \
	M(RELEASE_PHASES, "giving back the accounts of phases") \
	M(RELEASE_TESTDEV, "giving back the test device") \
	M(RELEASE_VCPU, "giving back the vCPU") \
	M(RELEASE_VM, "giving back what is known of a virtual machine") \
	M(RELEASE_SAID, "saying that frames are missing") \
	M(START_SWITCH, "taking the CPU from who had it alone, for one that begins") \
	M(START_KICK, "waking another CPU for one that begins") \
	M(START_ON, "that who is to begin on request does not begin") \
	M(START_INPUT, "giving what was typed meanwhile to who begins") \
	M(RELEASED, "saying that a virtual machine was released") \
	M(RELEASED_KICK, "telling the first CPU") \
	M(AGAIN, "that who is to begin again does") \
	M(AGAIN_LATER, "that it waits") \
	M(AGAIN_TOLD, "also for what was told of it") \
	M(FOR_GOOD, "nor does who was stopped") \
	M(LIFE_RUNS, "starting no virtual machine twice") \
	M(LIFE_OVER, "stopping none that is over") \
	M(STOP_FOR_GOOD, "that who is stopped does not begin again") \
	M(RESET_ANSWER, "answering a reset when it has happened") \
	M(STOP_ANSWER, "answering a stop when it has") \
	M(DESTROY_SETTLED, "giving back nothing of one that is not over") \
	M(RUN_PAUSED, "not running who is paused") \
	M(RUN_HALTED, "not running who sleeps in HLT") \
	M(IDLE_UNTOLD, "coming back to an account that waits while nobody runs") \
	M(IDLE_UNSETTLED, "waking up for what is to begin again") \
	M(IDLE_STOPPED, "that a clock which stands still wakes nobody") \
	M(SLICE_ARMED, "the CPU's timer for the end of a slice") \
	M(ARM_AGAIN, "looking at the timers of who runs before its next entry (RL1)") \
	M(TIMERS_OF_ALL, "looking at the timers of all of a CPU when a slice ends (SC2)") \
	M(SLICE_OVER, "that a timer of its own does not end a slice") \
	M(SLICE_ENDS, "the end of a slice") \
	M(HOST_WINDOW, "letting the host's interrupts in once a slice (SC3)") \
	M(HOST_TIMER, "looking then whether the CPU's timer was among them") \
	M(HOST_CONTROL, "serving the control channel once a slice") \
	M(HOST_LIFE, "looking at who has ended while a guest runs") \
	M(HOST_TELL, "telling accounts while others run") \
	M(FAIR_SLEPT, "that who slept is not given all that it did not use (SC1)") \
	M(FAIR_HELD, "and who was paused, or held by a debugger, neither (SC1)") \
	M(FAIR_LEAST, "giving the CPU to the one that had least of it (SC1)") \
	M(FAIR_TICKS, "counting how long the CPU worked for each (SC1)") \
	M(FAIR_NEW, "that who is new begins with as much as the others had") \
	M(END_FIRST, "that the first end counts") \
	M(RESET_BOOTS, "that who is to boot again after a reset does") \
	M(TRIPLE_RESETS, "and after a triple fault") \
	M(END_STOP, "asking who has ended to leave") \
	M(LAST_VCPU, "that a virtual machine is told of when its last virtual CPU has left (VM3)") \
	M(LOAD_FPU, "the FPU's registers of who runs") \
	M(LOAD_TSC, "the TSC offset of who gets the CPU again") \
	M(CURRENT_UNOWNED, "what the guest changed without an exit, before its intercepts change") \
	M(IN_GUEST, "that others can see that a vCPU is in the guest (RL2)") \
	M(OUT_OF_GUEST, "or no more (RL2)") \
	M(EXIT_TICKS, "the ticks of an exit") \
	M(ALARM_LATE, "that the alarm of a clock which stands still comes after its time, not before") \
	M(FAILED_OUT_OF_GUEST, "the same after an entry that failed (RL2)") \
	M(ENTRY_FAILED, "ending a guest that the CPU does not enter") \
	M(HOST_TURN, "the host's turn once a slice, at an exit (SC3)") \
	M(SET_ALARM, "an alarm for a timer that is earlier than the others (RL1)") \
	M(CLOCK_TICK, "an entry that ends before the guest's first instruction is a tick of its clock (K1)") \
	M(CLOCK_OFFSET, "the TSC that the guest reads going by its clock (K2)") \
	M(CLOCK_BEGINS, "that a clock of the guest's own stands still in the hypervisor") \
	M(CLOCK_PAUSED, "that it stands still") \
	M(CLOCK_HALTED, "that the clock goes on in HLT") \
	M(ALL_ASLEEP, "that it stands still while another virtual CPU is awake") \
	M(LEAVE_RESIDENT, "saving the registers that stay in the CPU of who leaves it, or has ended") \
	M(LEAVE_UNLOAD, "giving up the VMCS of who leaves the CPU, or has ended, whether it is the last one or not") \
	M(LEAVE_LOADED, "forgetting that it was the last one") \
	M(PREEMPTION_REQUEUE, "delivering again what the preemption timer interrupted") \
	M(PREEMPTION_TURN, "the host's turn after a whole slice without an exit (SC3)") \
	M(HOST_INTERRUPT, "the host's interrupt that a guest was left for") \
	M(EXIT_TIMER, "the host's timer then") \
	M(EXIT_CONTROL, "the control channel then") \
	M(TIMERS_OWN, "that timers go by the guest's own clock where it has one") \
	M(FAIR_RAISED, "that this least goes up while one runs alone (SC1)") \
	M(CURRENT, "tables and flushes that are in force before an entry") \
	M(REPLY_WAITS, "that an answer waits where the port has no room (CT2)") \
	M(FIND_WHOLE, "that a virtual machine's number is nothing but digits") \
	M(PAUSE_STOPS, "stopping the clock of one that sleeps when it is paused") \
	M(RESUME_OWN, "not letting a clock of the guest's own go before the guest does") \
	M(RESUME_GOES, "letting the clock go when it is resumed") \
	M(PAUSE_LEAVES, "leaving the CPU when it is paused") \
	M(VISIT_LOADS, "loading the state of who is asked") \
	M(VISIT_SYNCS, "reading the registers of who is asked of, and writing what the heart changed of them") \
	M(VISIT_RESTORES, "loading the state of who runs again") \
	M(ONE_AT_A_TIME, "one request at a time (CT1)") \
	M(DUMP_STARTED, "that who has not run has no registers") \
	M(DUMP_OWNER, "CR2 of who has not the CPU") \
	M(DUMP_PAGES, "reading page by page") \
	M(DUMP_NOTHING, "saying that there is no memory") \
	M(TRANSLATE_RIGHTS, "looking past SMAP and protection keys")

#endif
