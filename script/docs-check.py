#!/usr/bin/env python3
"""The figures of README.md and docs/*.md that a command prints, held against that command.

    script/docs-check.py BUILD [--only REGEX] [--list]

A block of the documents that is a session has a comment before it, which a reader of the page does not see:

    <!-- docs-check 5%: run --no-rdrand; ctl list -->

What follows the colon are `vellum` commands, one after the other; `&` before one has it run beside those behind it.
Each line of the block, in its order, must be a line of what they print: words as they are, spaces as they like, numbers
as near as the percentage says. "[...]" stands for lines, or for the rest of one; lines that begin with "$" are the
commands, and those that tell how long this computer took are not looked at; with "5% but addresses" nor are numbers
behind "0x", which any build moves. Tables and sentences are in TABLES and SENTENCES below.
Status 1 where a figure has grown old, or nothing is found where one was."""

import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import time

MARK = re.compile(r'<!-- docs-check (\d+)%( but addresses)?: (.*?) -->\n+```\n(.*?)```', re.S)
NUMBER = re.compile(r'(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w.]*\w)')
OWN_TIME = re.compile(r'^Bochs [\d.]+: [\d.]+ s, of which')
TIMEOUT = 1200


class Runs:
    """Commands, each carried out once."""

    def __init__(self, build):
        self.build = build
        self.vellum = os.path.join(build, 'vellum')
        self.seen = {}

    def bench(self):
        """The tables of bench/exits.sh, as {(title, row, column): figure}."""
        if 'bench' not in self.seen:
            print('  bench/exits.sh', flush=True)
            p = subprocess.run(['bash', 'bench/exits.sh', self.build], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors='replace', timeout=2 * TIMEOUT, check=False)
            self.seen['bench'] = dict(bench_tables(p.stdout))
        return self.seen['bench']

    def __call__(self, args):
        """(what it printed, its JSON or None)."""
        if args not in self.seen:
            self.seen[args] = self.run(args)
        return self.seen[args]

    def run(self, args):
        with tempfile.TemporaryDirectory() as work:
            path = os.path.join(work, 'run.json')
            more = ['--json', path] if args.startswith(('run ', 'compare ')) and '--json' not in args else []
            print('  vellum ' + args, flush=True)
            p = subprocess.run([self.vellum] + args.split() + more, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True, errors='replace', timeout=TIMEOUT, check=False)
            data = None
            if os.path.exists(path):
                with open(path, encoding='utf-8') as f:
                    data = json.load(f)
            return p.stdout, data

    def session(self, commands):
        """Those of a mark, which may have one of them beside the others."""
        out, beside = '', []
        name = 'docs-check-%d' % os.getpid()
        try:
            for command in commands.split('; '):
                if command.startswith('& '):
                    print('  vellum ' + command, flush=True)
                    beside.append(subprocess.Popen([self.vellum] + command[2:].split() + ['--name', name, '--quiet'],
                                                   stdout=subprocess.DEVNULL))
                    self.wait_for(name)
                elif beside:
                    verb, rest = command.split(None, 1)
                    out += self.run('%s --run %s %s' % (verb, name, rest))[0]
                else:
                    out += self(command)[0]
        finally:
            for p in beside:
                p.terminate()
                p.wait()
        return out

    def wait_for(self, name):
        end = time.monotonic() + 120
        while time.monotonic() < end:
            p = subprocess.run([self.vellum, 'ctl', '--run', name, 'list'], capture_output=True, text=True, check=False)
            if p.returncode == 0 and 'running' in p.stdout:
                time.sleep(8)
                return
            time.sleep(0.5)
        raise SystemExit('docs-check: the run beside it has not begun')


def value(text):
    return float(text.replace(',', ''))


def near(told, found, percent):
    """The least figure of what is told may be rounded besides."""
    digits = told.replace(',', '')
    unit = 10.0 ** -len(digits.partition('.')[2])
    if '.' not in digits:
        unit = 10.0 ** (len(digits) - len(digits.rstrip('0'))) if digits.strip('0') else 1
    return abs(value(told) - found) <= max(found * percent / 100.0, unit)


def same(told, line, percent, addresses):
    """Is a line of a document the line of an output?"""
    told, rest = told.rstrip(), False
    if not addresses:
        told, line = (re.sub(r'\b0x[0-9a-f]+', '0x', t) for t in (told, line))
    if told.endswith('[...]'):
        told, rest = told[:-5].rstrip(), True
    words = [NUMBER.sub('#', t).split() for t in (told, line)]
    if rest:
        words[1] = words[1][:len(words[0])]
    if words[0] != words[1]:
        return False
    return all(near(a, value(b), percent) for a, b in zip(NUMBER.findall(told), NUMBER.findall(line)))


