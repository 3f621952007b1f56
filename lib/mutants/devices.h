/* lib/mutants/devices.h - mutants (lib/mutants/mutate.h) of the guest's devices (dev/), and of the machine's disks
 * (host/ata.c). */
#ifndef VELLUM_LIB_MUTANTS_DEVICES_H
#define VELLUM_LIB_MUTANTS_DEVICES_H

#define VM_MUTANTS_DEVICES(M) \
	M(MEMORY_WRAPS, "refusing a range of guest memory that wraps") \
	M(BLOCK_OTHER, "that who is within one virtual machine enters no other") \
	M(BLOCK_ENOUGH, "the end of a call after some pieces") \
	M(BLOCK_TURN, "the others' turn behind a piece") \
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
	M(MSIX_VECTOR, "the range of a vector") \
	M(MSIX_MASK, "holding a message of a vector that is masked") \
	M(PCI_FULL, "the end of the bus's devices") \
	M(PCI_SHARED, "holding a line for as long as one of its devices wants it") \
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
