/* vellum migrate RUN [VM] RUN: a virtual machine goes to another run, on this machine or, by a socket that is carried
 * there, on another (docs/move.md). */
#ifndef VELLUM_TOOL_CTL_MIGRATE_H
#define VELLUM_TOOL_CTL_MIGRATE_H

int migrate_main(int argc, char **argv);

#endif
