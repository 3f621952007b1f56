/* dev/ide/cd.c - what packets ask of a guest's CD drive, with one medium of one data track (MMC-5, "Command
 * Descriptions"; SPC-3 for INQUIRY, REQUEST SENSE, MODE SENSE (6)). */
#include "dev/ide/channel.h"
#include "lib/mutants/mutate.h"

#define SECTORS_OF_512 (IDE_CD_SECTOR / SECTOR_SIZE)

enum {
	TEST_UNIT_READY = 0x00, REQUEST_SENSE = 0x03, INQUIRY = 0x12, MODE_SENSE_6 = 0x1a, START_STOP = 0x1b,
	PREVENT_ALLOW = 0x1e, READ_CAPACITY = 0x25, READ_10 = 0x28, SEEK_10 = 0x2b, READ_TOC = 0x43,
	GET_CONFIGURATION = 0x46, GET_EVENT_STATUS = 0x4a, READ_DISC_INFORMATION = 0x51, MODE_SENSE_10 = 0x5a,
	READ_12 = 0xa8, MECHANISM_STATUS = 0xbd
};

/* What a command's row says of it. */
enum { NEEDS_MEDIUM = 1, BEFORE_ATTENTION = 2 /* answered though there is something to say first */ };

static unsigned get16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }
static uint32_t get32(const uint8_t *p) { return (uint32_t)get16(p) << 16 | get16(p + 2); }

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint32_t sectors(const struct ide_drive *d)
{
	return (uint32_t)min_u64(d->disk->sectors / SECTORS_OF_512, UINT32_MAX);
}

static void text(uint8_t *to, size_t n, const char *s)
{
	size_t length = strlen(s);

	for (size_t i = 0; i < n; i++)
		to[i] = i < length ? (uint8_t)s[i] : ' ';
}

/* ---- who it is, and how it is ---- */

static void test_unit_ready(struct ide_drive *d, const uint8_t *p)
{
	(void)p;
	ide_packet_good(d);
}

/* "Fixed format sense data"; what it has told is forgotten. */
static void request_sense(struct ide_drive *d, const uint8_t *p)
{
	struct ide_sense s = d->attention ? SENSE_RESET : d->sense;

	d->attention = false;
	d->buffer[0] = 0x70;
	d->buffer[2] = s.key;
	d->buffer[7] = 10; /* bytes behind */
	d->buffer[12] = s.code;
	d->buffer[13] = s.qualifier;
	ide_packet_answer(d, 18, p[4]);
}

static void inquiry(struct ide_drive *d, const uint8_t *p)
{
	if (p[1] & 1 || p[2]) { /* vital product data: none */
		ide_packet_bad(d, SENSE_BAD_FIELD);
		return;
	}
	d->buffer[0] = 5;    /* a CD drive */
	d->buffer[1] = 0x80; /* removable */
	d->buffer[3] = 0x21; /* by ATAPI */
	d->buffer[4] = 31;   /* bytes behind */
	text(d->buffer + 8, 8, "VELLUM");
	text(d->buffer + 16, 16, "CD-ROM");
	text(d->buffer + 32, 4, "1");
	ide_packet_answer(d, 36, p[4]);
}

#define PAGE_ERRORS 0x01
#define PAGE_CAPABILITIES 0x2a
#define PAGE_ALL 0x3f
#define PAGE_SAVED 3 /* of the page control: there are none */

static uint32_t page(uint8_t *to, unsigned code, unsigned bytes)
{
	to[0] = (uint8_t)code;
	to[1] = (uint8_t)(bytes - 2);
	return bytes;
}

