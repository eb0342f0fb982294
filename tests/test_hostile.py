"Nothing let in: recordings of any bytes, games that misbehave, code that could be smuggled in."
import gzip, json, os, re, subprocess, sys, time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from aria_nb.agent import RandomPlayer, play
from aria_nb.games import GameError, Session
from aria_nb.recordings import RecordingError, read_episode

ROOT = Path(__file__).parents[1]
EXAMPLES = int(os.environ.get('ARIA_FUZZ', 1000)) # inputs of each fuzzer
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

def reads_or_refuses(path, data):
    "Any bytes are a valid episode or the documented error, strict or not."
    path.write_bytes(data)
    for strict in (True, False):
        try: episode = read_episode(path, strict=strict)
        except RecordingError as e: assert str(e).startswith(f'{path}:')
        else:
            for s in episode.steps: assert s.frame.shape == (64, 64) and s.frame.dtype == np.uint8 and s.frame.max() < 16 and s.action in (None, *range(8))

@pytest.fixture(scope='module')
def folder(tmp_path_factory): return tmp_path_factory.mktemp('fuzz')

@pytest.fixture(scope='module')
def real(folder):
    "The lines of a recording with clicks."
    with Session('pn01', record=folder/'real.jsonl') as s:
        for k in range(3): s.step(6, 8 + k, 8)
    return (folder/'real.jsonl').read_bytes()

@fuzz
@given(st.binary(max_size=300), st.sampled_from(['any.jsonl', 'any.jsonl.gz']), st.booleans())
def test_any_bytes(folder, data, name, packed): reads_or_refuses(folder/name, gzip.compress(data) if packed else data)

values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(['ACTION6', 'RESET', 6, 63, 64, 'WIN']),
                      lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(['id', 'data', 'x', 'y', 'frame', 'reasoning']), inner, max_size=4), max_leaves=8)
fields = ['game_id', 'state', 'levels_completed', 'score', 'win_levels', 'action_input', 'guid', 'full_reset', 'available_actions', 'frame']

@fuzz
@given(st.integers(0, 3), st.dictionaries(st.sampled_from(fields), values, min_size=1, max_size=3))
def test_any_fields(folder, real, line, changes):
    lines = [json.loads(l) for l in real.splitlines()]
    lines[line]['data'] |= changes
    reads_or_refuses(folder/'fields.jsonl', '\n'.join(map(json.dumps, lines)).encode())

@fuzz
@given(st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6), st.integers(0, 40)), min_size=1, max_size=4), st.booleans())
def test_any_mutation(folder, real, edits, packed):
    data = gzip.compress(real, 1) if packed else real
    for where, new, gone in edits: at = int(where * len(data)); data = data[:at] + new + data[at + gone:]
    reads_or_refuses(folder/('cut.jsonl.gz' if packed else 'cut.jsonl'), data)

def test_a_long_line_and_a_large_file_are_not_held(tmp_path):
    "1 GB in one line, packed to 1 MB, is refused within 1 GB of address space beyond what is there."
    with gzip.open(tmp_path/'long.jsonl.gz', 'wb', 1) as f:
        for _ in range(1024): f.write(b'[' * 2**20)
    code = ('import resource; from aria_nb.recordings import read_episode\nused = int(open("/proc/self/statm").read().split()[0]) * 4096\n'
            f'resource.setrlimit(resource.RLIMIT_AS, (used + 2**28,) * 2)\nread_episode({str(tmp_path/"long.jsonl.gz")!r})')
    r = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=300)
    assert r.stderr.strip().endswith('long.jsonl.gz:1: a line of more than 16 MiB'), r.stderr[-500:]

GAME = '''
import sys, time
import numpy as np
from aria_nb.games import Pn01
class Zz99(Pn01):
    name = 'zz99'
    def step(self):
        self.count = getattr(self, 'count', 0) + 1
        if self.count > 3: {what}
        super().step()
    def paint(self): return {paint}
'''
HOSTILE = {'raises': ('raise RuntimeError("boom")', 'super().paint()', 'zz99'), 'leaves': ('sys.exit(3)', 'super().paint()', 'zz99'), 'hangs': ('time.sleep(5)', 'super().paint()', 'no answer within 1 s')}

@pytest.mark.parametrize('kind', HOSTILE)
def test_a_hostile_game_ends_and_leaves_its_recording(tmp_path, kind):
    what, paint, says = HOSTILE[kind]
    at = tmp_path/'games'/'zz99'/'a1'; at.mkdir(parents=True)
    (at/'zz99.py').write_text(GAME.format(what=what, paint=paint))
    (at/'metadata.json').write_text(json.dumps(dict(game_id='zz99-a1', title='hostile', default_fps=10, class_name='Zz99', tags=['click'], baseline_actions=[5] * 6, date_downloaded='2026-01-01T00:00:00+00:00')))
    start = time.time()
    with Session('zz99', environments=tmp_path/'games', record=tmp_path/'z.jsonl.gz', timeout=1) as s: p = play(RandomPlayer(0), s, 50)
    assert says in p.error and time.time() - start < 30 and p.score['levels'] == 0
    assert len(read_episode(tmp_path/'z.jsonl.gz')) == s.actions + 1 >= 2
    with Session('pn01') as s: assert play(RandomPlayer(0), s, 5).actions == 5 # the next game goes on

class Answer:
    "An answer of a game, with something wrong."
    def __init__(self, good, **wrong): self.__dict__.update({k: getattr(good, k) for k in ('game_id', 'frame', 'state', 'levels_completed', 'win_levels', 'guid', 'full_reset', 'available_actions')} | wrong)

@pytest.mark.parametrize('wrong', [dict(frame=[np.zeros((64, 63), int)]), dict(frame=[np.full((64, 64), 16)]), dict(frame=[[1, [2]]]), dict(frame=None), dict(available_actions=[9]), dict(available_actions=None), dict(state='WON')])
def test_a_malformed_answer_is_refused(wrong):
    with Session('pn01') as s:
        good = s.env.observation_space
        s.env.step = lambda *a, **kw: Answer(good, **wrong)
        with pytest.raises(GameError, match='pn01-a1'): s.step(6, 1, 1)

def test_changing_and_missing_actions_are_played(tmp_path):
    with Session('pn01') as s:
        good, offers = s.env.observation_space, iter([[1, 2], [], [6], [7], []] * 9)
        s.env.step = lambda *a, **kw: Answer(good, available_actions=next(offers))
        assert play(RandomPlayer(0), s, 10).actions == 10

@pytest.mark.parametrize('name', ['../../etc/x', '<script>alert(1)</script>', 'a/b', 'a\x00b', '\ud800', 'x' * 500])
def test_hostile_game_ids_are_refused(tmp_path, real, name):
    line = json.loads(real.splitlines()[0]); line['data']['game_id'] = name
    (tmp_path/'a.jsonl').write_text(json.dumps(line))
    with pytest.raises(RecordingError, match='a.jsonl:1: game_id must be'): read_episode(tmp_path/'a.jsonl')

def test_nothing_is_unpickled():
    "No code here reads pickles or runs a hub's Python."
    for path in [*(ROOT/'aria_nb').glob('*.py'), *(ROOT/'nbs').glob('*.ipynb')]:
        found = re.findall(r'import pickle|torch\.load\(|torch\.save\(|allow_pickle=True|trust_remote_code|joblib|\beval\(|\bexec\(', path.read_text())
        assert [f for f in found if f != 'eval('] == [], path # (`model.eval()` is another thing)
