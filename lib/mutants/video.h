/* lib/mutants/video.h - what can be left out of a virtual machine's screen (vm/device/video.c, vm/exit/planes.c,
 * dev/video/), keyboard and mouse (dev/input/). */
#ifndef VELLUM_LIB_MUTANTS_VIDEO_H
#define VELLUM_LIB_MUTANTS_VIDEO_H

#define VM_MUTANTS_VIDEO(M) \
	M(CONFIG_VGA_ALONE, "refusing a display without a firmware") \
	M(VIDEO_ROM, "refusing a VGA BIOS that is too large") \
	M(VIDEO_LOGGED, "telling of pages that the guest has written in its own memory") \
	M(VIDEO_TOUCHED, "telling of pages that the device has written") \
	M(VIDEO_WATCHED, "logging the memory that the guest has when somebody first asks") \
	M(VIDEO_LEFT, "collecting the log before the memory goes from where the guest had it") \
	M(VIDEO_LEAVES, "taking the memory away from where the guest had it") \
	M(VIDEO_ENTERS, "giving the guest the memory as its own") \
	M(REQUEST_VIDEO, "refusing to read more of a screen than an answer can hold") \
	M(SCREEN_RANGE, "refusing to read beyond a screen's memory") \
	M(PLANES_OPERAND, "looking whether it was the operand that led to planes") \
	M(PLANES_FAULT, "and whether it was there that a page fault came") \
	M(PLANES_APIC, "that a local APIC over planes is in front of them") \
	M(PLANES_PUSH, "leaving to the emulator who pushes what planes hold") \
	M(PLANES_BREAKPOINT, "and strings, where there are breakpoints") \
	M(PLANES_TO_ROM, "not copying from planes to what is no RAM") \
	M(VGA_ALL_PLANES, "that what is the guest's own has all planes") \
	M(VGA_AT_APERTURE, "and at 0xa0000 a window of its size") \
	M(VGA_ONE_PLACE, "that the linear frame buffer takes the aperture's place") \
	M(VGA_BANK_MOVES, "telling of another bank") \
	M(VGA_WINDOW_READ, "that nothing answers outside of the window") \
	M(VGA_WINDOW_WRITE, "and takes what is written") \
	M(DISPI_HEIGHT, "that what is shown lies in the memory") \
	M(DISPI_RIGHT, "and not beyond the end of its lines") \
	M(DISPI_DOWN, "and not below the last of them") \
	M(DISPI_BANKS, "the number of banks") \
	M(KBC_FRONT, "that no key comes before the mouse's byte that is there") \
	M(KEY_WHOLE, "refusing a key that there is no room for") \
	M(MOUSE_ENABLED, "packets while reporting is enabled only") \
	M(MOUSE_REMOTE, "and not in remote mode") \
	M(MOUSE_WHOLE, "packets as a whole") \
	M(MOUSE_WHEEL, "that a wheel which nobody knows of has nothing to say") \
	M(MOUSE_WHEEL_BYTE, "and no byte in a packet") \
	M(MOUSE_KNOCK, "the rates that ask for the wheel") \
	M(VGA_PLANES_WITHIN, "the end of the memory, for planes") \
	M(VGA_BYTE_WITHIN, "for bytes of chain-4 modes") \
	M(VGA_LINE_WITHIN, "and for a line that is shown") \
	M(VIDEO_REQUEST, "asking the virtual CPUs for that when a register is written")

#endif
