"Nothing let in by a shared run: its JSON, tensors and arrays are checked before they are used, and run no code."
import gzip, json, os, re, resource, shutil, struct, subprocess, sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st
from transformers import LlamaConfig, LlamaForCausalLM

from aria_nb.cli import RunConfig, aria_eval, aria_train, aria_view, own_config
from aria_nb.demos import make_demos
from aria_nb.dynamics import Dynamics, DynamicsConfig, save_dynamics
from aria_nb.evaluation import load_run, publish, read_metrics
from aria_nb.files import fingerprint, write_json, write_tensors
from aria_nb.games import Session
from aria_nb.training import Trainer, TrainConfig, load_checkpoint
from aria_nb.transformer import PRESETS, ModelSpec, Preset, build_model, load_model, save_model
from aria_nb.viewer import film_page, read_film, write_report
from aria_nb.vocab import Vocab
from aria_nb.vqvae import VQVAE, PatchTokenizer, PlacedTokenizer, load_tokenizer, save_tokenizer
from aria_nb.windows import Corpus, Windows

EXAMPLES = int(os.environ.get('ARIA_FUZZ', 200)) # inputs of each fuzzer
fuzz = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
FILES = ['tokenizer/tokenizer.json', 'model/model.json', 'dynamics/dynamics.json', 'config.json']

def add_short():
    "A preset that is made in a moment."
    PRESETS['short'] = Preset(PRESETS['tiny'].shape | dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16), layout=True, size=256, stride=128, tokenizer='exact', checkpointing=False)

@pytest.fixture(scope='module', autouse=True)
def short():
    add_short()
    yield
    del PRESETS['short']

@pytest.fixture(scope='module')
def run(tmp_path_factory, short):
    "A run folder as training leaves it, but for the training."
    out, tok = tmp_path_factory.mktemp('run'), PatchTokenizer(np.arange(64 * 20).reshape(20, 64).astype(np.uint8) % 16)
    spec = ModelSpec('short', Vocab(20).config)
    save_tokenizer(tok, out/'tokenizer'); save_model(spec.build(), spec, out/'model')
    small = DynamicsConfig(8, 32, 1, 1); save_dynamics(Dynamics(small.build(), small), out/'dynamics')
    write_json(out/'config.json', vars(RunConfig('recordings', ['*.02.*'], 'short')))
    load_run(out)
    return out

def opens_or_refuses(run):
    "A run opens, or says in one line which file of it is wrong; its settings too."
    try: own_config(load_run(run))
    except (ValueError, OSError) as e: assert str(run) in str(e) and '\n' not in str(e) and len(str(e)) < 1000, e
    else: return True

class changed:
    "A file of a run with other bytes, for a while."
    def __init__(self, path, data): self.path, self.data = Path(path), data
    def __enter__(self): self.was = self.path.read_bytes(); self.path.write_bytes(self.data)
    def __exit__(self, *_): self.path.write_bytes(self.was)

def with_fields(run, path, /, **fields): return changed(run/path, json.dumps(json.loads((run/path).read_text()) | fields).encode())

ABSURD = {'dynamics/dynamics.json': [dict(width=0), dict(width=10**9), dict(depth='4'), dict(far_width=33), dict(near=None), dict(evil=1), dict(batch=-1)],
          'tokenizer/tokenizer.json': [dict(variant='evil'), dict(variant=['exact']), dict(n_codes=10**12), dict(n_codes='20'), dict(config=None, variant='original'), dict(variant='original', config=dict(n_codes=10**12)),
              dict(variant='original', config=dict(hidden=10**9)), dict(variant='original', config=dict(dim=-1)), dict(variant='original', config=dict(hidden=10**40)), dict(variant='original', config=dict(code='rm'))],
          'model/model.json': [dict(name='evil'), dict(name='../../etc'), dict(name=['short']), dict(vocab={}), dict(vocab=dict(n_codes=10**12)), dict(vocab=dict(n_codes=0)), dict(vocab=dict(n_codes=21)), dict(vocab=dict(n_codes=True)), dict(vocab=7),
              dict(vocab=dict(kind=['compact'])), dict(vocab=dict(size=1)), dict(seed=10**30), dict(seed=-1), dict(seed='0'), dict(as_described=1), dict(hidden_size=10**12), dict(weights=['x']), dict(name='smollm2-360m', weights='evil/repo')],
          'config.json': [dict(preset='evil'), dict(preset='tiny'), dict(preset=None), dict(clicks='evil'), dict(clicks=[]), dict(games=7), dict(level_seeds={}), dict(recordings=7), dict(validation=[7]), dict(epochs='1'), dict(seed=-1), dict(batch=-3), dict(lr=0)]}

