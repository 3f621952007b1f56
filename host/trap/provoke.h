/* host/trap/provoke.h - faults on purpose, for the tests of what catches them: the word provoke=NAME on the command
 * line of vellum.elf, which only who boots the machine can write. */
#ifndef VELLUM_HOST_PROVOKE_H
#define VELLUM_HOST_PROVOKE_H

/* Does what name says, once the machine is up; NULL: nothing. An unknown name ends the machine with a sentence. Where
 * the hypervisor goes on after it, it says so. Names that begin with "other-" are for the other CPUs, which call
 * provoke_other(). */
void provoke(const char *name);
void provoke_other(const char *name);

#endif
