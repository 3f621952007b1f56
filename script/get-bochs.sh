#!/bin/bash
# Gets the emulator that Vellum runs on by default: Bochs 3.0, optimised, built once from Debian's source package.
#
#   get-bochs.sh LINK          makes LINK a symbolic link to the emulator, building it if it has to
#   get-bochs.sh --where       prints where it is or would be, builds nothing
#
# Why not Debian's binary package: it is version 2.7 built with the debugger, which is a third as fast, and it lacks
# several fixes to VMX. Where the source cannot be had, that package is what LINK points to, after a loud line.
#
# Only the .orig tarball is used (no packaging). Its SHA256 comes from the archive's signed index. Faults are mended
# (repair), and more CPUs let in (widen).
set -euo pipefail
VELLUM_SAY=get-bochs
. "$(dirname "$0")/cache.sh"

version=3.0
suite=trixie
flags=(--with-nogui --enable-smp --enable-cpu-level=6 --enable-x86-64 --enable-vmx=2 --enable-svm --enable-avx
       --enable-evex --enable-memtype --enable-protection-keys --enable-pci --enable-all-optimizations
       --enable-repeat-speedups --enable-fpu --enable-cdrom --enable-e1000
       # Without this Bochs' once-a-second SIGALRM handler logs, and deadlocks on the log's mutex about one run in six.
       --enable-show-ips=no
       --disable-docbook)
cflags=-O2

# Faults are mended (docs/bochs.md), and up to 256 CPUs let in: it has timers for 15.
#
# With several CPUs, Bochs 3.0 does not commit RIP and RSP after it has delivered an exception: a VM exit, or a second
# fault, at the first instruction of the guest's handler then saves the registers of before. With one CPU its loop
# commits them; so it must here.
commit='BX_CPU(processor)->prev_rip = BX_CPU(processor)->gen_reg[BX_64BIT_REG_RIP].rrx;'
commit+=' BX_CPU(processor)->speculative_rsp = false;'
# Which CPU that is stands in a variable that longjmp() would leave undefined: compilers take it for the first.
kept='volatile Bit32u processor = 0; Bit32u executed = 0;'
# VM entry loads RFLAGS before the CPU counts as being in the guest. With IF = 0 there, external interrupts are then
# masked as they are outside, though they must exit, until the guest next changes IF.
unmask='handleInterruptMaskChange();'
# A physical interrupt that arrives while a virtual one waits makes Bochs deliver the virtual one, though the guest has
# IF = 0.
masked='if (is_pending(BX_EVENT_PENDING_VMX_VIRTUAL_INTR))'
open='if (is_unmasked_event_pending(BX_EVENT_PENDING_VMX_VIRTUAL_INTR))'
# An exit while a virtual interrupt is being delivered tells of the event before it.
told='vm->idt_vector_info = vector + (BX_EXTERNAL_INTERRUPT << 8); vm->idt_vector_error_code = 0;'
# SYSRET leaves base, limit and size of SS as they were, which AMD's CPUs do; Intel's make it flat and of 32 bits.
flat=
for set in 'base = 0' 'limit_scaled = 0xFFFFFFFF' 'g = 1' 'd_b = 1'; do \
	flat+="BX_CPU_THIS_PTR sregs[BX_SEG_REG_SS].cache.u.segment.$set; "; done
