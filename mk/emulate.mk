# The hosted tests of emulate/. emulate_native runs random instructions on the host CPU beside the emulator; `make
# emulate-native` does millions of them with an optimised build.

EMULATE_C := $(call sources,$(EMULATE_DIRS))
EMULATE_H := $(call headers,$(EMULATE_DIRS) test/unit/emulate)
EMULATE_WORLD_C := test/unit/emulate/world.c test/unit/emulate/cpu.c $(EMULATE_C)
EMULATE_NATIVE_C := test/unit/emulate/test_native.c test/unit/emulate/freedom.c test/unit/emulate/machine.c \
	test/unit/emulate/layout.c test/unit/emulate/mirror.c test/unit/emulate/cpu.c test/unit/emulate/cases.c \
	test/unit/emulate/encode.c test/unit/emulate/forms.c test/unit/emulate/auto.c test/unit/emulate/units.c \
	$(EMULATE_C)

UNIT_emulate_native_SRC := $(EMULATE_NATIVE_C)
UNIT_emulate_real_SRC := test/unit/emulate/test_real.c $(EMULATE_WORLD_C)
UNIT_emulate_system_SRC := test/unit/emulate/test_system.c $(EMULATE_WORLD_C)
UNIT_emulate_protected_SRC := test/unit/emulate/test_protected.c $(EMULATE_WORLD_C)
UNIT_emulate_faults_SRC := test/unit/emulate/test_faults.c $(EMULATE_WORLD_C)
UNIT_emulate_deliver_SRC := test/unit/emulate/test_deliver.c $(EMULATE_WORLD_C)
UNIT_emulate_fuzz_SRC := test/unit/emulate/test_fuzz.c $(EMULATE_WORLD_C)
UNIT_emulate_plain_SRC := test/unit/emulate/test_plain.c $(EMULATE_WORLD_C)
UNIT_emulate_plain_insn_SRC := test/unit/emulate/test_plain_insn.c $(EMULATE_WORLD_C)
UNIT_emulate_strings_SRC := test/unit/emulate/test_strings.c $(EMULATE_WORLD_C)
UNIT_emulate_decode_SRC := test/unit/emulate/decode/test_decode.c $(call sources,emulate/decode)
EMULATE_TESTS := emulate_native emulate_real emulate_system emulate_protected emulate_faults emulate_deliver \
	emulate_fuzz emulate_plain emulate_plain_insn emulate_strings \
	emulate_decode
UNIT_TESTS += $(EMULATE_TESTS)

$(BUILD)/emulate-native: $(EMULATE_NATIVE_C) $(EMULATE_H) test/unit/hosted.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -D_GNU_SOURCE $(WARNINGS) -I. -o $@ $(EMULATE_NATIVE_C) test/unit/hosted.c -lcmocka

.PHONY: emulate-native
emulate-native: $(BUILD)/emulate-native
	EMULATE_CASES=$${EMULATE_CASES:-2000000} $(BUILD)/emulate-native

# How many instructions one simple store takes (and with its decoding), callbacks included, built as for the hypervisor.
$(BUILD)/emulate-hot: test/unit/emulate/hot.c $(EMULATE_C) test/unit/hosted.c $(EMULATE_H)
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -fno-strict-aliasing -fno-omit-frame-pointer -fcf-protection=none $(WARNINGS) -I. -o $@ \
		test/unit/emulate/hot.c $(EMULATE_C) test/unit/hosted.c

.PHONY: emulate-hot
emulate-hot: $(BUILD)/emulate-hot
	@for how in "" decode; do \
		for n in 1000 11000; do \
			valgrind --tool=callgrind --callgrind-out-file=/dev/null $< $$n $$how 2>&1 | sed -n \
			's/.*Collected : //p'; \
		done | { read a; read b; echo "instructions per store $${how:+with decoding}: $$(((b - a) / 10000))"; \
		}; \
	done

# Coverage-guided, over states and instruction bytes (mk/fuzz.mk).
FUZZ_emulate_SRC := test/fuzz/emulate.c $(EMULATE_WORLD_C)
FUZZ_TARGETS += emulate
