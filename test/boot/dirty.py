"""What a guest writes to, as `vellum ctl dirty` finds it: how many pages, how fast, where, and by which method."""

import re
import signal

from control import MECHANISMS, Running, ask, ctl, until
from runner import Test, require


def dirty_guest(c, pages, *args):
    """Writes to so many pages for ever, and to nothing else."""
    return Running(c, ['--kernel', c.guest('dirty'), '--append', 'pages=%d' % pages, '--mem', '64M'] + list(args),
                   rb'dirty: ready')


def dirties(c):
    """Exactly the pages that the guest writes, under every mechanism; and the tables that the CPU walks for it where
    EPT has accessed and dirty flags (SDM, "Accessed and Dirty Flags for EPT": walks count as writes)."""
    tables = 3
    with dirty_guest(c, 321):
        require('say for how many seconds' in ctl(c, 'dirty', status=1), 'before the first')
        for mmu in MECHANISMS + ('ept',):
            ask(c, 'mmu', mmu)
            a = ask(c, 'dirty', '1')
            require(a['measured'] and a['pages'] == 321 + (tables if mmu == 'ept' else 0), '%s: %s' % (mmu, a))
            require(a['tsc_hz'] <= a['ticks'] < 1.1 * a['tsc_hz'] and a['ram_pages'] == 64 << 8, 'time: %s' % a)
            require(a['switches'] == 0 and ask(c, 'audit')['audit'] == 'ok', 'audit')
        require(re.fullmatch(r'guest \(ept\): 324 pages dirtied in 1\.0\d\d s of its clock, 1\.3 MiB: 1\.\d MiB/s, '
                             r'1\.98% of its RAM\n', ctl(c, 'dirty', '1')), 'as text')
    with dirty_guest(c, 77, '--cpu', 'corei7_ivy_bridge_3770k', '--pages', '4k', '--vcpus', '2', '--host-cpus', '2'):
        require(ask(c, 'dirty', '2')['pages'] == 77, 'without such flags')
        require(ask(c, 'dirty')['measurement'] == 1, 'asked again')
    with dirty_guest(c, 0):
        require(ask(c, 'dirty', '1')['pages'] <= tables, 'a guest that writes nothing')


def watched(c, method, least):
    """What a watch has seen when so many periods are over."""
    ask(c, 'dirty', 'on', method)
    a = until('%d periods' % least, lambda: [x for x in [ask(c, 'dirty', 'show')] if x['periods'] >= least])[0]
    require(ask(c, 'dirty', 'off')['periods'] >= least, 'off')
    require(a['method'] == method and a['mmu'] == 'ept' and a['faults'] + a['log_full'] > 0, '%s: %s' % (method, a))
    require(sum(a['heat']) == a['pages'] and len(a['heat']) == 64, 'heat: %s' % a)
    require(ask(c, 'audit')['audit'] == 'ok', 'audit')
    return a


