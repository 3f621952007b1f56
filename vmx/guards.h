/* vmx/guards.h - what the way into a guest and back does against speculation (vmx/entry.S). */
#ifndef VELLUM_VMX_GUARDS_H
#define VELLUM_VMX_GUARDS_H

#include "host/cpu/speculation.h"

/* GUARD_* of vmx/entry.h for a set of measures, each of which the CPU can. */
uint32_t vmx_guards(const struct speculation *s, uint32_t measures);

#endif