# In IA-32e mode RET and IRET may load a null SS for levels 0 to 2, but of no other RPL than that of the new CS.
level='if (raw_ss_selector < 4) if (raw_ss_selector != cs_selector.rpl) exception(BX_GP_EXCEPTION, 0);'
# The DPL of SS is the CPL, also while SS is null: a VM exit saves it, and the next VM entry takes the CPL from it.
dpl='if (seg - BX_CPU_THIS_PTR sregs == BX_SEG_REG_SS) seg->cache.dpl = seg->selector.rpl;'
# Without accessed and dirty flags for EPT, the page walker sets those of the guest's entries whatever EPT says of the
# page that they are in. It must be writable: the entry's address is translated once more, for a write, before any flag
# is set. Walks are not nested, so that what is remembered of one can be in one place.
walked='static bx_phy_address walked[5]; static bx_address walked_for;'
step='translate_guest_physical(walked[leaf] = entry_addr[leaf], walked_for = laddr, true'
may='if (BX_CPU_THIS_PTR in_vmx_guest) if (BX_CPU_THIS_PTR vmcs.vmexec_ctrls2.EPT_ENABLE())'
may+=' if (! (BX_CPU_THIS_PTR vmcs.eptptr \& 0x40)) for (int n = TOP; n >= (int) leaf; n--)'
may+=' if (~entry[n] \& (0x20 \| (n == (int) leaf) * (write ? 0x40 : 0)))'
may+=' translate_guest_physical(walked[n], walked_for, true, true, false, false, false, BX_WRITE);'

# Three timers for each of 256 CPUs, and those of the devices. With 256, 255 is one's APIC ID: it names all only where
# there are fewer.
timers='#define BX_MAX_TIMERS 2048'
logs='#define MAX_LOGFNS 2048'
one='(dest \& apic_id_mask) == apic_id_mask \&\& (dest != 255 || BX_SMP_PROCESSORS <= 255)'
all='apic_bus_broadcast_interrupt(vector, delivery_mode, trig_mode, -1)'
count='Bit16u bx_cpu_count;'
most='unsigned max_smp_threads = apic_id_mask + 1;'
processors='#define BX_CPU_PROCESSORS_LIMIT 256'
# The BIOS has 11 KB for its tables; those of the SMBIOS take most of them, and nobody needs them.
told_of='cpu_num <= smp_cpus \&\& cpu_num <= 64; cpu_num++'

# AMD's SVM. VMRUN does not load CR2.
cr2='BX_CPU_THIS_PTR cr2 = guest.cr2;'
# As with VMX, VMRUN looks at what is masked before the CPU counts as being in the guest; and where the host's IF is to
# count in place of the guest's, interrupts are masked with it but never unmasked.
hif='else { unmask_event(BX_EVENT_PENDING_INTR); unmask_event(BX_EVENT_PENDING_LAPIC_INTR); }'
# What was being delivered is noted of exceptions only, so that an exit during another delivery tells of an older event.
noted='if (BX_CPU_THIS_PTR in_svm_guest) { BX_CPU_THIS_PTR vmcb->ctrls.exitintinfo_error_code = error_code; '
noted+='BX_CPU_THIS_PTR vmcb->ctrls.exitintinfo = vector + (push_error ? 0x800 : 0) + '
noted+='((type == BX_SOFTWARE_EXCEPTION ? '
noted+='BX_HARDWARE_EXCEPTION : type == BX_PRIVILEGED_SOFTWARE_INTERRUPT ? BX_HARDWARE_EXCEPTION : type) << 8); }'

# An intercepted #DB has updated DR6 before it exits.
causes='if (vector == BX_DB_EXCEPTION) BX_CPU_THIS_PTR dr6.val32 = (BX_CPU_THIS_PTR dr6.val32 & 0xffff6ff0) | '
causes+='(BX_CPU_THIS_PTR debug_trap & 0xe00f);'
# The trap of a guest that single-steps survives an exit, and comes in the host before it has its GS back.
forgot='BX_CPU_THIS_PTR debug_trap = 0;'

