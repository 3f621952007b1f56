# The unit test of the control channel.
UNIT_control_SRC := test/unit/test_control.c vm/control_request.c vm/json.c lib/fmt.c
UNIT_TESTS += control
