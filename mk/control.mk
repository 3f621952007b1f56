# The unit test of the control channel.
UNIT_control_request_SRC := test/unit/vm/control/test_request.c vm/control/request.c vm/control/json.c lib/fmt.c
UNIT_lz4_SRC := test/unit/vm/control/test_lz4.c vm/control/lz4.c
UNIT_lz4_LIBS := -llz4
UNIT_TESTS += control_request lz4
