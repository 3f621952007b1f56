/* An interactive shell on the console, with job control: /dev/console itself cannot be a controlling terminal. */
#define _GNU_SOURCE
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The device behind /dev/console: the last name in the list. */
static void console_device(char *path, size_t size)
{
	char names[100];
	int file = open("/sys/class/tty/console/active", O_RDONLY);
	ssize_t n = file < 0 ? 0 : read(file, names, sizeof names - 1);
	char *name, *word;

	close(file);
	names[n > 0 ? n : 0] = 0;
	name = NULL;
	for (word = strtok(names, " \n"); word != NULL; word = strtok(NULL, " \n"))
		name = word;
	snprintf(path, size, "/dev/%s", name != NULL ? name : "console");
}

static void run(char *const argv[])
{
	static char *const environment[] = { (char *)(uintptr_t)"PATH=/bin:/sbin:/usr/bin:/usr/sbin",
					     (char *)(uintptr_t)"HOME=/", (char *)(uintptr_t)"TERM=vt100",
					     (char *)(uintptr_t)"PS1=vellum:\\w# ", NULL };

	execve("/bin/busybox", argv, environment);
	fail("cannot execute /bin/busybox: %s", strerror(errno));
}

void shell(void)
{
	static char *const install[] = { (char *)(uintptr_t)"busybox", (char *)(uintptr_t)"--install",
					 (char *)(uintptr_t)"-s", (char *)(uintptr_t)"/bin", NULL };
	static char *const sh[] = { (char *)(uintptr_t)"sh", NULL };
	char device[120];
	int pid, status, file;

	pid = fork();
	if (pid == 0)
		run(install);
	reap(pid, "busybox --install");
	console_device(device, sizeof device);
	pid = fork();
	if (pid == 0) {
		setsid();
		file = open(device, O_RDWR);
		if (file >= 0) {
			ioctl(file, TIOCSCTTY, 1);
			dup2(file, 0);
			dup2(file, 1);
			dup2(file, 2);
			if (file > 2)
				close(file);
		}
		chdir("/");
		run(sh);
	}
	/* The first process also inherits and reaps what the shell leaves behind. */
	while (pid >= 0) {
		int ended = wait(&status);

		if (ended == pid || (ended < 0 && errno != EINTR))
			break;
	}
}
