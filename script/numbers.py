#!/usr/bin/env python3
"""Holds numbers against each other. Those of the invariants: each stands once at the head of a sentence in a comment of
the tree, as " * RL1  The timers ..." does, so that a test, an assertion or a mutant that names it means one rule; and
who says "RL1 in vm/run.c", or "(RL1)", finds it there, or at all: in a comment, or in the table of docs/. And those of
the architecture: a port, an MSR, a leaf of CPUID or an exception's vector has its one name in a header of lib/, so none
stands bare where one is read, written, asked for or told apart; nor does a bit, but where it gets its name, or where a
guest's test shows that it is reserved."""

import os
import re
import sys

NAME = r'[A-Z]{1,3}[0-9]+[a-z]?'
HEAD = re.compile(r'^ \* +(' + NAME + r')(?:[: ] *)[A-Za-z(]')
OTHERS = re.compile(r'(CR|DR|XCR|INT)[0-9]')  # what the manuals call so
IN_DOCS = re.compile(r'^(?:\| (' + NAME + r') \||\* \*\*(' + NAME + r')\*\* )', re.M)
NAMES = '(' + NAME + '(?:(?:,| and| to) ' + NAME + ')*)'
IN_FILE = re.compile(r'\b' + NAMES + r'[\s*]+in[\s*]+`?((?:[a-z0-9_]+/)*[a-z0-9_]+\.[ch])\b')
ALONE = re.compile(r'\(' + NAMES + r'\)')
NO_RULES = re.compile(r'(CR|DR|XCR|INT|COM|PCI|EPT|LP)[0-9]+|C[0-9]+')  # registers, ports, devices, states of sleep
TOO_FEW = 60  # the pattern finds none any more
TOO_FEW_SAID = 200

# How a call names what: the number is the argument that is counted from the end.
CALL = re.compile(r'\b(?:(rdmsr(?:_safe|_fails)?|bench_rdmsr|cpuid|in[bwl])|(wrmsr(?:_safe|_fails)?|bench_wrmsr|'
                  r'out[bwl]))\(((?:[^()]|\([^()]*\))*)\)')
TWO_READ = ('rdmsr_safe', 'cpuid')
SWITCH = re.compile(r'\bswitch \((?:\w+->)?(?:msr|leaf|port)\) \{(.*?)\n\t?\}', re.S)
# And where one is told apart otherwise; or, in assembly, comes into the register that says which.
COMPARED = re.compile(r'\b(?:msr|leaf|port)(?:_index)? [=!]= (?:0x[0-9a-f]+|[0-9]+)\b|'
                      r'\bvector [=!]= (?:[1-9]|[12][0-9]|3[01])\b')
# And a register of the local APIC, which is named where it is read and written.
APIC_AT = re.compile(r'\b(?:lapic_mmio_(?:read|write)\([^,()]*(?:\[[^]]*\])?, |apic_(?:read|write)\()0x[0-9a-f]{2,3}\b')
INTO_ECX = re.compile(r'\bmovl?\s+\$(?:0x[0-9a-f]+|[0-9]+), ?%ecx(?=[^\n]*\n(?:[^\n]*\n){0,4}?\s*(?:rdmsr|wrmsr)\b)|'
                      r'"(?:rdmsr|wrmsr)\b[^;]*"c"\s?\((?:0x[0-9a-f]+|[0-9]+)u?\)')
CASE = re.compile(r'\bcase (0x[0-9a-f]+|[0-9]+)u?\b')
BARE = re.compile(r'(?:\([a-z0-9_]+\))?(0x[0-9a-f]+|[0-9]+)u?l*\b')
# A bit by its number, which is no size that something is below; or what is taken of a register by a number.
BIT_OF = re.compile(r'(?<!< )(?<!<= )\bBIT\((?:0x[0-9a-f]+|[0-9]+)\)')
REGISTER_BITS = re.compile(r'(?:\b|_)(?:cr0|cr4|efer|r?flags|eflags|dr6|dr7|xcr0)\b(?:\(\))? [&|]=? ~?\(?'
                           r'(?:0x[0-9a-f]+|[0-9]+)u?l*\b(?! << [A-Z])')
NAMED = re.compile(r'#\s*define\b|^\s*[A-Z0-9_]+ = |\\$|reserved|check_write_gp|"bit [0-9]+"')
BITS_IN = ('lib', 'mmu', 'emulate', 'dev', 'host', 'hvm', 'vmx', 'svm', 'start', 'vm', 'guest')
TREE = ('lib', 'mmu', 'emulate', 'dev', 'host', 'hvm', 'vmx', 'svm', 'start', 'vm', 'model', 'guest', 'test')
TOO_FEW_CALLS = 500


