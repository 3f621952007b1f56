/* dev/video/vga_memory.c - accesses to its memory: planes and latches, write modes 0 to 3, read modes 0 and 1, odd and
 * even addresses, chain-4. The registers that say which are named as in IBM's VGA reference: the graphics controller's
 * Graphics Mode, Data Rotate, Set/Reset, Bit Mask and Read Map Select, the sequencer's Map Mask and Memory Mode.
 *
 * The four planes are worked on at once, as the bytes of a doubleword. */
#include "dev/video/vga.h"
#include "lib/mutants/mutate.h"

/* ---- where an access goes ---- */

static bool chain4(const struct vga *v) { return v->sequencer[VGA_SEQ_MEMORY] & VGA_MEMORY_CHAIN4; }

/* VG1. The doubleword of planes at an address; banks are 64 KBytes of the memory, 16 KBytes of each plane. */
static uint32_t *planes_at(struct vga *v, uint32_t address)
{
	address += v->planes_offset;
	VM_MUTANT(VGA_PLANES_WITHIN, address &= v->planes_mask); /* VG1 */
	return &v->memory[address];
}

static uint8_t *byte_at(struct vga *v, uint32_t address)
{
	address += v->plain_offset;
	VM_MUTANT(VGA_BYTE_WITHIN, address &= v->doublewords * VGA_PLANES - 1); /* VG1 */
	return (uint8_t *)v->memory + address;
}

/* The device has written the byte at that place. */
static void touch(struct vga *v, uint32_t byte) { v->touched[byte >> PAGE_SHIFT] = 1; }

/* ---- reading ---- */

/* Read mode 1 of the Graphics Mode register. A bit for each dot: its colour is the one that is compared with, in the
 * planes that matter. */
static uint8_t compared(const struct vga *v)
{
	uint8_t differs = 0;

	for (unsigned n = 0; n < VGA_PLANES; n++) {
		uint8_t plane = (uint8_t)(v->latch >> 8 * n);

		if (v->graphics[VGA_GC_CARE] & 1u << n)
			differs |= v->graphics[VGA_GC_COMPARE] & 1u << n ? (uint8_t)~plane : plane;
	}
	return (uint8_t)~differs;
}

static ALWAYS_INLINE uint8_t plane_read(struct vga *v, uint32_t address)
{
	unsigned plane = v->graphics[VGA_GC_READ_MAP];

	if (v->graphics[VGA_GC_MODE] & VGA_MODE_ODD_EVEN) {
		plane = (plane & 2) | (address & 1);
		address &= ~1u;
	}
	v->latch = *planes_at(v, address);
	if (v->graphics[VGA_GC_MODE] & VGA_MODE_COMPARE)
		return compared(v);
	return (uint8_t)(v->latch >> 8 * plane);
}

/* Outside of the window that the Memory Map field of the Miscellaneous register chooses nobody answers. */
uint8_t vga_memory_read(struct vga *v, uint32_t offset)
{
	uint32_t address = offset - v->window_base;

	if (VM_KEPT(VGA_WINDOW_READ, address >= v->window_size))
		return 0xff;
	if (!chain4(v))
		return plane_read(v, address);
	v->latch = *planes_at(v, address / VGA_PLANES);
	return *byte_at(v, address);
}

/* ---- writing ---- */

static ALWAYS_INLINE uint32_t combined(const struct vga *v, uint32_t data)
{
	unsigned function = v->graphics[VGA_GC_ROTATE] >> VGA_ROTATE_FUNCTION_SHIFT;

	if (likely(!function))
		return data;
	return function == VGA_AND ? data & v->latch : function == VGA_OR ? data | v->latch : data ^ v->latch;
}

static ALWAYS_INLINE uint8_t rotated(const struct vga *v, uint8_t value)
{
	unsigned count = v->graphics[VGA_GC_ROTATE] & VGA_ROTATE_COUNT;

	return (uint8_t)(value >> count | value << (8 - count));
}

/* Bit n to all of byte n. */
static uint32_t colour(uint8_t value)
{
	return ((value & 1u) | (value & 2u) << 7 | (value & 4u) << 14 | (value & 8u) << 21) * 0xff;
}

static uint32_t written_otherwise(const struct vga *v, unsigned mode, uint8_t value)
{
	uint32_t mask = v->bit_mask, data = colour(value);

	if (mode == 1)
		return v->latch;
	if (mode == 3) {
		mask &= rotated(v, value) * EACH_PLANE;
		data = v->set_reset;
	}
	return (combined(v, data) & mask) | (v->latch & ~mask);
}

