"Every notebook runs from top to bottom, and the package and README are what the notebooks say."
import filecmp, os, shutil, subprocess, sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT/'nbs').glob('*.ipynb'))
BIN = Path(sys.executable).parent


@pytest.mark.parametrize('notebook', NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook(notebook):
    r = subprocess.run([BIN/'nbdev_test', '--path', notebook], cwd=ROOT, capture_output=True, text=True)
    assert r.returncode == 0, (r.stdout + r.stderr)[-4000:]


@pytest.fixture
def copy(tmp_path):
    "The parts of the checkout that the nbdev commands work on."
    for name in ('nbs', 'aria_nb'): shutil.copytree(ROOT/name, tmp_path/name, ignore=shutil.ignore_patterns('__pycache__', '.ipynb_checkpoints'))
    for name in ('settings.ini', 'setup.py', 'README.md'): shutil.copy(ROOT/name, tmp_path/name)
    return tmp_path


def test_package_is_exported_from_the_notebooks(copy):
    for module in (copy/'aria_nb').rglob('*.py'): module.unlink()
    subprocess.run([BIN/'nbdev_export'], cwd=copy, check=True)
    fresh, kept = ({p.name: p.read_text() for p in (d/'aria_nb').rglob('*.py')} for d in (copy, ROOT))
    assert fresh == kept, [n for n in fresh.keys() | kept if fresh.get(n) != kept.get(n)]


def test_notebooks_are_clean(copy):
    subprocess.run([BIN/'nbdev_clean'], cwd=copy, check=True)
    differ = [p.name for p in NOTEBOOKS if not filecmp.cmp(p, copy/'nbs'/p.name, shallow=False)]
    assert not differ, f'run nbdev_clean: {differ}'


def test_readme_is_made_from_the_index(copy):
    subprocess.run([BIN/'jupyter', 'nbconvert', '--log-level', 'WARN', '--to', 'markdown', '--output-dir', str(copy), '--output', 'README', str(copy/'nbs'/'index.ipynb')], check=True)
    assert (copy/'README.md').read_text() == (ROOT/'README.md').read_text(), 'run make readme'


def test_plain_install_runs_outside_the_checkout(copy, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp('elsewhere')
    subprocess.run([sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--target', elsewhere/'site', str(copy)], check=True)
    code = "import aria_nb, aria_nb.cli; from aria_nb.games import Session; from aria_nb.evaluation import SHIPPED, load_run; s = Session('lk01'); print(aria_nb.__file__, s.frame.shape, load_run(SHIPPED).config['preset'])"
    r = subprocess.run([sys.executable, '-c', code], cwd=elsewhere, capture_output=True, text=True, env=os.environ | {'PYTHONPATH': str(elsewhere/'site')})
    assert r.returncode == 0 and str(elsewhere/'site') in r.stdout and '(64, 64) tiny' in r.stdout, r.stdout + r.stderr
