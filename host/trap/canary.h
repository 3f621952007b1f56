/* host/trap/canary.h - the stack protector's secret. */
#ifndef VELLUM_HOST_CANARY_H
#define VELLUM_HOST_CANARY_H

#include "lib/base.h"

/* Chooses it; before any function that was called returns into one that has an array. */
void canary_choose(void);

#endif
