/* Pictures as PNG, by libpng. */
#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>

#include "tool/base/util.h"
#include "tool/ctl/screen.h"

static bool write_all(FILE *file, const uint32_t *pixels, unsigned width, unsigned height)
{
	png_image image = { .version = PNG_IMAGE_VERSION, .width = width, .height = height,
			    .format = PNG_FORMAT_RGB };
	size_t count = (size_t)width * height;
	uint8_t *bytes = allocate(3 * count);
	bool ok;

	for (size_t i = 0; i < count; i++) {
		bytes[3 * i] = (uint8_t)(pixels[i] >> 16);
		bytes[3 * i + 1] = (uint8_t)(pixels[i] >> 8);
		bytes[3 * i + 2] = (uint8_t)pixels[i];
	}
	ok = png_image_write_to_stdio(&image, file, 0, bytes, 0, NULL) != 0;
	free(bytes);
	return ok;
}

bool screen_write_png(const char *path, const uint32_t *pixels, unsigned width, unsigned height)
{
	FILE *file = fopen(path, "wb");
	bool ok;

	if (file == NULL)
		return false;
	errno = EIO;
	ok = write_all(file, pixels, width, height);
	return fclose(file) == 0 && ok;
}
