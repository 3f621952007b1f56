# The model of the CPU's memory side, as far as tests link it.

MODEL_C := $(wildcard model/*.c)
