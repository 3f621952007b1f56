"""Numbers of exits, and what else a CPU says of one, which nobody but the vendor's room reads; for rooms.py.

An exit's code (hvm_exit_code(), an index of exits[] and exit_handlers[], what hvm_exit_kind() and hvm_exit_name() take)
is for counting and for sentences. So what holds one - found in each function from where it comes and where it goes - is
compared with HVM_EXIT_... only or with another code, is computed with by nobody, and goes to nobody but hvm/ and
functions of vm/ that call it code, where the same holds. So it does of hvm_exit_detail(), and the word of an access to
a port (hvm_io_t) is read by the functions of hvm/hvm.h."""

import re

ROOM = 'vm'
CODE = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)
# What may be given a code, beside functions of hvm/ and those that call it so.
TAKE = {'min_u64', 'vm_end', 'if', 'while', 'likely', 'unlikely', 'sizeof', 'VM_KEPT', 'VM_MUTANT', 'VM_LEFT_OUT_OR'}
PARAMETER = re.compile(r'\b(\w+)\((?:[^()]*,\s*)?(?:unsigned|uint(?:16|32|64)_t) code\s*[,)]')
LOOP = re.compile(r'\bfor \([^;()]*= 0; \w+ < [A-Z]\w+; \w+\+\+\)')
ANOTHER = re.compile(r'(?:[\w>.-]*(?:\.|->))?\w*codes?\b|HVM_EXIT_')
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
    (re.compile(r'\b(?:exits|exit_handlers)\s*\[\s*((?!HVM_EXIT_)[A-Z]\w*)\s*\]'), 'an exit by its number'),
    (re.compile(r'((?:\.|->)\s*\w+|\])\s*=[^=;]*\bhvm_exit_(?:code|detail)\('), 'a number that is kept'),
    (re.compile(r'\bexits?\s*-\s*\w[\w>.-]*\bexits\b'), "an exit's number, from its place"),
    (re.compile(r'\bexits\s*\+\s*(\w+)'), 'an exit by its number'),
    (re.compile(r'\b(0[xX]0?[fF],\s*0[xX](?:78|79|[cC]7))\b'), "a vendor's instruction by its bytes"),
)
# What is computed with one all the same: a part of a key, by which sums are found again (trace_key_code()).
PACKED = {('vm/account/trace_sums.c', 'code + 1)')}
CAST = r'(?:\(\w[\w ]*\*?\)\s*)?'


def functions(text):
    """(line, text) of each function, which ends with a bracket of its own."""
    line = 1
    for part in re.split(r'(?<=\n\}\n)', text):
        yield line, part
        line += part.count('\n')


def codes_in(text):
    """The names that hold a code."""
    names = set(SOURCES.findall(text)) | set(BOUNDED.findall(text)) | ({'code'} if PARAMETER.search(text) else set())
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


def before(text, end):
    """What stands in front of an operator: a word with what it is a part of, or a call."""
    text, depth, at = text[:end].rstrip(), 0, len(text[:end].rstrip())
    while at and (depth or re.match(r'[\w.>)-]', text[at - 1])):
        at -= 1
        depth += {')': 1, '(': -1}.get(text[at], 0)
        if depth < 0:
            return text[at + 1:]
    return text[at:]


def misused(text, name, takers):
    """What is done with a code that only who knows the numbers does."""
    text, word = LOOP.sub('', text), r'(?<![\w.>])%s\b' % re.escape(name)
    operators = r'(==|!=|<=|>=|<<|>>|<|(?<!-)>|(?<!&)&(?!&)|(?<!\|)\|(?!\|)|\^|%|(?<!\+)\+(?!\+)|(?<!-)-(?![->])|/)'
    for op, other in re.findall(word + r'\s*' + operators + r'=?\s*' + CAST + r'(\S+)', text):
        if not ANOTHER.match(other):
            yield '%s %s %s' % (name, op, other)
    for found in re.finditer(operators + r'\s*' + CAST + word, text):
        other = before(text, found.start())
        if other and not ANOTHER.match(other) and not other.endswith(','):
            yield '%s %s %s' % (other, found.group(1), name)
    if re.search(r'\bswitch\s*\(\s*' + CAST + word, text):
        yield 'switch (%s)' % name
    for callee in re.findall(r'\b(\w+)\((?:[^()]*,\s*)?' + CAST + word + r'\s*[,)]', text):
        if callee not in TAKE | takers and not callee.startswith('hvm_'):
            yield '%s(%s)' % (callee, name)


def read(path):
    with open(path, encoding='utf-8') as f:
        return CODE.sub(lambda found: '""' + '\n' * found.group(0).count('\n'), f.read())


def wrong_codes(files):
    texts = {path: read(path) for path in files if path.split('/')[0] == ROOM}
    takers = {name for text in texts.values() for name in PARAMETER.findall(text)}
    for path, text in sorted(texts.items()):
        for line, part in functions(text):
            for name in sorted(codes_in(part)):
                for what in (w for w in misused(part, name, takers) if (path, w) not in PACKED):
                    yield '%s:%d looks at the number of an exit: %s' % (path, line, what)
            for name in sorted(set(IO.findall(part))):
                if re.search(r'\b%s\.\w' % name, part):
                    yield "%s:%d reads a vendor's word of an access to a port: %s" % (path, line, name)
            for pattern, what in OTHER_WAYS:
                for found in pattern.finditer(part):
                    yield '%s:%d has %s: %s' % (path, line + part.count('\n', 0, found.start()), what, found.group(0))
