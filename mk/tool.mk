# The `vellum` command: hosted, from tool/ and the few freestanding sources that it shares with the hypervisor.

TOOL_C := $(wildcard tool/*.c) vm/config.c vm/config_print.c vm/config_switch.c vm/config_mitigations.c lib/fmt.c
TOOL_O := $(TOOL_C:%.c=$(BUILD)/tool/%.o)
TOOL_CFLAGS := -std=gnu11 -O2 -g -D_GNU_SOURCE -D_FORTIFY_SOURCE=2 $(WARNINGS) -I.

$(BUILD)/tool/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/vellum: $(TOOL_O) $(BUILD)/lab.a
	$(CC) -o $@ $(TOOL_O) $(BUILD)/lab.a -lcjson -lutil -lncurses $(LAB_LIBS)

-include $(TOOL_O:.o=.d)

.PHONY: tool deps run
tool: $(BUILD)/vellum
ALL += $(BUILD)/vellum

# Installs the Debian packages that are missing; quick and without network when none is.
deps:
	@script/deps.sh

# From nothing to the guest's result line. RUN holds more options for `vellum run`.
run: deps
	@$(MAKE) --no-print-directory all
	$(BUILD)/vellum run $(RUN)

# A boot image for a real PC.
OUT ?= $(BUILD)/vellum.iso
.PHONY: iso
iso: $(BUILD)/vellum $(BUILD)/vellum.elf guest
	$(BUILD)/vellum iso $(OUT) $(RUN)

UNIT_tool_protocol_SRC := test/unit/test_tool_protocol.c tool/protocol.c tool/size.c
UNIT_tool_report_SRC := test/unit/test_tool_report.c tool/report.c tool/result.c tool/json.c tool/size.c tool/util.c tool/protocol.c
UNIT_tool_report_CFLAGS := -D_GNU_SOURCE
UNIT_tool_report_LIBS := -lcjson
UNIT_tool_slim_SRC := test/unit/test_tool_slim.c tool/slim.c tool/util.c
UNIT_tool_slim_CFLAGS := -D_GNU_SOURCE
UNIT_tool_util_SRC := test/unit/test_tool_util.c tool/bochs.c tool/util.c
UNIT_tool_util_CFLAGS := -D_GNU_SOURCE
UNIT_TESTS += tool_protocol tool_report tool_slim tool_util
