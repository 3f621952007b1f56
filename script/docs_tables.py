"""The tables and sentences of the documents that script/docs-check.py holds against commands: each yields (what, what
the document tells, what a command prints, how near in per cent); None: it is not there."""

import json
import re

NUMBER = re.compile(r'(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w.]*\w)')


def value(text):
    return float(text.replace(',', ''))


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


def lines_of(out, words):
    """{the first words of a line: its next one} of a table of a bench."""
    rows = (line.split() for line in out.splitlines())
    return {tuple(row[:words]): value(row[words]) for row in rows
            if len(row) > words and re.fullmatch(r'[\d,]+(?:\.\d+)?', row[words])}


def planes_table(runs, text):
    """docs/screen.md: accesses to the planes of the display."""
    found = lines_of(runs.program('bench/planes.sh BUILD'), 2)
    names = ('vga_byte_write', 'vga_byte_read', 'vga_stosb_line', 'vga_movsb_line_to', 'vga_movsb_line_within')
    for (row, *cells), name in zip(section(text, '| | `ept` | `shadow` |'), names):
        for mmu, told in zip(('ept', 'shadow'), cells):
            yield '%s, %s' % (row, mmu), told, found.get((mmu, name)), 2


def dirty_table(runs, text):
    """docs/control.md: what each page found costs."""
    rows = {row[0]: [value(f) for f in row[2:]] for row in
            (line.split() for line in runs.program('bench/dirty.py BUILD').splitlines()[1:])}
    for name, *cells in section(text, '| | instructions | faults | full logs |'):
        for n, told in enumerate(cells):
            row = rows.get(name.strip('`'))
            yield '%s %d' % (name, n), told, row[n] if row else None, 10


def account_table(runs, text):
    """docs/mmu.md: flushes that were issued, and those that were needed."""
    out = runs.program('BUILD/oracle/oracle --account --runs 60 --steps 2000')
    for name, *told in re.findall(r'^(\w+) {2,}([\d,]+) +([\d,]+) +([\d,]+) +\d+ %$', text, re.M):
        accesses = re.search(r'^%s +(\d+) accesses checked' % name, out, re.M)
        flushes = re.search(r'^%s +(\d+) flushes issued, (\d+) of them' % name, out, re.M)
        issued, vain = (int(n) for n in flushes.groups()) if flushes else (None, None)
        found = (int(accesses.group(1)) if accesses else None, issued, issued - vain if flushes else None)
        for what, t, f in zip(('accesses', 'issued', 'needed'), told, found):
            yield '%s, %s' % (name, what), t, f, 2


def svm_table(runs, text):
    """docs/svm.md: the default guest's boot on both kinds of CPU."""
    for (name, *cells), mmus in zip(section(text, '| mechanism | AMD-V | VT-x |'),
                                    (('npt', 'ept'), *((m, m) for m in ('shadow', 'vtlb', 'brute')))):
        for told, mmu, more in zip(cells, mmus, ('--cpu ryzen ', '')):
            _, data = runs('run %s--no-rdrand --mmu %s' % (more, mmu))
            found = data['instructions']['hypervisor']
            for figure, is_now, near in zip(NUMBER.findall(told), (found / 1e6, 100.0 * found /
                                                                  data['instructions']['guest']),
                                            (40 if mmu == 'brute' else 5,) * 2):
                yield '%s %s' % (name, more), figure, is_now, near


def touched_sentence(runs, told):
    """docs/memory.md: RAM when it is touched, and taken at once."""
    (_, touched), (_, at_once) = (runs('run --no-rdrand --mmu ept' + more) for more in ('', ' --prealloc'))
    each = touched['exits']['by_reason']['ept_violation']
    ours = [r['instructions']['hypervisor'] for r in (touched, at_once)]
    found = (ours[0], 100.0 * ours[0] / ours[1] - 100, ours[1], each['ticks'] / each['count'])
    return [(name, t, f, near) for name, t, f, near in
            zip(('touched', 'more', 'at once', 'a violation'), told, found, (2, 40, 2, 5))]


def bios_sentence(runs, told):
    """docs/emulation.md: SeaBIOS with and without virtual-8086 mode."""
    both = (runs('run --bios seabios --mmu shadow' + more)[1] for more in ('', ' --no-vm86'))
    found = [data['exits']['by_reason']['emulated_instruction']['count'] for data in both]
    return list(zip(('vm86', 'without'), told, found, (3, 3)))


def measures_table(runs, text):
    """docs/security.md: what each measure against speculation adds to a VMCALL."""
    models = {'registers': ('corei7_haswell_4770',), 'rsb': ('tigerlake', 'corei7_haswell_4770')}
    for name, *_, told in section(text, '| name | what is done | `auto`'):
        name = name.strip('`')
        if name == 'ibpb':  # once, when another machine gets the CPU
            continue
        yield from cell_against(name, told, [
            runs.bench().get(('mitigations: a VMCALL, instructions', '%s: %s' % (model, name), 'adds'))
            for model in models.get(name, ('tigerlake',))])


