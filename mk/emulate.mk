# The hosted tests of emulate/. emulate_native runs random instructions on the host CPU beside the emulator; `make emulate-native`
# does millions of them with an optimised build.

EMULATE_C := $(wildcard emulate/*.c)
EMULATE_NATIVE_C := test/unit/test_emulate_native.c test/unit/emulate_machine.c test/unit/emulate_cases.c test/unit/emulate_forms.c \
	$(EMULATE_C)

UNIT_emulate_native_SRC := $(EMULATE_NATIVE_C)
UNIT_TESTS += emulate_native

$(BUILD)/emulate-native: $(EMULATE_NATIVE_C) $(wildcard emulate/*.h test/unit/emulate_*.h) test/unit/hosted.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g $(WARNINGS) -I. -o $@ $(EMULATE_NATIVE_C) test/unit/hosted.c -lcmocka

.PHONY: emulate-native
emulate-native: $(BUILD)/emulate-native
	EMULATE_CASES=$${EMULATE_CASES:-2000000} $(BUILD)/emulate-native
