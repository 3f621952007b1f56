"""Guests that start at a firmware: SeaBIOS finds its machine and nothing to boot, or loads a kernel."""

import signal

from runner import Test, require
from sessions import read_until

LIMIT = 150


def nothing_to_boot(name, more):
    """To the end of SeaBIOS' search; what it says of the machine on its way is in the log, which comes later than what
    it writes to the console."""
    def run(c):
        p = c.start(['run', '--bios', 'seabios', '--timeout', str(LIMIT)] + more)
        seen = read_until(p.stdout.fileno(), rb'firmware: No bootable device', LIMIT)
        p.send_signal(signal.SIGTERM)
        status, _ = c.finish(p, 30)
        require(status == 128 + signal.SIGTERM, 'status %d' % status)
        for said in (rb'Running on QEMU (i440fx)', rb'QEMU fw_cfg DMA interface supported', rb'SeaBIOS (version',
                     rb'PS2 keyboard initialized', rb'Using pmtimer, ioport 0x608', rb'sercon: using ioport 0x3f8'):
            require(said in seen, 'it did not say %r' % said)
    return Test('firmware: nothing to boot, ' + name, run)


def image():
    """A bzImage whose setup code, in real mode, writes its command line and powers the machine off."""
    setup = bytearray(5 * 512)
    setup[0x1f1] = 4
    setup[0x1f4:0x1f8] = (256).to_bytes(4, 'little')
    setup[0x1fe:0x200] = b'\x55\xaa'
    setup[0x200:0x202] = b'\xeb\x6a'
    setup[0x202:0x206] = b'HdrS'
    setup[0x206:0x208] = b'\x0f\x02'
    setup[0x211] = 1
    setup[0x22c:0x230] = (0x37ffffff).to_bytes(4, 'little')
    setup[0x236] = 1
    setup[0x238:0x23c] = (2047).to_bytes(4, 'little')
    setup[0x258:0x260] = (0x1000000).to_bytes(8, 'little')
    setup[0x260:0x264] = (0x100000).to_bytes(4, 'little')
    code = (b'\xb8\x00\x20\x8e\xd8'            # mov $0x2000,%ax; mov %ax,%ds: the command line
            b'\x31\xf6\xba\xf8\x03'            # xor %si,%si; mov $0x3f8,%dx
            b'\xac\x84\xc0\x74\x03\xee\xeb\xf8'  # lodsb; test %al,%al; jz; out %al,%dx; jmp
            b'\x8c\xc8\x8e\xd8')               # mov %cs,%ax; mov %ax,%ds
    text = 0x6c + len(code) + 3 + 3 + 8 + 3
    code += b'\xbe' + text.to_bytes(2, 'little')  # mov $text,%si
    code += b'\xba\x00\x89'                      # mov $0x8900,%dx
    code += b'\xac\x84\xc0\x74\x03\xee\xeb\xf8' + b'\xf4\xeb\xfd' + b'Shutdown\0'
    setup[0x26c:0x26c + len(code)] = code
    return bytes(setup) + b'\xcc' * 4096


def kernel(name, more):
    def run(c):
        path = c.file('kernel', image())
        o = c.run(['run', '--bios', 'seabios', '--kernel', path, '--initrd', c.file('initrd', b'x' * 5000),
                   '--append', 'words from the host', '--timeout', str(LIMIT)] + more, limit=LIMIT,
                  expect=[r'Booting from ROM\.\.', r'words from the host'])
        require(o.json['guest']['end'] == 'powered off', 'the guest ended: %s' % o.json['guest']['end'])
    return Test('firmware: a kernel, ' + name, run)


def tests():
    return [nothing_to_boot('ept', ['--mmu', 'ept']), nothing_to_boot('shadow', ['--mmu', 'shadow']),
            nothing_to_boot('two virtual CPUs', ['--mmu', 'ept', '--vcpus', '2']),
            nothing_to_boot('Lynnfield', ['--cpu', 'corei5_lynnfield_750']),
            kernel('ept', ['--mmu', 'ept']), kernel('without unrestricted guest', ['--no-unrestricted'])]