# APIC virtualization. A fetch from the APIC-access page exits (access type 2); Bochs stopped there.
fetched='if (! BX_CPU_THIS_PTR eipFetchPtr) if (is_virtual_apic_page(BX_CPU_THIS_PTR pAddrFetchPage))'
fetched+=' VMexit(VMX_VMEXIT_APIC_ACCESS, pageOffset | VMX_APIC_INSTRUCTION_FETCH);'
# With EPT an access to the guest's paging structures is a guest-physical one, which exits as such (type 15, or 10 while
# an event is delivered), and is never made to the virtual-APIC page.
tables='if ((reason >= BX_PDPTR0_ACCESS \&\& reason <= BX_PDPTR3_ACCESS) \|\|'
tables+=' (reason >= BX_PTE_ACCESS \&\& reason <= BX_PML5E_ACCESS)) if (is_virtual_apic_page(paddr))'
tables+=' if (BX_CPU_THIS_PTR vmcs.vmexec_ctrls2.EPT_ENABLE())'
tables+=' VMexit(VMX_VMEXIT_APIC_ACCESS, BX_CPU_THIS_PTR in_event ? 0xa000 : 0xf000);'
# A virtual interrupt ends HLT as any other does.
sleeping='            BX_EVENT_VMX_VTPR_UPDATE |'
woken='            BX_EVENT_PENDING_VMX_VIRTUAL_INTR | BX_EVENT_VMX_VTPR_UPDATE |'
# A trap-like exit comes behind an instruction, and with that the blocking by the STI or load of SS before it is over.
behind='if (IS_TRAP_LIKE_VMEXIT(reason)) BX_CPU_THIS_PTR inhibit_mask = 0;'
# A local APIC that is disabled by its MSR may be enabled again, but into x2APIC mode by way of xAPIC mode only.
relocate='  if (apic_global_enable_on()) {'
always='  if (true) {'
way='apic_state == BX_APIC_X2APIC_MODE \&\& new_state != BX_APIC_GLOBALLY_DISABLED'
ways="($way) || (apic_state == BX_APIC_GLOBALLY_DISABLED \\&\\& new_state == BX_APIC_X2APIC_MODE)"
# By its version it has six local vectors: x2APIC mode has no register for CMCI.
cmci='/^bool bx_local_apic_c::\(read\|write\)_x2apic(/,/^}/{/^  case BX_LAPIC_LVT_CMCI:$/d}'

# A terminal's characters are taken off it also where the receive FIFO is full, and are lost: who typed at a machine
# whose interrupts were off for some milliseconds, as while pages are copied, was not heard.
taken='(BX_SER_THIS s\[port\].fifo_cntl.enable)) {'
left='(BX_SER_THIS s[port].fifo_cntl.enable \&\& BX_SER_THIS s[port].rx_fifo_end < 16)) {'
# QEMU's device for debug exits, as Vellum's virtual machines have it (dev/bus/ports.c): for guests on the machine
# itself.
ended='break; case 0xf4: bx_user_quit = 1; BX_FATAL(("Exit port: %u", value));'

