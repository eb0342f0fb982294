"Nothing let in: recordings of any bytes, games that misbehave, code that could be smuggled in."
import gzip, itertools, json, os, re, subprocess, sys, time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from arcengine import GameState

from aria_nb.agent import RULES, Agent, RandomPlayer, play
from aria_nb.games import GameError, Session, within
from aria_nb.recordings import RecordingError, read_episode
from aria_nb.transformer import build_model
from aria_nb.vocab import Vocab
from aria_nb.vqvae import PatchTokenizer
from aria_nb.world_model import WorldModel

ROOT = Path(__file__).parents[1]
EXAMPLES = int(os.environ.get('ARIA_FUZZ', 800)) # inputs of each fuzzer
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

def test_ten_gigabytes_are_streamed(tmp_path):
    "As one line (a file with a hole), as bytes that unpack to 10 GB, and as lines without an end: refused within 256 MiB, and soon."
    with open(tmp_path/'hole.jsonl', 'wb') as f: f.truncate(10 * 2**30)
    (tmp_path/'bomb.jsonl.gz').write_bytes(gzip.compress(bytes(100 * 2**20), 1) * 100)
    (tmp_path/'lines.jsonl.gz').write_bytes(gzip.compress(b'{"data": {}}\n' * 8_000_000, 1) * 100)
    code = '''
import resource, sys
from aria_nb.recordings import RecordingError, read_episode
used = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28,) * 2)
for path in sys.argv[1:]:
    try: read_episode(path)
    except RecordingError as e: print(e.line, e.problem)'''
    start = time.time()
    r = subprocess.run([sys.executable, '-c', code, *(tmp_path/n for n in ('hole.jsonl', 'bomb.jsonl.gz', 'lines.jsonl.gz'))], capture_output=True, text=True, timeout=300)
    assert r.stdout.splitlines() == ['1 a line of more than 16 MiB'] * 2 + ['1000001 more than 1,000,000 lines'], r.stderr[-500:]
    assert time.time() - start < 60

def test_a_recording_that_cannot_be_written_is_named():
    with pytest.raises(OSError) as e: Session('pn01', record='/dev/full')
    assert e.value.filename == '/dev/full' and 'space' in e.value.strerror

GAME = '''
import os, re, sys, time
import numpy as np
from aria_nb.games import Pn01
class Unspeakable(Exception):
    def __str__(self): raise ValueError
class Zz99(Pn01):
    name = 'zz99'
    def step(self):
        self.count = getattr(self, 'count', 0) + 1
        if self.count > 3: {what}
        super().step()
    def paint(self): return {paint}
'''
HOSTILE = { # what it does from its fourth step on; what it paints; what is said of it
    'raises': ('raise RuntimeError("boom")', 'super().paint()', 'zz99'), 'leaves': ('sys.exit(3)', 'super().paint()', 'zz99'), 'hangs': ('time.sleep(15)', 'super().paint()', 'no answer within 3 s'),
    'spins': ('any(False for _ in iter(int, 1))', 'super().paint()', 'no answer within 3 s'), 'cannot say why': ('raise Unspeakable', 'super().paint()', 'zz99'), 'speaks to the terminal': (r'raise SystemExit("a\x1b[2J\n" * 999)', 'super().paint()', 'zz99'),
    'holds the interpreter': ('re.match("(a+)+$", "a" * 60 + "b")', 'super().paint()', 'no answer within 4 s'), 'ends its process': ('os._exit(3)', 'super().paint()', 'its process ended (exit code 3)'),
    'is killed': ('os.kill(os.getpid(), 9)', 'super().paint()', 'its process ended (exit code -9)'), 'closes every file': ('os.closerange(0, 99)', 'super().paint()', 'zz99'),
    'answers itself': ('[os.write(k, b"[1]\\n") for k in range(3, 30) if os.path.exists(f"/proc/self/fd/{k}") and os.readlink(f"/proc/self/fd/{k}").startswith("pipe")]', 'super().paint()', 'zz99'),
    'answers without end': ('[os.write(k, b"x" * 2**20) for _ in range(40) for k in range(3, 30) if os.path.exists(f"/proc/self/fd/{k}") and os.readlink(f"/proc/self/fd/{k}").startswith("pipe")]', 'super().paint()', 'zz99'),
    'takes all memory': ('[0] * 2**50', 'super().paint()', 'zz99'), 'paints too little': ('self.bad = True', 'super().paint()[:5] if hasattr(self, "bad") else super().paint()', 'zz99'),
    'paints nothing': ('self.bad = True', 'None if hasattr(self, "bad") else super().paint()', 'zz99'), 'paints other colours': ('self.bad = True', 'super().paint() + 99 * hasattr(self, "bad")', 'colours must be 0..15')}

