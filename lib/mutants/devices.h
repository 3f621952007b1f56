/* lib/mutants/devices.h - mutants (lib/mutants/mutate.h) of the guest's devices (dev/), and of the machine's disks
 * (host/device/ata.c). */
#ifndef VELLUM_LIB_MUTANTS_DEVICES_H
#define VELLUM_LIB_MUTANTS_DEVICES_H

#define VM_MUTANTS_DEVICES(M) \
	M(MEMORY_WRAPS, "refusing a range of guest memory that wraps") \
	M(BLOCK_OTHER, "that who is within one virtual machine enters no other") \
	M(BLOCK_ENOUGH, "the end of a call after some pieces") \
	M(BLOCK_TURN, "the others' turn behind a piece") \
	M(BLOCK_LOOKS, "looking for zeroes where zeroes are to be") \
	M(BLOCK_HOLDS, "that what is no zero becomes one") \
	M(BLOCK_THROUGH, "the flush behind a write that is to be through") \
	M(BLOCK_CURRENT, "that a request which is taken back is at no medium any more") \
	M(BLOCK_FORGOTTEN, "passing over what was taken back while the medium worked") \
	M(BLOCK_STILL, "not answering what was taken back before who answers had entered") \
	M(BLOCK_COPIES, "waiting, before a request is taken back, for who copies for it") \
	M(BLOCK_ENTERS, "and for who is about to enter to answer it") \
	M(BLOCK_ENTERED, "but not where that is who takes it back") \
	M(BLOCK_RING, "taking a disk without requests off the ring") \
	M(VIRTQ_ONCE, "reading a descriptor once") \
	M(VIRTQ_BROKEN, "taking nothing from a queue that is broken") \
	M(VIRTQ_BROKEN_PUSH, "putting nothing on one") \
	M(VIRTQ_HEAD, "the range of a chain's head") \
	M(VIRTQ_NEXT, "and of what a descriptor links to") \
	M(VIRTQ_AHEAD, "that there are not more requests than descriptors") \
	M(VIRTQ_ORDER, "what is written behind what is read") \
	M(VIRTQ_INDIRECT, "refusing indirect descriptors that were not agreed on") \
	M(VIRTQ_INDIRECT_NEXT, "and those with another behind them") \
	M(VIRTQ_INDIRECT_BYTES, "and tables of part of a descriptor") \
	M(VIRTQ_NESTED, "and those within a table") \
	M(BLK_SLOT, "giving a slot back when its request is answered") \
	M(UART_LOOP, "that no interrupt leaves a serial port in loopback") \
	M(UART_GATE, "that OUT2 gates it, once a guest has set that") \
	M(UART_UNGATED, "and does not before") \
	M(UART_RESET, "nor again behind a reset") \
	M(TEXT_PROTECT, "that the timing of the text screen is protected") \
	M(RNG_READABLE, "refusing a request for random numbers that is to be read") \
	M(RNG_EMPTY, "and one without room") \
	M(RNG_NONE, "giving no number where the source has none") \
	M(BALLOON_TURN, "that one turn gives back so many pages") \
	M(BALLOON_AGAIN, "asking for another turn") \
	M(BALLOON_ORDER, "that what comes out of the balloon waits for what goes in") \
	M(BALLOON_IN_WRITABLE, "refusing pages for the balloon in what is to be written") \
	M(BALLOON_OUT_WRITABLE, "and pages out of it") \
	M(BALLOON_FREE_READABLE, "and free pages in what is to be read") \
	M(BALLOON_STATS_WRITABLE, "and statistics in what is to be written") \
	M(BALLOON_WRAPS, "that no page follows the last there can be") \
	M(BALLOON_POISON, "keeping free pages that hold something") \
	M(BALLOON_TAG, "leaving out statistics that are not known") \
	M(BALLOON_ASK_READY, "asking no driver for statistics that is gone") \
	M(BALLOON_TELLS, "telling the driver what is wanted") \
	M(BALLOON_CONFIGURE, "what a driver may write of the configuration") \
	M(BALLOON_RESET, "forgetting the chains at hand") \
	M(CONSOLE_OUT_WRITABLE, "refusing output that is to be written") \
	M(CONSOLE_IN_READABLE, "refusing a buffer for input that is to be read") \
	M(VCONSOLE_ROOM, "leaving output that there is no room for") \
	M(VCONSOLE_TURN, "going on with output that is too much for one turn") \
	M(VCONSOLE_READY, "looking at no console without a driver") \
	M(NET_PORTS, "the most ports of a network") \
	M(NET_TWICE, "refusing an address that is there already") \
	M(NET_FULL, "dropping what a backlog has no room for") \
	M(NET_CROWDED, "saying that half of a backlog is used") \
	M(NET_CLOSED, "dropping what is for a port that nobody reads") \
	M(NET_NOTICED, "noticing the owner of a backlog once") \
	M(NET_OPEN_EMPTY, "throwing away what was for the one before") \
	M(NET_BACK, "not sending a frame for all back") \
	M(NET_CLOSED_COUNTED, "counting what is sent to one that does not run") \
	M(NET_DISCARD_COUNTED, "counting what a card throws away that is not ready") \
	M(NET_ITSELF, "nor one to who sends it") \
	M(NET_SHORT, "dropping what is too short for a frame") \
	M(NET_LONG, "and too long") \
	M(NET_SOURCE, "dropping what has another's source address") \
	M(NET_OUTSIDE_SHORT, "the same of what comes from outside") \
	M(NET_OUTSIDE_LONG, "and is too long") \
	M(NET_OUTSIDE_SOURCE, "and has a port's address") \
	M(NET_WAY_OUT, "the card of the network that leads outside") \
	M(E1000_FULL, "waiting until the card is done with a descriptor, and keeping one of the ring free") \
	M(E1000_PADDED, "clearing what a short frame is filled up with") \
	M(E1000_CAME, "looking whether a frame has come") \
	M(E1000_GIVEN_BACK, "and that it is the card's again behind it") \
	M(E1000_LONG, "dropping the end of what is longer than a buffer") \
	M(E1000_LONG_BEGUN, "and its beginning") \
	M(E1000_LENGTH, "and what is said to be so long") \
	M(E1000_ERRORS, "and what came with an error") \
	M(NET_OUT_WRITABLE, "refusing a frame that is to be written") \
	M(NET_OUT_OFFLOAD, "dropping what needs an offload") \
	M(NET_OUT_TURN, "going on with frames that are too many for one turn") \
	M(NET_MERGED, "the most buffers of a frame") \
	M(NET_GO_BACK, "leaving buffers that are too few where they are") \
	M(NET_IN_READABLE, "refusing a buffer for frames that is to be read") \
	M(NET_IN_SMALL, "and one that is too small, without merging") \
	M(NET_IN_TURN, "the end of a turn of frames that come") \
	M(NET_HUSH, "not being told of frames that there is no buffer for") \
	M(NET_RESET, "throwing away what was for the driver of before") \
	M(NET_SERVE_READY, "looking at no card without a driver") \
	M(MSIX_VECTOR, "the range of a vector") \
	M(MSIX_MASK, "holding a message of a vector that is masked") \
	M(PCI_FULL, "the end of the bus's devices") \
	M(PCI_SHARED, "holding a line for as long as one of its devices wants it") \
	M(TIMER_SORTED, "the order of alarms") \
	M(TIMER_STAYS, "also where the first is armed anew") \
	M(TIMER_DUE, "that alarms which are armed again wait for the next time") \
	M(TIMER_EARLIER, "telling of an alarm that comes before all others") \
	M(LAPIC_HIGHEST, "that a lower interrupt is not the highest one") \
	M(LAPIC_TPR_MOVES, "the task priority's value where it goes to another place") \
	M(LAPIC_TPR_LETS_IN, "the look at what a lower task priority lets in, where the CPU delivers") \
	M(LAPIC_ICR_STAYS, "that ICR stays what the guest has written without an exit") \
	M(LAPIC_MASKED_SHOWN, "showing the guest that its local vector table was masked") \
	M(LAPIC_EOI_NOTICE, "the look at what waits when one has been served") \
	M(LAPIC_ILLEGAL, "refusing vectors below 16") \
	M(LAPIC_PIN_ILLEGAL, "and those of a level-triggered pin before it waits for an EOI") \
	M(LAPIC_PAGE_TAKEN, "taking what is in service out of the page") \
	M(LAPIC_TRIGGER, "keeping of an interrupt how it was triggered") \
	M(LAPIC_LOOKED, "that who looks has been told") \
	M(LAPIC_SENT_ID, "looking whom a fixed interrupt without the lock is for") \
	M(LAPIC_SENT_OTHERS, "and that it may be for all others") \
	M(LAPIC_ABSENT_READ, "the error that a read is where no register is, without the lock") \
	M(LAPIC_ABSENT_WRITTEN, "the error that a write is where no register is, without the lock") \
	M(LAPIC_OWN_TRIGGER, "that an interrupt to oneself is edge-triggered") \
	M(LAPIC_OWN_HIGHEST, "which one waits, after one to oneself") \
	M(LAPIC_OWN_NOTICE, "the look at what waits, after one to oneself") \
	M(LAPIC_EOI_LOCKED, "an EOI under the lock where somebody may wait for it") \
	M(LAPIC_LEGAL_UNLOCKED, "refusing reserved bits of a register that is written without the lock") \
	M(LAPIC_TIMER_MASKED, "no alarm for a timer that is masked") \
	M(LAPIC_TIMER_REST, "looking whether the alarm is of the count that is left") \
	M(LAPIC_TIMER_TO_DEADLINE, "that a count ends where the mode becomes that of a deadline") \
	M(LAPIC_TIMER_DONE, "that what has counted down stays at 0") \
	M(IOAPIC_EXCHANGE, "that an EOI and others change an entry one after the other (IO3)") \
	M(IOAPIC_EOI_LOOKS, "looking at the pin behind an EOI (IO2, IO3)") \
	M(IOAPIC_UNSENT, "looking again at an entry that changed while its message found nobody (IO3)") \
	M(IOAPIC_WAITS, "sending nothing until the EOI") \
	M(IOAPIC_UNMASKED, "sending a level that is there when it is unmasked") \
	M(IOAPIC_ID, "the width of the ID") \
	M(PIC_CHANGES, "telling of an output that changes, and of no other") \
	M(PIC_EDGE, "that an edge is one") \
	M(PIT_STOPS, "no alarm for a counter that is programmed anew") \
	M(PIT_EDGE, "that each period begins with an edge") \
	M(RTC_LINE_FALLS, "that the line falls with the enable") \
	M(RTC_FLAG_SET, "no alarm for a flag that is set") \
	M(RTC_NOT_EARLY, "no alarm before its clock") \
	M(FW_SELECTED, "the end of a transfer when another item is selected") \
	M(FW_PIECES, "transfers in pieces") \
	M(FW_NO_RAM, "the end of one to where no RAM is") \
	M(FW_WRITES, "refusing one that writes to an item") \
	M(FLASH_TOLD, "telling that a flash's reads become plain, or stop being so") \
	M(FLASH_PROTECTED, "that a write-protected flash stays") \
	M(FLASH_BITS, "that programming only takes bits away") \
	M(FLASH_IN_BUFFER, "looking where the bytes of a flash's buffer go") \
	M(FLASH_COUNTED, "and how many they are") \
	M(STATE_FLASH, "looking at the command that a flash of a snapshot is in") \
	M(FLASH_FAILS, "noticing that a flash's sectors could not be written") \
	M(FLASH_SNAPSHOT, "leaving a flash's disk alone that is a snapshot") \
	M(FLASH_DRAINED, "waiting for what is written of a flash at the end") \
	M(FLASH_SIZE, "looking at the size of a flash's disk") \
	M(FLASH_LEAVES, "taking a flash away that is not plain memory") \
	M(FLASH_ENTERS, "and putting it there again") \
	M(FLASH_ROOM, "that a flash fits below the ROM") \
	M(RESTORE_FLASH, "placing a flash as the snapshot has it") \
	M(CONFIG_FLASH_IDE, "refusing a flash at the IDE controller") \
	M(CONFIG_FLASH_ALONE, "refusing a flash without a firmware") \
	M(CONFIG_FLASH_TWICE, "refusing a second flash") \
	M(LOADER_CHECKSUM, "taking out checksums that a firmware is to make") \
	M(AHCI_HANDOFF, "taking an AHCI controller from the firmware") \
	M(AHCI_ONE, "one command at a time, and none for a port that is none") \
	M(AHCI_ERRORS, "the errors that an AHCI controller tells of") \
	M(AHCI_SHORT, "that all bytes of a command were transferred") \
	M(AHCI_PATIENCE, "giving up a command in time") \
	M(AHCI_LINK, "resetting the link of a disk that is not idle") \
	M(AHCI_GIVEN_UP, "giving up a port that does not come back") \
	M(AHCI_NO_DISK, "that a device is a disk") \
	M(AHCI_DMA, "that it has DMA") \
	M(ATA_ONE, "one command at a time") \
	M(ATA_FAULT, "the disk's fault among the errors") \
	M(ATA_NO_DISK, "that IDENTIFY ends with data") \
	M(ATA_LBA, "that a disk has linear addresses") \
	M(ATA_SETS, "that the word of command sets means something") \
	M(ATA_LBA28, "what 28 bits can address") \
	M(ATA_COUNT_28, "what their count can say") \
	M(ATA_TABLE, "where the bus master's table ends") \
	M(ATA_SHORT, "that a table which is not used up is an error") \
	M(ATA_PATIENCE, "giving up a command in time") \
	M(ATA_DEAD, "giving up a channel that does not come back")

#endif
