# The boot tests: each is a run of build/vellum. ONLY=REGEX chooses some, MATRIX=all adds the whole matrix of mechanisms, guests and CPU
# models; the counts are left for `make test` in build/boot-test.counts.
BOOT_TEST_COUNTS := $(BUILD)/boot-test.counts

.PHONY: boot-test
boot-test: all guests
	@rm -f $(BOOT_TEST_COUNTS)
	python3 -B test/boot/main.py $(BUILD) --counts $(BOOT_TEST_COUNTS) $(if $(filter all,$(MATRIX)),--all )$(if $(ONLY),--only '$(ONLY)')
