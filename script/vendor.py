"""A vendor's names, which stand in its own room only; for rooms.py.

What is looked for is read from the rooms' headers, so that a new name is forbidden elsewhere as soon as it is there:
macros and enumerators of all of vmx/*.h and svm/*.h, and the instructions of their ops.h, which hvm/ may use besides.
So are their functions, their parts of a virtual CPU (.vmx, .svm), the VMCB, VMCS fields by number, and what would read
numbers of exits or bits of qualifications: an operator behind hvm_exit_code() or hvm_exit_detail(), which are for
counting and for sentences."""

import glob
import re
import sys

OWN, INTERFACE = ('vmx',), ('vmx', 'hvm')
INTERFACE_SVM = ('svm', 'hvm')
# Rooms whose comments and strings speak of no vendor but where the document says so.
NEUTRAL = ('lib', 'mmu', 'emulate', 'dev', 'host', 'hvm', 'start', 'vm')
NAMES_RULES = 'lib/mutants/'  # of the vendors' rooms too
SPOKEN = re.compile(r'\b(VMCS|VMX|VT-x|[Qq]ualifications?|hvm_exit_code|hvm_exit_detail|[Rr][Vv][Ii]|[Ss][Vv][Ii]|'
                    r'EOI-exit|APIC-access page|[Vv]irtual-APIC page|[Gg]uest interrupt status|[Vv]mcs|'
                    r'VM-(?:exit|entry|execution) controls|(?:[Pp]rocessor|[Pp]in)-based controls|IDT-vectoring|'
                    r'[Ee]xit reasons?|'
                    r'VM(?:LAUNCH|RESUME|READ|WRITE|PTRLD|PTRST|CLEAR|XON|XOFF)|'
                    r'VMCBs?|[Vv]mcb|VM(?:RUN|LOAD|SAVE)|STGI|CLGI|EXITINFO[12]?|EXITINTINFO|EVENTINJ|'
                    r'[Vv]irtual[- ]machine control (?:structures?|blocks?)|[Ee]xit information|'
                    r'[Ii]nterruption[- ]information)\b')
# Where the interface goes over to a vendor's room.
VENDORS = ('hvm/vmx.h', 'hvm/svm.h')
COMMENT, TITLE = re.compile(r'/\*.*?\*/', re.S), re.compile(r'"[^"]*"')
INSTRUCTIONS = {'vmlaunch', 'vmresume', 'vmptrst', 'vmfunc'}  # those that have no function in vmx/ops.h
PATTERNS = ((re.compile(r'\b(vmx_\w+|hvm_vmx\w*)\b'), INTERFACE), (re.compile(r'((?:\.|->)\s*vmx\b)'), INTERFACE),
            (re.compile(r'\b(svm_(?!offered\b)\w+|hvm_svm\w*|hvm_vmcb\w*)\b'), INTERFACE_SVM),
            (re.compile(r'\b(svm_offered)\b'), INTERFACE_SVM + ('start',)),  # which vendor's hypervisor runs
            (re.compile(r'((?:\.|->)\s*svm\b)'), INTERFACE_SVM), (re.compile(r'\b(VMCS_\w+)\b'), OWN),
            (re.compile(r'(0x0[fF],\s*0x01,\s*0x[cC][1-4])\b'), OWN),  # VMCALL to VMXOFF
            (re.compile(r'(\.byte\s+0x0?[fF],\s*0x7[89])\b'), OWN),  # VMREAD, VMWRITE
            (re.compile(r'\b(hvm_exit_(?:code|detail))\b(?!\()'), INTERFACE),  # by a pointer to it
            (re.compile(r'(hvm_exit_(?:code|detail)\([^()]*\)\)*\s*[^\s,;)])'), INTERFACE))
NUMBER = r'(?:0[xX][0-9a-fA-F]+|[1-9][0-9]{3,})[uUlL]*'
TOO_FEW = 150  # the headers are not read any more; of svm/, which has fewer, half as many


def names_of(path):
    """The macros and enumerators that a header defines."""
    with open(path, encoding='utf-8') as f:
        text = COMMENT.sub('', f.read())
    found = re.findall(r'^#define (\w{2,})|^\t([A-Z]\w+)(?: = [^,]+)?,', text, re.M)
    exits = re.findall(r'^\tX\(\d+, (\w+)', text, re.M)  # their names are put together
    return {macro or enumerator for macro, enumerator in found if not re.match(r'VELLUM_\w+_H$', macro)} | {
        'EXIT_' + name for name in exits}


def forbidden():
    """({name: rooms that may say it}, {number of a VMCS field}), as the headers have them."""
    names = {}
    for room, own, interface, few in (('svm', INTERFACE_SVM, INTERFACE_SVM, TOO_FEW // 2),
                                      ('vmx', OWN, INTERFACE, TOO_FEW)):
        here = {name: own for path in glob.glob(room + '/*.h') for name in names_of(path)}
        with open(room + '/ops.h', encoding='utf-8') as f:
            ops = set(re.findall(r'^static inline \w+ (\w+)\(', f.read(), re.M))
        here.update({name: interface if name.endswith('_insn') else own for name in ops})
        if len(here) < few:
            sys.exit(room + '/*.h: hardly a name was found')
        names.update(here)
    names.update({name: OWN for name in INSTRUCTIONS})
    with open('vmx/vmcs.h', encoding='utf-8') as f:
        fields = {int(value, 16) for value in re.findall(r'^\tVMCS_\w+ = (0x\w+)', f.read(), re.M)}
    return names, {n for n in fields if n >= 0x2000 and n % 0x400}  # round numbers are everybody's


def said_in(line, names, fields):
    """(what, rooms that may say it) of one line."""
    for word in re.findall(r'\w+', line):
        if word in names:
            yield word, names[word]
        elif re.fullmatch(NUMBER, word) and int(word.rstrip('uUlL'), 0) in fields:
            yield word + ', the number of a VMCS field', OWN
    for pattern, rooms in PATTERNS:
        for what in pattern.findall(line):
            if what not in names:
                yield what, rooms


def wrong_words(files, tops):
    names, fields = forbidden()
    for path in files:
        room = path.split('/')[0]
        with open(path, encoding='utf-8') as f:
            for number, line in enumerate(f, 1):
                # lib/ has registers of chips, whose numbers may be the same.
                for what, rooms in said_in(line, names, fields if room != 'lib' else ()) if room in tops else ():
                    if room not in rooms:
                        yield '%s:%d says %s, which only %s may' % (path, number, what, ' and '.join(rooms))


def blank(found):
    """As many lines, without their text."""
    return '\n' * found.group(0).count('\n')


def wrong_speech(files, text, document):
    """Words of one vendor in the neutral rooms, but for the manual's titles, which comments have in quotes, and for
    those that the section of layers allows."""
    allowed = set(re.findall(r'^\* `([^`]+)` in `([^`]+)`', text, re.M))
    said = set()
    for path in (p for p in files if p.split('/')[0] in NEUTRAL and p not in VENDORS and
                 not p.startswith(NAMES_RULES)):
        with open(path, encoding='utf-8') as f:
            code = COMMENT.sub(lambda comment: TITLE.sub(blank, comment.group(0)), f.read())
        for number, line in enumerate(code.split('\n'), 1):
            for word in SPOKEN.findall(line):
                said.add((word, path))
                if (word, path) not in allowed and not (word.startswith('hvm_') and path.startswith('hvm/')):
                    yield '%s:%d says %s, a word of one vendor' % (path, number, word)
    for word, path in sorted(allowed - said):
        yield '%s allows %s in %s, which does not say it' % (document, word, path)
