"""What make run shows is real: the page is README.md's, and the snapshot is one of that run."""

import json
import os
import pathlib
import re
import subprocess

import tap

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ['GLOVEBOX_BUILD'])
ended = subprocess.run([str(ROOT / 'tools/demo'), str(BUILD)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       stdin=subprocess.DEVNULL, text=True)


def test_it_ends_well_and_says_where_the_result_lies():
    assert ended.returncode == 0, ended.stdout
    assert 'README.html' in ended.stdout and 'readme.heapsnapshot' in ended.stdout, ended.stdout


def test_it_says_what_the_run_cost():
    for word in ('wall', 'cpu', 'memory'):
        assert f'\n{word}' in ended.stdout, ended.stdout


def test_the_page_is_the_readme():
    page = (BUILD / 'demo/README.html').read_text()
    title = (ROOT / 'README.md').read_text().splitlines()[0].lstrip('# ')
    assert page.startswith(f'<h1>{title}</h1>') and '</a>' in page, page[:200]


def test_the_snapshot_holds_the_page():
    snapshot = json.loads((BUILD / 'demo/readme.heapsnapshot').read_text())
    assert snapshot['snapshot']['node_count'] * len(snapshot['snapshot']['meta']['node_fields']) == len(snapshot['nodes'])
    assert any(string.startswith('<h1>') for string in snapshot['strings'])


def test_the_program_of_the_readme_runs():
    """Its last line says in a comment what it prints."""
    source = re.search(r'^```c\n(.*?)^```$', (ROOT / 'README.md').read_text(), re.MULTILINE | re.DOTALL).group(1)
    program = BUILD / 'demo/readme'
    subprocess.run(['cc', '-Wall', '-Wextra', '-Werror', f'-I{ROOT}/include', '-x', 'c', '-', '-o', program,
                    f'-L{BUILD}/src', '-lglovebox', f'-Wl,-rpath,{BUILD}/src'], input=source, text=True, check=True)
    output = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert output.strip() == re.search(r'/\* (\[.*\]) \*/', source).group(1), output


if __name__ == '__main__':
    tap.run(globals())
