/* vm/control/packed.h - bytes that leave by the control channel packed (vm/memory/compress.h): the command unpacks them
 * by the same library. */
#ifndef VELLUM_VM_CONTROL_PACKED_H
#define VELLUM_VM_CONTROL_PACKED_H

#include "vm/control/json.h"
#include "vm/memory/compress.h"

#define PACKED_MAX 32768u

/* n bytes, at most PACKED_MAX, as one block in base64. Not to be called by two at once. */
void json_packed(struct json *j, const char *key, const void *bytes, size_t n);

#endif