def auto_sentence(runs, told):
    return [('auto', told[0], runs.bench().get(('mitigations: a VMCALL, instructions', 'tigerlake: auto', 'adds')), 2)]


def boot_test(runs, name):
    """What a boot test of that name prints."""
    return runs.program("python3 -B test/boot/main.py BUILD --all --jobs 1 --only '^%s$'" % name)


def request_costs(runs, disk):
    """Exits of a request by reason, and instructions a byte."""
    out = boot_test(runs, '%s: what a request costs' % disk)
    found = {reason: float(n) for reason, n in re.findall(r'(\w+) (\d+\.\d+)(?:,|$)', out, re.M)}
    each = re.search(r'^([\d.]+) instructions of the hypervisor a byte', out, re.M)
    return found, float(each.group(1)) if each else None


def requests_table(runs, text):
    """docs/disks.md: what a request of a virtio disk costs."""
    found, each = request_costs(runs, 'disks')
    for (row, told), reason in zip(section(text, '| of a request of 64 KiB |'),
                                   ('io_instruction', 'hlt', 'external_interrupt', None)):
        yield row, NUMBER.findall(told)[-1], found.get(reason) if reason else each, 30


def ide_sentence(runs, told):
    found, each = request_costs(runs, 'ide')
    return list(zip(('ports', 'HLT', 'a byte'), told, (found.get('io_instruction'), found.get('hlt'), each),
                    (2, 30, 20)))


def packet_sentence(runs, told):
    each = re.search(r'packets of a stream: ([\d.]+) each', boot_test(runs, 'network: two machines under ept'))
    return [('exits a packet', told[0], float(each.group(1)) if each else None, 30)]


def pages_table(runs, text):
    """docs/lab.md: a store's pages of both kinds, and without a hypervisor."""
    for row, *cells in section(text, '| guest / host pages |'):
        sizes = [size.strip().lower() for size in row.split('/')]
        how = '--mmu native' if row.startswith('native') else '--guest-pages %s --pages %s' % tuple(sizes)
        out, _ = runs('lab run --json - %s zipf:keys=512K,value=1K,ops=500k' % how)
        a = json.loads(out)['account']
        found = (1000 * a['walk_rate'], a['references_a_walk'], a['cycles_a_walk'],
                 *(1000 * a['seconds.' + end] for end in ('estimate', 'low', 'high')),
                 4 * a['table_pages.guest'], 4 * a['table_pages.host'])
        for n, (told, this) in enumerate(zip((f for cell in cells for f in NUMBER.findall(cell)), found)):
            yield '%s, figure %d' % (row, n + 1), told, this, 2


TABLES = (('docs/lab.md', pages_table), ('docs/exits.md', exits_table), ('docs/exits.md', between_table),
          ('README.md', mechanisms_table),
          ('docs/guests.md', guests_table), ('docs/interrupts.md', local_apic_table),
          ('docs/interrupts.md', forms_table), ('docs/interrupts.md', interrupts_table),
          ('docs/compare.md', crossover_tables), ('docs/screen.md', planes_table),
          ('docs/control.md', dirty_table), ('docs/svm.md', svm_table), ('docs/mmu.md', account_table),
          ('docs/security.md', measures_table), ('docs/disks.md', requests_table))
SENTENCES = (
    ('README.md', r'VMCALL (\d+)\s+instructions, CPUID (\d+), a\s+WRMSR of the TSC deadline (\d+), a\s+read of port '
                  r'0x61 (\d+)', exits_sentence),
    ('README.md', r'([\d,]+) CPUID, (\d+) RDMSR and (\d+) XSETBV exits to the exit,\s+ports \(([\d,]+)\)',
     unmoved_sentence),
    ('README.md', r'`shadow` needs ([\d.]+)% more instructions than `ept`.*?with it `shadow` needs ([\d.]+)% more',
     more_sentence),
    ('docs/memory.md', r'executes ([\d,]+) instructions for it, ([\d.]+) % more than with RAM that is taken at once '
                       r'\(`--prealloc`:\s+([\d,]+)\); an EPT violation ([\d,]+) in the mean', touched_sentence),
    ('docs/security.md', r'`auto` on Tiger Lake is (\d+)', auto_sentence),
    ('docs/disks.md', r'([\d.]+) exits for ports, ([\d.]+) HLTs .*?; ([\d.]+) instructions of the hypervisor a byte',
     ide_sentence),
    ('docs/network.md', r'EPT: ([\d.]+) exits for a packet', packet_sentence),
    ('docs/emulation.md', r'the emulator does ([\d,]+) instructions.*?and ([\d,]+) with\s+`vm86 off`', bios_sentence),
)
