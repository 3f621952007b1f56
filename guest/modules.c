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

/* What the command line says of a module, MODULE.NAME=VALUE, as modprobe hands it on; name: NN-MODULE.ko. */
static void parameters(const char *name, char *to, size_t size)
{
	const char *module = strchr(name, '-') ? strchr(name, '-') + 1 : name;
	size_t n = strcspn(module, "."), used = 0;
	char line[4096], *word, *state;
	FILE *f = fopen("/proc/cmdline", "r");

	to[0] = 0;
	if (f == NULL || fgets(line, sizeof line, f) == NULL)
		fail("/proc/cmdline cannot be read: %s", strerror(errno));
	fclose(f);
	for (word = strtok_r(line, " \n", &state); word != NULL; word = strtok_r(NULL, " \n", &state))
		if (strncmp(word, module, n) == 0 && word[n] == '.' && used + strlen(word) < size)
			used += (size_t)snprintf(to + used, size - used, "%s ", word + n + 1);
}

static void load(const char *name)
{
	char path[300], values[1000];
	int file;

	snprintf(path, sizeof path, "/modules/%s", name);
	parameters(name, values, sizeof values);
	file = open(path, O_RDONLY);
	if (file < 0 || syscall(SYS_finit_module, file, values, 0) != 0)
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
