"""Exits one by one: `run --trace`, `run --detail`, `ctl trace`, `ctl detail`, `ctl stats --interval`, `top --log`."""

import collections
import csv
import json
import signal

from control import ask, ctl, stay, until
from runner import Test, require
from sessions import read_until


def records(path):
    with open(path) as f:
        trace = json.load(f)
    return trace, [e for e in trace['traceEvents'] if e['ph'] == 'X']


def every_exit(mmu):
    def run(c):
        """Each exit is in the file, in order, with the ticks that the account has for its reason."""
        outcome = c.run(['run', '--kernel', c.guest('exitcost'), '--mem', '64M', '--clock', 'host', '--mmu', mmu,
                         '--detail', '--trace', c.path('t.json'), '--json', c.path('r.json')])
        require(outcome.status == 0, 'status %d: %s' % (outcome.status, outcome.text[-300:]))
        with open(c.path('r.json')) as f:
            report = json.load(f)
        trace, events = records(c.path('t.json'))
        exits = report['exits']
        require(len(events) == exits['total'] and report['trace'] == {'records': len(events), 'lost': 0},
                '%d exits, of %d' % (len(events), exits['total']))
        counts = collections.Counter(e['name'] for e in events)
        require(counts == {k: v['count'] for k, v in exits['by_reason'].items()}, 'by reason: %s' % counts)
        require(all(a['ts'] <= b['ts'] for a, b in zip(events, events[1:])), 'not in order')
        require(trace['otherData']['command'].startswith('vellum run'), 'says of itself: %s' % trace['otherData'])
        for reason, d in report['detail'].items():
            require(d['count'] == counts[reason] and d['min'] <= d['ticks'] / d['count'] <= d['max'] and
                    sum(d['histogram'].values()) == d['count'], '%s: %s' % (reason, d))
            ticks = [e['args']['ticks'] for e in events if e['name'] == reason]
            require((min(ticks), max(ticks), sum(ticks)) == (d['min'], d['max'], d['ticks']), '%s: %s' % (reason, d))
        ports = report['detail']['io_instruction']['by_number']
        require(ports['in_0x61']['count'] == 1000 and ports['in_0x61']['max'] < 2000, 'ports: %s' % ports)
        require(report['detail']['wrmsr']['by_number']['0x6e0']['count'] >= 1000, 'MSRs')
        subjects = collections.Counter(e['args']['subject'] for e in events)
        require(subjects['in port 0x61 size 1'] == 1000 and subjects['msr 0x6e0'] >= 1000, 'subjects')
        require('VM exits one by one' in outcome.text, 'no table')
    return run


def registers_of_devices(c):
    """Without EPT, too, each is told by its address."""
    for mmu in ('ept', 'shadow'):
        outcome = c.run(['run', '--kernel', c.guest('exitcost'), '--mem', '64M', '--clock', 'host', '--mmu', mmu,
                         '--tpr', 'trap', '--detail', '--json', c.path('r.json')])
        require(outcome.status == 0, 'status %d' % outcome.status)
        with open(c.path('r.json')) as f:
            detail = json.load(f)['detail']
        numbers = {k.replace('mmio_', ''): v['count'] for d in detail.values()
                   for k, v in d.get('by_number', {}).items()}
        require(numbers.get('0xfee00080', 0) >= 2000 and numbers.get('0xfee000b0', 0) >= 1000,
                '%s: %s' % (mmu, numbers))


