/* lib/mutants/ide.h - mutants (lib/mutants/mutate.h) of a guest's IDE controller and its drives (dev/ide/). */
#ifndef VELLUM_LIB_MUTANTS_IDE_H
#define VELLUM_LIB_MUTANTS_IDE_H

#define VM_MUTANTS_IDE(M) \
	M(IDE_BUSY, "not hearing commands while the medium is asked") \
	M(IDE_BUSY_REGISTERS, "nor what is written to registers then") \
	M(IDE_RESETTING, "nor commands in a reset") \
	M(IDE_STOP, "taking back what the medium has, for a reset") \
	M(IDE_DMA_STOP, "and where the bus master is stopped") \
	M(IDE_RANGE, "the range of what a disk is asked for") \
	M(IDE_TRACK, "and of a sector within its track") \
	M(IDE_READ_ONLY, "refusing to write a disk that is read-only") \
	M(IDE_MULTIPLE_UNSET, "refusing READ MULTIPLE without its setting") \
	M(IDE_MULTIPLE_MOST, "the range of that setting") \
	M(IDE_GEOMETRY, "and of a track's sectors") \
	M(IDE_THROUGH, "writing through without a cache") \
	M(IDE_PHASE_IN, "reading from the data port only what is offered") \
	M(IDE_PHASE_OUT, "and writing to it only what is wanted") \
	M(IDE_BLOCK_END, "the end of a block at the data port") \
	M(IDE_NIEN, "that interrupts can be turned off") \
	M(IDE_NOBODY, "that nobody answers for a second drive that is not there") \
	M(IDE_EMPTY, "that a channel without drives is not busy") \
	M(IDE_NOTICED, "that reading the status takes the interrupt away") \
	M(IDE_DECODED, "that the controller's function decodes its ports") \
	M(IDE_DMA_MASTER, "that the function may be a bus master") \
	M(IDE_DMA_DIRECTION, "that the bus master transfers in the command's direction") \
	M(IDE_DMA_TAKEN, "one transfer of the two drives at a time") \
	M(IDE_DMA_FIRST, "that a transfer goes on in the table that it began with") \
	M(IDE_DMA_LAST, "the table's last entry") \
	M(IDE_DMA_TABLE, "that a table does not cross 64 KiB") \
	M(IDE_DMA_CROSSING, "nor a region") \
	M(IDE_DMA_MEMORY, "that a region is memory") \
	M(IDE_CD_RANGE, "the range of what a CD is asked for") \
	M(IDE_CD_BYTES, "what a request can be at most") \
	M(IDE_CD_LIMIT, "that the host takes some bytes at once") \
	M(IDE_CD_ATTENTION, "what a drive has to say first") \
	M(IDE_CD_OPEN, "that there is a medium") \
	M(IDE_CD_LOCKED, "that a locked tray stays closed")

#endif
