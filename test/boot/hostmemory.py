"""The hypervisor's own memory (docs/security.md): each promise is broken on purpose on a booted hypervisor (vellum run
--provoke), and must be caught by what guards it; the same image without that boots, which shows that its own walk of
its tables found nothing."""

import re

from runner import Test, require

# What is provoked, what must be said, and whether the hypervisor must go on.
PROVOKED = (
    ('null', r'the hypervisor stopped: fault in the hypervisor: a NULL pointer was followed: address 0x0,', False),
    ('null-call', r'the hypervisor stopped: fault in the hypervisor: a NULL pointer was called', False),
    ('write-code', r'the hypervisor stopped: fault in the hypervisor: its own code was written to', False),
    ('write-constant', r'the hypervisor stopped: fault in the hypervisor: its own constants were written to', False),
    ('write-sealed', r'the hypervisor stopped: fault in the hypervisor: an access that its own tables forbid', False),
    ('slot', r'(?s)provoke: INC gave 42, vector 0; UD2 vector 6.*the hypervisor stopped: '
     r'fault in the hypervisor: its own code was written to',
     False),
    ('execute-data', r'the hypervisor stopped: fault in the hypervisor: what is no code was called', False),
    ('execute-ram', r'the hypervisor stopped: fault in the hypervisor: what is no code was called', False),
    ('execute-stack', r'the hypervisor stopped: fault in the hypervisor: what is no code was called', False),
    ('stack', r"the hypervisor stopped: the hypervisor's stack ran over, on CPU 0", False),
    ('array', r"the hypervisor stopped: the hypervisor's stack was written over", False),
    ('copy', r'the hypervisor stopped: broken promise at .*base\.h:\d+: n > __builtin_object_size', False),
    ('page-writable-code', r'the hypervisor stopped: .* is writable and executable \(H1\)', False),
    ('page-alias', r'the hypervisor stopped: .* shows the image a second time \(H1\)', False),
    ('page-user', r"the hypervisor stopped: .* is a user's page \(H2\)", False),
    ('page-low', r'the hypervisor stopped: .* lies below 4 GiB outside of the image \(H3\)', False),
    ('page-guard', r'the hypervisor stopped: the stack of CPU 0 has no guard page \(H3\)', False),
    ('page-executable', r'the hypervisor stopped: .* is executable, and no code of the hypervisor \(H4\)', False),
    # These two find RSP at 0: without a stack of their own nothing could be said at all.
    ('nmi', r'provoke: an NMI was taken where RSP was 0', True),
    ('machine-check', r'the hypervisor stopped: machine check: the hardware has lost', False),
    ('nonsense', r'the hypervisor stopped: provoke: there is no nonsense', False),
)
PROVOKED_OTHER = (
    ('other-null', r'the hypervisor stopped: fault in the hypervisor: a NULL pointer was followed', False),
    ('other-stack', r"the hypervisor stopped: the hypervisor's stack ran over, on CPU 1", False),
    ('other-nmi', r'provoke: an NMI was taken where RSP was 0', True),
)
# Everything on the default model, and with the whole matrix on the one that has the least; on others and with two CPUs,
# what depends on them.
SOME = ('null', 'execute-ram', 'stack', 'nmi', 'page-guard')
LEAST = 'core2_penryn_t9600'
RUNS = (('corei7_haswell_4770', 1, True), ('corei7_skylake_x', 1, False),
        ('corei7_haswell_4770', 2, False), (LEAST, 2, False))
STOPPED = 70


def provoked(c, more, name, said, goes_on):
    o = c.run(['run', '--kernel', c.guest('hello'), '--mem', '16M', '--timeout', '50', '--provoke', name] + more,
              status=0 if goes_on else STOPPED, expect=[said],
              forbid=[] if goes_on else [r'the hypervisor goes on', r'hello: ok'], never=(), limit=70)
    require(not goes_on or re.search(r'^hello: ok', o.text, re.M), 'the guest did not run')


def on_model(model, cpus, everything):
    def run(c):
        failed = []
        chosen = tuple(p for p in PROVOKED if everything or p[0] in SOME)
        for name, said, goes_on in chosen + (PROVOKED_OTHER if cpus > 1 else ()):
            try:
                provoked(c, ['--cpu', model, '--host-cpus', str(cpus)], name, said, goes_on)
            except Exception as e:
                failed.append('%s: %s' % (name, e))
        require(not failed, '; '.join(failed))
    return Test("the hypervisor's memory: %s, %d CPU%s" % (model, cpus, 's' if cpus > 1 else ''), run)


def places(c):
    """Where RAM is seen differs from boot to boot, where the CPU has random numbers."""
    seen = set()
    for _ in range(3):
        o = c.run(['run', '--kernel', c.guest('hello'), '--mem', '16M', '--timeout', '50', '--provoke', 'execute-ram'],
                  status=STOPPED, never=())
        seen.add(re.search(r'was called: address (0x[0-9a-f]+)', o.text).group(1))
    require(len(seen) > 1, 'three boots saw RAM at %s' % ' '.join(seen))


def tests(everything):
    return [on_model(*r) for r in RUNS + ((LEAST, 1, everything),)] + [
        Test("the hypervisor's memory: where RAM is seen", places)]