def stale_lines(block, out, percent, addresses):
    """The lines of the block that are not in out, behind those before them."""
    lines, at = out.splitlines(), 0
    for told in block.splitlines():
        if not told.strip() or told.strip() == '[...]' or told.startswith('$') or OWN_TIME.match(told):
            continue
        for n in range(at, len(lines)):
            if same(told, lines[n], percent, addresses):
                at = n + 1
                break
        else:
            yield told


def bench_tables(out):
    """A line that begins with a word is a title, with the names of columns behind it; cells are two blanks apart. The
    second row of a name is that name with a 2."""
    title, columns, rows = '', [], set()
    for line in out.splitlines():
        cells = re.split(r' {2,}', line.strip())
        if line[:1].strip():
            title, columns, rows = cells[0], cells[1:], set()
        elif len(cells) > 1:
            name = cells[0] + ' 2' * (cells[0] in rows)
            rows.add(name)
            for column, cell in zip(columns, cells[1:]):
                found = re.match(r'[\d,]+(?:\.\d+)?', cell)
                if found:
                    yield (title, name, column), value(found.group())


def bench(runs):
    """What exits cost, by their names in the test kernel."""
    out, _ = runs('run --kernel build/guest/test/exitcost.elf --mem 64M --clock host')
    return {name: int(least) for name, least in re.findall(r'^BENCH (\S+) (\d+) \d+$', out, re.M)}


def exits_table(runs, text):
    """docs/exits.md: what the guest sees."""
    names = {'VMCALL': 'vmcall', 'CPUID': 'cpuid', 'IN from a port without a device': 'in_absent',
             'WRMSR of the TSC deadline': 'wrmsr_tsc_deadline', 'IN from port 0x61': 'in_served',
             'RDMSR of IA32_EFER': 'rdmsr_efer', 'read of absent memory': 'mmio_absent'}
    rows = dict(re.findall(r'^\| ([^|]+?) \| (?:about )?([\d,]+) \|', text, re.M))
    for row, name in names.items():
        yield row, rows.get(row), bench(runs).get(name), 5


def section(text, head):
    """The rows of the table whose first line begins with head: the cells of each."""
    lines = text[text.index('\n' + head) + 1:].splitlines()
    return [[cell.strip() for cell in line.strip()[1:-1].split('|')]
            for line in lines[2:next(n for n, line in enumerate(lines + ['']) if not line.startswith('|'))]]


def between_table(runs, text):
    """docs/exits.md: what is between CPUs, as ticks and as instructions of both."""
    wanted = (('fixed IPI: the write of the ICR', ''), ('and the receiver, which runs', ''),
              ('', 'fixed IPI to one that runs, with its EOI'), ('', 'the same without'),
              ('from the write to the handler 2', ''), ('', 'to one that is halted, without'),
              ('a move to another CPU, with its timer interrupt', 'a move, with the exit that asks for it'),
              ('', 'such an exit that moves nobody'), ('', 'so a move'))
    for cells, rows in zip(section(text, '| what | ticks | instructions |'), wanted):
        for told, row, unit, percent in zip(cells[1:], rows, ('ticks', 'instructions of both'), (5, 2)):
            if told or row:
                yield row, told or None, runs.bench().get(('between CPUs, ' + unit, row, 'measured')), percent


def local_apic_table(runs, text):
    """docs/interrupts.md: registers of the local APIC by method and mechanism."""
    names = {'read of the TPR': 'read of the TPR', 'write to the TPR, nothing waits': 'write to the TPR',
             'read of another register': 'read of another register', 'read of the PPR': 'read of the PPR',
             'EOI, none in service': 'EOI, none in service'}
    columns = ('trap, ept', 'flexpriority, ept', 'apicv, ept', 'trap, shadow', 'flexpriority, shadow', 'apicv, shadow')
    for row, *cells in section(text, '| By MOV, 64 bits |'):
        for column, told in zip(columns, cells):
            yield ('%s, %s' % (row, column), told,
                   runs.bench().get(('the local APIC, instructions', names.get(row), column)), 2)


