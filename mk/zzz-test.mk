# `make test`: installs what is missing, builds everything, tests everything.
.PHONY: test unit-binaries
test:
	@script/deps.sh i386
	@$(MAKE) --no-print-directory -j2 all guests unit-binaries
	@script/test.sh $(BUILD) $(UNIT_BINARIES)

unit-binaries: $(UNIT_BINARIES)