/* What is stored into the planes, all four of them, by the write mode of the Graphics Mode register. */
static ALWAYS_INLINE uint32_t written(const struct vga *v, uint8_t value)
{
	unsigned mode = v->graphics[VGA_GC_MODE] & VGA_MODE_WRITE;
	uint32_t data;

	if (unlikely(mode))
		return written_otherwise(v, mode, value);
	data = rotated(v, value) * EACH_PLANE;
	data = (data & ~v->enable_set_reset) | (v->set_reset & v->enable_set_reset);
	return (combined(v, data) & v->bit_mask) | (v->latch & ~v->bit_mask);
}

static ALWAYS_INLINE void plane_write(struct vga *v, uint32_t address, uint8_t value)
{
	uint32_t mask = v->map_mask, *p;

	if (!(v->sequencer[VGA_SEQ_MEMORY] & VGA_MEMORY_SEQUENTIAL)) {
		mask &= address & 1 ? 0xff00ff00u : 0x00ff00ffu;
		address &= ~1u;
	}
	p = planes_at(v, address);
	touch(v, (uint32_t)((char *)p - (char *)v->memory));
	*p = (*p & ~mask) | (written(v, value) & mask);
}

static void chained_write(struct vga *v, uint32_t address, uint8_t value)
{
	uint8_t *p = byte_at(v, address);

	touch(v, (uint32_t)(p - (uint8_t *)v->memory));
	*p = value;
}

void vga_memory_write(struct vga *v, uint32_t offset, uint8_t value)
{
	uint32_t address = offset - v->window_base;

	if (VM_KEPT(VGA_WINDOW_WRITE, address >= v->window_size))
		return;
	if (!chain4(v))
		plane_write(v, address, value);
	else if (v->sequencer[VGA_SEQ_MAP_MASK] & 1u << address % VGA_PLANES)
		chained_write(v, address, value);
}

/* ---- as devices are accessed ---- */

static uint64_t aperture_read(void *dev, uint64_t offset, unsigned size)
{
	uint64_t value = vga_memory_read(dev, (uint32_t)offset);

	for (unsigned n = 1; n < size; n++)
		value |= (uint64_t)vga_memory_read(dev, (uint32_t)offset + n) << 8 * n;
	return value;
}

static void aperture_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	vga_memory_write(dev, (uint32_t)offset, (uint8_t)value);
	for (unsigned n = 1; n < size; n++)
		vga_memory_write(dev, (uint32_t)offset + n, (uint8_t)(value >> 8 * n));
}

const struct mmio_ops vga_aperture = { aperture_read, aperture_write };

/* Bytes without odd and even, and without banks' ends within: nothing is read in between, so that all get the same. */
static bool fill_planes(struct vga *v, uint32_t offset, uint8_t value, unsigned count)
{
	uint32_t address = offset - v->window_base, data = written(v, value) & v->map_mask, *p;

	if (chain4(v) || !(v->sequencer[VGA_SEQ_MEMORY] & VGA_MEMORY_SEQUENTIAL) || address >= v->window_size ||
	    count > v->window_size - address || (p = planes_at(v, address)) + count > v->memory + v->doublewords ||
	    (!dispi_enabled(v) && (address & 0xffff) + count > 0x10000))
		return false;
	for (uint32_t page = (uint32_t)(p - v->memory) / (PAGE_SIZE / VGA_PLANES),
		      last = (uint32_t)(p + count - 1 - v->memory) / (PAGE_SIZE / VGA_PLANES); page <= last; page++)
		v->touched[page] = 1;
	for (; count; count--, p++)
		*p = (*p & ~v->map_mask) | data;
	return true;
}

void vga_fill(struct vga *v, uint32_t offset, uint64_t value, unsigned size, unsigned count)
{
	if (size == 1 && count && fill_planes(v, offset, (uint8_t)value, count))
		return;
	for (unsigned n = 0; n < count; n++)
		aperture_write(v, offset + n * size, size, value);
}

/* The linear frame buffer, where it is not plain. */
static uint64_t linear_read(void *dev, uint64_t offset, unsigned size)
{
	const struct vga *v = dev;
	uint64_t value = 0;

	memcpy(&value, (const char *)v->memory + offset, size);
	return value;
}

static void linear_write(void *dev, uint64_t offset, unsigned size, uint64_t value)
{
	struct vga *v = dev;

	memcpy((char *)v->memory + offset, &value, size);
	touch(v, (uint32_t)offset);
	touch(v, (uint32_t)offset + size - 1);
}

const struct mmio_ops vga_linear = { linear_read, linear_write };
