# `make test`: installs what is missing, builds everything, tests everything.
.PHONY: test test-all unit-binaries
test:
	@script/deps.sh i386
	@$(MAKE) --no-print-directory -j2 all guests unit-binaries
	@script/test.sh $(BUILD) $(UNIT_BINARIES)

# The same, and the whole matrix of mechanisms, guests and CPU models.
test-all:
	@$(MAKE) --no-print-directory test MATRIX=all

unit-binaries: $(UNIT_BINARIES)

# The tree against the tables of docs/architecture.md.
.PHONY: rooms-check adding-check
rooms-check: all
	script/rooms.py $(BUILD)

# What docs/architecture.md says of adding a mechanism or a device, done in a copy of the tree.
adding-check: all
	script/adding.sh $(BUILD)
