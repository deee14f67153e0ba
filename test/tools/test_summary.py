"""tools/summary: what it counts, and that it ends badly when anything did."""

import json
import pathlib
import subprocess
import tempfile

import tap

SUMMARY = pathlib.Path(__file__).resolve().parents[2] / 'tools' / 'summary'


def run(*logs, log_name='testlog.json'):
    """All lines and the exit status for one build directory per list of (stdout, result)."""
    with tempfile.TemporaryDirectory(prefix='glovebox-summary-') as top:
        folders = []
        for number, log in enumerate(logs):
            folder = pathlib.Path(top) / f'build{number}'
            folders.append(str(folder))
            if log is not None:
                (folder / 'meson-logs').mkdir(parents=True)
                (folder / 'meson-logs' / log_name).write_text(''.join(
                    json.dumps({'name': 'x', 'stdout': out, 'result': result}) + '\n' for out, result in log))
        ended = subprocess.run([str(SUMMARY), *folders], stdout=subprocess.PIPE, text=True)
        return ended.stdout.splitlines(), ended.returncode


def summary(*logs, **more):
    """The last line and the exit status."""
    lines, status = run(*logs, **more)
    return lines[-1], status


def test_tap_counts_each_test():
    out = 'TAP version 13\n1..3\nok - a::b  (0.00s)\nok - a::c  # SKIP because\nok - a::d not ok  (0.1s)\n'
    assert summary([(out, 'OK')]) == ('2 passed, 0 failed, 1 skipped', 0)


def test_a_failed_test_fails_all():
    out = '1..2\nok 1 - fine\nnot ok 2 - bad\n  ---\n  ok, said a log\n'
    assert summary([(out, 'FAIL')]) == ('1 passed, 1 failed, 0 skipped', 1)


def test_a_program_that_ends_badly_after_good_tests():
    for result in ('ERROR', 'TIMEOUT', 'FAIL', 'INTERRUPT', 'UNEXPECTEDPASS'):
        assert summary([('1..1\nok 1 - fine\n', result)]) == ('1 passed, 1 failed, 0 skipped', 1)


def test_programs_without_tap_count_once():
    assert summary([('', 'OK'), ('ok\n', 'OK'), ('x', 'SKIP')]) == ('2 passed, 0 failed, 1 skipped', 0)
    assert summary([('', 'FAIL'), (None, 'TIMEOUT')]) == ('0 passed, 2 failed, 0 skipped', 1)


def test_directories_add_up():
    assert summary([('', 'OK')], [('1..2\nok 1\nok 2\n', 'OK')]) == ('3 passed, 0 failed, 0 skipped', 0)


def test_the_log_of_a_wrapped_run_counts():
    assert summary([('', 'OK')], log_name='testlog-sanitized.json') == ('1 passed, 0 failed, 0 skipped', 0)


def test_what_failed_is_quoted():
    out = '1..3\nok 1 - fine\nnot ok 2 - bad\n  because\nok 3 - good\n'
    assert run([(out, 'FAIL')])[0][-3:-1] == ['    not ok 2 - bad', '      because']
    assert run([('1\n' * 99 + 'the end', 'FAIL')])[0][-2] == '    the end'


def test_a_directory_where_nothing_ran_fails():
    assert summary([('', 'OK')], None) == ('1 passed, 1 failed, 0 skipped', 1)
    assert summary([('', 'OK')], []) == ('1 passed, 1 failed, 0 skipped', 1)


if __name__ == '__main__':
    tap.run(globals())
