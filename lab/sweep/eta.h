/* lab/sweep/eta.h - the progress line of a pool: cells done, rate, time left. */
#ifndef VELLUM_LAB_ETA_H
#define VELLUM_LAB_ETA_H

#include <stdbool.h>
#include <stdint.h>

struct lab_eta;

/* weight: of all jobs together. */
struct lab_eta *lab_eta_new(unsigned workers, unsigned jobs, double weight, bool quiet);
void lab_eta_delete(struct lab_eta *eta);
void lab_eta_start(struct lab_eta *eta, unsigned worker, double weight);
void lab_eta_progress(struct lab_eta *eta, unsigned worker, uint64_t done, uint64_t all);
void lab_eta_end(struct lab_eta *eta, unsigned worker, bool good);
/* Writes the line when it is due: on a terminal over the last one, elsewhere every few seconds. */
void lab_eta_show(struct lab_eta *eta, unsigned waiting, unsigned running);
/* Takes the line away, before something else is written. */
void lab_eta_clear(struct lab_eta *eta);
/* Accesses made so far. */
uint64_t lab_eta_accesses(const struct lab_eta *eta);
/* Seconds as people say them: "45 s", "3 min 20 s", "2 h 5 min". Returns buffer. */
char *lab_eta_text(double seconds, char buffer[32]);

#endif