/* The pages behind a header of so many bytes. 0: there is no such page. */
static uint32_t pages(struct ide_drive *d, unsigned code, uint32_t header)
{
	uint8_t *at = d->buffer + header;

	if (code == PAGE_ERRORS || code == PAGE_ALL)
		at += page(at, PAGE_ERRORS, 8);
	if (code == PAGE_CAPABILITIES || code == PAGE_ALL) {
		at[6] = (uint8_t)(0x29 | (d->locked ? 2 : 0)); /* a tray, which can be locked and ejected */
		put16(at + 8, 706);                            /* speed, KB/s */
		put16(at + 12, IDE_BUFFER >> 10);
		put16(at + 14, 706);
		at += page(at, PAGE_CAPABILITIES, 20);
	}
	return (uint32_t)(at - d->buffer) == header ? 0 : (uint32_t)(at - d->buffer);
}

/* SPC-3, "MODE SENSE (6) command", "Mode pages": no page is saved, and one that is not there is an invalid field. */
static void mode_sense(struct ide_drive *d, const uint8_t *p)
{
	bool six = p[0] == MODE_SENSE_6;
	uint32_t n = p[2] >> 6 == PAGE_SAVED ? 0 : pages(d, p[2] & 0x3f, six ? 4 : 8);

	if (!n) {
		ide_packet_bad(d, SENSE_BAD_FIELD);
		return;
	}
	if (six)
		d->buffer[0] = (uint8_t)(n - 1);
	else
		put16(d->buffer, n - 2);
	ide_packet_answer(d, n, six ? p[4] : get16(p + 7));
}

/* ---- the medium ---- */

/* Events of the medium, as GET EVENT STATUS NOTIFICATION has them. */
enum { EVENT_NONE, EVENT_NEW_MEDIUM = 2, EVENT_REMOVAL = 3 };
#define CLASS_MEDIUM 4
#define CLASS_MEDIUM_BIT 0x10u

/* MMC-5, "START STOP UNIT Command": a tray that PREVENT ALLOW MEDIUM REMOVAL holds does not open. */
static void start_stop(struct ide_drive *d, const uint8_t *p)
{
	bool tray = p[4] & 2, start = p[4] & 1;

	if (VM_KEPT(IDE_CD_LOCKED, tray && !start && d->locked)) {
		ide_packet_bad(d, SENSE_LOCKED);
		return;
	}
	if (tray && d->open == start) {
		d->open = !start;
		d->event = start ? EVENT_NEW_MEDIUM : EVENT_REMOVAL;
	}
	ide_packet_good(d);
}

static void prevent_allow(struct ide_drive *d, const uint8_t *p)
{
	d->locked = p[4] & 1;
	ide_packet_good(d);
}

/* MMC-5, "GET EVENT STATUS NOTIFICATION Command". */
static void get_event_status(struct ide_drive *d, const uint8_t *p)
{
	bool asked = p[4] & CLASS_MEDIUM_BIT;

	if (!(p[1] & 1)) { /* not polled: there is nobody who would wait */
		ide_packet_bad(d, SENSE_BAD_FIELD);
		return;
	}
	put16(d->buffer, asked ? 6 : 2);
	d->buffer[2] = asked ? CLASS_MEDIUM : 0x80; /* there is no event of these classes */
	d->buffer[3] = CLASS_MEDIUM_BIT;
	if (asked) {
		d->buffer[4] = d->event;
		d->buffer[5] = d->open ? 1 : 2; /* the tray is open, or there is a medium */
		d->event = EVENT_NONE;
	}
	ide_packet_answer(d, asked ? 8 : 4, get16(p + 7));
}

static void read_capacity(struct ide_drive *d, const uint8_t *p)
{
	(void)p;
	put32(d->buffer, sectors(d) - 1);
	put32(d->buffer + 4, IDE_CD_SECTOR);
	ide_packet_answer(d, 8, 8);
}

static bool in_range(const struct ide_drive *d, uint32_t at, uint32_t n)
{
	return at <= sectors(d) && n <= sectors(d) - at;
}

/* MMC-5, "READ (10) Command": blocks of the medium (ID5). As much as a request of the queue can be: 32 bits of
 * bytes. */
