# `make test`: installs what is missing, builds everything, tests everything: side by side, the longest first
# (test/all.py, test/times). ONLY=REGEX chooses some.
.PHONY: test test-all test-programs
test:
	@script/deps.sh i386 qemu $(if $(filter all,$(MATRIX)),image)
	@$(MAKE) --no-print-directory -j2 all guests test-programs
	@python3 -B test/all.py $(if $(filter all,$(MATRIX)),--all )$(if $(ONLY),--only '$(ONLY)') \
		$(BUILD) $(UNIT_BINARIES)

# The same, and the whole matrix of mechanisms, guests and CPU models.
test-all:
	@$(MAKE) --no-print-directory test MATRIX=all

test-programs: $(UNIT_BINARIES) $(BUILD)/unit-sources $(BUILD)/emulate-native $(ORACLE_TESTS) $(BENCHMMU)/figures

# The tree against the tables of docs/architecture.md.
.PHONY: rooms-check adding-check
rooms-check: all $(BUILD)/unit-sources
	script/rooms.py $(BUILD)

# The figures of the documents against the commands that print them: some 50 boots; part of `make test-all`. Goes on
# behind what it has looked at already; DOCS=REGEX chooses some.
.PHONY: docs-check
docs-check: all guests $(ORACLE)/oracle
	script/docs-check.py $(BUILD) --keep $(BUILD)/docs-check $(if $(DOCS),--only '$(DOCS)')

# What docs/architecture.md says of adding a mechanism, a device and the like, done in a copy of the tree.
adding-check: all
	script/adding.sh $(BUILD)
