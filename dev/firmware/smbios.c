/* dev/firmware/smbios.c - SMBIOS Reference Specification, 2.8: a system, its chassis, one processor, its memory. */
#include "dev/firmware/smbios.h"

#include "dev/firmware/acpi_writer.h"

#define VERSION_MAJOR 2u
#define VERSION_MINOR 8u
#define VERSION_BCD 0x28u

/* Offsets in the entry point. */
#define ENTRY_CHECKSUM 4u
#define ENTRY_INTERMEDIATE 16u
#define ENTRY_INTERMEDIATE_CHECKSUM 21u

/* By which structures name each other. */
enum {
	HANDLE_SYSTEM = 0x100, HANDLE_CHASSIS = 0x300, HANDLE_CPU = 0x400, HANDLE_ARRAY = 0x1000,
	HANDLE_MEMORY = 0x1100, HANDLE_RANGE = 0x1300, HANDLE_BOOT = 0x2000, HANDLE_END = 0x7f00
};
#define NO_HANDLE 0xffffu
#define NO_ERROR_TOLD 0xfffeu
#define NO_STRING 0u
#define MAKER 1u /* the first string of those that have one */
#define MODEL 2u

#define WAKE_UP_POWER_SWITCH 6u
#define OTHER 1u /* of every list of kinds */
#define STATE_SAFE 3u
#define SECURITY_UNKNOWN 2u
#define PROCESSOR_CENTRAL 3u
#define PROCESSOR_ENABLED 0x41u /* and its socket is populated */
#define PROCESSOR_64BIT 0x04u
#define ARRAY_SYSTEM_MEMORY 3u
#define ARRAY_NO_CORRECTION 3u
#define MEMORY_DIMM 9u
#define MEMORY_RAM 7u
#define MEMORY_DETAIL_OTHER 2u
#define MEMORY_EXTENDED 0x7fffu     /* the size is in the extended field */
#define ARRAY_EXTENDED 0x80000000u  /* and so is the capacity */
#define MEMORY_UNKNOWN_WIDTH 0xffffu

struct smbios {
	struct acpi_writer w;
	unsigned count;
	size_t begin, largest; /* of structures, with their strings */
};

static void begin(struct smbios *s, uint8_t type, uint8_t length, uint16_t handle)
{
	s->begin = s->w.used;
	s->count++;
	put8(&s->w, type);
	put8(&s->w, length);
	put16(&s->w, handle);
}

/* The strings, one after the other ("Text strings"); a structure without any ends by two zeros, too. */
static void end(struct smbios *s, const char *maker, const char *model)
{
	if (maker)
		put_bytes(&s->w, maker, strlen(maker) + 1);
	if (model)
		put_bytes(&s->w, model, strlen(model) + 1);
	put_zeros(&s->w, maker ? 1 : 2);
	if (s->w.used - s->begin > s->largest)
		s->largest = s->w.used - s->begin;
}

/* Type 1. It has no UUID: the field is zero. */
static void system_information(struct smbios *s)
{
	begin(s, 1, 27, HANDLE_SYSTEM);
	put8(&s->w, MAKER);
	put8(&s->w, MODEL);
	put_zeros(&s->w, 2 + 16); /* version, serial number; UUID */
	put8(&s->w, WAKE_UP_POWER_SWITCH);
	put_zeros(&s->w, 2); /* SKU number, family */
	end(s, "Vellum", "Virtual PC");
}

/* Type 3. */
static void chassis(struct smbios *s)
{
	begin(s, 3, 22, HANDLE_CHASSIS);
	put8(&s->w, MAKER);
	put8(&s->w, OTHER);
	put_zeros(&s->w, 3); /* version, serial number, asset tag */
	put8(&s->w, STATE_SAFE);
	put8(&s->w, STATE_SAFE);
	put8(&s->w, STATE_SAFE);
	put8(&s->w, SECURITY_UNKNOWN);
	put_zeros(&s->w, 4 + 5); /* the maker's own; height, power cords, elements, their length, SKU number */
	end(s, "Vellum", NULL);
}

/* Type 4: one package. */
static void processor(struct smbios *s, const struct smbios_config *c)
{
	begin(s, 4, 42, HANDLE_CPU);
	put8(&s->w, MODEL);
	put8(&s->w, PROCESSOR_CENTRAL);
	put8(&s->w, OTHER); /* its family */
	put8(&s->w, MAKER);
	put32(&s->w, c->cpu_signature);
	put32(&s->w, c->cpu_features);
	put_zeros(&s->w, 1 + 1 + 3 * 2); /* version; voltage, clock and speeds: unknown */
	put8(&s->w, PROCESSOR_ENABLED);
	put8(&s->w, OTHER); /* its socket */
	put16(&s->w, NO_HANDLE);
	put16(&s->w, NO_HANDLE);
	put16(&s->w, NO_HANDLE); /* caches */
	put_zeros(&s->w, 3); /* serial number, asset tag, part number */
	put8(&s->w, (uint8_t)c->cpus);
	put8(&s->w, (uint8_t)c->cpus);
	put8(&s->w, (uint8_t)c->cpus); /* cores, enabled ones, threads */
	put16(&s->w, PROCESSOR_64BIT);
	put16(&s->w, OTHER);
	end(s, "Vellum", "CPU 0");
}

