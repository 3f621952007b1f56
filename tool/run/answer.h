/* tool/run/answer.h - what an answer of the control channel tells of a virtual machine's counters (docs/protocol.md,
 * "stats"), put where its own last words would put it. */
#ifndef VELLUM_TOOL_ANSWER_H
#define VELLUM_TOOL_ANSWER_H

#include "tool/base/result.h"

/* json: the answer's text. known: how the counters are known then. false: it is no answer about a virtual machine that
 * has started and not ended; nothing is changed. */
bool answer_apply(struct run_result *result, const char *json, enum counters known);

#endif
