"""`vellum compare` from end to end: small guests, a configuration that fails among them, and what is written down of
it."""

import csv
import json
import os
import re
import xml.etree.ElementTree as xml

from runner import Test, require
from waiting import waiting
from workloads import WORKLOADS


def check_page(path, charts):
    """A page that needs nothing else, whose charts are well formed."""
    with open(path, encoding='utf-8') as f:
        page = f.read()
    found = re.findall(r'<svg.*?</svg>', page, re.S)
    require(len(found) == charts, '%d charts, not %d' % (len(found), charts))
    for svg in found:
        xml.fromstring(svg)
    # HTML's elements without an end tag apart, the page is XML too.
    xml.fromstring(re.sub(r'<!DOCTYPE html>|<meta [^>]*>', '', page))
    require(not re.search(r'\b(src|href)=|@import|url\(', page), 'the page wants something from outside')
    require(set(re.findall(r'https?://[^"\s<]*', page)) <= {'http://www.w3.org/2000/svg'}, 'the page names an address')
    return page


def outputs(c):
    return ['--html', c.path('p.html'), '--json', c.path('p.json'), '--csv', c.path('p.csv'), '--svg', c.path('charts')]


def loaded(path):
    with open(path) as f:
        return json.load(f)


def with_a_failure(c):
    kernels = '%s,%s' % (c.guest('hello'), c.guest('triple-fault'))
    args = ['compare', '--kernel', kernels, '--mmu', 'ept,shadow', '--mem', '64M', '--timeout', '60']
    c.run(args + outputs(c), status=1, limit=180,
          expect=[r'^ept triple-fault\.elf +FAILED: stopped: triple fault', r'^shadow hello\.elf +[\d.]+ +[\d.]+',
                  r'4 of 4',
                  r'the report is in .*p\.html'])
    cells = loaded(c.path('p.json'))['cells']
    require([x['status'] for x in cells] == ['ok', 'ok', 'failed', 'failed'], 'JSON: %s' % [x['status'] for x in cells])
    for x in cells[:2]:
        require(x['measure']['guest_instructions'] == x['run']['instructions']['guest'],
                'JSON: the measure is not the run\'s')
        require(x['mmu'] == x['run']['mmu'], 'JSON: %s ran as %s' % (x['mmu'], x['run']['mmu']))
    with open(c.path('p.csv'), newline='') as f:
        rows = list(csv.DictReader(f))
    require([r['status'] for r in rows] == ['ok', 'ok', 'failed', 'failed'], 'CSV: %s' % rows)
    require(int(rows[0]['guest_instructions']) == cells[0]['measure']['guest_instructions'], 'CSV and JSON differ')
    for r in rows:
        empty = [n for n in r if r[n] == '' and r['status'] == 'ok']
        require(not empty, 'CSV: nothing in %s' % empty)
        require((r['workload'], r['pages'], r['version'], r['mem_bytes']) ==
                ('none', 'auto', cells[0]['run']['version'], str(64 << 20)), 'CSV: %s' % r)
        require(r['command'].startswith('vellum compare '), 'CSV: command %r' % r['command'])
    require([x['ran_with']['mmu'] for x in cells] == [x['mmu'] for x in cells], 'JSON: ran_with')
    check_page(c.path('p.html'), 4)
    for name in os.listdir(c.path('charts')):
        xml.parse(os.path.join(c.path('charts'), name))
    # What succeeded is not run again; what failed is.
    resume = ['--resume', c.path('p.json')]
    again = c.run(args + outputs(c) + resume, status=1, limit=120, expect=[r'4 of 4'], forbid=[r'[12] of 4'])
    require(loaded(c.path('p.json'))['cells'][0] == cells[0], 'the result of before is gone')
    require('FAILED' in again.text, 'the failure is gone')
    # Results of other options are not mixed in.
    c.run(args[:-4] + ['--mem', '32M'] + outputs(c) + resume, status=2, expect=[r'was made with another hypervisor'])


def against_native(c):
    """Linux, a workload in phases, gone on with after a boot that was another's, and the bare machine beside it."""
    o = c.run(['compare', '--from', waiting(c), '--workload', 'mix:2', '--mmu', 'shadow', '--timeout', '300'] +
              outputs(c), limit=400, expect=[r'^native ', r'^shadow '])
    cells = loaded(c.path('p.json'))['cells']
    native, shadow = [x['measure'] for x in cells]
    require(native['result'] == shadow['result'], 'the results differ: %s' % o.text)
    require(native['exits'] == 0 < shadow['exits']
            and native['hypervisor_instructions'] == 0 < shadow['hypervisor_instructions'],
            'the counts are wrong')
    # The same work: the guest's own instructions are nearly the same without the hypervisor.
    require(0.8 < shadow['guest_instructions'] / native['guest_instructions'] < 1.3, 'guest %d, native %d'
            % (shadow['guest_instructions'], native['guest_instructions']))
    require(cells[1]['run']['phases']['1']['name'] == 'edits-2', 'the phase is missing')
    check_page(c.path('p.html'), 4)


