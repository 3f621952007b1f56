"""Boots of Debian's kernel to the result line of the default guest's workload, in every combination that must make no
difference."""

import os
import re

import report
import waiting
from runner import Failure, Test, require

# At most this many EPT violations for a 256 MB guest with 2M pages.
VIOLATIONS_2M = 1500
LIMIT = 240

MODELS = ('corei7_haswell_4770', 'corei7_skylake_x', 'corei7_ivy_bridge_3770k')


def check_boot(c, name, args, result=r'ok checksum=[0-9a-f]{16} kernel=\S+'):
    o = c.run(['run', '--timeout', str(LIMIT - 20)] + args, limit=LIMIT,
              forbid=[r'VELLUM-RESULT FAIL', r'Kernel panic'],
              expect=[r'^VELLUM-RESULT ' + result + '$', r'reboot: Power down'])
    report.check(o.json)
    require(o.json['guest']['result'] == o.result(), 'JSON: guest.result is %r' % o.json['guest']['result'])
    require(o.json['guest']['end'] == 'powered off', 'the guest ended: %s' % o.json['guest']['end'])
    c.runner.facts.setdefault('results', {})[name] = o.result()
    c.runner.facts.setdefault('exits', {})[name] = o.json['exits']
    return o


def combination(model, vpid, pages):
    """On the model that is the default one without a boot: that it boots there, others show."""
    booted = model != MODELS[0]
    name = '%s: %s, VPID %s, %s' % ('boot' if booted else 'no boot', model, 'on' if vpid else 'off', pages)

    def run(c):
        o = check_boot(c, name, ['--cpu', model, '--pages', pages] + ([] if vpid else ['--no-vpid']) +
                       ([] if booted else ['--from', waiting.waiting(c), '--workload', 'memory']))
        require(booted == ('Linux version' in o.text), 'did it boot? %s' % o.text[:300])
        require(o.json['vpid'] is vpid, 'vpid is %r' % o.json['vpid'])
        require(o.json['cpu'] == model, 'cpu is %r' % o.json['cpu'])
        report.check_pages(o.json, pages)
        violations = o.json['mmu_counters']['ept_violations']
        require(pages == '4k' or violations <= VIOLATIONS_2M, '%d EPT violations' % violations)
        require(pages != '4k' or violations > VIOLATIONS_2M,
                'only %d EPT violations: were the pages larger?' % violations)
        if not vpid:
            used = sum(v for n, v in o.json['mmu_counters'].items() if n.startswith('invvpid'))
            require(used == 0, '%d INVVPID without a VPID' % used)
    return Test(name, run)


def other(name, args, check=lambda o: None):
    def run(c):
        check(check_boot(c, name, args))
    return Test(name, run)


def bzimage(name, args):
    def run(c):
        kernel = os.path.join(c.build, 'guest', 'bzImage')
        initrd = os.path.join(c.build, 'guest', 'initramfs.cpio')
        check_boot(c, name, ['--kernel', kernel, '--initrd', initrd, '--append', 'console=ttyS0 cryptomgr.notests=1'] +
                   args)
    return Test(name, run)


def old_image(high):
    """A bzImage, or a zImage, of boot protocol 2.00, whose code of 32 bits finds its command line where such a kernel
    does, writes it to COM1, and ends by the debug-exit port."""
    setup = bytearray(5 * 512)
    setup[0x1f1] = 4
    setup[0x1fe:0x208] = b'\x55\xaa\xeb\x2eHdrS\x00\x02'
    setup[0x211] = high
    code = (b'\x0f\xb7\x35\x22\x00\x09\x00'    # movzwl 0x90022,%esi
            b'\x81\xc6\x00\x00\x09\x00'        # add $0x90000,%esi
            b'\x66\xba\xf8\x03'                # mov $0x3f8,%dx
            b'\xac\x84\xc0\x74\x03\xee\xeb\xf8'  # lodsb; test %al,%al; jz; out %al,%dx; jmp
            b'\xb0\x0a\xee'                    # mov $10,%al; out %al,%dx
            b'\x66\xba\xf4\x00\xb0\x15\xee'    # mov $0xf4,%dx; mov $21,%al; out %al,%dx
            b'\xf4\xeb\xfd')                   # hlt; jmp
    magic = (b'\x66\x81\x3d\x20\x00\x09\x00\x3f\xa3'  # cmpw $0xa33f,0x90020
             b'\x75\xf5')                            # jne: back, for ever
    return bytes(setup) + magic + code + bytes(4096)


