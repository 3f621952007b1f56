# `vellum compare`: its unit test; and the measurement of docs/compare.md.

UNIT_tool_compare_SRC := test/unit/tool/compare/test_compare.c $(filter-out tool/compare/compare.c,$(call \
	sources,tool/compare)) \
	tool/base/chart.c tool/base/chart_lines.c tool/options/workload.c tool/run/report.c tool/base/result.c \
	tool/run/report_detail.c \
		tool/base/protocol.c tool/base/size.c tool/base/number.c tool/options/value.c tool/base/json_text.c \
		tool/base/util.c \
		tool/base/temporary.c tool/base/output.c tool/emulator/bochs.c \
	tool/emulator/bochs_cpus.c $(CONFIG_C) lib/fmt.c
UNIT_tool_compare_LIBS := -lcjson -lm
UNIT_tool_compare_boot_SRC := test/unit/tool/compare/test_compare_boot.c $(wordlist 2,99,$(UNIT_tool_compare_SRC))
UNIT_tool_compare_boot_LIBS := $(UNIT_tool_compare_LIBS)
UNIT_TESTS += tool_compare tool_compare_boot

# Where vtlb and shadow cross, and what the workloads cost: leaves the page, the table and the charts in
# $(BUILD)/compare.
.PHONY: bench-compare
bench-compare: all
	@mkdir -p $(BUILD)/compare
	$(BUILD)/vellum compare --boots --preset crossover --html $(BUILD)/compare/crossover.html --json \
		$(BUILD)/compare/crossover.json \
		--csv $(BUILD)/compare/crossover.csv --svg $(BUILD)/compare/crossover
	$(BUILD)/vellum compare --boots --workload fork,mmap,switch,fault,compute,compile,memory --html \
		$(BUILD)/compare/workloads.html \
		--json $(BUILD)/compare/workloads.json --csv $(BUILD)/compare/workloads.csv --svg \
		$(BUILD)/compare/workloads