# mend FILE PATTERN LINE: adds LINE below the only line of FILE that has PATTERN.
mend() {
	[ "$(grep -c -- "$2" "$1")" = 1 ] || { say "$1 is not the one that the repair is for"; return 1; }
	local line=${3//&/\\&}
	sed -i "s|^\( *\).*$2.*|&\n\1${line//|/\\|}|" "$1"
	[ "$(grep -cF -- "$3" "$1")" -ge 1 ]
}
repair_svm() {
	mend cpu/svm.cc 'BX_CPU_THIS_PTR cr3 = guest.cr3;' "$cr2" &&
		mend cpu/svm.cc 'BX_CPU_THIS_PTR in_svm_guest = true;' "$unmask" && mend cpu/flag_ctrl_pro.cc \
		'mask_event(BX_EVENT_PENDING_INTR .* BX_EVENT_PENDING_UINTR);' "$hif" &&
		mend cpu/exception.cc 'BX_CPU_THIS_PTR in_event = true;' "$noted" &&
		mend cpu/svm.cc 'clear in_event indication on #DF' "$causes" &&
		mend cpu/svm.cc 'mask_event(BX_EVENT_SVM_VIRQ_PENDING);' "$forgot"
}
repair_apic() {
	mend cpu/cpu.cc '// Sanity checks' "$fetched" && sed -i \
		"/^[^ ]* BX_CPU_C::\(read\|write\)_physical_[dq]word(/,/^{/s|^{|&\n  $tables|" cpu/paging.cc &&
		[ "$(grep -c '0xa000 : 0xf000' cpu/paging.cc)" = 4 ] && replace cpu/event.cc 1 "$sleeping" "$woken" &&
		mend cpu/vmx.cc 'BX_CPU_THIS_PTR nmi_unblocking_iret = false;' "$behind" &&
		replace cpu/msr.cc 1 "$relocate" "$always" &&
		replace cpu/msr.cc 1 "${way//\\/}" "$ways" && sed -i "$cmci" cpu/apic.cc &&
		[ "$(grep -c 'case BX_LAPIC_LVT_CMCI:' cpu/apic.cc)" = 2 ]
}
# replace FILE TIMES PATTERN WITH: no fewer and no more.
replace() {
	[ "$(grep -c -- "$3" "$1")" = "$2" ] || { say "$1 is not the one that the change is for"; return 1; }
	sed -i "s/$3/${4//\//\\/}/" "$1"
}
repair_devices() {
	replace iodev/serial.cc 1 "$taken" "$left" && mend iodev/unmapped.cc 'Dummy port used as I/O delay' "$ended"
}
widen() {
	replace pc_system.h 1 '#define BX_MAX_TIMERS 64' "$timers" &&
		replace logio.h 1 '#define MAX_LOGFNS 512' "$logs" &&
		replace config.cc 1 '#define BX_CPU_PROCESSORS_LIMIT 255' "$processors" &&
		replace bochs.h 1 'Bit8u bx_cpu_count;' "$count" && replace main.cc 1 'Bit8u bx_cpu_count;' "$count" &&
		replace main.cc 1 'unsigned max_smp_threads = apic_id_mask - 1;' "$most" &&
		replace cpu/apic.cc 1 '(dest & apic_id_mask) == apic_id_mask' "$one" && replace cpu/apic.cc 2 \
		'apic_bus_broadcast_interrupt(vector, delivery_mode, trig_mode, apic_id_mask)' "$all" &&
		replace bios/rombios32.c 1 'cpu_num <= smp_cpus; cpu_num++' "$told_of"
}
repair() {
	sed -i "s|Bit32u executed = 0, processor = 0;|$kept|" main.cc && grep -qF "$kept" main.cc &&
		mend main.cc 'BX_CPU(processor)->icount++;' "$commit" && mend cpu/vmx.cc \
		'BX_CPU_THIS_PTR in_vmx_guest = true;' "$unmask" &&
		sed -i "s/$masked/$open/" cpu/event.cc && [ "$(grep -cF "$open" cpu/event.cc)" = 1 ] &&
		mend cpu/vapic.cc 'vm->svi = vector;' "$told" &&
		mend cpu/proc_ctrl.cc 'writeEFlags((Bit32u) R11, EFlagsValidMask);' "$flat" &&
		mend cpu/ret_far.cc 'parse_selector(raw_ss_selector, &ss_selector);' "$level" &&
		mend cpu/iret.cc 'Bit8u prev_cpl = CPL;' "$level" && mend cpu/segment_ctrl_pro.cc \
		'seg->cache.dpl      = 0;' "$dpl" && repair_walk && repair_apic && repair_svm && repair_devices && widen
}
repair_walk() {
	mend cpu/paging.cc 'static const char \*bx_paging_level' "$walked" && sed -i \
		"s|translate_guest_physical(entry_addr\[leaf\], laddr, true|$step|
		/^void BX_CPU_C::update_access_dirty_PAE(/,/^{/s|^{|&\n  ${may/TOP/(int) max_level}|
		/^void BX_CPU_C::update_access_dirty(/,/^{/s|^{|&\n  ${may/TOP/BX_LEVEL_PDE}|" cpu/paging.cc &&
		[ "$(grep -cF "$step" cpu/paging.cc)" = 3 ] && [ "$(grep -cF 'walked[n]' cpu/paging.cc)" = 2 ]
}

# bios: leaves the BIOS, of the source in the current folder, as ./bios.bin. Debian's has no room for tables of more
# than 180 CPUs. As bios/Makefile does it, with the same tools.
bios() {
	local gcc="gcc -m32 -march=i386 -fno-stack-protector -fcf-protection=none -fno-pic -fno-pie"
	cd bios && g++ -w -o biossums biossums.c &&
		$gcc '-DBIOS_BUILD_DATE="01/01/25"' -E -P rombios.c >latest.c &&
		bcc -o latest.s -C-c -D__i86__ -0 -S latest.c && sed -i 's/^\.text//; s/^\.data//' latest.s &&
		as86 latest.s -b rombios16.bin -u- -w- -g -0 -j -O && ./biossums rombios16.bin &&
		cpp -P acpi-dsdt.dsl dsdt.i && iasl -tc -p acpi-dsdt.hex dsdt.i && sed -i 's/^unsigned/const unsigned/
		s/ACPI-DSDT_HEX/ACPI_DSDT_HEX/g; s/acpi-dsdt_aml_code/AmlCode/g' acpi-dsdt.hex &&
		$gcc -O2 -w -c rombios32.c && $gcc -c rombios32start.S &&
		ld -m elf_i386 --no-warn-execstack -T rombios32.ld -o rombios32.out rombios32start.o rombios32.o &&
		objcopy -O binary rombios32.out rombios32.bin && ./biossums -pad rombios32.bin &&
		cat rombios32.bin rombios16.bin >../bios.bin
}

recipe=$(printf '%s\n' "$version" "$suite" "${flags[@]}" "$cflags" "$commit" "$kept" "$unmask" "$open" "$told" \
	"$flat" "$level" "$dpl" "$walked" "$step" "$may" "$fetched" "$tables" "$woken" "$behind" \
	"$ways" "$cmci" "$left" "$ended" "$cr2" "$hif" "$noted" "$causes" \
	"$forgot" "$timers" "$one" "$all" "$count" "$most" "$processors" \
	"$logs" "$told_of" "$(declare -f bios)" | sha256sum | cut -c1-12)
home=$vellum_cache/bochs-$version-$recipe
binary=$home/bochs

case ${1:-} in
--where) echo "$binary"; exit 0 ;;
''|-*) die "usage: get-bochs.sh LINK | --where" ;;
esac
link=$1

# The mirror and the keyring are the machine's own, whatever they are.
mirror() {
	apt-get indextargets 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' --format '$(REPO_URI)' | head -n 1
}
keyring() {
	local k
	for k in /usr/share/keyrings/debian-archive-keyring.gpg /usr/share/keyrings/debian-archive-$suite-stable.gpg; do
		[ -f $k ] && { echo $k; return; }
	done
}

# fetch DIR: leaves the verified source tarball as DIR/bochs.orig.tar.xz.
fetch() {
	local dir=$1 uri key line hash list=()
	uri=$(mirror)
	[ -n "$uri" ] || { say "apt has no index of a Debian archive here (run apt-get update)"; return 1; }
	key=$(keyring)
	[ -n "$key" ] || { say "Debian's archive keyring is not installed"; return 1; }
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	printf 'deb-src [signed-by=%s] %s %s main\n' "$key" "$uri" "$suite" >"$dir/sources.list"
	list=(-o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=/dev/null
	      -o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=)
	say "reading Debian $suite's index of sources"
	apt-get "${list[@]}" -qq update >&2 || return 1
	# e.g. 'URI' bochs_3.0+dfsg.orig.tar.xz 3896488 SHA256:78f6...
	line=$(apt-get "${list[@]}" -qq --print-uris source bochs | grep \
		"^'[^']*' bochs_$version[^ ]*\.orig\.tar\.xz ") || {
		say "Debian $suite's index has no source of Bochs $version"; return 1; }
	uri=$(cut -d"'" -f2 <<<"$line")
	hash=$(awk '{ print $NF }' <<<"$line")
	case $hash in SHA256:*) ;; *) say "no SHA256 for the source of Bochs"; return 1 ;; esac
	say "fetching $(awk '{ print $2 }' <<<"$line")"
	/usr/lib/apt/apt-helper "${list[@]}" download-file "$uri" "$dir/bochs.orig.tar.xz" "$hash" >"$dir/fetch.log" \
		2>&1 || {
		say "fetching the source failed:"; tail -n 3 "$dir/fetch.log" >&2; return 1; }
}

# build DIR: unpacks and compiles what fetch left in DIR; the binary is DIR/src/bochs.
build() {
	local dir=$1 start=$SECONDS n=0 line
	mkdir -p "$dir/src"
	tar -xJf "$dir/bochs.orig.tar.xz" -C "$dir/src" --strip-components=1 || return 1
	cd "$dir/src"
	repair || return 1
	unset MAKEFLAGS MFLAGS MAKELEVEL GNUMAKEFLAGS   # of the make that calls this script, for its own rules
	say "configuring Bochs $version"
	CFLAGS=$cflags CXXFLAGS=$cflags ./configure "${flags[@]}" >"$dir/configure.log" 2>&1 || {
		say "configuring Bochs failed:"; tail -n 5 "$dir/configure.log" >&2; return 1; }
	say "compiling Bochs $version, once: about 5 minutes on 2 cores"
	# "make bochs" leaves out the disk image tools, which are not needed.
	make -j"$(nproc)" bochs 2>"$dir/make.err" | while read -r line; do
		case $line in *' -c '*) n=$((n + 1)); [ $((n % 25)) -ne 0 ] || say \
		"  $n files after $((SECONDS - start)) s" ;; esac
	done
	[ -x bochs ] || { say "compiling Bochs failed:"; tail -n 10 "$dir/make.err" >&2; return 1; }
	strip bochs
	(bios) >bios.log 2>&1 || { say "compiling its BIOS failed: 128 CPUs at most"; tail -n 5 bios.log >&2; }
}

install_link() {
	mkdir -p "$(dirname "$link")"
	[ "$(readlink "$link" 2>/dev/null)" = "$1" ] || ln -sfn "$1" "$link"
}

if [ ! -x "$binary" ]; then
	lock bochs
	if [ ! -x "$binary" ]; then
		rm -rf "$vellum_cache"/bochs-work.*     # of a build that was killed: we hold the lock
		work=$vellum_cache/bochs-work.$$
		trap 'rm -rf "$work"' EXIT
		mkdir -p "$work"
		if fetch "$work" && ( build "$work" ); then
			mkdir -p "$home"
			cp "$work/src/bochs" "$binary.new"
			[ ! -e "$work/src/bios.bin" ] || cp "$work/src/bios.bin" "$home/bios.bin"
			printf 'Bochs %s from the source package in Debian %s\nconfigure %s\nCFLAGS %s\n' \
				"$version" "$suite" "${flags[*]}" "$cflags" >"$home/recipe"
			mv "$binary.new" "$binary"        # last, and atomic: its presence says that all went well
			say "Bochs $version is ready: $binary"
		elif [ -x /usr/bin/bochs ] || "$(dirname "$0")/deps.sh" bochs-debian; then
			say "*** BOCHS $version COULD NOT BE BUILT FROM SOURCE: USING DEBIAN'S BINARY PACKAGE," \
				"WHICH IS SEVERAL TIMES SLOWER ***"
			install_link /usr/bin/bochs
			exit 0
		else
			die "Bochs $version could not be built from source," \
				"and Debian's package bochs cannot be installed either"
		fi
	fi
fi
install_link "$binary"
