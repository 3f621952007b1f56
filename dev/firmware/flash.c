/* dev/firmware/flash.c - the command set. A write of several bytes is one to each, the first one first. */
#include "dev/firmware/flash.h"

#include "dev/state.h"
#include "lib/mutants/mutate.h"

/* "Command Definitions". */
#define CMD_PROGRAM_ALT 0x10u
#define CMD_ERASE 0x20u
#define CMD_PROGRAM 0x40u
#define CMD_CLEAR_STATUS 0x50u
#define CMD_LOCK 0x60u
#define CMD_STATUS 0x70u
#define CMD_ID 0x90u
#define CMD_QUERY 0x98u
#define CMD_CONFIRM 0xd0u
#define CMD_BUFFER 0xe8u
#define CMD_ARRAY 0xffu

/* "Status Register Definitions". */
#define STATUS_READY 0x80u
#define STATUS_ERASE_ERROR 0x20u
#define STATUS_PROGRAM_ERROR 0x10u
#define STATUS_SEQUENCE_ERROR (STATUS_ERASE_ERROR | STATUS_PROGRAM_ERROR)
#define STATUS_LOCKED 0x02u

#define MANUFACTURER_INTEL 0x89u
#define DEVICE_ID 0x18u

/* ---- modes ---- */

static void set_mode(struct flash *f, enum flash_mode mode)
{
	bool was = flash_is_plain(f);

	f->mode = (uint8_t)mode;
	if (was != flash_is_plain(f))
		VM_MUTANT(FLASH_TOLD, f->mode_changed(f->ctx)); /* FL1 */
}

static void end_command(struct flash *f, uint8_t errors)
{
	f->status |= STATUS_READY | errors;
	set_mode(f, FLASH_STATUS);
}

/* ---- the array ---- */

/* FL2. false: it is write-protected, which the status says ("Status Register Definitions"). */
static bool may_change(struct flash *f, uint8_t error)
{
	if (VM_LEFT_OUT_OR(FLASH_PROTECTED, !f->read_only))
		return true;
	end_command(f, error | STATUS_LOCKED);
	return false;
}

static void program(struct flash *f, uint32_t offset, const uint8_t *from, uint32_t n)
{
	if (!may_change(f, STATUS_PROGRAM_ERROR))
		return;
	for (uint32_t i = 0; i < n; i++) {
		uint8_t was = 0xff;

		VM_MUTANT(FLASH_BITS, was = f->array[offset + i]);
		f->array[offset + i] = was & from[i];
	}
	f->changed(f->ctx, offset, n);
	end_command(f, 0);
}

static void erase(struct flash *f)
{
	if (!may_change(f, STATUS_ERASE_ERROR))
		return;
	memset(f->array + f->at, 0xff, FLASH_BLOCK);
	f->changed(f->ctx, f->at, FLASH_BLOCK);
	end_command(f, 0);
}

/* ---- writes ---- */

/* The first write of a command. CMD_ARRAY, and what is none, leads back to the array. */
static void command(struct flash *f, uint32_t offset, uint8_t value)
{
	switch (value) {
	case CMD_PROGRAM:
	case CMD_PROGRAM_ALT:
		set_mode(f, FLASH_PROGRAM);
		break;
	case CMD_ERASE:
		f->at = offset & ~(FLASH_BLOCK - 1);
		set_mode(f, FLASH_ERASE);
		break;
	case CMD_CLEAR_STATUS: /* all of it, by which firmwares know a flash from a ROM (QEMU) */
		f->status = 0;
		set_mode(f, FLASH_ARRAY);
		break;
	case CMD_STATUS:
		set_mode(f, FLASH_STATUS);
		break;
	case CMD_ID:
		set_mode(f, FLASH_ID);
		break;
	case CMD_QUERY:
		set_mode(f, FLASH_QUERY);
		break;
	case CMD_LOCK:
		set_mode(f, FLASH_LOCK);
		break;
	case CMD_BUFFER:
		f->status |= STATUS_READY;
		set_mode(f, FLASH_COUNT);
		break;
	case CMD_ARRAY:
	default:
		set_mode(f, FLASH_ARRAY);
	}
}

/* "Write to Buffer": the bytes lie within one aligned buffer of the array, one behind the other. */
static void fill(struct flash *f, uint32_t offset, uint8_t value)
{
	uint32_t base = (f->filled ? f->at : offset) & ~(FLASH_BUFFER - 1);

	if (f->filled == 0)
		f->at = offset;
	if (VM_KEPT(FLASH_IN_BUFFER, offset != f->at + f->filled || offset - base >= FLASH_BUFFER)) {
		end_command(f, STATUS_SEQUENCE_ERROR);
		return;
	}
	f->buffer[f->filled++] = value;
	if (--f->left == 0)
		set_mode(f, FLASH_CONFIRM);
}

