/* lab/plugin/program.c - see the header. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/plugin/program.h"

enum { HEAD = 320, ELF_CLASS64 = 2, ELF_X86_64 = 62 };

static enum program_kind elf(const unsigned char *head, ssize_t got)
{
	if (got < 20 || memcmp(head, "\x7f" "ELF", 4))
		return PROGRAM_OTHER;
	return head[4] == ELF_CLASS64 && head[18] == ELF_X86_64 && !head[19] ? PROGRAM_X86_64 : PROGRAM_OTHER;
}

/* "#!interpreter argument" */
static bool shebang(char *line, struct program *p)
{
	char *name = line + 2 + strspn(line + 2, " \t"), *end, *rest;

	line[strcspn(line, "\n")] = 0;
	end = name + strcspn(name, " \t");
	rest = end + strspn(end, " \t");
	*end = 0;
	if (!*name || strlen(rest) >= sizeof(p->argument))
		return false;
	snprintf(p->path, sizeof(p->path), "%s", name);
	if (rest > end)
		snprintf(p->argument, sizeof(p->argument), "%s", rest);
	p->script = true;
	return true;
}

enum program_kind program_look(const char *path, struct program *p)
{
	memset(p, 0, sizeof(*p));
	if (strlen(path) >= sizeof(p->path))
		return PROGRAM_OTHER;
	strcpy(p->path, path);
	for (unsigned depth = 0; depth < 2; depth++) {
		char head[HEAD] = "";
		struct stat st;
		int fd;
		ssize_t got;

		if (stat(p->path, &st) || !S_ISREG(st.st_mode) || access(p->path, X_OK))
			return PROGRAM_NONE;
		fd = open(p->path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return PROGRAM_OTHER;
		got = read(fd, head, sizeof(head) - 1);
		close(fd);
		if (got < 2 || head[0] != '#' || head[1] != '!' || p->script)
			return elf((unsigned char *)head, got);
		if (!shebang(head, p))
			return PROGRAM_OTHER;
	}
	return PROGRAM_OTHER;
}

char **program_arguments(const struct program *p, const char *given, char *const argv[], const char *qemu,
			 const char *plugin)
{
	size_t count = 0, n = 0;
	char **out;

	while (argv[count])
		count++;
	out = calloc(count + 12, sizeof(*out));
	if (!out)
		return NULL;
	out[n++] = (char *)qemu;
	out[n++] = (char *)"-cpu";
	out[n++] = (char *)"max";
	out[n++] = (char *)"-plugin";
	out[n++] = (char *)plugin;
	if (!p->script && count) {
		out[n++] = (char *)"-0";
		out[n++] = argv[0];
	}
	out[n++] = (char *)p->path;
	if (p->script && p->argument[0])
		out[n++] = (char *)p->argument;
	if (p->script)
		out[n++] = (char *)given;
	for (size_t i = 1; i < count; i++)
		out[n++] = argv[i];
	return out;
}