def sources(endings=('.c', '.h')):
    for folder, folders, names in os.walk('.'):
        folders[:] = sorted(f for f in folders if f not in ('build', '.git'))
        for path in (os.path.normpath(os.path.join(folder, n)) for n in sorted(names) if n.endswith(endings)):
            with open(path, encoding='utf-8') as f:
                yield path, f.read()


def without_comments(text):
    return re.sub(r'/\*.*?\*/', lambda comment: '\n' * comment.group(0).count('\n'), text, flags=re.S)


def arguments(text):
    """Of a call, split at the commas outside of brackets."""
    parts, depth = [''], 0
    for c in text:
        depth += (c == '(') - (c == ')')
        if c == ',' and not depth:
            parts.append('')
        else:
            parts[-1] += c
    return [p.strip() for p in parts]


def bare_numbers(text):
    """(calls there are, [(line, what)] of those that have a number instead of a name)."""
    text, calls, found = without_comments(text), 0, []

    def line(at):
        return text.count('\n', 0, at) + 1

    for m in CALL.finditer(text):
        args = arguments(m.group(3))
        back = 2 if m.group(2) or m.group(1) in TWO_READ else 1
        if len(args) < back or not args[-back] or text[:m.start()].endswith('define '):
            continue
        calls += 1
        if BARE.match(args[-back]):
            found.append((line(m.start()), m.group(0).split('\n')[0]))
    for m in SWITCH.finditer(text):
        found += [(line(m.start() + c.start()), c.group(0)) for c in CASE.finditer(m.group(0))]
    for pattern in (COMPARED, APIC_AT, INTO_ECX):
        found += [(line(m.start()), m.group(0)) for m in pattern.finditer(text)]
    return calls, found


def bare_bits(text):
    return [(n, m.group(0)) for n, line in enumerate(without_comments(text).split('\n'), 1)
            for m in [BIT_OF.search(line) or REGISTER_BITS.search(line)] if m and not NAMED.search(line)]


def led_nowhere(where):
    """(names said, those that stand nowhere, or not in the file that is said); where: {name: [path:line]}."""
    said, wrong = 0, []
    texts = list(sources(('.c', '.h', '.S', '.md', '.py')))
    in_docs = {n for path, text in texts if path.endswith('.md') for pair in IN_DOCS.findall(text) for n in pair}
    for path, text in texts:
        found = [(m, m.group(2)) for m in IN_FILE.finditer(text)] + [(m, None) for m in ALONE.finditer(text)]
        for m, of in found:
            for name in re.findall(NAME, m.group(1)):
                places = [p.rpartition(':')[0] for p in where.get(name, [])]
                said += 1
                if of not in places if of else not (places or name in in_docs or NO_RULES.fullmatch(name)):
                    wrong.append('%s:%d: %s stands %s' % (path, text.count('\n', 0, m.start()) + 1, name,
                                                          'not in ' + of if of else 'nowhere'))
    return said, wrong


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))
    where, faults, calls = {}, 0, 0
    for path, text in sources(('.c', '.h', '.S')):
        for number, line in enumerate(text.split('\n'), 1):
            found = HEAD.match(line)
            if found and not OTHERS.match(found.group(1)):
                where.setdefault(found.group(1), []).append('%s:%d' % (path, number))
        if path.split('/')[0] in TREE:
            n, bare = bare_numbers(text)
            bare += bare_bits(text) if path.split('/')[0] in BITS_IN else []
            calls += n
            faults += len(bare)
            for number, what in bare:
                print('%s:%d: a number that has a name in lib/, or needs one: %s' % (path, number, what))
    bare_count = faults
    for name, places in sorted(where.items()):
        if len(places) > 1:
            faults += 1
            print('%s stands in more than one place: %s' % (name, ', '.join(places)))
    said, wrong = led_nowhere(where)
    for line in wrong:
        print(line)
    print('%d numbered invariants, %d of them more than once; named %d times, %d times wrongly; %d ports, MSRs and '
          'leaves, %d of them, or bits, without a name' %
          (len(where), faults - bare_count, said, len(wrong), calls, bare_count))
    few = len(where) < TOO_FEW or said < TOO_FEW_SAID or calls < TOO_FEW_CALLS
    sys.exit(1 if faults or wrong or few else 0)


if __name__ == '__main__':
    main()
