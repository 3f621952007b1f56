/* vellum ctl: one request to a running session, and its answer as text. */
#ifndef VELLUM_TOOL_CTL_H
#define VELLUM_TOOL_CTL_H

#include <cjson/cJSON.h>
#include <signal.h>
#include <stdio.h>

#include "tool/base/util.h"

int ctl_main(int argc, char **argv);

/* A connection to a session (tool/base/runtime.h). */
struct ctl {
	int file;
	struct bytes in;
	char *run;                              /* its name, where it is known */
	const volatile sig_atomic_t *stop;      /* may be null: a signal that sets it ends the waiting */
};

/* Sends the request and waits for its answer: the JSON as text, to be freed; NULL: error is one sentence. */
char *ctl_ask(struct ctl *ctl, const char *request, char *error, size_t error_size);

/* The same, parsed, to be deleted; raw, if not NULL, gets the text. */
cJSON *ctl_ask_json(struct ctl *ctl, const char *request, char **raw, char *error, size_t error_size);

/* The virtual machine that word names (then *named is set); or, where it names none or is NULL, the only one there is.
 * To be freed; where there are several, it does not return. */
char *ctl_vm(struct ctl *ctl, const char *word, bool *named);

/* packed.c: a block of LZ4 in base64, which must become length bytes. */
bool ctl_unpack(const char *text, uint8_t *to, size_t length);

/* move.c */
struct move_options {
	const char *mmu;        /* NULL: the mechanism that it has */
	bool precopy, postcopy; /* said in so many words */
};
int move_command(const char *run, int argc, char **argv, const struct move_options *o, bool json);

/* snapshot.c */
int snapshot_command(struct ctl *ctl, const char *vm, int argc, char **argv);

/* dirty.c: waits for the end of the measurement that answer, which it takes, says was begun; returns its last answer,
 * raw as before; NULL: error is one sentence. */
cJSON *ctl_dirty_wait(struct ctl *ctl, cJSON *answer, char **raw, char *error, size_t size);
void ctl_show_dirty(FILE *out, const cJSON *answer);
/* Is it one that begins, ends or shows a watch? */
bool ctl_dirty_is_word(const char *word);

/* balloon.c: the request of a size that was typed, which it takes; waits for what answer, which it takes, says was
 * begun: a size, or statistics. As ctl_dirty_wait. */
char *ctl_balloon_request(char *request);
cJSON *ctl_balloon_wait(struct ctl *ctl, cJSON *answer, bool sized, char **raw, char *error, size_t size);
void ctl_show_balloon(FILE *out, const cJSON *answer);

/* detail.c */
void ctl_show_detail(FILE *out, const cJSON *answer);

/* show.c: the answer to a command, for people. */
void ctl_show(FILE *out, const char *command, const cJSON *answer);

/* For reading answers: what is missing counts as "" and 0. */
static inline const cJSON *ctl_get(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

static inline const char *ctl_text(const cJSON *object, const char *name)
{
	const cJSON *item = ctl_get(object, name);

	return cJSON_IsString(item) ? item->valuestring : "";
}

static inline double ctl_number(const cJSON *object, const char *name)
{
	const cJSON *item = ctl_get(object, name);

	return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

#endif
