# Sweeps, reports, figures: their tests. (What they are made of is in mk/lab.mk and mk/tool.mk.)
UNIT_tool_chart_SRC := test/unit/tool/base/test_chart.c tool/base/chart.c tool/base/chart_lines.c tool/base/output.c
UNIT_tool_chart_LIBS := -lm
UNIT_TESTS += tool_chart

LAB_SWEEP_C := lab/sweep/sweep.c lab/sweep/cellkey.c lab/sweep/results.c lab/sweep/store.c lab/sweep/pool.c \
	lab/sweep/worker.c lab/sweep/eta.c lab/sweep/jobs.c lab/machine/estimate.c lab/show/columns.c lab/show/units.c \
	lab/show/view.c lab/show/table.c lab/show/small.c lab/show/verdict.c lab/show/unpriced.c \
	lab/show/html.c lab/command/command_sweep.c lab/command/sweep_run.c \
	lab/command/command_merge.c lab/command/files.c \
		lab/config/options.c lab/config/config.c lab/config/config_text.c lab/config/presets.c \
		lab/config/values.c lab/error.c lab/wrap.c tool/base/chart.c tool/base/output.c tool/base/util.c \
		tool/base/temporary.c
LAB_SWEEP_TESTS := lab_sweep lab_cells lab_results
$(foreach t,$(LAB_SWEEP_TESTS),$(eval UNIT_$(t)_SRC := $(t:lab_%=test/unit/lab/sweep/test_%.c) \
	test/unit/lab/own_command.c \
	test/unit/lab/fake.c $(LAB_SWEEP_C)) $(eval UNIT_$(t)_LIBS := -lcjson -lm))
UNIT_TESTS += $(LAB_SWEEP_TESTS)

UNIT_lab_estimate_SRC := test/unit/lab/machine/test_estimate.c lab/machine/estimate.c
UNIT_lab_estimate_LIBS := -lm
UNIT_TESTS += lab_estimate

# The engine as it is shipped: figures are long under sanitizers.
UNIT_lab_figure_SRC := test/unit/lab/show/test_figure.c test/unit/lab/own_command.c lab/show/figure.c \
	lab/show/figure_out.c lab/show/figures.c lab/show/figures_rows.c lab/show/figures_switches.c \
	tool/base/chart.c tool/base/output.c tool/base/util.c tool/base/temporary.c lib/fmt.c
UNIT_lab_figure_DEPS := $(BUILD)/lab.a
UNIT_lab_figure_LIBS := $(BUILD)/lab.a -lcjson -lzstd -lm
UNIT_TESTS += lab_figure

# The commands of one run, over the same.
UNIT_lab_command_SRC := test/unit/lab/command/test_command.c test/unit/lab/own_command.c lab/command/run.c \
	lab/command/files.c \
	lab/command/explain.c lab/config/presets.c lab/command/command.c lab/show/view.c lab/show/html.c \
	lab/show/small.c tool/base/chart.c tool/base/output.c tool/base/util.c tool/base/temporary.c lib/fmt.c
UNIT_lab_command_DEPS := $(BUILD)/lab.a
UNIT_lab_command_LIBS := $(BUILD)/lab.a -lcjson -lzstd -lm
UNIT_TESTS += lab_command