@pytest.mark.parametrize('name', FILES)
def test_absurd_settings_are_refused(run, name):
    for fields in ABSURD[name]:
        with with_fields(run, name, **fields): assert not opens_or_refuses(run), fields

@pytest.mark.parametrize('name', [*FILES, 'model/model.safetensors', 'tokenizer/tokenizer.safetensors'])
@pytest.mark.parametrize('data', [b'', b'null', b'[]', b'{}', b'{"a":' * 10**5, b' ' * 2**23, b'\x80\x04K\x01.', struct.pack('<Q', 2**40) + b'{}', struct.pack('<Q', 2**63) + b' ' * 99])
def test_other_bytes_are_refused(run, name, data):
    with changed(run/name, data): assert not opens_or_refuses(run)

def test_nothing_is_taken_for_a_claim(run):
    "Absurd sizes are refused within 1 GiB of address space, beyond what is there."
    code = f'''
import resource, sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from test_shared import ABSURD, add_short, opens_or_refuses, with_fields
add_short()
used = int(open('/proc/self/statm').read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (used + 2**30,) * 2)
for name, cases in ABSURD.items():
    for fields in cases:
        with with_fields(Path({str(run)!r}), name, **fields): assert not opens_or_refuses({str(run)!r}), fields
print('all refused')'''
    r = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, timeout=300)
    assert r.stdout.strip() == 'all refused', r.stderr[-2000:]

values = st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8) | st.sampled_from([10**12, -1, 'original', 'exact', 'short', 'full', 'smollm2-360m', 'random', '../..', '/']),
                      lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(['n_codes', 'kind', 'extras', 'hidden', 'dim']), inner, max_size=3), max_leaves=6)
keys = {f: st.sampled_from(sorted({k for case in ABSURD[f] for k in case} | {'config'})) | st.text(max_size=5) for f in FILES}

@fuzz
@given(st.sampled_from(FILES).flatmap(lambda f: st.tuples(st.just(f), st.dictionaries(keys[f], values, min_size=1, max_size=3))))
def test_any_settings(run, change):
    name, fields = change
    if fields.get('name') in ('smollm2-135m', 'smollm2-360m'): fields['weights'] = 'evil/repo' # (without it, the preset's own would be asked for at the hub)
    with with_fields(run, name, **fields): opens_or_refuses(run)

@fuzz
@given(st.sampled_from([*FILES, 'model/model.safetensors', 'tokenizer/tokenizer.safetensors']), st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=6), st.integers(0, 40)), min_size=1, max_size=3))
def test_any_damage(run, name, edits):
    data = (run/name).read_bytes()
    for at, new, gone in edits: data = data[:at] + new + data[at + gone:]
    with changed(run/name, data): opens_or_refuses(run)

def test_numbers_that_are_none_are_refused(run):
    spec, path = ModelSpec('short', Vocab(20).config), run/'model'/'model.safetensors'
    model = spec.build()
    next(model.parameters()).data[0, 0] = float('nan')
    with changed(path, path.read_bytes()):
        save_model(model, spec, run/'model')
        with pytest.raises(ValueError, match='no number'): load_run(run)

