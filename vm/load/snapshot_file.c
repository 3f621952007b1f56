#include "vm/load/snapshot_file.h"

#include "lib/fmt.h"
#include "lib/mutants/mutate.h"

/* ---- numbers ---- */

uint32_t snapshot_u32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint64_t snapshot_u64(const uint8_t *p) { return snapshot_u32(p) | (uint64_t)snapshot_u32(p + 4) << 32; }

void snapshot_put32(uint8_t *p, uint32_t v)
{
	for (unsigned n = 0; n < 4; n++)
		p[n] = (uint8_t)(v >> 8 * n);
}

void snapshot_put64(uint8_t *p, uint64_t v)
{
	snapshot_put32(p, (uint32_t)v);
	snapshot_put32(p + 4, (uint32_t)(v >> 32));
}

/* ---- checksums ---- */

/* zlib's, whose header is for a hosted C alone; it takes no pointer to nothing for no bytes. */
unsigned long crc32_z(unsigned long crc, const unsigned char *p, size_t n);

uint32_t snapshot_crc(uint32_t crc, const uint8_t *p, size_t n) { return n ? (uint32_t)crc32_z(crc, p, n) : crc; }

/* ---- the header ---- */

/* Where its fields are. */
enum { AT_VERSION = 16, AT_CPUS = 20, AT_SIZE = 24, AT_TSC_HZ = 32, AT_RESERVED = 40, AT_CRC = 44 };

void snapshot_header(uint8_t header[SNAPSHOT_HEADER_BYTES], uint64_t size, uint64_t tsc_hz, unsigned cpus)
{
	memset(header, 0, SNAPSHOT_HEADER_BYTES);
	memcpy(header, SNAPSHOT_MAGIC, sizeof(SNAPSHOT_MAGIC));
	snapshot_put32(header + AT_VERSION, SNAPSHOT_VERSION);
	snapshot_put32(header + AT_CPUS, cpus);
	snapshot_put64(header + AT_SIZE, size);
	snapshot_put64(header + AT_TSC_HZ, tsc_hz);
	snapshot_put32(header + AT_CRC, snapshot_crc(0, header, AT_CRC));
}

static bool fail(char *error, size_t size, const char *why)
{
	fmt(error, size, "%s", why);
	return false;
}

/* A newer file is told before its checksum is looked at: that may be elsewhere. */
static bool check_header(const uint8_t *p, size_t size, char *error, size_t error_size)
{
	if (size < sizeof(SNAPSHOT_MAGIC) || memcmp(p, SNAPSHOT_MAGIC, sizeof(SNAPSHOT_MAGIC)))
		return fail(error, error_size, "it is no snapshot of Vellum's");
	if (VM_KEPT(FILE_SHORT, size < SNAPSHOT_HEADER_BYTES))
		return fail(error, error_size, "it is cut off within its header");
	if (VM_KEPT(FILE_NEWER, snapshot_u32(p + AT_VERSION) != SNAPSHOT_VERSION)) {
		fmt(error, error_size, "it is a snapshot of version %u, and this Vellum knows version %u only",
		    snapshot_u32(p + AT_VERSION), SNAPSHOT_VERSION);
		return false;
	}
	if (VM_KEPT(FILE_HEADER, snapshot_u32(p + AT_CRC) != snapshot_crc(0, p, AT_CRC)))
		return fail(error, error_size, "its header is damaged");
	if (VM_KEPT(FILE_TRUNCATED, snapshot_u64(p + AT_SIZE) != size)) {
		fmt(error, error_size, "it has %zu bytes, and should have %lu: it is cut off, or something was added",
		    size, snapshot_u64(p + AT_SIZE));
		return false;
	}
	return true;
}

/* ---- chunks ---- */

void snapshot_chunk_head(uint8_t head[SNAPSHOT_CHUNK_BYTES], enum snapshot_kind kind, const uint8_t *data, size_t n)
{
	snapshot_put32(head, (uint32_t)kind);
	snapshot_put32(head + 4, snapshot_crc(0, data, n));
	snapshot_put64(head + 8, n);
}

static size_t padded(size_t n) { return (n + 7) & ~(size_t)7; }

/* false: it does not fit into the file, or is of no kind. */
static bool look(const uint8_t *bytes, size_t size, size_t at, struct snapshot_chunk *c)
{
	uint32_t kind;
	uint64_t n;

	if (VM_KEPT(FILE_CHUNK_HEAD, size - at < SNAPSHOT_CHUNK_BYTES))
		return false;
	kind = snapshot_u32(bytes + at);
	n = snapshot_u64(bytes + at + 8);
	at += SNAPSHOT_CHUNK_BYTES;
	if (!kind || VM_KEPT(FILE_KIND, kind >= SNAPSHOT_KINDS) || VM_KEPT(FILE_CHUNK_ENDS, n > size - at) ||
	    padded(n) > size - at)
		return false;
	*c = (struct snapshot_chunk){ (enum snapshot_kind)kind, bytes + at, n, at + padded(n) };
	return true;
}

bool snapshot_next(const struct snapshot_file *f, struct snapshot_chunk *c)
{
	size_t at = c->next ? c->next : SNAPSHOT_HEADER_BYTES;

	return at < f->size && look(f->bytes, f->size, at, c);
}

bool snapshot_find(const struct snapshot_file *f, enum snapshot_kind kind, unsigned n, struct snapshot_chunk *c)
{
	*c = (struct snapshot_chunk){ .next = 0 };
	while (snapshot_next(f, c))
		if (c->kind == kind && !n--)
			return true;
	return false;
}

static unsigned count(const struct snapshot_file *f, enum snapshot_kind kind)
{
	struct snapshot_chunk c = { .next = 0 };
	unsigned n = 0;

	while (snapshot_next(f, &c))
		n += c.kind == kind;
	return n;
}

bool snapshot_open(struct snapshot_file *f, const uint8_t *bytes, size_t size, char *error, size_t error_size)
{
	struct snapshot_chunk c;

	if (!check_header(bytes, size, error, error_size))
		return false;
	*f = (struct snapshot_file){ bytes, size, snapshot_u64(bytes + AT_TSC_HZ), snapshot_u32(bytes + AT_CPUS) };
	for (size_t at = SNAPSHOT_HEADER_BYTES; at < size; at = c.next) {
		if (!look(bytes, size, at, &c))
			return fail(error, error_size, "it is damaged: its chunks do not follow each other");
		if (VM_KEPT(FILE_CRC, snapshot_u32(bytes + at + 4) != snapshot_crc(0, c.data, c.bytes))) {
			fmt(error, error_size, "it is damaged: the checksum of the %zu bytes from byte %zu on is wrong",
			    c.bytes, (size_t)(c.data - bytes));
			return false;
		}
	}
	if (VM_KEPT(FILE_WHOLE, count(f, SNAPSHOT_DESCRIPTION) != 1 || count(f, SNAPSHOT_MACHINE) != 1 || !f->cpus ||
		    count(f, SNAPSHOT_CPU) != f->cpus))
		return fail(error, error_size, "it is not whole: a part of it is missing, or there twice");
	return true;
}
