"""A snapshot of the default guest that waits for its workload: one boot for all tests that need a running Linux, and
not its boot. It is taken by the first of them, and stays in the build's folder until what it was made of changes."""

import fcntl
import os

from quick import quick

MADE_OF = ('vellum', 'vellum.elf', 'guest/vmlinux', 'guest/initramfs.cpio')


def waiting(c):
    """Its path."""
    from control import Running, ctl    # which needs what needs this
    path = os.path.join(c.runner.logs, 'waiting.snap')
    with open(path + '.lock', 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        newest = max(os.path.getmtime(os.path.join(c.build, name)) for name in MADE_OF)
        if not os.path.exists(path) or os.path.getmtime(path) < newest:
            with Running(c, ['--exchange', *quick('vellum.wait')], until=rb'VELLUM-READY'):
                ctl(c, 'snapshot', path)
    return path