def test_a_swapped_part_is_named(run, tmp_path):
    "With a fingerprint, and without one where shapes tell."
    write_json(run/'fingerprint.json', fingerprint(run))
    with with_fields(run, 'model/model.json', seed=1), pytest.raises(ValueError, match='model.json is not the one'): load_run(run)
    os.remove(run/'fingerprint.json')
    save_tokenizer(PatchTokenizer(np.zeros((21, 64), np.uint8)), tmp_path)
    with changed(run/'tokenizer/tokenizer.json', (tmp_path/'tokenizer.json').read_bytes()), changed(run/'tokenizer/tokenizer.safetensors', (tmp_path/'tokenizer.safetensors').read_bytes()):
        with pytest.raises(ValueError, match="21 codes, the model's vocabulary 20"): load_run(run)
    with with_fields(run, 'model/model.json', vocab=dict(n_codes=513)), pytest.raises(ValueError, match=r'\[\d+, 16\] in the file, \[\d+, 16\] in the model'): load_run(run)

def test_the_original_tokenizer_too(tmp_path):
    save_tokenizer(VQVAE(n_codes=32, dim=4, hidden=8), tmp_path)
    load_tokenizer(tmp_path)
    for config in (dict(n_codes=10**12), dict(hidden=10**9), dict(n_codes=33, dim=4, hidden=8), dict(n_codes=32, dim=4, hidden=0), dict(n_codes='32')):
        with with_fields(tmp_path, 'tokenizer.json', config=config), pytest.raises(ValueError, match='tokenizer.json: no tokenizer'): load_tokenizer(tmp_path)

def test_cells_of_no_colour_and_places_of_no_cell_are_refused(tmp_path):
    good = PatchTokenizer(np.zeros((20, 64), np.uint8)), PlacedTokenizer(np.zeros((20, 64), np.uint8), np.zeros((9, 64), np.int32))
    bad = [torch.full((20, 64), 16, dtype=torch.uint8), torch.zeros(20, 63, dtype=torch.uint8), torch.zeros(0, 64, dtype=torch.uint8), torch.zeros(20, 64)], [torch.full((9, 64), 20, dtype=torch.int32), torch.full((9, 64), -1, dtype=torch.int32), torch.zeros(9, dtype=torch.int32), torch.zeros(9, 64)]
    for tok, name, tensors in zip(good, ('patches', 'table'), bad):
        save_tokenizer(tok, tmp_path)
        load_tokenizer(tmp_path)
        for t in tensors:
            write_tensors(tmp_path/'tokenizer.safetensors', tok.tensors() | {name: t})
            with pytest.raises(ValueError, match='tokenizer.json: no tokenizer'): load_tokenizer(tmp_path)

@pytest.fixture
def pretrained(tmp_path, monkeypatch):
    "A folder of pre-trained weights that brings code, and a preset that fits it."
    shape = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1, intermediate_size=16, vocab_size=49152, max_position_embeddings=64, tie_word_embeddings=True)
    monkeypatch.setitem(PRESETS, 'hubbed', Preset(shape, 'some/hub', size=256, stride=128))
    LlamaForCausalLM(LlamaConfig(**shape)).save_pretrained(tmp_path/'weights')
    ran = tmp_path/'it ran'
    for module in ('configuration_evil', 'modeling_evil'): (tmp_path/'weights'/f'{module}.py').write_text(f'open({str(ran)!r}, "w")')
    config = json.loads((tmp_path/'weights'/'config.json').read_text())
    write_json(tmp_path/'weights'/'config.json', config | dict(auto_map=dict(AutoConfig='configuration_evil.Config', AutoModelForCausalLM='modeling_evil.Model')))
    yield tmp_path/'weights'
    assert not ran.exists()

