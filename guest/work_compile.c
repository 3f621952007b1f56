/*
 * Compile-like: source files are written to a tmpfs, a compiler is executed for each of them, and a linker for each
 * group. The program that comes out is run, and its results are compared with those that the sources were made from.
 *
 * The language: statements "NAME = NAME * NUMBER + NAME ;" over 64-bit unsigned variables, which start as their number.
 */
#define _GNU_SOURCE
#include "workload.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

enum { VARIABLES = 48, STATEMENTS = 120, GROUP = 6, BUCKETS = 32, NAME_LENGTH = 24, SEED = 13000 };
enum { SOURCE_MOST = STATEMENTS * 100 };

/* Operands of a statement are numbers of variables; `factor` is a number. */
struct statement {
	uint32_t target, left, factor, right;
};

static struct statement statement_of(uint32_t file, uint32_t line)
{
	uint64_t r = mix(SEED + file, line);

	return (struct statement){ r % VARIABLES, (r >> 16) % VARIABLES, (uint32_t)(r >> 40) | 1,
				   (r >> 32 & 0xff) % VARIABLES };
}

static void variable_name(char name[NAME_LENGTH], uint32_t n)
{
	snprintf(name, NAME_LENGTH, "v%x_%u", (unsigned)(mix(SEED, n) & 0xffffff), n);
}

static void path_of(char path[40], uint32_t n, const char *kind)
{
	snprintf(path, 40, "/tmp/%u.%s", n, kind);
}

/* ---- files ---- */

static void write_file(uint32_t n, const char *kind, const void *data, size_t bytes)
{
	char path[40];
	int file;

	path_of(path, n, kind);
	file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (file < 0 || write(file, data, bytes) != (ssize_t)bytes || close(file) != 0)
		fail("compile: cannot write %s: %s", path, strerror(errno));
}

/* At most `room` bytes; how many there are. */
static size_t read_file(uint32_t n, const char *kind, void *data, size_t room)
{
	char path[40];
	size_t length = 0;
	ssize_t got = 1;
	int file;

	path_of(path, n, kind);
	file = open(path, O_RDONLY | O_CLOEXEC);
	while (file >= 0 && got > 0 && length < room) {
		got = read(file, (char *)data + length, room - length < 2048 ? room - length : 2048);
		length += got > 0 ? (size_t)got : 0;
	}
	if (file < 0 || got < 0)
		fail("compile: cannot read %s: %s", path, strerror(errno));
	close(file);
	return length;
}

static void remove_file(uint32_t n, const char *kind)
{
	char path[40];

	path_of(path, n, kind);
	unlink(path);
}

/* ---- the compiler ---- */

struct symbol {
	struct symbol *next;
	uint32_t number;
	char name[];
};

static struct symbol *buckets[BUCKETS];

/* The number behind a name's last underscore, the name looked up by its spelling as compilers do. */
static uint32_t variable(const char *name, size_t length)
{
	uint32_t hash = 5381;
	struct symbol *s;

	for (size_t i = 0; i < length; i++)
		hash = hash * 33 ^ (unsigned char)name[i];
	for (s = buckets[hash % BUCKETS]; s != NULL; s = s->next)
		if (strncmp(s->name, name, length) == 0 && s->name[length] == 0)
			return s->number;
	s = malloc(sizeof *s + length + 1);
	if (s == NULL)
		fail("compile: no memory");
	memcpy(s->name, name, length);
	s->name[length] = 0;
	s->number = helper_number(strchr(s->name, '_') + 1);
	s->next = buckets[hash % BUCKETS];
	buckets[hash % BUCKETS] = s;
	return s->number;
}

/* The next word: letters, digits and underscores, or one other character. */
static size_t token(const char **at)
{
	const char *p;

	while (isspace((unsigned char)**at))
		++*at;
	for (p = *at; isalnum((unsigned char)*p) || *p == '_'; p++)
		;
	return p == *at && *p != 0 ? 1 : (size_t)(p - *at);
}

static uint32_t operand(const char **at, uint32_t file)
{
	size_t length = token(at);
	uint32_t value;

	if (length == 0 || !isalnum((unsigned char)**at))
		fail("compile: source %u makes no sense at \"%.10s\"", file, *at);
	value = isdigit((unsigned char)**at) ? helper_number(*at) : variable(*at, length);
	*at += length;
	return value;
}

static void symbol(const char **at, char wanted, uint32_t file)
{
	if (token(at) != 1 || **at != wanted)
		fail("compile: source %u lacks a \"%c\"", file, wanted);
	++*at;
}