def as_csv(c):
    """The same as a table, of two virtual CPUs; and what was there stays where it cannot be written."""
    outcome = c.run(['run', '--kernel', c.guest('ipicost'), '--mem', '64M', '--vcpus', '2', '--host-cpus', '2',
                     '--trace', c.path('t.csv'), '--json', c.path('r.json'), '--quiet'])
    require(outcome.status == 0, 'status %d: %s' % (outcome.status, outcome.text[-300:]))
    with open(c.path('t.csv')) as f:
        lines = f.read().splitlines()
    about = [line for line in lines if line.startswith('# ')]
    rows = list(csv.DictReader(line for line in lines if not line.startswith('# ')))
    with open(c.path('r.json')) as f:
        report = json.load(f)
    require(about[0].startswith('# vellum ') and any('command: ' in a for a in about), 'says: %s' % about)
    require(len(rows) == report['exits']['total'] and {r['vcpu'] for r in rows} == {'0', '1'},
            '%d rows' % len(rows))
    require(all(all(r.values()) for r in rows), 'an empty cell')


def refused(c):
    for args, why in ((['--trace', c.path('x.txt')], 'ends in .json'),
                      (['--trace', c.path('no/x.json')], 'cannot be written'),
                      (['--trace', c.path('x.json'), '--native'], 'has no exits'),
                      (['--detail', '--native'], 'mean nothing to it')):
        outcome = c.run(['run', '--quiet'] + args, status=2)
        require(why in outcome.text, 'said: %s' % outcome.text)
    disks = [c.file('d%d' % n, b'\0' * 512) for n in range(3)]
    outcome = c.run(['run', '--trace', c.path('x.json')] + [a for d in disks for a in ('--disk', d)],
                    status=2)
    require('room for 2 disks' in outcome.text, 'said: %s' % outcome.text)


def stopped(c):
    """What a machine had recorded when it was stopped."""
    with stay(c, '--trace', c.path('t.json'), '--switch-every', '500us') as s:
        until('some exits', lambda: ask(c, 'stats')['exits']['total'] > 1500)
        s.p.send_signal(signal.SIGTERM)
        s.p.wait(60)
    require(len(records(c.path('t.json'))[1]) >= 511, 'too few')


def asked_for(c):
    """Of one that runs."""
    with stay(c):
        require('say "detail guest on" first' in ctl(c, 'detail', status=1), 'before')
        ctl(c, 'detail', 'on')
        until('some exits', lambda: ask(c, 'detail')['detail'].get('io_instruction'))
        text = ctl(c, 'detail')
        require('in_0x600' in text and '####' in text, 'said: %s' % text)
        before = ask(c, 'detail', 'off')
        require(not before['on'] and before['detail'], 'said: %s' % before)
        ctl(c, 'trace', c.path('k.json'), '200', '30')
        events = records(c.path('k.json'))[1]
        known = {'io_instruction', 'external_interrupt', 'hlt', 'preemption_timer_expired'}
        require(len(events) == 200 and {e['name'] for e in events} <= known, 'has: %s' % events[:3])
        require(ask(c, 'detail')['detail'] == before['detail'], 'counted while it was off')
        for args, why in ((['k.txt'], 'FILE.json'), (['k.json', '0'], 'from 1'), (['k.json', '99999'], 'from 1')):
            require(why in ctl(c, 'trace', *args, status=2), 'trace %s' % args)


def interval(c):
    """Until the run ends."""
    with stay(c) as s:
        programs = [c.start(['ctl', 'stats', '--interval', '1']), c.start(['top', '--log', '--sort', 'name'])]
        for p in programs:
            read_until(p.stdout.fileno(), rb'(?s)VM exits by reason.*VM exits by reason', 60)
        s.p.send_signal(signal.SIGTERM)
        s.p.wait(60)
        for p in programs:
            status, text = c.finish(p, 90)
            require(status == 0, 'status %d: %s' % (status, text))
    require(c.finish(c.start(['top', '--sort', 'size']), 20)[0] == 2, 'a bad key')


def tests():
    return [Test('tracing: every exit, %s' % m, every_exit(m)) for m in ('ept', 'shadow')] + [
        Test('tracing: registers of devices', registers_of_devices),
        Test('tracing: as a table', as_csv),
        Test('tracing: refused', refused),
        Test('tracing: of a machine that is stopped', stopped),
        Test('tracing: asked for', asked_for),
        Test('tracing: each second', interval)]