def test_weights_are_only_those_that_the_user_names(pretrained, tmp_path, monkeypatch):
    spec = ModelSpec('hubbed', Vocab().config, str(pretrained))
    save_model(spec.build(), spec, tmp_path/'model')
    with monkeypatch.context() as m:
        m.setattr(LlamaConfig, 'from_pretrained', lambda *a, **kw: pytest.fail('it was opened'))
        with pytest.raises(ValueError, match='if you trust them, name them'): load_model(tmp_path/'model')
    assert load_model(tmp_path/'model', str(pretrained))[1] == spec

@pytest.mark.parametrize('size', ['hidden_size', 'vocab_size', 'num_hidden_layers'])
def test_weights_of_another_shape_are_refused_first(pretrained, size):
    with with_fields(pretrained, 'config.json', **{size: 10**9}), pytest.raises(ValueError, match=f'{size} is 1000000000 there'): build_model('hubbed', Vocab(), str(pretrained))

def test_broken_weights_are_refused(pretrained):
    (pretrained/'model.safetensors').rename(pretrained/'pytorch_model.bin') # a pickle, says its name
    with pytest.raises(ValueError, match='cannot be read: .*safetensors'): build_model('hubbed', Vocab(), str(pretrained))
    for k, data in enumerate([b'', b'GGUF', b'GGUF' + struct.pack('<IQQ', 3, 2**60, 2**60), b'GGUF' + struct.pack('<IQQQ', 3, 1, 1, 2**62) + b'a' * 99, b'PK\x03\x04' * 9, os.urandom(999)]):
        (pretrained/'a.gguf').write_bytes(data)
        with pytest.raises(ValueError, match='a.gguf.*cannot be read: ') as e: build_model('hubbed', Vocab(), str(pretrained/'a.gguf'))
        assert '\n' not in str(e.value), k

class Bomb:
    "What a pickle can do when it is read."
    def __init__(self, path): self.path = path
    def __reduce__(self): return open, (str(self.path), 'w')

def test_arrays_are_not_unpickled(tmp_path):
    Corpus.of([np.arange(9)], ['aaaa']).save(tmp_path/'tokens')
    for name in ('tokens', 'ends', 'games'):
        path = tmp_path/'tokens'/f'{name}.npy'
        good = path.read_bytes()
        for data in (b'', good[:-1], good.replace(b"(9,)", b"(9999999999999,)"), good.replace(b"(1,)", b"(9999999999999,)"), b'\x80\x04K\x01.'):
            if data == good: continue
            with changed(path, data), pytest.raises(ValueError, match='tokens'): Corpus.load(tmp_path/'tokens')
        with changed(path, good):
            np.save(path, np.array([Bomb(tmp_path/'it ran')], object), allow_pickle=True)
            (tmp_path/'it ran').unlink(missing_ok=True)
            with pytest.raises(ValueError, match='tokens'): Corpus.load(tmp_path/'tokens')
            assert not (tmp_path/'it ran').exists()

def test_a_strangers_checkpoint(tmp_path):
    v = Vocab(20)
    step = [v.frame, *range(20), *[0] * 44, v.act, v.act0 + 1]
    ds = Windows(Corpus.of([np.array([v.game_start, *step * 12])], ['aaaa']), v, 256, 128)
    make = lambda: Trainer(build_model('short', v), ds, None, TrainConfig(epochs=1, batch=2), tmp_path)
    make().fit()
    done = make(); assert done.state['passes'] == done.passes
    for fields in (dict(passes='1'), dict(passes=-1), dict(seconds=-1), dict(history=[7]), dict(history=[{}]), dict(history=[dict(epoch=1, loss='1')]), dict(code='rm'), dict(rate=None)):
        with with_fields(tmp_path, 'checkpoint/state.json', **fields), pytest.raises(ValueError, match='state.json: '): make()
    for tensors in ({'evil|exp_avg': torch.zeros(3)}, {'exp_avg': torch.zeros(3)}, {'model.norm.weight|exp_avg': torch.zeros(10**6)}):
        with changed(tmp_path/'checkpoint'/'optimizer.safetensors', b''):
            write_tensors(tmp_path/'checkpoint'/'optimizer.safetensors', tensors)
            with pytest.raises(ValueError, match='belongs to another model'): make()

