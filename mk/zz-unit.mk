# The rules for the tests that mk/unit.mk describes; last, when the lists are complete.
# $(call unit_rule,TEST,COMPILER)
define unit_rule
$(BUILD)/unit/$(2)/$(1): $(UNIT_$(1)_SRC) $(UNIT_$(1)_DEPS) test/unit/hosted.c
	@mkdir -p $$(@D)
	@echo '  $(2)  $(1) (unit test)'
	@$(2) $(UNIT_CFLAGS) $(UNIT_$(1)_CFLAGS) -MMD -MP -MF $$@.d -o $$@ $(UNIT_$(1)_SRC) test/unit/hosted.c $(UNIT_$(1)_LIBS) -lcmocka
-include $(BUILD)/unit/$(2)/$(1).d
endef

UNIT_BINARIES := $(foreach t,$(UNIT_TESTS),$(BUILD)/unit/gcc/$(t) $(BUILD)/unit/clang/$(t))
$(foreach t,$(UNIT_TESTS),$(eval $(call unit_rule,$(t),gcc)) $(eval $(call unit_rule,$(t),clang)))

.PHONY: unit
unit: $(UNIT_BINARIES)
	@failed=0; for t in $(UNIT_BINARIES); do echo "== $$t"; $$t || failed=1; done; exit $$failed
