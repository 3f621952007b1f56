# Vellum. `make` builds everything, `make run` boots the default guest, `make test` tests.
# The parts are in mk/; this file holds what they share.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

BUILD := build
CC := gcc
CLANG := clang

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wundef -Wvla

# In this order: what is listed first is used by what follows.
include $(patsubst %,mk/%.mk,rooms hypervisor mmu unit tool bochs guest guesttest host dev emulate load control model \
	oracle vmbench lab \
	labtrace labui compare bench benchmmu boottest hostile fuzz unitrules test)

.PHONY: all clean
all: $(ALL)

clean:
	rm -rf $(BUILD)