@pytest.fixture(scope='module')
def trained(tmp_path_factory, short):
    "A run that was trained, and the recordings beside it."
    at = tmp_path_factory.mktemp('trained')
    make_demos(at/'demos', ['pn01'], episodes=3)
    aria_train(recordings=str(at/'demos'), validation='*.02.*', preset='short', epochs=1, out=str(at/'run'))
    return at/'run'

def contents(folder): return {p: p.read_bytes() for p in folder.rglob('*') if p.is_file()}

def test_a_run_reads_the_very_recordings_it_was_made_from(trained, tmp_path, capsys):
    "On one's own run its path is followed, whatever was added there since; a stranger's run that names somebody's folder reads nothing of it."
    demos, private, theirs = trained.parent/'demos', tmp_path/'private', tmp_path/'theirs'
    aria_eval(run=str(trained), json_=str(tmp_path/'a.json'))
    shutil.copytree(demos, private); shutil.copytree(trained, theirs)
    for k, p in enumerate(sorted(private.glob('*'))): p.rename(private/p.name.replace('scripted', f'secret{k}')); (private/f'more{k}.02.jsonl').write_text('x')
    (demos/'pn01.more.02.jsonl').write_text('x')
    try: aria_eval(run=str(trained), json_=str(tmp_path/'b.json'))
    finally: (demos/'pn01.more.02.jsonl').unlink()
    assert (tmp_path/'a.json').read_text() == (tmp_path/'b.json').read_text() and f'its recordings: {demos}' in capsys.readouterr().err
    names = [{}, {p.name: '0' * 64 for p in private.glob('*')}, {'../secret.txt': '0' * 64}, {'/etc/passwd': 7}, {'more0.02.jsonl': None}, {'\0.jsonl': '0'}, {'.jsonl': {}}]
    before = contents(tmp_path)
    for listed in names:
        with with_fields(theirs, 'config.json', recordings=str(private)), changed(theirs/'recordings.json', json.dumps(listed).encode()):
            with pytest.raises(ValueError, match='not here, or not the same'): aria_eval(run=str(theirs))
            aria_view(str(theirs))
            assert 'secret' not in (theirs/'report.html').read_text().replace(str(private), '')
            aria_eval(run=str(theirs), recordings=str(demos)) # named by the user
            assert 'every transition counts as new' in capsys.readouterr().err
    (theirs/'report.html').write_bytes(before[theirs/'report.html'])
    assert contents(tmp_path) == before

def test_nothing_is_reached_through_links(trained, tmp_path):
    "A picture that is a link to a file of mine, a folder that leads out, a half-written page that is one: refused, or replaced."
    (tmp_path/'mine').write_text('mine'); (tmp_path/'out').mkdir(); theirs = tmp_path/'theirs'; shutil.copytree(trained, theirs)
    for name, to in (('plots/reconstructions9.png', 'mine'), ('play', 'out'), ('model/training.json', 'mine'), ('tokens/more', 'out'), ('.lock', 'mine'), ('report.html.new', 'mine')):
        at = theirs/name; kept = at.rename(tmp_path/'kept') if at.exists() else None
        at.symlink_to(tmp_path/to)
        for command in (lambda: aria_view(str(theirs)), lambda: aria_train(recordings=str(trained.parent/'demos'), validation='*.02.*', preset='short', epochs=1, out=str(theirs))):
            with pytest.raises(ValueError, match=f'{name} is a link'): command()
        at.unlink()
        if kept: kept.rename(at)
    assert (tmp_path/'mine').read_text() == 'mine' and not list((tmp_path/'out').iterdir())
    hub = tmp_path/'hub'; publish(theirs, tmp_path/'shared'); hub.mkdir()
    for p in [p for p in (tmp_path/'shared').rglob('*') if p.is_file()]: # as a hub's download lays them out
        at = hub/p.relative_to(tmp_path/'shared'); at.parent.mkdir(exist_ok=True); at.symlink_to(p)
    aria_view(str(hub)); assert 'No episode is here' in (hub/'report.html').read_text()

