# The rooms: which folders hold the sources of what. docs/architecture.md says what is in them, and who may include
# whom.

MMU_DIRS := mmu mmu/table mmu/ept mmu/npt mmu/shadow mmu/vtlb
DEV_DIRS := dev dev/bus dev/irq dev/time dev/serial dev/input dev/video dev/firmware dev/block dev/ide dev/net \
	dev/virtio \
	dev/test
EMULATE_DIRS := emulate emulate/decode emulate/exec
VM_DIRS := vm vm/exit vm/cpu vm/sched vm/life vm/memory vm/tpr vm/device vm/firmware vm/debug vm/load vm/control \
	vm/snapshot vm/live vm/config vm/native vm/account
HOST_DIRS := host/boot host/cpu host/memory host/trap host/device
LAB_DIRS := lab lab/engine lab/machine lab/os lab/work lab/trace lab/config lab/sweep lab/show lab/command
TOOL_DIRS := tool tool/base tool/options tool/emulator tool/run tool/ctl tool/view tool/gdb tool/compare tool/image

# $(call sources,FOLDER...): the C sources in them; headers likewise.
sources = $(foreach d,$(1),$(wildcard $(d)/*.c))
headers = $(foreach d,$(1),$(wildcard $(d)/*.h))

MMU_C := $(call sources,$(MMU_DIRS))
# What the command has of the hypervisor: the description of virtual machines, and the loaders of guests.
CONFIG_C := $(call sources,vm/config)
LOAD_C := $(call sources,vm/load) lib/fmt.c
