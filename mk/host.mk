# What of host/ can be tested in a process.
UNIT_host_mca_SRC := test/unit/test_host_mca.c host/mca_judge.c
UNIT_TESTS += host_mca
