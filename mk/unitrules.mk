# The rules for the tests that mk/unit.mk describes; last, when the lists are complete.
unit_objects = $(call unit_object,$(2),$(or $(UNIT_$(1)_VARIANT),plain),$(sort $(UNIT_$(1)_SRC) test/unit/hosted.c))

# $(call unit_compile,COMPILER,VARIANT,FLAGS)
define unit_compile
$(BUILD)/unit/$(1)/$(2)/%.o: %.c
	@mkdir -p $$(@D)
	@$(1) $(3) $(UNIT_CFLAGS) -MMD -MP -c -o $$@ $$<
endef
$(foreach c,gcc clang,$(eval $(call unit_compile,$(c),plain,-D_GNU_SOURCE)) \
	$(eval $(call unit_compile,$(c),core,-mgeneral-regs-only)) \
	$(eval $(call unit_compile,$(c),vmbench,$(VMBENCH_FLAGS))))

# $(call unit_rule,TEST,COMPILER)
define unit_rule
$(BUILD)/unit/$(2)/$(1): $(call unit_objects,$(1),$(2)) $(filter %.a,$(UNIT_$(1)_DEPS))
	@echo '  $(2)  $(1) (unit test)'
	@$(2) $(UNIT_CFLAGS) -o $$@ $(call unit_objects,$(1),$(2)) $(UNIT_$(1)_LIBS) -lcmocka
endef

# gcc compiles what runs; `make test` has the tests by the other one, `make test-all` by both.
UNIT_COMPILERS := clang $(if $(filter all,$(MATRIX)),gcc)
UNIT_BINARIES := $(foreach t,$(UNIT_TESTS),$(UNIT_COMPILERS:%=$(BUILD)/unit/%/$(t)))
$(foreach t,$(UNIT_TESTS),$(eval $(call unit_rule,$(t),gcc)) $(eval $(call unit_rule,$(t),clang)))
-include $(patsubst %.o,%.d,$(sort $(ORACLE_ASAN_O) \
	$(foreach c,gcc clang,$(foreach t,$(UNIT_TESTS),$(call unit_objects,$(t),$(c))))))

# What each links, for script/rooms.py; anew each time, for new files are found by their names.
.PHONY: $(BUILD)/unit-sources
$(BUILD)/unit-sources:
	@$(shell mkdir -p $(@D)):$(file >$@)$(foreach t,$(UNIT_TESTS),$(file >>$@,$(sort $(UNIT_$(t)_SRC))))

.PHONY: unit
unit: $(UNIT_BINARIES)
	@failed=0; for t in $(UNIT_BINARIES); do echo "== $$t"; $$t || failed=1; done; exit $$failed
