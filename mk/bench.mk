# What exits cost, against the limits. BENCH holds more options for `vellum run`.
.PHONY: bench
bench: all
	@bench/exits.sh $(BUILD) $(BENCH)
