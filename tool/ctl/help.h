/* tool/ctl/help.h - what `vellum ctl --help` says. */
#ifndef VELLUM_TOOL_CTL_HELP_H
#define VELLUM_TOOL_CTL_HELP_H

/* All of it, or of one command, with what holds for each. Returns the exit status. */
int ctl_help(const char *command);

#endif
