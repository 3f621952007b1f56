# The `vellum` command: hosted, from tool/ and the few freestanding sources that it shares with the hypervisor.

# How a VGA's registers become a picture, which the command draws.
PICTURE_C := dev/video/vga_picture.c dev/video/vga_state.c
# What recorded exits are called: vmx/record.h.
RECORD_C := vmx/exits.c
TOOL_C := $(call sources,$(TOOL_DIRS)) $(CONFIG_C) $(LOAD_C) $(PICTURE_C) $(RECORD_C)
TOOL_O := $(TOOL_C:%.c=$(BUILD)/tool/%.o)
TOOL_CFLAGS := -std=gnu11 -O2 -g -D_GNU_SOURCE -D_FORTIFY_SOURCE=2 $(WARNINGS) -I.

$(BUILD)/tool/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(TOOL_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/vellum: $(TOOL_O) $(BUILD)/lab.a
	$(CC) -o $@ $(TOOL_O) $(BUILD)/lab.a -lcjson -lutil -lncurses -lpng -llz4 -lz -lresolv -lvncserver -lcapstone \
		$(LAB_LIBS)

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

UNIT_tool_protocol_SRC := test/unit/tool/base/test_protocol.c tool/base/protocol.c tool/base/size.c
UNIT_tool_report_SRC := test/unit/tool/run/test_report.c tool/run/report.c tool/run/report_detail.c \
	tool/base/result.c tool/run/json.c \
	tool/base/json_text.c tool/base/size.c tool/base/number.c tool/base/util.c tool/base/temporary.c \
	tool/base/output.c $(CONFIG_C) lib/fmt.c \
	tool/base/protocol.c
UNIT_tool_exits_SRC := test/unit/tool/base/test_exits.c tool/base/exits.c tool/base/util.c \
	tool/base/temporary.c tool/base/output.c $(RECORD_C)
UNIT_tool_exits_LIBS := -lcjson
UNIT_TESTS += tool_exits
UNIT_tool_report_LIBS := -lcjson
UNIT_tool_control_SRC := test/unit/tool/run/test_control.c tool/run/control.c tool/run/answer.c tool/base/result.c \
	tool/base/protocol.c tool/base/runtime.c tool/base/size.c tool/base/util.c tool/base/temporary.c \
	tool/base/output.c
UNIT_tool_control_LIBS := -lcjson
UNIT_tool_guest_check_SRC := test/unit/tool/options/test_guest_check.c tool/options/guest_check.c tool/base/util.c \
	tool/base/temporary.c tool/base/output.c $(CONFIG_C) $(LOAD_C)
UNIT_tool_guest_check_LIBS := -lz
UNIT_tool_conclude_SRC := test/unit/tool/run/test_conclude.c tool/run/conclude.c tool/run/panic.c \
	tool/run/control.c \
	tool/base/result.c tool/base/protocol.c tool/base/runtime.c tool/base/size.c tool/base/util.c \
	tool/base/temporary.c tool/base/output.c tool/emulator/bochs.c
GDB_STUB_C := tool/gdb/packet.c tool/gdb/registers.c tool/gdb/stub.c tool/gdb/stub_access.c tool/gdb/stub_run.c \
	tool/base/util.c tool/base/temporary.c tool/base/output.c
UNIT_tool_gdb_SRC := test/unit/tool/gdb/test_stub.c $(GDB_STUB_C)
UNIT_tool_gdb_LIBS := -lcjson
UNIT_TESTS += tool_gdb
UNIT_tool_slim_SRC := test/unit/tool/emulator/test_slim.c tool/emulator/slim.c tool/base/util.c tool/base/temporary.c \
	tool/base/output.c
UNIT_tool_util_SRC := test/unit/tool/base/test_util.c tool/base/bug.c tool/emulator/bochs.c \
	tool/base/util.c tool/base/temporary.c tool/base/output.c
UNIT_tool_output_SRC := test/unit/tool/base/test_output.c tool/base/output.c
UNIT_tool_outflow_SRC := test/unit/tool/base/test_outflow.c tool/base/outflow.c tool/base/util.c \
	tool/base/temporary.c tool/base/output.c
UNIT_TESTS += tool_outflow
UNIT_tool_runtime_SRC := test/unit/tool/base/test_runtime.c tool/base/runtime.c tool/base/util.c \
	tool/base/temporary.c tool/base/output.c
UNIT_TESTS += tool_runtime
UNIT_tool_temporary_SRC := test/unit/tool/base/test_temporary.c tool/base/util.c tool/base/temporary.c \
	tool/base/output.c
UNIT_TESTS += tool_conclude tool_control tool_guest_check
UNIT_tool_pack_SRC := test/unit/tool/base/test_pack.c tool/base/pack.c tool/base/util.c tool/base/temporary.c \
	tool/base/output.c
UNIT_tool_pack_LIBS := -llz4
UNIT_TESTS += tool_temporary tool_output tool_pack tool_protocol tool_report tool_slim tool_util
UNIT_tool_screen_SRC := test/unit/tool/ctl/test_screen.c tool/ctl/screen.c tool/ctl/packed.c \
	tool/ctl/png.c tool/ctl/keys.c $(PICTURE_C) tool/base/util.c tool/base/temporary.c tool/base/output.c
UNIT_tool_screen_LIBS := -lcjson -lpng -llz4 -lresolv
UNIT_TESTS += tool_screen
UNIT_tool_guest_SRC := test/unit/tool/ctl/test_guest.c tool/ctl/guest.c tool/ctl/walk.c tool/ctl/symbols.c \
	tool/ctl/code.c tool/ctl/screen.c tool/ctl/packed.c tool/ctl/png.c tool/ctl/keys.c $(PICTURE_C) \
	tool/options/value.c tool/base/size.c tool/base/util.c tool/base/temporary.c tool/base/output.c
UNIT_tool_guest_LIBS := -lcjson -lpng -llz4 -lresolv -lcapstone
UNIT_TESTS += tool_guest
UNIT_tool_view_SRC := test/unit/tool/view/test_view.c tool/view/compare.c tool/view/start.c tool/base/size.c \
	tool/base/util.c tool/base/temporary.c tool/base/output.c
UNIT_TESTS += tool_view
UNIT_tool_image_SRC := test/unit/tool/image/test_layout.c tool/image/files.c tool/image/layout.c tool/base/util.c \
	tool/base/temporary.c tool/base/output.c
UNIT_TESTS += tool_image
