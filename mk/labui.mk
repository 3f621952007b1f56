# Sweeps, reports, figures: their tests. (What they are made of is in mk/lab.mk and mk/tool.mk.)
UNIT_tool_chart_SRC := test/unit/test_tool_chart.c tool/chart.c
UNIT_tool_chart_CFLAGS := -D_GNU_SOURCE
UNIT_tool_chart_LIBS := -lm
UNIT_TESTS += tool_chart

LAB_SWEEP_C := lab/sweep.c lab/cellkey.c lab/results.c lab/store.c lab/pool.c lab/worker.c lab/eta.c lab/jobs.c lab/columns.c lab/view.c \
	lab/html.c lab/command_sweep.c lab/sweep_run.c lab/command_merge.c lab/options.c lab/config.c lab/config_text.c lab/presets.c lab/values.c lab/error.c tool/chart.c
UNIT_lab_sweep_SRC := test/unit/test_lab_sweep.c test/unit/own_command.c test/unit/lab_fake.c $(LAB_SWEEP_C)
UNIT_lab_sweep_CFLAGS := -D_GNU_SOURCE
UNIT_lab_sweep_LIBS := -lcjson -lm
UNIT_TESTS += lab_sweep

# The engine as it is shipped: figures are long under sanitizers.
UNIT_lab_figure_SRC := test/unit/test_lab_figure.c test/unit/own_command.c lab/figure.c lab/figure_out.c lab/figures.c lab/figures_rows.c tool/chart.c lib/fmt.c
UNIT_lab_figure_DEPS := $(BUILD)/lab.a
UNIT_lab_figure_CFLAGS := -D_GNU_SOURCE
UNIT_lab_figure_LIBS := $(BUILD)/lab.a -lcjson -lzstd -lm
UNIT_TESTS += lab_figure

# The commands of one run, over the same.
UNIT_lab_command_SRC := test/unit/test_lab_command.c test/unit/own_command.c lab/run.c lab/explain.c lab/presets.c lab/command.c lab/view.c lab/html.c tool/chart.c tool/util.c lib/fmt.c
UNIT_lab_command_DEPS := $(BUILD)/lab.a
UNIT_lab_command_CFLAGS := -D_GNU_SOURCE
UNIT_lab_command_LIBS := $(BUILD)/lab.a -lcjson -lzstd -lm
UNIT_TESTS += lab_command
