# The unit test of the control channel.
UNIT_control_request_SRC := test/unit/vm/control/test_request.c vm/control/request.c vm/control/json.c lib/fmt.c
UNIT_TESTS += control_request