/* The same: no more bytes than the buffer has, said as one less. */
static void count(struct flash *f, uint8_t value)
{
	if (VM_KEPT(FLASH_COUNTED, value >= FLASH_BUFFER)) {
		end_command(f, STATUS_SEQUENCE_ERROR);
		return;
	}
	f->left = (uint8_t)(value + 1);
	f->filled = 0;
	set_mode(f, FLASH_FILL);
}

/* What must be confirmed, and is followed by something else, is a sequence error ("Status Register Definitions"). */
static void write_byte(struct flash *f, uint32_t offset, uint8_t value)
{
	switch (f->mode) {
	case FLASH_PROGRAM:
		program(f, offset, &value, 1);
		break;
	case FLASH_ERASE:
		if (value == CMD_CONFIRM)
			erase(f);
		else
			end_command(f, STATUS_SEQUENCE_ERROR);
		break;
	case FLASH_COUNT:
		count(f, value);
		break;
	case FLASH_FILL:
		fill(f, offset, value);
		break;
	case FLASH_CONFIRM:
		if (value == CMD_CONFIRM)
			program(f, f->at, f->buffer, f->filled);
		else
			end_command(f, STATUS_SEQUENCE_ERROR);
		break;
	case FLASH_LOCK: /* of locks and their settings none is kept */
		end_command(f, 0);
		break;
	default:
		command(f, offset, value);
	}
}

void flash_write(void *flash, uint64_t offset, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size; i++)
		write_byte(flash, (uint32_t)offset + i, (uint8_t)(value >> 8 * i));
}

/* ---- reads ---- */

static uint8_t id(uint32_t offset)
{
	switch (offset & 0xff) {
	case 0: return MANUFACTURER_INTEL;
	case 1: return DEVICE_ID;
	default: return 0; /* no block is locked */
	}
}

/* A power of two at least as large. */
static uint8_t log2_of(uint32_t n)
{
	uint8_t bits = 0;

	while ((1u << bits) < n)
		bits++;
	return bits;
}

/* JESD68.01, "CFI Query Identification String", "System Interface Information", "Device Geometry Definition": times are
 * powers of two, of microseconds or milliseconds, and none matters here. */
static uint8_t query(const struct flash *f, uint32_t offset)
{
	uint32_t blocks = f->bytes / FLASH_BLOCK - 1;
	const uint8_t table[] = {
		'Q', 'R', 'Y', 0x01, 0x00, 0x31, 0x00, 0, 0, 0, 0,  /* 0x10: Intel's extended commands; its table */
		0x45, 0x55, 0, 0, 7, 7, 10, 0, 4, 4, 4, 0,          /* 0x1b: volts; typical times; most */
		log2_of(f->bytes), 0x00, 0x00, 5, 0, 1,             /* 0x27: size; 8 bits; buffer; one region */
		(uint8_t)blocks, (uint8_t)(blocks >> 8), (uint8_t)(FLASH_BLOCK >> 8), (uint8_t)(FLASH_BLOCK >> 16),
		'P', 'R', 'I', '1', '0',                            /* 0x31: nothing of what it tells is there */
	};

	offset &= 0xff;
	return offset >= 0x10 && offset - 0x10 < sizeof(table) ? table[offset - 0x10] : 0;
}

static uint8_t read_byte(struct flash *f, uint32_t offset)
{
	switch (f->mode) {
	case FLASH_ARRAY: return f->array[offset];
	case FLASH_ID: return id(offset);
	case FLASH_QUERY: return query(f, offset);
	default: return f->status;
	}
}

uint64_t flash_read(void *flash, uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)read_byte(flash, (uint32_t)offset + i) << 8 * i;
	return value;
}

/* A buffer that is being filled lies within the array; where a command cannot be, reads are plain. */
void flash_state(struct fields *s, struct flash *f)
{
	bool was = flash_is_plain(f);

	state_begin(s, "flash", 1);
	state_same(s, f->bytes, "its flash memory has another size");
	state_u8(s, &f->mode);
	state_u8(s, &f->status);
	state_u8(s, &f->left);
	state_u8(s, &f->filled);
	state_u32(s, &f->at);
	state_bytes(s, f->buffer, sizeof(f->buffer));
	state_check(s, VM_LEFT_OUT_OR(STATE_FLASH, f->mode < FLASH_MODES && f->at < f->bytes &&
						   f->left + f->filled <= FLASH_BUFFER &&
						   f->at % FLASH_BUFFER + f->filled <= FLASH_BUFFER &&
						   (f->mode != FLASH_FILL || f->left) &&
						   (f->mode != FLASH_CONFIRM || f->filled) &&
						   (f->mode != FLASH_ERASE || f->at % FLASH_BLOCK == 0)),
		    "its command is none that can be");
	state_end(s);
	if (was != flash_is_plain(f))
		f->mode_changed(f->ctx);
}

void flash_reset(struct flash *f)
{
	f->status = STATUS_READY;
	f->left = f->filled = 0;
	f->at = 0;
	set_mode(f, FLASH_ARRAY);
}
