"""Words for Debian's kernel where a test is about something else: half of its boot concerns its own code alone.

`rodata=off` leaves out its search for memory that is both writable and executable; the rest are the tables of its
tracing, and the types that BPF programs may use. That whole boots end well, under each mechanism and on each CPU model,
`boot:`, `matrix:`, `switching:` and `sched:` show."""

BPF_TYPES = ('cubictcp_register', 'bpf_rstat_kfunc_init', 'bpf_prog_test_run_init', 'kfunc_init',
             'bpf_tcp_ca_kfunc_init', 'bpf_key_sig_kfuncs_init')
TRACING = ('ftrace_check_for_weak_functions', 'tracer_init_tracefs', 'init_kprobe_trace')
WORDS = 'rodata=off initcall_blacklist=' + ','.join(TRACING + BPF_TYPES)


def quick(more=''):
    """The command's arguments; more: further words."""
    return ['--append', (WORDS + ' ' + more).strip()]


def quickly(args):
    """The same and these arguments, unless words are among them."""
    return list(args) if '--append' in args else quick() + list(args)