# Rows of docs/interrupts.md: each figure of a cell is of these forms of instructions, two of a range of them.
FORMS = {
    'MOV from it; to it': (('mov load',), ('mov store',)),
    'MOV of a byte from it; to it': (('mov byte',), ('mov store byte',)),
    'CMP, TEST, BT': (('cmp',), ('test',), ('bt',)),
    'ADD of it to a register': (('add to register',),),
    'XCHG': (('xchg',),),
    'ADD, ADC, SUB, SBB, AND, OR, XOR to it': (('add', 'adc', 'sub', 'sbb', 'and', 'or', 'xor'),),
    'INC, DEC, NOT, NEG': (('inc', 'dec', 'not', 'neg'),),
    'CMPXCHG, XADD': (('cmpxchg',), ('xadd',)),
    'BTS, BTR, BTC; by a register': (('bts', 'btr', 'btc'), ('bts register',)),
    'changes of a byte or a word': (('btc word', 'neg word', 'sub word', 'or byte', 'cmpxchg word', 'dec byte',
                                     'adc byte', 'xadd byte'),),
    'PUSH; POP': (('push',), ('pop',)),
    'any of these with 8 bytes': (('mov load wide', 'mov store wide', 'mov immediate wide', 'cmp wide', 'or wide',
                                   'sbb wide', 'xchg wide', 'xadd wide', 'cmpxchg wide', 'neg wide', 'inc wide',
                                   'unmask wide', 'bts wide', 'bt wide', 'movslq'),),
}


def ends(values):
    """One figure, or the least and the most; None where one is not there."""
    if None in values:
        return [None]
    return [min(values), max(values)] if len(values) > 1 else values


def cell_against(what, cell, found):
    """The figures of a cell in their order."""
    told = NUMBER.findall(cell)
    for n in range(max(len(told), len(found))):
        yield what, told[n] if n < len(told) else None, found[n] if n < len(found) else None, 2


def forms_table(runs, text):
    """docs/interrupts.md: the TPR by each form of instruction."""
    columns = ('32 ept', '32 shadow', '32pae ept', '32pae shadow', '64 ept', '64 shadow')
    for row, *cells in section(text, '| Of the TPR |'):
        for column, cell in zip(columns, cells):
            if cell:
                found = [f for forms in FORMS.get(row, ()) for f in
                         ends([runs.bench().get(('trap: TPR', form, column)) for form in forms])]
                yield from cell_against('%s, %s' % (row, column), cell, found)


def interrupts_table(runs, text):
    """docs/interrupts.md: EOI and a lowered TPR with interrupts, the least and the most."""
    columns = ('32 ept', '32 shadow', '64 ept', '64 shadow')
    for cells, name in zip(section(text, '| | trap | patch | flexpriority | apicv |'),
                           ('eoi in service', 'eoi another waits', 'tpr lets in')):
        for method, cell in zip(('trap', 'patch', 'flexpriority', 'apicv'), cells[1:]):
            found = ends([runs.bench().get((method + ': interrupts', name, c)) for c in columns])
            yield from cell_against('%s, %s' % (name, method), cell, found)


def crossover_tables(runs, text):
    """docs/compare.md: instructions of the hypervisor in a turn, by mechanism."""
    cells = runs('compare --preset crossover --quiet')[1]['cells']
    turns = {(cell['run']['mmu'], p['name']): p['instructions'].get('hypervisor', 0) / p['steps']
             for cell in cells if cell.get('run') for p in cell['run']['phases'].values() if p.get('steps')}
    for head, phase in (('| edits in a turn |', 'edits'), ('| tables in a turn |', 'tables')):
        for count, *told in section(text, head):
            for name, t in zip(('ept', 'shadow', 'vtlb', 'brute'), told):
                yield '%s-%s, %s' % (phase, count, name), t, turns.get((name, '%s-%s' % (phase, count))), \
                    40 if name in ('ept', 'brute') else 10    # ept: timer ticks


def mechanisms_table(runs, text):
    """README.md: the default guest under each mechanism."""
    for name, pti, *cells in re.findall(r'^\| `(\w+)`(, pti)? \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|', text,
                                        re.M):
        _, data = runs('run --no-rdrand --mmu %s%s' % (name, ' --append pti=on' if pti else ''))
        found = (data['instructions']['guest'] / 1e6, data['instructions']['hypervisor'] / 1e6, data['exits']['total'],
                 data['exits']['mechanism']['count'])
        for column, told, this in zip(('guest', 'hypervisor', 'exits', "the mechanism's"), cells, found):
            yield '%s%s, %s' % (name, pti, column), told, this, 40 if name == 'brute' else 5


