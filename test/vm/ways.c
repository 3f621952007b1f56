/* The ways into the guest and out of it (vmx/entry.S), as addresses only: on the bench nobody goes them. */
#include "vmx/vcpu.h"

extern const char vmx_exit_bare[1], vmx_exit_guarded[1];
const char vmx_exit_bare[1], vmx_exit_guarded[1];

void vmx_enter_first(void) { }
void vmx_enter_again(void) { }
void vmx_enter_guarded(void) { }