@pytest.mark.parametrize('kind', HOSTILE)
def test_a_hostile_game_ends_and_leaves_its_recording(tmp_path, kind):
    what, paint, says = HOSTILE[kind]
    at = tmp_path/'games'/'zz99'/'a1'; at.mkdir(parents=True)
    (at/'zz99.py').write_text(GAME.format(what=what, paint=paint))
    (at/'metadata.json').write_text(json.dumps(dict(game_id='zz99-a1', title='hostile', default_fps=10, class_name='Zz99', tags=['click'], baseline_actions=[5] * 6, date_downloaded='2026-01-01T00:00:00+00:00')))
    start = time.time()
    with Session('zz99', environments=tmp_path/'games', record=tmp_path/'z.jsonl.gz', timeout=3) as s: p = play(RandomPlayer(0), s, 50)
    assert says in p.error and '\n' not in p.error and len(p.error) < 500 and time.time() - start < 30 and p.score['levels'] == 0
    assert len(read_episode(tmp_path/'z.jsonl.gz')) == len(p.moments) + 1 >= 2 # all that it answered
    with Session('pn01') as s: assert play(RandomPlayer(0), s, 5).actions == 5 # the next game goes on

def test_what_spins_is_stopped():
    "A game that was left behind does not take the next one's time."
    ticks = [0]
    def spin():
        while True: ticks[0] += 1
    with pytest.raises(GameError, match='no answer'): within(.2, spin)
    time.sleep(.5); now = ticks[0]; time.sleep(.2)
    assert ticks[0] == now

@pytest.mark.parametrize('metadata', ['', '{', '[]', '{}', '{"game_id": 7}', '{"game_id": "../../x-a1"}'])
@pytest.mark.parametrize('code', ['', 'raise SystemExit(3)', 'def', 'class Zz99: pass'])
def test_a_broken_game_folder_is_refused(tmp_path, metadata, code):
    at = tmp_path/'zz99'/'a1'; at.mkdir(parents=True)
    (at/'zz99.py').write_text(code); (at/'metadata.json').write_text(metadata)
    with pytest.raises((GameError, ValueError)) as e: Session('zz99', environments=tmp_path, timeout=5)
    assert '\n' not in str(e.value)

class Answer:
    "An answer of a game, with something wrong."
    def __init__(self, good, **wrong): self.__dict__.update({k: getattr(good, k) for k in ('game_id', 'frame', 'state', 'levels_completed', 'win_levels', 'guid', 'full_reset', 'available_actions')} | wrong)

@pytest.mark.parametrize('wrong', [dict(frame=[np.zeros((64, 63), int)]), dict(frame=[np.full((64, 64), 16)]), dict(frame=[[1, [2]]]), dict(frame=None), dict(available_actions=[9]), dict(available_actions=None), dict(state='WON'), dict(game_id='../../x'), dict(game_id=None), dict(levels_completed='1'), dict(levels_completed=-1), dict(win_levels=None), dict(frame=7)])
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

@pytest.fixture(scope='module')
def model():
    "A world model that has learned nothing: it says anything."
    vocab = Vocab(20)
    return WorldModel(build_model('tiny', vocab).eval(), vocab, PatchTokenizer(np.arange(64 * 20).reshape(20, 64).astype(np.uint8) % 16), max_tokens=256)

answers = st.fixed_dictionaries({}, optional=dict(frame=st.sampled_from([[], [np.zeros((64, 64), int)], [np.full((64, 64), k) for k in range(3)], [np.full((64, 64), 16)], None, 7]), levels_completed=st.sampled_from([0, 1, 5, 6, 7, 99, -1, None]),
    win_levels=st.sampled_from([0, 1, 6, None]), available_actions=st.lists(st.integers(-1, 9), max_size=4) | st.none(), state=st.sampled_from([*GameState, 'WON', None]), game_id=st.sampled_from(['pn01-a1', '..', '', None]), guid=st.none() | st.text(max_size=3)))

@settings(fuzz, max_examples=min(EXAMPLES, 30))
@given(st.lists(answers, min_size=1, max_size=6), st.sampled_from([*RULES]))
def test_any_game_is_played(folder, model, given, rule):
    "A real agent, every rule, in a game that answers anything: the play ends without an error of ours, and its recording reads."
    with Session('pn01', record=folder/'any.jsonl.gz') as s:
        good, said = s.env.observation_space, itertools.cycle(given)
        s.env.step = lambda *a, **kw: Answer(good, **next(said))
        p = play(Agent(model, rule), s, 8, budget=5)
    assert p.error or s.actions == 8 or s.state == 'WIN' or s.actions >= 5 * s.baseline[0] # it failed, ran to the end, was won, or used its budget up
    read_episode(folder/'any.jsonl.gz')

@pytest.mark.parametrize('name', ['../../etc/x', '<script>alert(1)</script>', 'a/b', 'a\x00b', '\ud800', 'x' * 500])
def test_hostile_game_ids_are_refused(tmp_path, real, name):
    line = json.loads(real.splitlines()[0]); line['data']['game_id'] = name
    (tmp_path/'a.jsonl').write_text(json.dumps(line))
    with pytest.raises(RecordingError, match='a.jsonl:1: game_id must be'): read_episode(tmp_path/'a.jsonl')

def test_nothing_is_unpickled():
    "No code here reads pickles or runs a hub's Python."
    for path in [*(ROOT/'aria_nb').glob('*.py'), *(ROOT/'nbs').glob('*.ipynb')]:
        found = re.findall(r'import pickle|torch\.load\(|torch\.save\(|allow_pickle=True|trust_remote_code|joblib|(?<![.\w])eval\(|\bexec\(', path.read_text()) # (`model.eval()` is another thing)
        assert not found, (path, found)