def guests_table(runs, text):
    """docs/guests.md: what the boot of each guest costs."""
    for guest, name, *cells in re.findall(r'^\| `(\S+)` \| `(\w+)` \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|',
                                          text, re.M):
        _, data = runs('run --guest %s --mmu %s --workload boot --no-rdrand' % (guest, name))
        found = (data['instructions']['guest'] / 1e6, data['instructions']['hypervisor'] / 1e6, data['exits']['total'],
                 data['exits']['mechanism']['count'])
        for column, told, this in zip(('guest', 'hypervisor', 'exits', "the mechanism's"), cells, found):
            yield '%s, %s, %s' % (guest, name, column), told, this, 40 if name == 'brute' else 5


def exits_sentence(runs, told):
    names = ('vmcall', 'cpuid', 'wrmsr_tsc_deadline', 'in_served')
    return [(name, t, bench(runs).get(name), 5) for name, t in zip(names, told)]


def unmoved_sentence(runs, told):
    """What the mechanism does not cause."""
    reasons = runs('run --no-rdrand --mmu ept')[1]['exits']['by_reason']
    names = ('cpuid', 'rdmsr', 'xsetbv', 'io_instruction', 'external_interrupt')
    return [(name, t, reasons[name]['count'], 3) for name, t in zip(names, told)]


def more_sentence(runs, told):
    """Instructions of both, beside ept."""
    def whole(args):
        i = runs('run --no-rdrand ' + args)[1]['instructions']
        return i['guest'] + i['hypervisor']
    pairs = (('--mmu shadow', '--mmu ept'), ('--mmu shadow --append pti=on', '--mmu ept --append pti=on'))
    return [(a, t, 100.0 * whole(a) / whole(b) - 100, 10) for t, (a, b) in zip(told, pairs)]


TABLES = (('docs/exits.md', exits_table), ('docs/exits.md', between_table), ('README.md', mechanisms_table),
          ('docs/guests.md', guests_table), ('docs/interrupts.md', local_apic_table),
          ('docs/interrupts.md', forms_table), ('docs/interrupts.md', interrupts_table),
          ('docs/compare.md', crossover_tables))
SENTENCES = (
    ('README.md', r'VMCALL (\d+)\s+instructions, CPUID (\d+), a\s+WRMSR of the TSC deadline (\d+), a\s+read of port '
                  r'0x61 (\d+)', exits_sentence),
    ('README.md', r'([\d,]+) CPUID, (\d+) RDMSR and (\d+) XSETBV exits to the exit,\s+ports \(([\d,]+)\)',
     unmoved_sentence),
    ('README.md', r'`shadow` needs ([\d.]+)% more instructions than `ept`.*?with it `shadow` needs ([\d.]+)% more',
     more_sentence),
)


def figures(runs, only):
    """(document, what, told, found, percent) of tables and sentences; told or found None: it is not there."""
    for path, table in TABLES:
        if re.search(only, '%s %s' % (path, table.__name__)):
            yield from ((path, *f) for f in table(runs, read(path)))
    for path, pattern, sentence in SENTENCES:
        if re.search(only, '%s %s' % (path, sentence.__name__)):
            found = re.search(pattern, read(path), re.S)
            if found:
                yield from ((path, *f) for f in sentence(runs, found.groups()))
            else:
                yield path, sentence.__name__, None, None, 0


def read(path):
    with open(path, encoding='utf-8') as f:
        return f.read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('build')
    parser.add_argument('--only', default='')
    parser.add_argument('--list', action='store_true')
    a = parser.parse_args()
    runs, looked, faults = Runs(a.build), 0, 0
    for path in ['README.md'] + sorted(glob.glob('docs/*.md')):
        for percent, no_addresses, commands, block in MARK.findall(read(path)):
            if not re.search(a.only, '%s %s' % (path, commands)):
                continue
            looked += 1
            if a.list:
                print('%s: %s' % (path, commands))
                continue
            for line in stale_lines(block, runs.session(commands), float(percent), not no_addresses):
                faults += 1
                print('%s: "%s" is not what %s prints' % (path, line.strip(), commands))
    for path, what, told, found, percent in () if a.list else figures(runs, a.only):
        looked += 1
        if told is None or found is None or not near(told, found, percent):
            faults += 1
            print('%s: %s: told %s, found %s' % (path, what, told, 'nothing' if found is None else '%.6g' % found))
    print('%d sessions and figures of the documents looked at, %d of them old' % (looked, faults))
    return 1 if faults or not looked else 0


if __name__ == '__main__':
    sys.exit(main())
