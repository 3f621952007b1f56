# The machine that Vellum runs on by default. The script is quick when the emulator is in the per-user cache already.

.PHONY: bochs
bochs:
	@script/get-bochs.sh $(BUILD)/bochs
ALL += bochs
