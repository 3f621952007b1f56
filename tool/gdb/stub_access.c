/* GDB's stub: registers, memory and breakpoints. */
#include <stdlib.h>
#include <string.h>

#include "tool/gdb/stub.h"

enum { MEMORY_MOST = 1024, WRITE_PIECE = 48 };

static bool bytes_of(const cJSON *answer, const char *name, void *out, size_t most, size_t *got)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(answer, name);
	const char *digits = cJSON_IsString(item) ? item->valuestring : "";

	*got = hex_bytes(&digits, out, most);
	return *got > 0;
}

/* GDB knows linear addresses only: where code has a base, as in real mode, its program counter is with that. */
static void place_code(struct stub *stub, const cJSON *answer)
{
	const cJSON *base = cJSON_GetObjectItemCaseSensitive(answer, "code_base");
	uint64_t *pc = &stub->registers.number[REGISTERS_PC];

	stub->code_base = cJSON_IsString(base) ? strtoull(base->valuestring, NULL, 0) : 0;
	if (stub->code_base != 0)
		*pc = (uint32_t)(*pc + stub->code_base);
}

/* Until GDB has been told which registers there are. */
static void choose_form(struct stub *stub, const cJSON *answer, bool avx)
{
	bool wide = stub->wanted == WIDE_YES;

	if (stub->xml != NULL)
		return;
	if (stub->wanted == WIDE_BY_MODE)
		wide = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(answer, "long"));
	stub->form = (wide ? REGISTERS_WIDE : 0) | (avx ? REGISTERS_AVX : 0);
}

bool stub_fetch_registers(struct stub *stub)
{
	struct registers *r = &stub->registers;
	size_t numbers = 0, image = 0, ymm = 0;
	cJSON *answer;

	if (stub->registers_of == stub->thread)
		return true;
	answer = stub_ask(stub, "debug %s.%u registers", stub->vm, stub->thread - 1);
	bytes_of(answer, "registers", r->number, sizeof r->number, &numbers);
	bytes_of(answer, "fpu", r->image, sizeof r->image, &image);
	choose_form(stub, answer, bytes_of(answer, "ymm", r->ymm, sizeof r->ymm, &ymm));
	place_code(stub, answer);
	cJSON_Delete(answer);
	stub->registers_of = numbers == sizeof r->number && image == sizeof r->image ? stub->thread : 0;
	return stub->registers_of != 0;
}

/* ---- registers ---- */

void stub_read_all(struct stub *stub)
{
	struct bytes reply = { 0 };
	uint8_t value[REGISTER_BYTES_MAX];

	if (!stub_fetch_registers(stub)) {
		stub_ok(stub, false);
		return;
	}
	for (unsigned n = 0; n < registers_count(stub->form); n++)
		hex_add(&reply, value, register_read(&stub->registers, stub->form, n, value));
	stub_reply_bytes(stub, &reply);
}

static bool set_one(struct stub *stub, unsigned n, const uint8_t *bytes)
{
	uint8_t now[REGISTER_BYTES_MAX];
	size_t size = register_read(&stub->registers, stub->form, n, now);
	char *words, *request;
	uint64_t offset = 0;
	bool done;

	if (memcmp(now, bytes, size) == 0)
		return true;
	memcpy(now, bytes, size);
	if (register_is_pc(stub->form, n) && stub->code_base != 0) {
		memcpy(&offset, bytes, size);
		offset = (uint32_t)(offset - stub->code_base);
		memcpy(now, &offset, size);
	}
	words = register_set(stub->form, n, now);
	if (words == NULL)
		return false;
	request = text("debug %s.%u set %s", stub->vm, stub->thread - 1, words);
	done = stub_do(stub, request);
	stub->registers_of = 0;
	free(request);
	free(words);
	return done;
}

/* Those that have changed. */
void stub_write_all(struct stub *stub, const char *p)
{
	bool good = stub_fetch_registers(stub);
	struct registers before = stub->registers;
	uint8_t value[REGISTER_BYTES_MAX];

	for (unsigned n = 0; good && n < registers_count(stub->form); n++) {
		size_t size = register_size(stub->form, n);

		if (*p == 0)
			break;          /* GDB may leave out the last ones */
		stub->registers = before;
		if (hex_bytes(&p, value, size) != size || !set_one(stub, n, value))
			good = false;
	}
	stub->registers_of = 0;
	stub_ok(stub, good && *p == 0);
}

