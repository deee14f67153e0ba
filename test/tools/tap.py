"""Runs the functions of a module whose names begin with test_, and reports in TAP."""

import sys
import traceback


class Skip(Exception):
    """This machine has not what the test needs; says what."""


def run(tests):
    """tests: the globals() of the caller."""
    found = [(name[5:].replace('_', ' '), f) for name, f in tests.items() if name.startswith('test_')]
    failed = 0
    print(f'1..{len(found)}')
    for number, (name, function) in enumerate(found, 1):
        try:
            function()
            print(f'ok {number} - {name}')
        except Skip as reason:
            print(f'ok {number} - {name} # SKIP {reason}')
        except Exception:  # a test may fail in any way; the others still run
            failed += 1
            print(f'not ok {number} - {name}')
            for line in traceback.format_exc().splitlines():
                print(f'# {line}')
        sys.stdout.flush()
    sys.exit(1 if failed else 0)
