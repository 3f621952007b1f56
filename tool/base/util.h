/* Helpers of the hosted command: text, files, temporary directories, child processes. All of them end the program with
 * one sentence when the machine fails them; none of them returns an error that a caller could forget. */
#ifndef VELLUM_TOOL_UTIL_H
#define VELLUM_TOOL_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Exit statuses of the command itself; everything else is the guest's (docs/protocol.md). */
enum {
	STATUS_FAILED = 1,      /* the machine could not be started */
	STATUS_USAGE = 2,       /* a bad option or file */
	STATUS_PANICKED = 68,   /* a guest's operating system panicked */
	STATUS_NO_RESULT = 69,  /* a guest ended without the result that it should have told */
	STATUS_BROKEN = 70,     /* the run ended without the hypervisor saying how */
	STATUS_TIMEOUT = 124,
};

/* Says "vellum: …" on stderr; die() then exits, which undoes what was registered with atexit(). */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void die(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Like asprintf; the caller frees. */
char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
void *allocate(size_t bytes);
void *grow(void *memory, size_t bytes);

/* "vellum WORD..." as it was typed, for those who want to do it again; the caller frees. */
char *command_typed(int argc, char **argv);

/* A growing byte string, always followed by a NUL that is not counted. */
struct bytes {
	char *data;
	size_t length, room;
};
void bytes_add(struct bytes *bytes, const void *data, size_t length);
void bytes_print(struct bytes *bytes, const char *format, ...) __attribute__((format(printf, 2, 3)));
void bytes_free(struct bytes *bytes);

/* False when the file cannot be read; errno says why. */
bool file_read(const char *path, struct bytes *out);
/* The whole file at once (tool/base/output.h): what was there before stays until then. */
void file_write(const char *path, const void *data, size_t length);
bool file_exists(const char *path);

void make_directory(const char *path);

/* Seconds, from some moment on. */
double clock_seconds(void);

/* The directory this program lies in. */
const char *program_directory(void);

/* Starts a program in its own process group; it dies when this program does. stdin is /dev/null; stdout and stderr go
 * to `output`. `directory` may be null. -1 and errno when it cannot be started. */
pid_t spawn(char *const argv[], const char *directory, int output);
/* Runs a program to its end: its exit status, or -1 when it could not be started or died of a signal. Its output is
 * appended to *output (which may be null). A signal that this program is to end by ends that one first
 * (tool/base/temporary.h). */
int run_program(char *const argv[], struct bytes *output);
/* The first line of what a program that failed said which sounds like a complaint, or just the last. It is cut into
 * lines for that. */
const char *complaint(struct bytes *output);

#endif