/* Type 16: an array with one memory device, type 17. */
static void memory(struct smbios *s, uint64_t bytes)
{
	bool much = bytes >> 10 >= ARRAY_EXTENDED, large = bytes >> 20 >= MEMORY_EXTENDED;

	begin(s, 16, 23, HANDLE_ARRAY);
	put8(&s->w, OTHER); /* its place */
	put8(&s->w, ARRAY_SYSTEM_MEMORY);
	put8(&s->w, ARRAY_NO_CORRECTION);
	put32(&s->w, much ? ARRAY_EXTENDED : (uint32_t)(bytes >> 10));
	put16(&s->w, NO_ERROR_TOLD);
	put16(&s->w, 1);
	put64(&s->w, much ? bytes : 0);
	end(s, NULL, NULL);
	begin(s, 17, 40, HANDLE_MEMORY);
	put16(&s->w, HANDLE_ARRAY);
	put16(&s->w, NO_ERROR_TOLD);
	put16(&s->w, MEMORY_UNKNOWN_WIDTH);
	put16(&s->w, MEMORY_UNKNOWN_WIDTH);
	put16(&s->w, large ? MEMORY_EXTENDED : (uint16_t)(bytes >> 20));
	put8(&s->w, MEMORY_DIMM);
	put8(&s->w, NO_STRING); /* it is in no set */
	put8(&s->w, MODEL);
	put8(&s->w, NO_STRING);
	put8(&s->w, MEMORY_RAM);
	put16(&s->w, MEMORY_DETAIL_OTHER);
	put16(&s->w, 0); /* speed: unknown */
	put8(&s->w, MAKER);
	put_zeros(&s->w, 3 + 1); /* serial number, asset tag, part number; rank: unknown */
	put32(&s->w, large ? (uint32_t)(bytes >> 20) : 0);
	put_zeros(&s->w, 4 * 2); /* speed, voltages: unknown */
	end(s, "Vellum", "DIMM 0");
}

/* Type 19: where the array is; first and last in KBytes, or in bytes where that is too narrow. */
static void range(struct smbios *s, unsigned n, uint64_t first, uint64_t bytes)
{
	uint64_t last = first + bytes - 1;
	bool far = last >> 10 >= 0xffffffff;

	begin(s, 19, 31, (uint16_t)(HANDLE_RANGE + n));
	put32(&s->w, far ? 0xffffffff : (uint32_t)(first >> 10));
	put32(&s->w, far ? 0xffffffff : (uint32_t)(last >> 10));
	put16(&s->w, HANDLE_ARRAY);
	put8(&s->w, 1);
	put64(&s->w, far ? first : 0);
	put64(&s->w, far ? last : 0);
	end(s, NULL, NULL);
}

/* Types 32 and 127. */
static void boot_and_end(struct smbios *s)
{
	begin(s, 32, 11, HANDLE_BOOT);
	put_zeros(&s->w, 6 + 1); /* no errors */
	end(s, NULL, NULL);
	begin(s, 127, 4, HANDLE_END);
	end(s, NULL, NULL);
}

static void entry_point(uint8_t *anchor, const struct smbios *s)
{
	struct acpi_writer w = { .buf = anchor, .size = SMBIOS_ENTRY_POINT };

	put_bytes(&w, "_SM_", 4);
	put8(&w, 0);
	put8(&w, SMBIOS_ENTRY_POINT);
	put8(&w, VERSION_MAJOR);
	put8(&w, VERSION_MINOR);
	put16(&w, (uint16_t)s->largest);
	put_zeros(&w, 1 + 5); /* revision, formatted area */
	put_bytes(&w, "_DMI_", 5);
	put8(&w, 0);
	put16(&w, (uint16_t)s->w.used);
	put32(&w, 0);
	put16(&w, (uint16_t)s->count);
	put8(&w, VERSION_BCD);
	patch_checksum(&w, ENTRY_INTERMEDIATE, SMBIOS_ENTRY_POINT - ENTRY_INTERMEDIATE, ENTRY_INTERMEDIATE_CHECKSUM);
	patch_checksum(&w, 0, SMBIOS_ENTRY_POINT, ENTRY_CHECKSUM);
}

size_t smbios_build(void *tables, size_t size, uint8_t anchor[SMBIOS_ENTRY_POINT], const struct smbios_config *config)
{
	struct smbios s = { .w = { .buf = tables, .size = size } };

	system_information(&s);
	chassis(&s);
	processor(&s, config);
	memory(&s, config->low_ram + config->high_ram);
	range(&s, 0, 0, config->low_ram);
	if (config->high_ram)
		range(&s, 1, FOUR_GIB, config->high_ram);
	boot_and_end(&s);
	entry_point(anchor, &s);
	return s.w.full ? 0 : s.w.used;
}