def one_boot(c):
    """A boot for both mechanisms, each of which comes to the workload's result; on AMD-V, of which there are no
    snapshots, a sentence says that they boot."""
    args = ['--no-native', '--workload', 'mix:8', '--timeout', '300', '--jobs', '2']
    o = c.run(['compare', '--mmu', 'shadow,vtlb'] + args + outputs(c), limit=400,
              expect=[r'one boot for 2 runs: begun', r'2 of 2'])
    cells = loaded(c.path('p.json'))['cells']
    require([x['measure']['result'] for x in cells] == ['ok checksum=' + WORKLOADS['mix:8'][1]] * 2,
            'the results: %s' % o.text)
    for x in cells:
        ran = x['ran_with']
        require(ran['guest'] == 'amd64' and ran['kernel'].endswith('vmlinux') and 'vellum.wait' in ran['command_line'],
                'JSON: %s' % ran)
        require(x['run']['instructions']['guest'] < 400e6, 'it was booted after all')
    require(cells[0]['run']['phases']['1']['instructions']['hypervisor'] !=
            cells[1]['run']['phases']['1']['instructions']['hypervisor'], 'both ran alike')
    c.run(['compare', '--cpu', 'ryzen', '--mmu', 'npt,shadow'] + args + outputs(c), limit=400,
          expect=[r'each of its runs boots: .*AMD-V', r'2 of 2'])
    cells = loaded(c.path('p.json'))['cells']
    require({x['measure']['result'] for x in cells} == {'ok checksum=' + WORKLOADS['mix:8'][1]}, 'other results')


def methods(c):
    """The priority register by each method, in a kernel that uses it all the time: it has a chart."""
    c.run(['compare', '--kernel', c.guest('irql32'), '--append', 'bench=1000', '--mmu', 'ept', '--tpr',
           'trap,patch,flexpriority,apicv', '--mem', '64M', '--timeout', '100'] + outputs(c), limit=300)
    account = {x['tpr']: x['run']['lapic']['methods'][x['tpr']] for x in loaded(c.path('p.json'))['cells']}
    require(set(account) == {'trap', 'patch', 'flexpriority', 'apicv'}, 'methods: %s' % account)
    require(account['trap']['tpr_exits'] >= 1000 and account['patch']['tpr_exits'] < 100
            and account['flexpriority']['tpr_exits'] == account['apicv']['tpr_exits'] == 0, 'exits: %s' % account)
    page = check_page(c.path('p.html'), 5)
    require(re.search(r'ept TPR by trap: reads \d+', page), 'the chart has no reads by trap')
    xml.parse(c.path('charts/tpr.svg'))


def interrupted(c):
    """Ctrl-C: the runs end with it, and what there is is written, but not over an earlier report."""
    old = [c.file(name, 'old') for name in ('p.html', 'p.json', 'p.csv')]
    p = c.start(['compare', '--mmu', 'ept,shadow', '--timeout', '100'] + outputs(c))
    try:
        p.wait(timeout=4)
    except Exception:
        pass
    os.kill(p.pid, 2)
    status, text = c.finish(p, 30)
    require(status == 130 and 'p.json.partial; to go on: --resume' in text, 'status %d: %s' % (status, text))
    require(len(loaded(c.path('p.json.partial'))['cells']) == 3, 'the JSON is not complete')
    for path in old:
        with open(path, encoding='utf-8') as f:
            require(f.read() == 'old', '%s was overwritten' % path)


def refused(name, args, pattern):
    def run(c):
        o = c.run(['compare'] + args + ['--html', c.path('p.html')], status=2, expect=[pattern])
        require(len(o.text.strip().splitlines()) == 1, 'more than one sentence: %r' % o.text)
    return Test('refused: compare: ' + name, run)


def tests():
    return [
        Test('compare: small guests, one that fails', with_a_failure),
        Test('compare: a workload against the bare machine', against_native),
        Test('compare: one boot for several runs', one_boot),
        Test('compare: methods of the priority register', methods),
        Test('compare: Ctrl-C', interrupted),
        refused('EPT on a CPU without', ['--cpu', 'penryn', '--mmu', 'ept'],
                r'ept cannot run on core2_penryn_t9600, which has no EPT'),
        refused('EPT on a CPU without, by --config', ['--config', 'mmu=ept,cpu=penryn'],
                r'ept cannot run on core2_penryn_t9600'),
        refused('1G pages on a CPU without', ['--cpu', 'lynnfield', '--mmu', 'ept', '--pages', '1g'],
                r'pages 1g cannot be had'),
        refused('an unknown CPU', ['--cpu', 'z80'], r'--cpu z80: Bochs has no such model'),
        refused('an unknown mechanism', ['--mmu', 'ept,magic'],
                r'mmu magic: there are only ept npt shadow vtlb brute native'),
        refused('an unknown workload', ['--workload', 'fly'], r'no workload fly; there are memory'),
        refused('another guest than a snapshot has', ['--from', __file__, '--mem', '64M'],
                r"its guest is the snapshot's"),
        refused('the boot of a snapshot', ['--from', __file__, '--workload', 'boot'], r'boot itself, which is over'),
        refused('a value twice', ['--mmu', 'ept,ept'], r'ept is there twice'),
        refused('an unknown preset', ['--preset', 'all'], r'there is only crossover'),
        refused('a configuration of nonsense', ['--config', 'colour=blue'], r'--config colour=blue: must be made of'),
        refused('a report that cannot be written', ['--csv', '/nonexistent/x.csv'],
                r'/nonexistent/x\.csv cannot be written'),
        refused('something that is no comparison', ['--resume', '/dev/null'], r'is not the JSON of a comparison'),
    ]