FIGURES = {'metrics.json': [dict(model=7), dict(model=dict(games=[])), dict(model=dict(games=dict(pn01=7))), dict(model=dict(games={'<b>': {}})), dict(model=dict(frame_accuracy='1')), dict(model=dict(games=dict(pn01=dict(perplexity=[1])))), dict(tokenizer=[]),
               dict(tokenizer=dict(variant={})), dict(play=7), dict(play=[7]), dict(play=[{}]), dict(play=[dict(game=7)]), dict(config=7)],
           'tokenizer.json': [dict(codes='5'), dict(games=7), dict(variant=[]), dict(flicker={})],
           'model/training.json': [dict(history=7), dict(history=[7]), dict(history=[{}]), dict(history=[dict(epoch='1', loss=1)]), dict(history=[dict(epoch=1, loss=None)]), dict(history=[dict(epoch=1, loss=1, val_loss='x')]), dict(seconds='1'), dict(parameters=None)]}

def uses_or_refuses(run, name, out):
    "Everything that reads figures: the report, a training that goes on, sharing. Each does, or says in one line which file is wrong; returns how many refused."
    again = lambda: aria_train(recordings=str(run.parent/'demos'), validation='*.02.*', preset='short', epochs=1, out=str(run), stop_after='tokenizer' if name == 'tokenizer.json' else '')
    refused = 0
    for use in (lambda: write_report(load_run(run), path=out/'page.html'), again, lambda: shutil.rmtree(publish(run, out/'shared'))):
        kept = contents(run)
        try: use()
        except (ValueError, OSError) as e: refused += 1; assert name in str(e) and '\n' not in str(e) and len(str(e)) < 1000, e
        for p, data in kept.items(): p.write_bytes(data)
    return refused

@pytest.mark.parametrize('name', FIGURES)
def test_absurd_figures_are_refused(trained, tmp_path, name):
    for fields in FIGURES[name]:
        with with_fields(trained, name, **fields): assert uses_or_refuses(trained, name, tmp_path), fields

@pytest.mark.parametrize('name', FIGURES)
@pytest.mark.parametrize('data', [b'', b'null', b'[]', b'{"seconds": 1e999}', b'{"seconds": NaN}', b'{"codes": 1' + b'0' * 30 + b'}', b'{"a":' * 10**5])
def test_other_bytes_are_no_figures(trained, tmp_path, name, data):
    with changed(trained/name, data): assert uses_or_refuses(trained, name, tmp_path)

figures = st.recursive(st.none() | st.integers(-2**70, 2**70) | st.floats(allow_nan=False) | st.text(max_size=6), lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(['games', 'pn01', 'epoch', 'loss', 'val_loss', 'frame_accuracy', 'rhae', 'game', 'levels']), inner, max_size=3), max_leaves=6)

