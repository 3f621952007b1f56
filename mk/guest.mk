# The default guest: Debian's kernel, and an initramfs with our init and Debian's static busybox.

GUEST := $(BUILD)/guest
GUEST_C := $(wildcard guest/*.c)
GUEST_CFLAGS := -std=c11 -Os -static $(WARNINGS)

$(GUEST)/vmlinux: script/get-guest.sh script/extract-vmlinux script/cache.sh
	@script/get-guest.sh $(GUEST)
	@touch $@

# One call of the script makes them all.
$(GUEST)/bzImage $(GUEST)/busybox: $(GUEST)/vmlinux

$(GUEST)/init: $(GUEST_C) guest/guest.h
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -s -o $@ $(GUEST_C)

$(GUEST)/initramfs.cpio: $(GUEST)/init $(GUEST)/vmlinux script/make-initramfs.sh
	script/make-initramfs.sh $(GUEST)/init $(GUEST)/busybox $@

.PHONY: guest
guest: $(GUEST)/vmlinux $(GUEST)/initramfs.cpio
ALL += $(GUEST)/vmlinux $(GUEST)/initramfs.cpio
