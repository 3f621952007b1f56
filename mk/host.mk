# What of host/ and vmx/ can be tested in a process.
UNIT_host_mca_SRC := test/unit/host/test_mca.c host/mca_judge.c
UNIT_TESTS += host_mca
UNIT_vmx_speculation_SRC := test/unit/vmx/test_speculation.c vmx/speculation.c
UNIT_TESTS += vmx_speculation
