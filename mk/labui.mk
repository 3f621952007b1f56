# Sweeps, reports, figures: their tests. (What they are made of is in mk/lab.mk and mk/tool.mk.)
UNIT_tool_chart_SRC := test/unit/test_tool_chart.c tool/chart.c
UNIT_tool_chart_CFLAGS := -D_GNU_SOURCE
UNIT_tool_chart_LIBS := -lm
UNIT_TESTS += tool_chart
