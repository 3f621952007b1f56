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

include $(sort $(wildcard mk/*.mk))

.PHONY: all clean
all: $(ALL)

clean:
	rm -rf $(BUILD)