@settings(fuzz, max_examples=max(20, EXAMPLES // 10))
@given(st.sampled_from(['metrics.json', 'model/training.json']).flatmap(lambda f: st.tuples(st.just(f), st.dictionaries(st.sampled_from(sorted({k for c in FIGURES[f] for k in c})), figures, min_size=1, max_size=2), st.integers(0, 3))))
def test_any_figures(trained, change):
    "A page of any figures is made, or refused."
    name, fields, deep = change
    kept = json.loads((trained/name).read_text())
    if deep and name == 'metrics.json': fields = {'model': kept['model'] | fields, 'play': []}
    if deep and name != 'metrics.json': fields = {'history': [dict(epoch=1, loss=1) | {k: v for k, v in fields.items() if k != 'history'}]}
    with changed(trained/name, json.dumps(kept | fields).encode()):
        try: write_report(load_run(trained), path=trained.parent/'page.html'); read_metrics(trained)
        except (ValueError, OSError) as e: assert name in str(e) and '\n' not in str(e), e

class Tags(HTMLParser):
    "Every tag and attribute of a page, and what stands in scripts."
    def __init__(self, page): super().__init__(); self.tags, self.attrs = [], []; self.feed(page)
    def handle_starttag(self, tag, attrs): self.tags.append(tag); self.attrs += attrs

@pytest.mark.parametrize('evil', ['</script><script>alert(1)</script>', '<!--<script>', ']]></style><b>', '"\'`${alert(1)}', '\u2028\u2029\x00\x1b[2J', '\ud800</script>', '__proto__', '&lt;b&gt;'])
def test_every_text_of_a_recording_stays_text(tmp_path, evil):
    "In the reason, id, state and summary of a recording, and in its file's name: the page has its own two scripts, and its data say the very same words."
    path = tmp_path/(re.sub('[/\x00]', '_', evil).encode('utf-8', 'surrogatepass').decode('utf-8', 'surrogateescape') + '.jsonl')
    with Session('pn01', record=tmp_path/'plain.jsonl') as s: s.step(6, 8, 8); s.step(6, 8, 8)
    lines = [json.loads(l) for l in (tmp_path/'plain.jsonl').read_text().splitlines()]
    for l in lines: l['data'] |= dict(guid=evil, state=evil, card_id=evil, tags=[evil]); l['data']['action_input']['reasoning'] = evil; l[evil] = evil
    path.write_text('\n'.join(map(json.dumps, lines)))
    page = film_page([read_film(path)]).save(tmp_path/'page.html').read_text()
    seen = Tags(page)
    assert seen.tags.count('script') == 2 and 'b' not in seen.tags and page.count('</script>') == 2
    assert json.loads(page.split('id="data">')[1].split('</script>')[0])['episodes'][0]['steps'][0]['reason'] == evil

def test_hostile_names_and_reasons_come_to_nothing(tmp_path):
    "Recordings whose file names and reasoning are HTML, formulas and terminal commands: a report that only holds what was meant."
    folder, evil = tmp_path/'<b>demos', '"><img src=x onerror=alert(1)><script>alert(2)</script>'
    names = ['$\\frac{$<script>alert(3)<_script>.00.jsonl.gz', '\x1b[2J"onload="alert(4)".01.jsonl.gz', "$\\evil{'><svg onload=alert(5)>.02.jsonl.gz"]
    folder.mkdir()
    for path, name in zip(make_demos(tmp_path/'plain', ['pn01'], episodes=3), names):
        lines = [json.loads(l) for l in gzip.open(path)]
        for l in lines: l['data']['action_input']['reasoning'] = {'reason': evil, evil: [evil]}; l['data']['guid'] = evil
        (folder/name).write_bytes(gzip.compress('\n'.join(map(json.dumps, lines)).encode()))
    aria_train(recordings=str(folder), validation='*.02.*', preset='short', epochs=1, out=str(tmp_path/'<i>run'))
    for page in (tmp_path/'<i>run').glob('*.html'):
        seen = Tags(page.read_text())
        assert not {'b', 'i'} & set(seen.tags) and seen.tags.count('svg') <= 1 and not [a for a in seen.attrs if 'alert' in (a[1] or '') and a[0].startswith('on')], page
        assert not re.search(r'<script[^>]*>\s*alert', page.read_text()), page
    broken = tmp_path/'broken'; broken.mkdir(); (broken/'\x1b[2J\n.jsonl').write_text('x'); (broken/'b.jsonl').write_text('x')
    with pytest.raises(ValueError): aria_train(recordings=str(broken), validation='b*', out=str(tmp_path/'run2'))
