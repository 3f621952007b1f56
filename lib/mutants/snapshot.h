/* lib/mutants/snapshot.h - mutants (lib/mutants/mutate.h) of snapshots: of what is read (dev/state.c, *_state.c in
 * dev/) and of vm/'s part. */
#ifndef VELLUM_LIB_MUTANTS_SNAPSHOT_H
#define VELLUM_LIB_MUTANTS_SNAPSHOT_H

#define VM_MUTANTS_SNAPSHOT(M) \
	M(STATE_ENDS, "the end of what is read from a snapshot") \
	M(STATE_NAME, "a section's name") \
	M(STATE_VERSION, "refusing a section of a newer version") \
	M(STATE_LENGTH, "or one that promises more than there is") \
	M(STATE_REST, "or one with more than belongs there") \
	M(STATE_BOOL, "or what is neither yes nor no") \
	M(STATE_SHIFT, "making times those of the clock of now") \
	M(STATE_SAME, "comparing what both sides must have alike") \
	M(STATE_PIC, "refusing an 8259 without a lowest pin") \
	M(STATE_IOAPIC, "reserved bits of an I/O APIC") \
	M(STATE_VECTORS, "vectors below 16 in a local APIC") \
	M(STATE_LAPIC_TSC, "that the guest's TSC goes on from where it was") \
	M(STATE_LAPIC_SHIFT, "a divisor that the timer does not have") \
	M(STATE_LAPIC_BASE, "reserved bits of IA32_APIC_BASE") \
	M(STATE_LAPIC_LOOK, "looking for interrupts behind a restore") \
	M(STATE_LAPIC_POSTED, "taking what was posted into a snapshot") \
	M(STATE_PIT_COUNT, "refusing a counter that runs without a count") \
	M(STATE_RTC_INDEX, "or the index of no register of the clock") \
	M(STATE_RTC_TIME, "or a time of day that is none") \
	M(STATE_UART_FIFO, "or more in a serial port's FIFO than fits") \
	M(STATE_SHUTDOWN, "or more of the word than it has") \
	M(STATE_PCI_MAY, "that a guest has changed no more of a configuration space than it may") \
	M(STATE_PIRQ, "refusing an interrupt that is routed to no IRQ") \
	M(STATE_PCI_MAPS, "that BARs decode behind a restore") \
	M(STATE_MSIX, "refusing a vector that waits and is not there") \
	M(STATE_PM_TIMER, "or a timer that has run for too long") \
	M(STATE_FW_DMA, "or a transfer where there is no DMA") \
	M(STATE_MOUSE_QUEUE, "or more from a mouse than its queue holds") \
	M(STATE_MOUSE_MOVED, "or more movement than it keeps") \
	M(STATE_KEYS, "or more keys than their queue holds") \
	M(STATE_KEYS_FRONT, "or a byte that is said to be there and is not") \
	M(STATE_VGA_PART, "or more parts of a colour than it has") \
	M(STATE_QUEUE_SIZE, "or a size that no virtqueue has") \
	M(STATE_CHAIN, "or a chain that is too long") \
	M(STATE_QUEUE_PLACED, "looking where a virtqueue's parts are") \
	M(STATE_FEATURES, "refusing features that were not offered") \
	M(STATE_IDE_BUFFER, "more in a drive's buffer than it holds") \
	M(STATE_IDE_RANGE, "a command beyond the medium") \
	M(STATE_IDE_GEOMETRY, "a geometry without heads") \
	M(STATE_IDE_PHASE, "a drive that waits for a medium that nobody asks") \
	M(CONFIG_RESTORE_ALONE, "refusing restore beside what would begin anew") \
	M(FILE_SHORT, "the length of a snapshot's header") \
	M(FILE_NEWER, "refusing a snapshot of another version") \
	M(FILE_HEADER, "or one whose header is damaged") \
	M(FILE_TRUNCATED, "or one of another length") \
	M(FILE_CHUNK_HEAD, "the end of the file in a chunk's head") \
	M(FILE_KIND, "the kinds of chunks") \
	M(FILE_CHUNK_ENDS, "the end of a chunk within the file") \
	M(FILE_CRC, "a chunk's checksum") \
	M(FILE_WHOLE, "that each part is there, and once") \
	M(UNPACK_LENGTH, "refusing a block longer than can be said to the library") \
	M(UNPACK_SIZE, "the same of what it unpacks to") \
	M(SAVE_LOGS, "that writes are logged from before the first page leaves") \
	M(SAVE_ABSENT, "that what is not in memory is zero, and is not taken from the machine for a look") \
	M(SAVE_FREED, "giving lists of pages back") \
	M(SAVE_STATE_FREED, "and the room for the state") \
	M(RELEASE_SAVE, "and both where the virtual machine is over before") \
	M(SAVE_SNAPSHOT_DISK, "refusing a virtual machine with a disk that is in memory") \
	M(SAVE_DEBUGGED, "or under a debugger") \
	M(SAVE_PAUSED, "or one that runs") \
	M(RESTORE_BALLOON, "going on with what its balloon was to be given") \
	M(SAVE_BEHIND, "that RAM behind a firmware's areas leaves, whatever is seen there") \
	M(SAVE_AREAS, "that it leaves as it is when the virtual machine stands") \
	M(SAVE_DISPLAY, "what has been written to a display's memory since it left") \
	M(STATE_DISPI, "refusing registers of a display that it would refuse") \
	M(STATE_DISPI_SETTLED, "or a picture beyond its memory") \
	M(STATE_FIRMWARE_FILES, "refusing another firmware, or other files for it") \
	M(STATE_FIRMWARE_LINE, "or a line of its log that is too long") \
	M(STATE_ROUTED, "or an interrupt that goes where no register says") \
	M(RESTORE_AREAS, "what lies below 1 MByte behind a restore") \
	M(RESTORE_HOLE, "refusing memory where a display is") \
	M(SAVE_DEVICES, "waiting for what its disks have under way") \
	M(SAVE_LAST, "what was written last, before it stood") \
	M(SAVE_TPR, "taking the TPR out of the CPU's pages") \
	M(SAVE_TPR_BACK, "and giving it back") \
	M(SAVE_LEAVES, "that one that was let go on does not leave") \
	M(SAVE_LET_GO, "noticing that it was") \
	M(SAVE_STILL, "that state is taken of one that stands") \
	M(SAVE_STOPS, "that no virtual CPU runs while a part is taken") \
	M(EXCHANGE_SIZE, "that the machine's own disk is large enough") \
	M(EXCHANGE_ONE, "and has one user at a time") \
	M(EXCHANGE_FAILED, "hearing of its failures") \
	M(EXCHANGE_CANCELLED, "taking back what it has under way") \
	M(EXCHANGE_GIVEN_BACK, "giving it back") \
	M(RESTORE_TSC, "that its TSC goes on from where it was") \
	M(RESTORE_PAGING, "refusing control registers that no CPU has") \
	M(RESTORE_PDPTES, "or page-directory-pointer-table entries") \
	M(RESTORE_SEGMENTS, "or segments") \
	M(RESTORE_FLAGS, "or flags, or a place of the next instruction") \
	M(RESTORE_TABLES, "or descriptor tables") \
	M(RESTORE_EVENT, "or events") \
	M(RESTORE_BLOCKING, "or what blocks them") \
	M(RESTORE_FPU, "or vector registers") \
	M(RESTORE_REGISTERS, "or others") \
	M(RESTORE_SIGNALS, "or signals that no CPU waits for") \
	M(RESTORE_NMI, "or an NMI where a CPU would have lost it") \
	M(RESTORE_SPEC, "or controls of speculation") \
	M(RESTORE_FEATURES, "refusing a CPU with less than was shown") \
	M(RESTORE_LAYOUT, "or with another layout of XSAVE's image") \
	M(RESTORE_OFFERED, "or other bits of control registers") \
	M(RESTORE_RAM, "that memory comes to where RAM is") \
	M(RESTORE_UNPACKS, "that it unpacks to whole pages") \
	M(RESTORE_CPU_END, "that nothing is left behind a CPU's registers")

#endif
