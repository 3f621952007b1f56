# Coverage-guided fuzzing. `make fuzz-NAME` runs one target, `make fuzz` all of them, each for FUZZ_SECONDS with
# FUZZ_ARGS; what they find is in build/fuzz/NAME-*. Their corpora are in test/fuzz/corpus/NAME; `make fuzz-merge-NAME`
# adds what a run has found that is new, minimised. A unit test replays each corpus (test/fuzz/replay.c).

FUZZ_SECONDS ?= 600
FUZZ_FLAGS := -std=gnu11 -O1 -g -D_GNU_SOURCE -DVELLUM_DEBUG -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer $(WARNINGS) -I.

FUZZ_exits_SRC := test/fuzz/exits.c test/fuzz/exits_guest.c test/fuzz/exits_reasons.c $(VMBENCH_C)
FUZZ_exits_FLAGS := $(VMBENCH_FLAGS) -no-pie
FUZZ_exits_VARIANT := vmbench
FUZZ_exits_LIBS := -llz4 -lz
FUZZ_control_SRC := test/fuzz/control.c $(VMBENCH_C)
FUZZ_control_FLAGS := $(VMBENCH_FLAGS) -no-pie
FUZZ_control_VARIANT := vmbench
FUZZ_control_LIBS := -llz4 -lz
FUZZ_snapshot_SRC := test/fuzz/snapshot.c test/fuzz/exits_guest.c test/fuzz/exits_reasons.c \
	test/unit/vm/snapshot/taken.c $(VMBENCH_C)
FUZZ_snapshot_FLAGS := $(VMBENCH_FLAGS) -no-pie
FUZZ_snapshot_VARIANT := vmbench
FUZZ_snapshot_LIBS := -llz4 -lz
FUZZ_config_SRC := test/fuzz/config.c $(CONFIG_C) lib/fmt.c
FUZZ_load_SRC := test/fuzz/load.c test/unit/vm/load/ram.c $(LOAD_C)
FUZZ_load_LIBS := -lz
FUZZ_devices_SRC := test/fuzz/devices.c test/unit/dev/pc.c $(DEV_C)
FUZZ_ide_SRC := test/fuzz/ide.c $(IDE_RIG_C)
FUZZ_virtio_SRC := test/fuzz/virtio.c $(VIRTIO_RIG_C)
FUZZ_net_SRC := test/fuzz/net.c dev/state.c $(call sources,dev/net dev/virtio dev/bus dev/block)
FUZZ_balloon_SRC := test/fuzz/balloon.c dev/state.c $(call sources,dev/net dev/virtio dev/bus dev/block)
FUZZ_video_SRC := test/fuzz/video.c test/unit/dev/pc.c $(DEV_C)
FUZZ_gdb_SRC := test/fuzz/gdb.c $(GDB_STUB_C)
FUZZ_gdb_LIBS := -lcjson
FUZZ_TARGETS += exits control snapshot config load devices ide video virtio net balloon gdb

# $(call fuzz_rules,NAME)
define fuzz_rules
$(BUILD)/fuzz/$(1)-obj/%.o: %.c
	@mkdir -p $$(@D)
	@$(CLANG) $(filter-out -no-pie,$(FUZZ_$(1)_FLAGS)) $(FUZZ_FLAGS) -MMD -MP -c -o $$@ $$<
-include $(patsubst %.c,$(BUILD)/fuzz/$(1)-obj/%.d,$(FUZZ_$(1)_SRC))
$(BUILD)/fuzz/$(1): $(patsubst %.c,$(BUILD)/fuzz/$(1)-obj/%.o,$(FUZZ_$(1)_SRC) test/unit/hosted.c)
	@echo '  fuzz  $(1)'
	@$(CLANG) $(FUZZ_FLAGS) $(filter -no-pie,$(FUZZ_$(1)_FLAGS)) -o $$@ $$^ -lcmocka $(FUZZ_$(1)_LIBS)

.PHONY: fuzz-$(1) fuzz-merge-$(1)
fuzz-$(1): $(BUILD)/fuzz/$(1)
	@mkdir -p $(BUILD)/fuzz/corpus/$(1)
	ASAN_OPTIONS=detect_leaks=0 $$< -max_len=2048 -max_total_time=$(FUZZ_SECONDS) -timeout=20 -rss_limit_mb=2048 \
		$(FUZZ_ARGS) \
		-artifact_prefix=$(BUILD)/fuzz/$(1)- $(BUILD)/fuzz/corpus/$(1) test/fuzz/corpus/$(1)

fuzz-merge-$(1): $(BUILD)/fuzz/$(1)
	ASAN_OPTIONS=detect_leaks=0 $$< -set_cover_merge=1 $(FUZZ_ARGS) test/fuzz/corpus/$(1) $(BUILD)/fuzz/corpus/$(1)

UNIT_fuzz_$(1)_SRC := test/fuzz/replay.c $(FUZZ_$(1)_SRC)
UNIT_fuzz_$(1)_VARIANT := $(FUZZ_$(1)_VARIANT)
UNIT_fuzz_$(1)_LIBS := $(filter -no-pie,$(FUZZ_$(1)_FLAGS)) $(FUZZ_$(1)_LIBS)
UNIT_TESTS += fuzz_$(1)
endef
$(foreach t,$(FUZZ_TARGETS),$(eval $(call fuzz_rules,$(t))))

# The oracle's own (mk/oracle.mk) among them.
.PHONY: fuzz
fuzz: fuzz-oracle $(FUZZ_TARGETS:%=fuzz-%)
