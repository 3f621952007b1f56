/* The version of Vellum, as the command and what it writes name it. */
#ifndef VELLUM_TOOL_VERSION_H
#define VELLUM_TOOL_VERSION_H

#define VELLUM_VERSION "0.1"

#endif
