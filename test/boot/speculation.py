"""What is done against speculation (docs/security.md): each measure acts where the CPU can do it, is refused where it
cannot, and makes no difference to what a guest computes."""

import re

from runner import Test, require

BARE = 'corei7_haswell_4770'    # a CPU whose microcode knows none of the MSRs
ABLE = 'tigerlake'              # enhanced IBRS, IBPB, MD_CLEAR, IA32_FLUSH_CMD
ABLE_MEASURES = ('registers', 'l1d', 'verw', 'ibrs', 'rsb', 'ibpb', 'guest')
PER_EXIT = ('registers', 'l1d', 'verw', 'ibrs', 'rsb', 'guest')


def vmcall(c, model, measures):
    """What a VMCALL costs then."""
    o = c.run(['run', '--kernel', c.guest('exitcost'), '--mem', '64M', '--clock', 'host', '--timeout', '50', '--cpu',
               model,
               '--mitigations', measures], expect=[r'^exitcost: ok', r'mitigations: '], limit=70)
    return int(re.search(r'^BENCH vmcall \d+ (\d+)$', o.text, re.M).group(1))


def acts(c):
    off = vmcall(c, ABLE, 'off')
    each = {m: vmcall(c, ABLE, m) for m in ABLE_MEASURES}
    for m, cost in each.items():
        require(cost > off if m in PER_EXIT else cost == off, '%s: a VMCALL costs %d, without it %d' % (m, cost, off))
    everything = vmcall(c, ABLE, ','.join(ABLE_MEASURES))
    require(everything > max(each.values()), 'all measures cost %d, one %d' % (everything, max(each.values())))


def bare(c):
    off, registers, rsb = vmcall(c, BARE, 'off'), vmcall(c, BARE, 'registers'), vmcall(c, BARE, 'rsb')
    require(registers == off + 12, '12 registers cost %d' % (registers - off))
    require(rsb > off + 64, 'filling the RSB costs %d' % (rsb - off))
    require(vmcall(c, BARE, 'auto') == registers, 'auto is not registers alone')
    c.run(['run', '--kernel', c.guest('hello'), '--mem', '16M', '--timeout', '50', '--cpu', BARE],
          expect=[r'mitigations: registers \(always\); the CPU.s microcode is too old for what it needs besides: '
                  r'l1d, verw, ibrs, ibpb'],
          limit=70)


def refused(measure, missing):
    def run(c):
        c.run(['run', '--kernel', c.guest('hello'), '--mem', '16M', '--timeout', '50', '--cpu', BARE, '--mitigations',
               measure],
              status=67, expect=[r'mitigations %s cannot be had: this CPU has no %s' % (measure, missing)], limit=70)
    return Test('mitigations: %s refused where it cannot be' % measure, run)


def offered(c):
    """The guest's controls are there with `guest`, and are not without."""
    for measures, said in (('guest', r'speculation: IBRS STIBP SSBD MD_CLEAR ARCH_CAPABILITIES$'),
                           ('registers', r'speculation:$')):
        c.run(['run', '--kernel', c.guest('msr-cpuid'), '--mem', '64M', '--timeout', '50', '--cpu', ABLE,
               '--mitigations', measures], expect=[said, r'^msr-cpuid: ok'], forbid=[r'FAIL'], limit=70)


def neighbours(c):
    """Two on one CPU, one with everything, one with nothing; each has its own memory to check."""
    kernel = c.guest('memory')
    text = ''.join('vm %s\nkernel %s\nmem 32M\nmitigations %s\n' % (name, kernel, measures)
                   for name, measures in (('all', ','.join(ABLE_MEASURES)), ('none', 'off')))
    c.run(['run', '--vm', c.file('machines.txt', text), '--timeout', '90', '--cpu', ABLE],
          expect=[r'^memory: ok', r'^\[none\] memory: ok'], forbid=[r'FAIL'], limit=110)


def tests():
    return [Test('mitigations: each acts', acts), Test('mitigations: a CPU that can do nothing', bare),
            refused('l1d', 'IA32_FLUSH_CMD'), refused('verw', 'MD_CLEAR'), refused('ibrs', 'IA32_SPEC_CTRL'),
            refused('ibpb', 'IA32_PRED_CMD'), refused('guest', 'IA32_SPEC_CTRL'),
            Test('mitigations: what guests are offered', offered), Test('mitigations: neighbours', neighbours)]