void stub_read_one(struct stub *stub, const char *p)
{
	uint8_t value[REGISTER_BYTES_MAX];
	struct bytes reply = { 0 };
	uint64_t n;

	if (!hex_number(&p, &n) || *p != 0 || n >= registers_count(stub->form) || !stub_fetch_registers(stub)) {
		stub_ok(stub, false);
		return;
	}
	hex_add(&reply, value, register_read(&stub->registers, stub->form, (unsigned)n, value));
	stub_reply_bytes(stub, &reply);
}

void stub_write_one(struct stub *stub, const char *p)
{
	uint8_t value[REGISTER_BYTES_MAX];
	uint64_t n;
	size_t size;

	if (!hex_number(&p, &n) || *p++ != '=' || n >= registers_count(stub->form) || !stub_fetch_registers(stub)) {
		stub_ok(stub, false);
		return;
	}
	size = register_size(stub->form, (unsigned)n);
	stub_ok(stub, hex_bytes(&p, value, size) == size && *p == 0 && set_one(stub, (unsigned)n, value));
}

/* ---- memory ---- */

/* Of the CPU that does not have 64 bits, addresses have 32. */
void stub_read_memory(struct stub *stub, const char *p)
{
	uint64_t address, length;
	uint8_t data[MEMORY_MOST];
	struct bytes reply = { 0 };
	size_t got = 0;
	cJSON *answer;

	if (!hex_number(&p, &address) || *p++ != ',' || !hex_number(&p, &length) || *p != 0) {
		stub_ok(stub, false);
		return;
	}
	if (length > MEMORY_MOST)
		length = MEMORY_MOST;
	if (length == 0) {
		stub_reply(stub, "%s", "");
		return;
	}
	answer = stub_ask(stub, "dump %s.%u gva 0x%llx %llu", stub->vm, stub->thread - 1, (unsigned long long)address,
			  (unsigned long long)length);
	if (!bytes_of(answer, "bytes", data, (size_t)length, &got)) {
		stub_ok(stub, false);
	} else {
		hex_add(&reply, data, got);
		stub_reply_bytes(stub, &reply);
	}
	cJSON_Delete(answer);
}

static bool write_memory(struct stub *stub, uint64_t address, const uint8_t *data, size_t length)
{
	while (length > 0) {
		size_t n = length < WRITE_PIECE ? length : WRITE_PIECE;
		struct bytes request = { 0 };
		bool done;

		bytes_print(&request, "debug %s.%u write 0x%llx ", stub->vm, stub->thread - 1,
			    (unsigned long long)address);
		hex_add(&request, data, n);
		done = stub_do(stub, request.data);
		bytes_free(&request);
		if (!done)
			return false;
		address += n;
		data += n;
		length -= n;
	}
	return true;
}

/* M with digits, X with bytes. */
void stub_change_memory(struct stub *stub, const char *p, bool digits)
{
	const char *end = stub->reader.data + stub->reader.length;
	uint8_t data[PACKET_MAX];
	uint64_t address, length;
	bool good = hex_number(&p, &address) && *p++ == ',' && hex_number(&p, &length) && *p++ == ':' &&
		    length <= sizeof data;

	if (good && digits)
		good = hex_bytes(&p, data, (size_t)length) == length && *p == 0;
	else if (good && (good = (uint64_t)(end - p) == length))
		memcpy(data, p, (size_t)length);
	stub_ok(stub, good && write_memory(stub, address, data, (size_t)length));
}

/* ZTYPE,ADDRESS,KIND: for data the kind is the length. */
void stub_breakpoint(struct stub *stub, const char *p, bool insert)
{
	static const char *const kinds[] = { "soft", "hard", "watch", "access", "access" };
	uint64_t address, length;
	unsigned type = (unsigned)(*p - '0');
	char *request;

	if (type > 4) {
		stub_reply(stub, "%s", "");
		return;
	}
	p++;
	if (*p++ != ',' || !hex_number(&p, &address) || *p++ != ',' || !hex_number(&p, &length) ||
	    (*p != 0 && *p != ';')) {
		stub_ok(stub, false);
		return;
	}
	request = text("debug %s.%u %s %s 0x%llx %llu", stub->vm, stub->thread - 1, insert ? "insert" : "remove",
		       kinds[type], (unsigned long long)address, type < 2 ? 1ull : (unsigned long long)length);
	stub_ok(stub, stub_do(stub, request));
	free(request);
}