int compile_helper(const char *argument)
{
	uint32_t n = helper_number(argument), lines = 0;
	char *source = malloc(SOURCE_MOST + 1);
	struct statement *code = malloc(STATEMENTS * sizeof *code);
	const char *at = source;

	if (source == NULL || code == NULL)
		fail("compile: no memory");
	source[read_file(n, "src", source, SOURCE_MOST)] = 0;
	while (token(&at) != 0 && lines < STATEMENTS) {
		struct statement *s = &code[lines++];

		s->target = operand(&at, n);
		symbol(&at, '=', n);
		s->left = operand(&at, n);
		symbol(&at, '*', n);
		s->factor = operand(&at, n);
		symbol(&at, '+', n);
		s->right = operand(&at, n);
		symbol(&at, ';', n);
	}
	write_file(n, "obj", code, lines * sizeof *code);
	return 0;
}

int link_helper(const char *argument)
{
	uint32_t first = helper_number(argument);
	size_t room = GROUP * STATEMENTS * sizeof(struct statement), length = 0;
	char *program = malloc(room);

	if (program == NULL)
		fail("compile: no memory");
	for (uint32_t i = 0; i < GROUP; i++) {
		length += read_file(first + i, "obj", program + length, room - length);
		remove_file(first + i, "obj");
		remove_file(first + i, "src");
	}
	write_file(first, "bin", program, length);
	return 0;
}

/* ---- what they are used on ---- */

static void write_source(uint32_t file)
{
	static char text[SOURCE_MOST];
	size_t length = 0;

	for (uint32_t line = 0; line < STATEMENTS; line++) {
		struct statement s = statement_of(file, line);
		char target[NAME_LENGTH], left[NAME_LENGTH], right[NAME_LENGTH];

		variable_name(target, s.target);
		variable_name(left, s.left);
		variable_name(right, s.right);
		length += (size_t)snprintf(text + length, sizeof text - length, "%s = %s * %u + %s;\n", target, left,
					   s.factor, right);
	}
	write_file(file, "src", text, length);
}

static void execute(uint64_t variables[VARIABLES], struct statement s)
{
	if (s.target >= VARIABLES || s.left >= VARIABLES || s.right >= VARIABLES)
		fail("compile: the program names a variable that there is not");
	variables[s.target] = variables[s.left] * s.factor + variables[s.right];
}

static uint64_t run_program(uint32_t first)
{
	static struct statement program[GROUP * STATEMENTS];
	uint64_t ran[VARIABLES], wanted[VARIABLES], sum = first;
	size_t count = read_file(first, "bin", program, sizeof program) / sizeof *program;

	remove_file(first, "bin");
	if (count != GROUP * STATEMENTS)
		fail("compile: a program of %zu statements, should be %d", count, GROUP * STATEMENTS);
	for (uint32_t i = 0; i < VARIABLES; i++)
		ran[i] = wanted[i] = i;
	for (uint32_t i = 0; i < count; i++) {
		execute(ran, program[i]);
		execute(wanted, statement_of(first + i / STATEMENTS, i % STATEMENTS));
	}
	for (uint32_t i = 0; i < VARIABLES; i++) {
		if (ran[i] != wanted[i])
			fail("compile: variable %u of program %u is %016llx, should be %016llx", i, first,
			     (unsigned long long)ran[i], (unsigned long long)wanted[i]);
		sum = fold(sum, ran[i]);
	}
	return sum;
}

uint64_t compile_workload(uint32_t size)
{
	uint32_t files = (size + GROUP - 1) / GROUP * GROUP;
	uint64_t sum = 0;
	int pids[2];

	if (mount("tmpfs", "/tmp", "tmpfs", 0, NULL) != 0)
		fail("cannot mount a tmpfs: %s", strerror(errno));
	phase("build");
	for (uint32_t first = 0; first < files; first += GROUP) {
		for (uint32_t i = 0; i < GROUP; i++)
			write_source(first + i);
		/* Two at a time, as make -j2 would. */
		for (uint32_t i = 0; i < GROUP; i += 2) {
			pids[0] = start_helper("--compile", first + i, -1);
			pids[1] = start_helper("--compile", first + i + 1, -1);
			reap(pids[0], "the compiler");
			reap(pids[1], "the compiler");
		}
		reap(start_helper("--link", first, -1), "the linker");
		sum = fold(sum, run_program(first));
	}
	phase_steps(files);
	return sum;
}
