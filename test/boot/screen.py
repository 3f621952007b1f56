"""Guests with a display: its planes do the same as the bare machine's; what is on the screen, by screenshots; what is
typed."""

import os
import re
import socket
import struct
import zlib

from control import Running, ask, ctl, until
from quick import WORDS
from runner import Test, require

LIMIT = 150
MB = 1 << 20
STEPS = 5000
SECTOR = 512
# Where sector.S has its words.
COMMAND, WORDS = 440, 496
CELL = (9, 16)


def kernel_disk(c, name, command):
    """A disk that loads a test kernel, with its command line."""
    with open(c.guest(name), 'rb') as f:
        elf = f.read()
    entry, headers = struct.unpack_from('<II', elf, 24)
    _, offset, _, _, size = struct.unpack_from('<5I', elf, headers)
    with open(c.guest('sector').replace('.elf', '.bin'), 'rb') as f:
        sector = bytearray(f.read())
    line = command.encode()
    require(len(line) < WORDS - COMMAND, 'the command line is too long')
    sector[COMMAND:COMMAND + len(line)] = line
    struct.pack_into('<IIH', sector, WORDS, entry, size, -(-size // SECTOR))
    return c.file(name + '.img', (bytes(sector) + elf[offset:offset + size]).ljust(MB, b'\0'))


def screen(disk):
    return ['--bios', 'seabios', '--vga', 'std', '--disk', disk + ',ro', '--mem', '64M']


# ---- pictures ----

def png(path):
    """Width, height, and lines of colours 0xRRGGBB; of what libpng writes for RGB."""
    with open(path, 'rb') as f:
        data = f.read()
    require(data[:8] == b'\x89PNG\r\n\x1a\n', 'no PNG')
    at, packed = 8, b''
    while at < len(data):
        size, kind = struct.unpack_from('>I4s', data, at)
        if kind == b'IHDR':
            width, height, depth, colour = struct.unpack_from('>IIBB', data, at + 8)
            require((depth, colour) == (8, 2), 'a PNG of another kind')
        elif kind == b'IDAT':
            packed += data[at + 8:at + 8 + size]
        at += 12 + size
    raw, step = zlib.decompress(packed), 3 * width + 1
    lines, before = [], bytearray(step - 1)
    for y in range(height):
        before = unfiltered(raw[y * step], bytearray(raw[y * step + 1:(y + 1) * step]), before)
        lines.append([int.from_bytes(before[x:x + 3], 'big') for x in range(0, 3 * width, 3)])
    return width, height, lines


def unfiltered(kind, line, above):
    for i, byte in enumerate(line):
        a, b, c = (line[i - 3] if i >= 3 else 0), above[i], (above[i - 3] if i >= 3 else 0)
        nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
        line[i] = byte + (0, a, b, (a + b) // 2, nearest)[kind] & 0xff
    return line


def shot(c):
    path = c.path('shot.png')
    ctl(c, 'screenshot', path)
    return png(path)


def cell(lines, row, column):
    width, height = CELL
    return [line[column * width:(column + 1) * width] for line in lines[row * height:(row + 1) * height]]


def is_blank(picture):
    return len({colour for line in picture for colour in line}) == 1


# ---- tests ----

def checksum(seen):
    found = re.search(r'^planes: checksum (\w+)', seen, re.M)
    require(found, 'it has computed nothing')
    return found.group(1)


def bare(c):
    """What the bare machine's VGA does with the same accesses."""
    command = ['run', '--native', '--kernel', c.guest('planes'), '--append', 'steps=%d' % STEPS, '--mem', '64M']
    return checksum(c.run(command + ['--timeout', '100'], limit=110, expect=[r'^planes: ok, [1-9][0-9]* checks']).text)


def planes(name, options):
    def run(c):
        disk = kernel_disk(c, 'planes', 'planes steps=%d' % STEPS)
        o = c.run(['run'] + screen(disk) + ['--timeout', str(LIMIT)] + options, limit=LIMIT, forbid=[r'FAIL'],
                  expect=[r'^planes: ok, [1-9][0-9]* checks'])
        require(checksum(o.text) == bare(c), 'the bare machine computes another checksum')
    return Test('screen: planes, ' + name, run)


def bars(c):
    """What the guest has drawn is what the picture shows."""
    with Running(c, screen(kernel_disk(c, 'planes', 'planes steps=10 stay')), until=rb'planes: drawn'):
        width, height, lines = shot(c)
        require((width, height) == (640, 480), 'it is %d by %d' % (width, height))
        for y in range(height):
            n = y // 30
            on, off = (0xff, 0x55) if n & 8 else (0xaa, 0)
            wanted = sum((on if n & bit else off) << shift for bit, shift in ((4, 16), (2, 8), (1, 0)))
            require(set(lines[y]) == {wanted}, 'line %d is not %06x, but %06x' % (y, wanted, lines[y][0]))


def frame_buffer(mmu):
    """Debian's kernel in a mode that its loader was asked for, and its driver vesafb."""
    def run(c):
        with Running(c, ['--bios', 'seabios', '--vga', 'std', '--guest', 'amd64', '--mmu', mmu, '--append',
                         'vga=0x317 console=ttyS0 console=tty0 %s vellum.shell' % WORDS], until=rb'Run /init') as r:
            require(b'vesafb: mode is 1024x768x16' in r.seen, 'the kernel has found another mode')
            before = until('text', lambda: (lambda s: s[:2] == (1024, 768) and not is_blank(s[2]) and s)(shot(c)))
            ctl(c, 'sendkey', 'l', 's', 'ret')
            until('what the shell says', lambda: shot(c)[2] != before[2])
    return run


def session(options):
    def run(c):
        with open(c.guest('echo').replace('.elf', '.bin'), 'rb') as f:
            disk = c.file('echo.img', f.read().ljust(MB, b'\0'))
        with Running(c, screen(disk) + options, until=rb'Booting from 0000:7c00'):
            until('its greeting', lambda: not is_blank(cell(shot(c)[2], 2, 0)))
            ctl(c, 'sendkey', 'a', 'e', 'shift-s')
            lines = until('what is typed', lambda: typed(c))
            require(cell(lines, 2, 7) == cell(lines, 0, 2), 'a is not the a of SeaBIOS')
            require(cell(lines, 2, 8) == cell(lines, 0, 1), 'e is not its e')
            require(cell(lines, 2, 9) == cell(lines, 0, 0), 'S is not its S')
            colours(c)
            one_colour(c)
            require(ask(c, 'audit')['audit'] == 'ok', 'the tables are not sound')
            ctl(c, 'sendkey', 'nokey', status=2)
            ctl(c, 'mouse', '1', 'x', status=2)
            ctl(c, 'screenshot', os.path.join(c.path('nowhere'), 'x.png'), status=1)
    return run


def typed(c):
    lines = shot(c)[2]
    return None if is_blank(cell(lines, 2, 9)) else lines


def picture_of(c, key, size):
    """After that key, when two pictures of that size are the same."""
    def steady():
        first, second = shot(c), shot(c)
        return first[2] if first[:2] == size and first == second and not is_blank(first[2][-1:]) else None
    ctl(c, 'sendkey', key)
    return until('a picture of %d by %d' % size, steady)


def colours(c):
    lines = picture_of(c, 'm', (320, 200))
    seen = {}
    for y in range(200):
        for x in range(320):
            n = (y * 320 + x) & 0xff
            require(seen.setdefault(n, lines[y][x]) == lines[y][x], 'colour %d is not the same everywhere' % n)
    require([seen[n] for n in (0, 1, 2, 4, 15)] == [0, 0xaa, 0xaa00, 0xaa0000, 0xffffff], 'its colours are others')


def one_colour(c):
    lines = picture_of(c, 'g', (640, 480))
    wanted = [0xaa00aa if 0x5a >> (7 - x % 8) & 1 else 0 for x in range(640)]
    require(all(line == wanted for line in lines), 'mode 12h shows something else')


def mouse_and_no_screen(c):
    # What is asked before there is a hypervisor is lost, and waited for: so not before it has spoken of the guest.
    with Running(c, ['--bios', 'seabios', '--mem', '16M', '--paused'], until=rb'guest: mitigations') as r:
        require('has no screen' in ctl(c, 'screenshot', c.path('x.png'), status=1), 'not the sentence')
        require(not os.path.exists(c.path('x.png')), 'a file all the same')
        ctl(c, 'mouse', '5', '-5', 'left+right')
        ctl(c, 'sendkey', 'ret')
        require(r.p.poll() is None, 'the run is over')


# ---- a VNC viewer (RFC 6143) ----

class Viewer:
    """Connects, takes what is shown, types and points."""

    def __init__(self, port):
        self.s = socket.create_connection(('127.0.0.1', port), 10)
        self.s.settimeout(60)
        require(self.take(12)[:4] == b'RFB ', 'no VNC server')
        self.s.sendall(b'RFB 003.008\n')
        kinds = self.take(self.take(1)[0])
        require(1 in kinds, 'it wants a password')
        self.s.sendall(b'\1')
        require(self.take(4) == bytes(4), 'refused')
        self.s.sendall(b'\1')
        self.width, self.height = struct.unpack('>HH', self.take(4))
        self.take(16)
        self.name = self.take(struct.unpack('>I', self.take(4))[0]).decode()
        # 32 bits a dot, red in bits 16 to 23; raw rectangles, and changes of the size.
        self.s.sendall(struct.pack('>BxxxBBBBHHHBBBxxx', 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))
        self.s.sendall(struct.pack('>BxHii', 2, 2, 0, -223))
        self.lines = [[0] * self.width for _ in range(self.height)]

    def take(self, n):
        data = b''
        while len(data) < n:
            more = self.s.recv(n - len(data))
            require(more, 'the VNC server has gone')
            data += more
        return data

    def update(self, whole=False):
        self.s.sendall(struct.pack('>BBHHHH', 3, not whole, 0, 0, self.width, self.height))
        kind = self.take(1)[0]
        while kind != 0:  # a bell, or text that was cut
            require(kind == 2, 'message %d' % kind)
            kind = self.take(1)[0]
        for _ in range(struct.unpack('>xH', self.take(3))[0]):
            x, y, w, h, encoding = struct.unpack('>HHHHi', self.take(12))
            if encoding == -223:
                self.width, self.height = w, h
                self.lines = [[0] * w for _ in range(h)]
                continue
            dots = struct.unpack('<%dI' % (w * h), self.take(4 * w * h))
            for row in range(h):
                self.lines[y + row][x:x + w] = [dot & 0xffffff for dot in dots[row * w:(row + 1) * w]]

    def key(self, keysym):
        for down in (1, 0):
            self.s.sendall(struct.pack('>BBxxI', 4, down, keysym))

    def point(self, buttons, x, y):
        self.s.sendall(struct.pack('>BBHH', 5, buttons, x, y))


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def viewed(c):
    with open(c.guest('echo').replace('.elf', '.bin'), 'rb') as f:
        disk = c.file('echo.img', f.read().ljust(MB, b'\0'))
    port = free_port()
    with Running(c, screen(disk) + ['--display', 'vnc:%d' % port], until=rb'Booting from 0000:7c00'):
        v = until('a VNC server', lambda: connected(port))
        require(v.name == 'guest', 'it is called %s' % v.name)
        until('its greeting', lambda: not is_blank(cell(seen(v), 2, 0)))
        require((v.width, v.height) == (720, 400), 'it is %d by %d' % (v.width, v.height))
        v.key(ord('a'))
        until('an a as in SeaBIOS', lambda: cell(seen(v), 2, 7) == cell(v.lines, 0, 2))
        v.point(0, 10, 10)
        v.point(1, 20, 5)
        v.key(ord('g'))
        wanted = [0xaa00aa if 0x5a >> (7 - x % 8) & 1 else 0 for x in range(640)]
        until('mode 12h', lambda: seen(v)[-1] == wanted and (v.width, v.height) == (640, 480))
        until('the picture of the screenshot', lambda: shot(c)[2] == seen(v))
        v.s.close()
        ctl_view = c.start(['view', '--port', str(port)])
        status, text = c.finish(ctl_view, 30)
        require(status == 2 and 'cannot be had' in text, 'two servers at one port: %d, %s' % (status, text))


def connected(port):
    try:
        return Viewer(port)
    except OSError:
        return None


def seen(v):
    v.update(True)
    return v.lines


def tests(everything):
    kinds = [(m, ['--mmu', m]) for m in ('ept', 'shadow', 'vtlb', 'brute')]
    kinds += [('ept without unrestricted guest', ['--mmu', 'ept', '--no-unrestricted']),
              ('shadow on Penryn', ['--mmu', 'shadow', '--cpu', 'penryn'])]
    return [planes(name, options) for name, options in kinds] + [
        Test('screen: bars', bars),
        Test('screen: typed and shown', session(['--mmu', 'ept'])),
        Test('screen: typed and shown, shadow', session(['--mmu', 'shadow'])),
        Test('screen: a VNC viewer', viewed),
        Test('screen: none', mouse_and_no_screen)] + [
            Test('screen: a frame buffer under %s' % m, frame_buffer(m)) for m in ('ept', 'shadow') if everything]
