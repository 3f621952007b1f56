# The boot tests: each is a run of build/vellum. ONLY=REGEX chooses some, MATRIX=all adds the whole matrix of
# mechanisms, guests and CPU models.
.PHONY: boot-test
boot-test: all guests
	python3 -B test/boot/main.py $(BUILD) $(if $(filter all,$(MATRIX)),--all )$(if $(ONLY),--only '$(ONLY)')
