# The guests: Debian's kernels, and for each architecture an initramfs with our init and Debian's static busybox. The
# default guest, amd64, is part of everything; the 32-bit ones are made by `make guests`, which wants gcc-multilib
# (script/deps.sh i386).

GUEST := $(BUILD)/guest
GUEST_C := $(wildcard guest/*.c)
GUEST_H := $(wildcard guest/*.h)
GUEST_CFLAGS := -std=c11 -Os -static $(WARNINGS)
GUESTS_I386 := 686-pae 686
GET_GUEST := script/get-guest.sh script/extract-vmlinux script/cache.sh script/packages.sh

$(GUEST)/vmlinux: $(GET_GUEST)
	@script/get-guest.sh amd64 $(GUEST)
	@touch $@

# One call of the script makes them all.
$(GUEST)/bzImage $(GUEST)/busybox: $(GUEST)/vmlinux

$(GUEST)/init: $(GUEST_C) $(GUEST_H)
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -s -o $@ $(GUEST_C)

$(GUEST)/initramfs.cpio: $(GUEST)/init $(GUEST)/vmlinux script/make-initramfs.sh
	script/make-initramfs.sh $(GUEST)/init $(GUEST)/busybox $@

# The same with the modules that a guest with disks needs.
$(GUEST)/disks.cpio: $(GUEST)/init $(GUEST)/vmlinux script/make-initramfs.sh
	script/make-initramfs.sh $(GUEST)/init $(GUEST)/busybox $@ $(GUEST)/modules

# And one with drives at an IDE controller.
$(GUEST)/ide.cpio: $(GUEST)/init $(GUEST)/vmlinux script/make-initramfs.sh
	script/make-initramfs.sh $(GUEST)/init $(GUEST)/busybox $@ $(GUEST)/modules $(GUEST)/modules-ide
# ... and one with any virtio device.
$(GUEST)/devices.cpio: $(GUEST)/init $(GUEST)/vmlinux script/make-initramfs.sh guest/dhcp.sh
	script/make-initramfs.sh $(GUEST)/init $(GUEST)/busybox $@ $(GUEST)/modules \
		$(GUEST)/modules-ide $(GUEST)/modules-more guest/dhcp.sh:etc/udhcpc/default.script

# ---- i386: a directory for each kernel, and one for what they share ----

$(GUESTS_I386:%=$(GUEST)/%/vmlinux): $(GUEST)/%/vmlinux: $(GET_GUEST)
	@script/get-guest.sh $* $(@D)
	@touch $@

$(GUEST)/i386/init: $(GUEST_C) $(GUEST_H)
	@mkdir -p $(@D)
	@script/deps.sh i386
	$(CC) -m32 -march=i686 $(GUEST_CFLAGS) -s -o $@ $(GUEST_C)

$(GUEST)/i386/initramfs.cpio: $(GUEST)/i386/init $(GUESTS_I386:%=$(GUEST)/%/vmlinux) script/make-initramfs.sh
	script/make-initramfs.sh $< $(GUEST)/$(firstword $(GUESTS_I386))/busybox $@

# ---- what is not Linux ----

$(GUEST)/foreign/xen: script/get-foreign.sh script/cache.sh script/packages.sh
	@script/get-foreign.sh $(@D)
	@touch $@

.PHONY: guest guests
guest: $(GUEST)/vmlinux $(GUEST)/initramfs.cpio $(GUEST)/disks.cpio $(GUEST)/ide.cpio $(GUEST)/devices.cpio
guests: guest $(GUESTS_I386:%=$(GUEST)/%/vmlinux) $(GUEST)/i386/initramfs.cpio $(GUEST)/foreign/xen
ALL += $(GUEST)/vmlinux $(GUEST)/initramfs.cpio $(GUEST)/disks.cpio $(GUEST)/ide.cpio $(GUEST)/devices.cpio
