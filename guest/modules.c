/* Kernel modules of the initramfs. */
#define _GNU_SOURCE
#include "guest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void load(const char *name)
{
	char path[300];
	int file;

	snprintf(path, sizeof path, "/modules/%s", name);
	file = open(path, O_RDONLY);
	if (file < 0 || syscall(SYS_finit_module, file, "", 0) != 0)
		fail("the module %s cannot be loaded: %s", name, strerror(errno));
	close(file);
}

void load_modules(void)
{
	struct dirent **entry;
	int count = scandir("/modules", &entry, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		if (entry[i]->d_name[0] != '.')
			load(entry[i]->d_name);
		free(entry[i]);
	}
	if (count > 0)
		free(entry);
}