def old_protocols(c):
    for high in (1, 0):
        c.run(['run', '--kernel', c.file('kernel', old_image(high)), '--initrd', 'none', '--append',
               'words of %d' % high, '--mem', '16M', '--timeout', '50'], status=43, expect=[r'^words of %d$' % high])


def two_cpus_host_clock(o):
    require(o.json['host']['cpus'] == 2, 'the host has %r CPUs' % o.json['host']['cpus'])
    require(o.json['clock'] == 'host', 'the clock is %r' % o.json['clock'])


def dated(o):
    """The same date for each run, and not one of this computer's time zone."""
    require('setting system clock to 2023-11-14T22:13' in o.text, 'the date is another')


def shadowed(o):
    require(o.json['mmu'] == 'shadow', 'mmu is %r' % o.json['mmu'])
    require(o.json['mmu_counters']['ept_violations'] == 0 and 'ept_violation' not in o.json['exits']['by_reason'],
            'EPT violations')


def same_result(c):
    results = c.runner.facts.get('results', {})
    require(len(results) >= 2, 'no two boots came to a result line to compare')
    reference = sorted(results.items())[0]
    for name, result in sorted(results.items()):
        # Kernels differ, what the workload computes does not.
        if result.split(' kernel=')[0] != reference[1].split(' kernel=')[0]:
            raise Failure('%s: %s; %s: %s' % (reference[0], reference[1], name, result))
    c.log.write('%d boots: %s\n' % (len(results), reference[1]))


def same_rest(c):
    """What the mechanism does not cause is the same under each, since the guest's clock stands still while the
    hypervisor works: to the exit where time plays no part, and but for a few where it does (ports of timers, WRMSR to
    the APIC's)."""
    exits = c.runner.facts.get('exits', {})
    pair = ('boot: without RDRAND', 'boot: shadow paging')
    require(all(name in exits for name in pair), 'there are no boots under ept and under shadow to compare')
    ept, shadow = (exits[name]['by_reason'] for name in pair)
    for reason in ('cpuid', 'rdmsr', 'xsetbv'):
        require(ept[reason]['count'] == shadow[reason]['count'],
                '%s: %d exits under ept, %d under shadow' % (reason, ept[reason]['count'], shadow[reason]['count']))
    for reason in ('io_instruction', 'wrmsr'):
        count = [r[reason]['count'] for r in (ept, shadow)]
        require(abs(count[0] - count[1]) * 500 <= count[0],
                '%s: %d exits under ept, %d under shadow' % (reason, *count))
    for name in pair:
        own = sum(r['count'] for n, r in exits[name]['by_reason'].items()
                  if n in ('exception_or_nmi', 'invlpg', 'control_register_access', 'ept_violation',
                           'ept_misconfiguration'))
        require(exits[name]['mechanism']['count'] == own, "%s: the mechanism's exits are %d, and %d by reason" %
                (name, exits[name]['mechanism']['count'], own))
    require(exits[pair[1]]['mechanism']['count'] <= 60000,
            '%d exits of the mechanism' % exits[pair[1]]['mechanism']['count'])
    c.log.write('%s: %r\n' % (pair[0], exits[pair[0]]['mechanism']) + '%s: %r\n' %
                (pair[1], exits[pair[1]]['mechanism']))


# Each model with and without VPID, each with 4K pages and with larger ones, and VPID with both: all pairs.
COMBINATIONS = ((MODELS[0], True, '4k'), (MODELS[0], False, '2m'), (MODELS[1], True, '2m'), (MODELS[1], False, '4k'),
                (MODELS[2], True, '2m'), (MODELS[2], False, '4k'))


def tests():
    t = [bzimage('boot: bzImage', [])] + [combination(*c) for c in COMBINATIONS]
    t += [other("boot: 2 host CPUs, by the host's clock", ['--host-cpus', '2', '--clock', 'host'], two_cpus_host_clock),
          other('boot: all defaults', [], dated), Test('boot: kernels of protocol 2.00', old_protocols),
          other('boot: without RDRAND', ['--no-rdrand']),
          other('boot: shadow paging', ['--mmu', 'shadow', '--no-rdrand'], shadowed),
          other('boot: Ice Lake, 512 MB', ['--cpu', 'corei7_icelake_u', '--mem', '512M']),
          Test('boot: the same result everywhere', same_result, last=True),
          Test('boot: the same exits but for the mechanism', same_rest, last=True)]
    return t
