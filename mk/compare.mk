# `vellum compare`: its unit test; and the measurement of docs/compare.md.

UNIT_tool_compare_SRC := test/unit/test_tool_compare.c $(filter-out tool/compare.c,$(wildcard tool/compare*.c)) tool/chart.c \
	tool/chart_lines.c tool/report.c tool/result.c tool/protocol.c tool/size.c tool/util.c tool/workload.c tool/bochs.c
UNIT_tool_compare_CFLAGS := -D_GNU_SOURCE
UNIT_tool_compare_LIBS := -lcjson -lm
UNIT_TESTS += tool_compare

# Where vtlb and shadow cross, and what the workloads cost: leaves the page, the table and the charts in $(BUILD)/compare.
.PHONY: bench-compare
bench-compare: all
	@mkdir -p $(BUILD)/compare
	$(BUILD)/vellum compare --preset crossover --html $(BUILD)/compare/crossover.html --json $(BUILD)/compare/crossover.json \
		--csv $(BUILD)/compare/crossover.csv --svg $(BUILD)/compare/crossover
	$(BUILD)/vellum compare --workload fork,mmap,switch,fault,compute,compile,memory --html $(BUILD)/compare/workloads.html \
		--json $(BUILD)/compare/workloads.json --csv $(BUILD)/compare/workloads.csv --svg $(BUILD)/compare/workloads