static void read(struct ide_drive *d, const uint8_t *p)
{
	uint32_t at = get32(p + 2), n = p[0] == READ_10 ? get16(p + 7) : get32(p + 6);

	if (VM_KEPT(IDE_CD_RANGE, !in_range(d, at, n)))
		ide_packet_bad(d, SENSE_OUT_OF_RANGE);
	else if (VM_KEPT(IDE_CD_BYTES, n > UINT32_MAX / IDE_CD_SECTOR))
		ide_packet_bad(d, SENSE_BAD_FIELD);
	else
		ide_packet_read(d, (uint64_t)at * SECTORS_OF_512, n * SECTORS_OF_512);
}

/* MMC-5, "SEEK (10) Command". */
static void seek(struct ide_drive *d, const uint8_t *p)
{
	if (in_range(d, get32(p + 2), 1))
		ide_packet_good(d);
	else
		ide_packet_bad(d, SENSE_OUT_OF_RANGE);
}

/* ---- the disc ---- */

#define LEAD_OUT 0xaa
#define FRAMES 75u
#define MSF_OFFSET 150u

static void put_address(uint8_t *p, uint32_t sector, bool msf)
{
	uint32_t frames = sector + MSF_OFFSET;

	put32(p, sector);
	if (!msf)
		return;
	p[0] = 0;
	p[1] = (uint8_t)min_u64(frames / FRAMES / 60, 0xff);
	p[2] = (uint8_t)(frames / FRAMES % 60);
	p[3] = (uint8_t)(frames % FRAMES);
}

/* A data track, by "READ TOC/PMA/ATIP response": 8 bytes. */
static uint32_t track(uint8_t *p, unsigned number, uint32_t sector, bool msf)
{
	p[1] = 0x14; /* of data, without further meaning */
	p[2] = (uint8_t)number;
	put_address(p + 4, sector, msf);
	return 8;
}

/* MMC-5, "READ TOC/PMA/ATIP Command": of one session with one track. */
static void read_toc(struct ide_drive *d, const uint8_t *p)
{
	unsigned format = p[2] & 15 ? p[2] & 15 : p[9] >> 6, from = p[6];
	bool msf = p[1] & 2;
	uint32_t n = 4;

	if (format > 1 || (!format && from > 1 && from != LEAD_OUT)) {
		ide_packet_bad(d, SENSE_BAD_FIELD);
		return;
	}
	d->buffer[2] = d->buffer[3] = 1; /* the first and the last track, or session */
	if (format || from <= 1)
		n += track(d->buffer + n, 1, 0, msf);
	if (!format)
		n += track(d->buffer + n, LEAD_OUT, sectors(d), msf);
	put16(d->buffer, n - 2);
	ide_packet_answer(d, n, get16(p + 7));
}

#define PROFILE_CD_ROM 0x0008
#define FEATURE_PERSISTENT 2u

static uint32_t feature(uint8_t *p, unsigned code, unsigned version, unsigned more)
{
	put16(p, code);
	p[2] = (uint8_t)(version << 2 | FEATURE_PERSISTENT | 1); /* current */
	p[3] = (uint8_t)more;
	return 4 + more;
}

/* Profiles, core, removable medium, reading at random, reading of CDs; from the first that is asked for on, or only
 * that. */
