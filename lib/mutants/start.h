/* lib/mutants/start.h - mutants (lib/mutants/mutate.h) of what is before a guest's first instruction: what the CPU can
 * do, what the guest is offered, descriptions, images. */
#ifndef VELLUM_LIB_MUTANTS_START_H
#define VELLUM_LIB_MUTANTS_START_H

#define VM_MUTANTS_START(M) \
	M(CONFIG_DISKS, "the check of how many disks there are") \
	M(CONFIG_DISK_NAME, "and that one has a name that fits") \
	M(CONFIG_DISK_BOTH, "and is not ro and snapshot") \
	M(CONFIG_NETS, "the check of how many network cards there are") \
	M(CONFIG_NET_NAME, "and that a network's name is one") \
	M(CONFIG_NET_GROUP, "refusing the address of several stations") \
	M(CONFIG_NET_ZERO, "and of none") \
	M(RNG_SOURCE, "refusing random numbers where there is no source") \
	M(VIRTIO_FREED, "giving back the memory of a virtio device") \
	M(NET_PORTS_FREED, "giving back the memory of ports") \
	M(NET_FREED, "and of network cards") \
	M(NET_DETACHED, "taking a port from a virtual machine that ends") \
	M(CONFIG_MODULES, "the check of how many modules there are") \
	M(CONFIG_MODULE_NAME, "and that one has a name that fits") \
	M(CONFIG_MODULE_TEXT, "and a text that fits") \
	M(CONFIG_BIOS_MODULES, "refusing modules for a firmware") \
	M(LOAD_MODULES, "refusing modules for Linux") \
	M(CONFIG_DISK_INTERFACE, "and has an interface that there is") \
	M(CONFIG_BOOT_ORDER, "the check of what is to be booted from") \
	M(CONFIG_BOOT_ALONE, "and that there is a firmware that would look") \
	M(SNAPSHOT_LEAVES, "what snapshots leave of the memory") \
	M(SNAPSHOT_FREED, "giving back what snapshots hold") \
	M(MESSAGE_ADDRESS, "the check that a message is for local APICs") \
	M(MESSAGE_SENT, "sending it") \
	M(DISK_PLACE, "reading which disk one is") \
	M(DISK_THERE, "refusing one that is not there") \
	M(DISK_CANCELLED, "taking back requests of one that ends") \
	M(DISK_FREED, "giving back the memory of disks") \
	M(IDE_CD_PLACE, "the places of CD drives") \
	M(IDE_TAKEN, "that a place is taken") \
	M(IDE_DECODES, "that the controller decodes its channels' ports from the start") \
	M(IDE_FREED, "giving back the controller's memory") \
	M(BOOT_KIND, "the order of kinds of drives") \
	M(DISK_RIVAL, "refusing two that write the same") \
	M(CONTROL_MAY, "taking only controls that the CPU has") \
	M(CONTROL_MUST, "taking those that it wants set") \
	M(EPT_CONTROL, "the check of the control for EPT") \
	M(EPT_WALK, "that EPT needs a walk of 4 levels") \
	M(EPT_INVEPT, "that it needs INVEPT") \
	M(EPT_INVEPT_TYPE, "of one of two types") \
	M(VPID_CONTROL, "the check of the control for VPIDs") \
	M(VPID_INVVPID, "that VPIDs need INVVPID") \
	M(VPID_INVVPID_TYPE, "of one of two types") \
	M(UNRESTRICTED_EPT, "that \"unrestricted guest\" needs EPT") \
	M(ALARM_TIMER, "that an alarm by the CPU needs its timer") \
	M(ALARM_SAVED, "and that exits save it") \
	M(TPR_SHADOW_CONTROL, "the check of the control for the TPR shadow") \
	M(APIC_ACCESS_CONTROL, "and of that for accesses to the local APIC") \
	M(X2APIC_CONTROL, "and of that for x2APIC mode") \
	M(REGISTERS_CONTROL, "and of that for the local APIC's other registers") \
	M(DELIVERY_CONTROL, "and of that for virtual interrupts") \
	M(FLEX_SHADOW, "that flexpriority needs the first") \
	M(FLEX_ACCESS, "and the second") \
	M(APICV_REGISTERS, "that apicv needs the registers") \
	M(APICV_DELIVERY, "and virtual interrupts") \
	M(WANTS_FLEX, "refusing it where it was asked for") \
	M(LACKS_PIN, "refusing a CPU without the pin-based controls") \
	M(LACKS_NMI_WINDOW, "or without NMI windows") \
	M(LACKS_PROC, "or without the processor-based controls") \
	M(LACKS_EXIT, "or without the controls for exits") \
	M(LACKS_ENTRY, "or without 64-bit guests") \
	M(LACKS_VMX, "or without VT-x") \
	M(LACKS_UNLOCKED, "or whose firmware has locked VT-x away") \
	M(LACKS_CACHE, "or that wants its VMCS uncached") \
	M(SWITCHES_ALL_EXIT, "asking for no control for exits that switches an MSR where one is missing") \
	M(SWITCHES_ALL_ENTRY, "nor for one for entries") \
	M(SWITCHES_EXIT, "MSR areas where a control for exits is missing") \
	M(SWITCHES_ENTRY, "MSR areas where a control for entries is missing") \
	M(TRUE_CONTROLS, "reading the true controls only where they are") \
	M(SECONDARY, "reading secondary controls only where they are") \
	M(RDTSCP_CONTROL, "the check of the control for RDTSCP") \
	M(RDTSCP_CPUID, "the check of CPUID for it") \
	M(CAPS_LEAF7, "reading CPUID's leaf 7 only where it is") \
	M(CAPS_WIDTH, "reading the width of addresses only where it is told") \
	M(BITMAP_IO, "exits of all ports") \
	M(BITMAP_MSR, "exits of all MSRs but those of the guest's own") \
	M(BITMAP_AUX, "exits of IA32_TSC_AUX where RDTSCP is not offered") \
	M(BITMAP_ALL, "a bitmap of its own where the CPU serves more than the TPR in x2APIC mode") \
	M(BITMAP_HIGH, "the two halves of MSR numbers") \
	M(AREAS_FREED, "giving back the MSR areas") \
	M(AREAS_COUNT, "loading the MSRs of the areas") \
	M(AREAS_HOST_EFER, "the host's EFER after an exit, by the areas") \
	M(AREAS_HOST_PAT, "the host's PAT after an exit, by the areas") \
	M(AREAS_STORE, "storing no MSR at an exit") \
	M(HOST_EFER, "the host's EFER after an exit") \
	M(HOST_PAT, "the host's PAT after an exit") \
	M(WANTS_VPID, "refusing VPIDs that the CPU has not") \
	M(WANTS_UNRESTRICTED, "refusing \"unrestricted guest\" where the CPU has it not") \
	M(WANTS_LEVELS, "refusing EPT tables of 5 levels") \
	M(WANTS_LOG, "refusing ways of logging that the CPU has not") \
	M(PML_CONTROL, "the check of the control for page-modification logging") \
	M(PML_FLAGS, "the check that EPT has dirty flags for it") \
	M(WANTS_1G, "refusing pages of 1 GByte") \
	M(WANTS_2M, "refusing pages of 2 MBytes") \
	M(REAL_EPT, "that real mode needs the mechanism ept") \
	M(REAL_UNRESTRICTED, "that it needs \"unrestricted guest\"") \
	M(WANTS_MMU, "refusing a mechanism that the CPU cannot run") \
	M(BEST_LACKS, "passing over such a mechanism where none was asked for") \
	M(CPUID_PASS_1C, "offering known features only: leaf 1, ECX") \
	M(CPUID_PASS_1D, "leaf 1, EDX") \
	M(CPUID_PASS_7B, "leaf 7, EBX") \
	M(CPUID_PASS_7C, "leaf 7, ECX") \
	M(CPUID_PASS_81C, "leaf 0x80000001, ECX") \
	M(CPUID_PASS_81D, "leaf 0x80000001, EDX") \
	M(CPUID_RDRAND, "hiding RDRAND where it is asked for") \
	M(CPUID_RDSEED, "hiding RDSEED where it is asked for") \
	M(CPUID_PCID, "PCIDs only where the mechanism has them") \
	M(CPUID_INVPCID, "INVPCID only there") \
	M(CPUID_INVPCID_CONTROL, "INVPCID only where its control is") \
	M(CPUID_PKU, "protection keys only where the mechanism has them") \
	M(CPUID_AVX512, "AVX-512 only with its state") \
	M(XCR0_PKU, "the state of protection keys only with them") \
	M(XCR0_KNOWN, "known states only") \
	M(XCR0_ALL_512, "all of AVX-512's state or none") \
	M(XSAVE_XSAVES, "hiding XSAVES") \
	M(XSAVE_OFFERED, "the sizes of states that are offered only") \
	M(XSAVE_ENABLED, "the size of the states that are enabled only") \
	M(CPUID_CORES, "that its cores and caches are not the host's") \
	M(CPUID_SHARED, "how many share its caches, and how many cores it has") \
	M(CPUID_HTT, "that the number of its logical CPUs counts") \
	M(CPUID_TOPOLOGY, "the bits of an APIC ID that tell its cores apart") \
	M(CPUID_RDTSCP, "RDTSCP only where its control is") \
	M(EFER_NX, "EFER.NXE only where CPUID has it") \
	M(CR4_POSSIBLE, "bits of CR4 that the CPU can set only") \
	M(CR4_OFFERED_PCID, "CR4.PCIDE only with its feature") \
	M(CR4_OFFERED_SMEP, "CR4.SMEP only with its feature") \
	M(CR4_OFFERED_SMAP, "CR4.SMAP only with its feature") \
	M(CR4_OFFERED_PKE, "CR4.PKE only with its feature") \
	M(CPUID_OSXSAVE, "the mirror of CR4.OSXSAVE") \
	M(CPUID_OSPKE, "the mirror of CR4.PKE") \
	M(CPUID_APIC, "the mirror of IA32_APIC_BASE's enable bit") \
	M(CPUID_HIGHEST, "the answer of the highest leaf for those above") \
	M(CPUID_XSAVE_END, "the end of leaf 0xd's subleaves") \
	M(CPUID_CACHE_END, "the end of leaf 4's subleaves") \
	M(CPUID_SUBLEAF, "that leaf 7 has one subleaf") \
	M(CPUID_HAS_D, "asking the CPU for leaf 0xd only where it is") \
	M(CPUID_HAS_7, "asking it for leaf 7 only where it is") \
	M(LOAD_FILE, "not reading beyond the end of an image") \
	M(LOAD_CLAIMS, "the bound of an image's segments") \
	M(LOAD_WRAP, "refusing a segment that goes round the address space") \
	M(LOAD_RAM, "refusing a segment that ends beyond RAM") \
	M(LOAD_HOLE, "refusing one in the hole below 1 MByte") \
	M(LOAD_OVERLAP, "refusing one where another is") \
	M(LOAD_EMPTY, "refusing an empty image") \
	M(LOAD_LOW, "refusing what RAM below 4 GBytes cannot be") \
	M(ELF_KIND, "refusing ELF files that are no executables for x86") \
	M(ELF_HEADERS, "refusing program headers of another size, or none") \
	M(ELF_SIZES, "refusing a segment that is larger in the file than in memory") \
	M(ELF_NOTHING, "refusing an image with nothing to load") \
	M(ELF_ENTRY, "refusing an entry in no segment") \
	M(ELF_LOAD, "loading PT_LOAD segments only") \
	M(MB_CHECKSUM, "the checksum of a Multiboot header") \
	M(MB_BEGIN, "refusing a header that lies before its file") \
	M(MB_ADDRESSES, "refusing addresses that contradict each other") \
	M(MB_UNKNOWN, "refusing what the header demands and nobody knows") \
	M(MB_VIDEO, "refusing a video mode") \
	M(MB_CMDLINE, "the length of the command line") \
	M(MB_NAME, "the length of a name") \
	M(MB_CLASS, "refusing a kernel that says nowhere where it goes") \
	M(LINUX_CMDLINE, "the length of the command line that a kernel takes") \
	M(LINUX_OLD, "refusing a boot protocol that is too old") \
	M(LINUX_OLD_TABLES, "that nothing else lies where an old kernel's zero page does") \
	M(LINUX_SIZE, "refusing a kernel without code") \
	M(LINUX_CODE, "that all of its code is in the file") \
	M(LINUX_PLACE, "refusing a place below 1 MByte or between pages") \
	M(LINUX_ADDRESSES, "refusing a program that is no kernel") \
	M(LINUX_MAGIC, "the magic of a bzImage") \
	M(CONFIG_LONG, "the length of a text") \
	M(CONFIG_NO_FILE, "refusing a file without a name") \
	M(CONFIG_NUMBER, "numbers of 64 bits only") \
	M(CONFIG_MEM_UNIT, "a size's unit, with nothing behind it") \
	M(CONFIG_MEM_MOST, "the most RAM") \
	M(CONFIG_MEM_LEAST, "the least RAM") \
	M(CONFIG_MEM_PAGES, "RAM of whole pages") \
	M(CONFIG_VCPUS_RANGE, "how many virtual CPUs there may be") \
	M(CONFIG_CLOCK_OF_ONE, "that only a machine with one virtual CPU has a clock that stands still") \
	M(CONFIG_CONTROL, "no control characters in values") \
	M(CONFIG_CONTROL_KEY, "nor in keys") \
	M(CONFIG_NAME_CHARS, "the characters of a machine's name") \
	M(CONFIG_NAME_LENGTH, "the length of a machine's name") \
	M(CONFIG_TWICE, "refusing a key that is given twice") \
	M(CONFIG_NO_KERNEL, "refusing a machine without a kernel") \
	M(FIRMWARE_SIZE, "that a firmware's ROM has the size of one") \
	M(FIRMWARE_KERNEL, "that a firmware loads a bzImage") \
	M(FIRMWARE_OLD, "refusing one that is too old for that") \
	M(FIRMWARE_SETUP, "that its setup code fits") \
	M(FIRMWARE_CMDLINE, "its limit of the command line") \
	M(FIRMWARE_ROOM, "that kernel, initrd and firmware have room") \
	M(FIRMWARE_LINE, "that a line of the firmware's log ends") \
	M(AREA_READ, "that an area is RAM only as its register says") \
	M(AREA_WRITE, "and read-only") \
	M(AREA_SET, "that an area becomes what its register says") \
	M(AREA_REQUEST, "asking for that when the register is written") \
	M(AREA_BEHIND, "that writes go to the RAM behind ROM only as the register says") \
	M(CONFIG_ROM_ALONE, "refusing an option ROM without a firmware") \
	M(CONFIG_KERNEL_LESS, "refusing what belongs to a kernel, without one") \
	M(CONFIG_BIOS_MEM, "refusing a firmware with too little RAM") \
	M(CONFIG_BIOS_PATCH, "refusing one with the TPR by patching") \
	M(CONFIG_SWITCH_OFF, "refusing switch-every with switch off") \
	M(CONFIG_AMONG_ALONE, "refusing switch-among without switch-every") \
	M(CONFIG_SAME_NAME, "refusing two machines of one name") \
	M(CONFIG_CONSOLES, "refusing two machines with the one console") \
	M(CONFIG_COMPLETE, "that each machine is complete") \
	M(CONFIG_MOST, "as many machines as there is room for") \
	M(CONFIG_COUNTED, "counting them") \
	M(CONFIG_BEFORE, "refusing a key before the first machine") \
	M(CONFIG_NONE, "refusing a description of nothing") \
	M(CONFIG_PERIOD, "the least and most of a period") \
	M(CONFIG_EXITS_LEAST, "the least number of exits between two changes") \
	M(CONFIG_EXITS_MOST, "the most") \
	M(CONFIG_UNIT, "the unit of a period") \
	M(CONFIG_AMONG_KNOWN, "refusing mechanisms in a list that there are not") \
	M(CONFIG_AMONG_LONG, "the length of a list") \
	M(CONFIG_AMONG_NAME, "the length of a name in it") \
	M(CONFIG_MEASURE, "refusing measures that there are not") \
	M(REQUEST_LONG, "the length of a request") \
	M(REQUEST_GARBAGE, "refusing bytes that are no text") \
	M(REQUEST_NAME, "the characters of a name") \
	M(REQUEST_NAME_LENGTH, "the length of a name") \
	M(REQUEST_NUMBER, "numbers of 64 bits only") \
	M(REQUEST_COUNT, "how many words a command takes") \
	M(REQUEST_BALLOON, "that no guest is left without RAM") \
	M(REQUEST_SECONDS, "the length of a measurement") \
	M(REQUEST_LENGTH, "the length of a dump") \
	M(REQUEST_TAG, "that a tag shown back is one") \
	M(REQUEST_VM, "the name of a machine") \
	M(REQUEST_WORD, "the name of a mechanism") \
	M(JSON_FULL, "the end of the answer's buffer") \
	M(JSON_COMMA, "commas") \
	M(JSON_PRINTABLE, "that an answer is printable") \
	M(JSON_ESCAPE, "escaping quotes and backslashes") \
	M(RAM_CLEAR, "RAM that is clear at the start") \
	M(LOAD_INITRD, "the initrd that is named") \
	M(TSC_ZERO, "a TSC that starts at 0") \
	M(CR4_RESERVED, "bits of CR4 that are not offered being reserved") \
	M(EFER_STOP, "ending a guest that the mechanism cannot run after a write to EFER") \
	M(EFER_RESERVED, "bits of EFER that are not offered being reserved")

#endif