def watches(c):
    """Writes found in three ways: each page that is written, in each period; by a fault for each, by one for each large
    page that is split, and by an exit for every 512 beside."""
    pages, periods = 1200, 3
    with dirty_guest(c, pages, '--cpu', 'corei7_skylake_x', '--dirty', 'pml'):
        for method in ('wp', 'ad', 'pml'):
            a = watched(c, method, periods)
            require(pages <= a['last_pages'] <= pages + 3, '%s: %s' % (method, a))
            require(a['pages'] <= a['dirtied'] <= a['pages'] + pages + 3, '%s: %s' % (method, a))
            blocks = pages * 0x5000 // (2 << 20) + 3
            require(a['faults'] >= a['pages'] if method == 'wp' else a['faults'] <= blocks, '%s: %s' % (method, a))
            require((a['log_full'] * 512 >= a['pages'] - 512) if method == 'pml' else a['log_full'] == 0,
                    '%s: %s' % (method, a))
            hot = [n for n, count in enumerate(a['heat']) if count]
            # 16 MBytes to 40 MBytes of 64, and the tables
            require(hot[-1] * a['region_pages'] < (16 << 8) + pages * 5 and len(hot) >= 23, 'heat: %s' % a)
        require(ask(c, 'dirty', '1')['pages'] in range(pages, pages + 4), 'a measurement by the last method')
        require(re.fullmatch(r'guest \(ept, by pml\): \d+ pages/s of its clock in the last period, .*\nRAM .*\], 1\.0 '
                             r'MiB each\n', ctl(c, 'dirty', 'on')), 'as text')
        require('it is watched' in ctl(c, 'dirty', '1', status=1), 'a measurement beside it')
        ask(c, 'mmu', 'shadow')
        before = ask(c, 'dirty', 'show')['periods']
        a = until('two more', lambda: [x for x in [ask(c, 'dirty', 'show')] if x['periods'] >= before + 2])[0]
        require(a['method'] == 'wp' and a['last_pages'] == pages, 'under shadow: %s' % a)
        ask(c, 'dirty', 'off')
        require('it is not watched' in ctl(c, 'dirty', 'show', status=1), 'shown when it is over')
        require('the methods are wp, ad, pml and auto' in ctl(c, 'dirty', 'on', 'fast', status=1), 'a wrong method')


def flags_dirty(c):
    """Tables are written to by the CPU that sets accessed flags in them, also one without those flags for EPT."""
    tables = 16
    for cpu, more in ('corei7_ivy_bridge_3770k', 0), ('corei7_haswell_4770', 4):
        with Running(c, ['--kernel', c.guest('dirty'), '--append', 'tables=%d' % tables, '--mem', '128M', '--cpu', cpu],
                     rb'dirty: ready'):
            a = ask(c, 'dirty', '1')
            require(tables <= a['pages'] <= tables + more, '%s: %s' % (cpu, a))


def dirties_interrupted(c):
    """What happens to the machine meanwhile is said, and spoils nothing."""
    with dirty_guest(c, 40) as r:
        waits = c.start(['ctl', 'dirty', '20'])
        until('a measurement', lambda: c.finish(c.start(['ctl', 'dirty']), 60)[0] == 0)
        require('a measurement goes on' in ctl(c, 'dirty', '1', status=1), 'two at once')
        ask(c, 'pause')
        status, text = c.finish(waits, 60)
        require(status == 1 and 'guest is paused, and its clock stands still' in text, 'paused: %s' % text)
        ask(c, 'mmu', 'shadow')
        ask(c, 'resume')
        a = until('its end', lambda: [x for x in [ask(c, 'dirty')] if x['measured']])[0]
        require(a['seconds'] == 20 and a['switches'] == 1 and 40 <= a['pages'] <= 44, 'at the end: %s' % a)
        require('its mechanism changed 1 time meanwhile' in ctl(c, 'dirty'), 'as text')
        ask(c, 'pause')
        require('it is paused' in ctl(c, 'dirty', '1', status=1), 'begun while it is paused')
        ask(c, 'resume')
        for bad in ('0', '61', 'soon'):
            require('from 1 to 60 seconds, not %s' % bad in ctl(c, 'dirty', 'guest', bad, status=1), bad)
        waits = c.start(['ctl', 'dirty', '60'])
        until('another', lambda: not ask(c, 'dirty')['measured'])
        r.p.send_signal(signal.SIGTERM)
        status, text = c.finish(waits, 60)
        require(status in (1, 2) and text.count('\n') == 1 and text.startswith('vellum: '), 'the run ended: %s' % text)


def tests():
    return [
        Test('ctl: dirtied memory', dirties),
        Test('ctl: dirtied memory, found in three ways', watches),
        Test('ctl: dirtied memory, by accessed flags', flags_dirty),
        Test('ctl: dirtied memory of one that is paused, changed, ended', dirties_interrupted),
    ]
