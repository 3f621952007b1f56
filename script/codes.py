"""Numbers of exits, and what else a CPU says of one, which nobody but the vendor's room reads; for rooms.py.

An exit's code (hvm_exit_code(), an index of exits[] and exit_handlers[], what hvm_exit_kind() and hvm_exit_name() take)
is for counting and for sentences. So what holds one - found in each function from where it comes and where it goes - is
compared with HVM_EXIT_... only, is computed with by nobody, and goes to nobody but those who count or tell. The same
holds of hvm_exit_detail(), and of the word of an access to a port (hvm_io_t): the functions of hvm/hvm.h read it."""

import re

ROOM = 'vm'
CODE = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)
# Functions that may be given a code, beside those of hvm/: they look it up, or write it.
TAKE = {'min_u64', 'exit_of', 'stats_exit', 'stats_ticks_of', 'stats_of_mechanism', 'of_mechanism', 'vm_end', 'say',
        'if', 'while', 'for', 'likely', 'unlikely', 'sizeof', 'VM_KEPT', 'VM_MUTANT', 'VM_LEFT_OUT_OR'}
SOURCES = re.compile(r'\b(\w+)\s*=[^=;]*\bhvm_exit_(?:code|detail)\(')
INDICES = re.compile(r'(?:\bexits|\bexit_handlers)\s*\[([^]]*)\]|'
                     r'\bhvm_exit_(?:kind|name)\(([^()]*(?:\([^()]*\))?[^()]*)\)')
BOUNDED = re.compile(r'\b(\w+)\s*(?:<|>=)\s*HVM_EXIT_CODES')
ALIAS = re.compile(r'\b(\w+)\s*=(?!=)\s*([^;]*);')
IO = re.compile(r'\bhvm_io_t\s+(\w+)')
OTHER_WAYS = (
    (re.compile(r'\bexits\s*\[\s*(?:\(\w+\)\s*)?(0[xX][0-9a-fA-F]+|\d+)'), 'an exit by its number'),
    (re.compile(r'\b(?:exit_handlers|handlers)\s*\[\s*(0[xX][0-9a-fA-F]+|\d+)'), 'an exit by its number'),
    (re.compile(r'\bhvm_exit_(?:kind|name)\(\s*(?:\(\w+\)\s*)?(0[xX][0-9a-fA-F]+|\d+)'), 'an exit by its number'),
    (re.compile(r'\bexits?\s*-\s*\w[\w>.-]*\bexits\b'), "an exit's number, from its place"),
    (re.compile(r'\bexits\s*\+\s*(\w+)'), 'an exit by its number'),
    (re.compile(r'\b(0[xX]0?[fF],\s*0[xX](?:78|79|[cC]7))\b'), "a vendor's instruction by its bytes"),
)
CAST = r'(?:\(\w[\w ]*\*?\)\s*)?'


def functions(text):
    """(line, text) of each function, which ends with a bracket of its own."""
    line = 1
    for part in re.split(r'(?<=\n\}\n)', text):
        yield line, part
        line += part.count('\n')


def codes_in(text):
    """The names that hold a code."""
    names = set(SOURCES.findall(text)) | set(BOUNDED.findall(text))
    for one, other in INDICES.findall(text):
        found = re.fullmatch(CAST + r'(\w+)', (one or other).strip())
        if found:
            names.add(found.group(1))
    names = {n for n in names if not n[0].isdigit() and not n.startswith('HVM_EXIT_')}
    while True:
        more = set()
        for name, value in ALIAS.findall(text):
            # What is looked up by a code, or computed from it by a function, is another thing.
            value = re.sub(r'\[[^]]*\]', '', re.sub(r'\b(?!min_u64)\w+\([^()]*\)', '', value))
            if set(re.findall(r'\w+', value)) & names:
                more.add(name)
        if more <= names:
            return names
        names |= more


def misused(text, name):
    """What is done with a code that only who knows the numbers does."""
    word = r'(?<![\w.>])%s\b' % re.escape(name)
    for op, other in re.findall(word + r'\s*(==|!=|<=|>=|<<|>>|<|>|&(?!&)|\||\^|%|\+(?!\+)|-(?!-)|\*|/)\s*(\S+)', text):
        if not other.startswith('HVM_EXIT_') and not (op == '|' and other.startswith('|')):
            yield '%s %s %s' % (name, op, other)
    for other, op in re.findall(r'([\w)]+)\s*(==|!=|<=|>=|<<|>>|<|>|(?<!&)&|(?<!\|)\||\^|%|(?<!\+)\+|(?<!-)-|/)\s*' +
                                CAST + word, text):
        if not other.startswith('HVM_EXIT_'):
            yield '%s %s %s' % (other, op, name)
    if re.search(r'\bswitch\s*\(\s*' + CAST + word, text):
        yield 'switch (%s)' % name
    for callee in re.findall(r'\b(\w+)\((?:[^()]*,\s*)?' + CAST + word + r'\s*[,)]', text):
        if callee not in TAKE and not callee.startswith('hvm_'):
            yield '%s(%s)' % (callee, name)


def wrong_codes(files):
    for path in (p for p in files if p.split('/')[0] == ROOM):
        with open(path, encoding='utf-8') as f:
            text = CODE.sub(lambda found: '""' + '\n' * found.group(0).count('\n'), f.read())
        for line, part in functions(text):
            for name in sorted(codes_in(part)):
                for what in misused(part, name):
                    yield '%s:%d looks at the number of an exit: %s' % (path, line, what)
            for name in sorted(set(IO.findall(part))):
                if re.search(r'\b%s\.\w' % name, part):
                    yield "%s:%d reads a vendor's word of an access to a port: %s" % (path, line, name)
            for pattern, what in OTHER_WAYS:
                for found in pattern.finditer(part):
                    yield '%s:%d has %s: %s' % (path, line + part.count('\n', 0, found.start()), what, found.group(0))
