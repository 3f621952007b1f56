#!/usr/bin/env python3
"""How much memory merging saves, and what it costs: four identical Debian guests that have booted to a shell and
idle, under `merge on`, on Bochs with 400 million instructions a second. Begins when all of them sleep; after 3 seconds
of the machine's time it prints how many of their resident pages are saved (zero pages that were given back, and pages
in others' frames), and the hypervisor's instructions for each page that was looked at, merges included.

    bench/merge.py [BUILD [MECHANISM]]      BUILD is build by default, MECHANISM ept

Status 1 when a limit is missed or a run fails: 60 % saved, 1,500 instructions."""

import json
import os
import subprocess
import sys
import tempfile
import time

GUESTS, SECONDS = 4, 3
SAVED_LEAST, EACH_MOST = 0.6, 1500
VM = '''vm debian%d
kernel %s/guest/bzImage
initrd %s/guest/initramfs.cpio
append console=ttyS0 cryptomgr.notests=1 nopti quiet vellum.shell
mem 128M
mmu %s
merge on
merge-rate 60000
'''


def ctl(vellum, name, *words):
    done = subprocess.run([vellum, 'ctl', '--run', name, '--json', *words], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.returncode == 0 else None


def until(what, holds):
    for _ in range(20000):
        answer = holds()
        if answer:
            return answer
        time.sleep(0.1)
    sys.exit('bench: %s takes too long' % what)


def asleep(vellum, name):
    """All are halted, three times in a row with nothing in between."""
    for _ in range(3):
        listed = ctl(vellum, name, 'list')
        if not listed or len(listed['vms']) < GUESTS or any(vm['state'] != 'halted' for vm in listed['vms']):
            return None
        time.sleep(1)
    return listed


def resident(listed):
    return sum(vm['resident_bytes'] >> 12 for vm in listed['vms'])


def measure(vellum, name):
    ctl(vellum, name, 'merge', 'off')
    before = until('the boot', lambda: asleep(vellum, name))
    ctl(vellum, name, 'merge', 'on')
    began = ctl(vellum, name, 'list')
    first = ctl(vellum, name, 'merge', 'stats')
    until('the time', lambda: ctl(vellum, name, 'list')['ticks'] - began['ticks'] >= SECONDS * began['tsc_hz'])
    now, stats = ctl(vellum, name, 'list'), ctl(vellum, name, 'merge', 'stats')

    def sums(key):
        return sum(s[key] for s in stats) - sum(s[key] for s in first)
    used = resident(now) - (stats[0]['machine_pages'] - stats[0]['machine_frames'])
    return {'before': resident(before), 'used': used, 'saved': 1 - used / resident(before),
            'zero': sums('zero'), 'merged': sums('merged'), 'scanned': sums('scanned'),
            'each': sums('ticks') / max(sums('scanned'), 1), 'rounds': sums('rounds') / GUESTS,
            'seconds': (now['ticks'] - began['ticks']) / began['tsc_hz'],
            'table': sum(s['bytes'] for s in stats) + stats[0]['table_bytes']}


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else 'build'
    mmu = sys.argv[2] if len(sys.argv) > 2 else 'ept'
    path = os.path.abspath(build)
    vellum, name = os.path.join(build, 'vellum'), 'bench-merge-%d' % os.getpid()
    with tempfile.NamedTemporaryFile('w', suffix='.vms') as description:
        description.write('\n'.join(VM % (n, path, path, mmu) for n in range(GUESTS)))
        description.flush()
        run = subprocess.Popen([vellum, 'run', '--vm', description.name, '--host-mem', '1G', '--ips', '400000000',
                                '--name', name, '--timeout', '3000'], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until('the start', lambda: ctl(vellum, name, 'list'))
            r = measure(vellum, name)
        finally:
            run.terminate()
            run.wait()
    print('%d guests, %s, %.2f s: %d pages resident before, %d frames after: %.1f %% saved (%d zero, %d merged)' %
          (GUESTS, mmu, r['seconds'], r['before'], r['used'], 100 * r['saved'], r['zero'], r['merged']))
    print('%d pages looked at in %.1f rounds, %.0f instructions each; %d KB of tables' %
          (r['scanned'], r['rounds'], r['each'], r['table'] >> 10))
    return int(r['saved'] < SAVED_LEAST or r['each'] > EACH_MOST)


if __name__ == '__main__':
    sys.exit(main())
