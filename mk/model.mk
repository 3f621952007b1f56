# The model of the CPU's memory side: its sources, for those that link it, and its own tests.

MODEL_C := $(wildcard model/*.c)

UNIT_model_walk_SRC := test/unit/model/test_walk.c $(MODEL_C)
UNIT_model_ept_SRC := test/unit/model/test_ept.c $(MODEL_C)
UNIT_model_tlb_SRC := test/unit/model/test_tlb.c $(MODEL_C)
UNIT_model_tags_SRC := test/unit/model/test_tags.c $(MODEL_C)
UNIT_model_vmentry_SRC := test/unit/model/test_vmentry.c $(filter model/vmentry%,$(MODEL_C))
UNIT_TESTS += model_walk model_ept model_tlb model_tags model_vmentry