static void get_configuration(struct ide_drive *d, const uint8_t *p)
{
	static const struct { uint16_t code; uint8_t version, more, data[8]; } features[] = {
		{ 0x0000, 0, 4, { PROFILE_CD_ROM >> 8, PROFILE_CD_ROM & 0xff, 1, 0 } },
		{ 0x0001, 2, 8, { 0, 0, 0, 2, 0, 0, 0, 0 } }, /* by ATAPI */
		{ 0x0003, 0, 4, { 0x29, 0, 0, 0 } },
		{ 0x0010, 0, 8, { 0, 0, IDE_CD_SECTOR >> 8, 0, 0, 1, 0, 0 } },
		{ 0x001e, 2, 4, { 0, 0, 0, 0 } },
	};
	unsigned how = p[1] & 3, from = get16(p + 2);
	uint32_t n = 8;

	if (how == 3) {
		ide_packet_bad(d, SENSE_BAD_FIELD);
		return;
	}
	put16(d->buffer + 6, d->open ? 0 : PROFILE_CD_ROM);
	for (unsigned i = 0; i < ARRAY_SIZE(features); i++) {
		if (how == 2 ? features[i].code != from : features[i].code < from)
			continue;
		memcpy(d->buffer + n + 4, features[i].data, features[i].more);
		n += feature(d->buffer + n, features[i].code, features[i].version, features[i].more);
	}
	put32(d->buffer, n - 4);
	ide_packet_answer(d, n, get16(p + 7));
}

/* "Standard Disc Information": complete, one session of one track. */
static void read_disc_information(struct ide_drive *d, const uint8_t *p)
{
	if (p[1] & 7) {
		ide_packet_bad(d, SENSE_BAD_FIELD);
		return;
	}
	put16(d->buffer, 32);
	d->buffer[2] = 0x0e;
	d->buffer[3] = d->buffer[4] = d->buffer[5] = d->buffer[6] = 1;
	ide_packet_answer(d, 34, get16(p + 7));
}

static void mechanism_status(struct ide_drive *d, const uint8_t *p)
{
	d->buffer[1] = d->open ? 0x10 : 0;
	d->buffer[5] = 1; /* slots */
	ide_packet_answer(d, 8, get16(p + 8));
}

/* ---- all of them ---- */

static const struct {
	uint8_t code, what;
	void (*carry_out)(struct ide_drive *d, const uint8_t *p);
} commands[] = {
	{ TEST_UNIT_READY, NEEDS_MEDIUM, test_unit_ready }, { REQUEST_SENSE, BEFORE_ATTENTION, request_sense },
	{ INQUIRY, BEFORE_ATTENTION, inquiry }, { MODE_SENSE_6, 0, mode_sense }, { MODE_SENSE_10, 0, mode_sense },
	{ START_STOP, 0, start_stop }, { PREVENT_ALLOW, 0, prevent_allow },
	{ GET_EVENT_STATUS, BEFORE_ATTENTION, get_event_status },
	{ GET_CONFIGURATION, BEFORE_ATTENTION, get_configuration },
	{ READ_CAPACITY, NEEDS_MEDIUM, read_capacity },
	{ READ_10, NEEDS_MEDIUM, read }, { READ_12, NEEDS_MEDIUM, read },
	{ SEEK_10, NEEDS_MEDIUM, seek }, { READ_TOC, NEEDS_MEDIUM, read_toc },
	{ READ_DISC_INFORMATION, NEEDS_MEDIUM, read_disc_information }, { MECHANISM_STATUS, 0, mechanism_status },
};

/* After a reset the first command that needs the drive is told of it (SPC-3, "Unit attention condition"); without a
 * medium what needs one is not ready. */
void ide_cd_packet(struct ide_drive *d)
{
	uint8_t p[12];

	memcpy(p, d->buffer, sizeof(p));
	memset(d->buffer, 0, SECTOR_SIZE);
	for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
		if (commands[i].code != p[0])
			continue;
		if (VM_KEPT(IDE_CD_ATTENTION, d->attention) && !(commands[i].what & BEFORE_ATTENTION)) {
			d->attention = false;
			ide_packet_bad(d, SENSE_RESET);
		} else if (VM_KEPT(IDE_CD_OPEN, d->open) && commands[i].what & NEEDS_MEDIUM) {
			ide_packet_bad(d, SENSE_NO_MEDIUM);
		} else {
			commands[i].carry_out(d, p);
		}
		return;
	}
	ide_packet_bad(d, SENSE_NO_SUCH_COMMAND);
}
