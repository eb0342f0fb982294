"Nothing lost: a run that is killed at any moment goes on, and ends as if it had not been."
import json, multiprocessing, os, random, resource, signal, subprocess, sys, time
from collections import Counter
from pathlib import Path

import pytest

from aria_nb.demos import make_demos
from aria_nb.recordings import read_episode

KILLS, SEED = int(os.environ.get('ARIA_KILLS', 6)), int(os.environ.get('ARIA_SEED', 0)) # other seeds kill at other moments
TRAIN = ['--epochs', '1', '--validation', '*.02.*']


def train(folder, out):
    "Train a tiny run, with checkpoints after every pass and every other step of the dynamics."
    import torch
    from functools import partial
    import aria_nb.cli as cli
    sys.stdout = sys.stderr = open(os.devnull, 'w')
    torch.set_num_threads(1)
    cli.config_of = partial(cli.config_of, save_minutes=0)
    cli.fit_dynamics = partial(cli.fit_dynamics, every=2)
    cli.aria_train(recordings=str(folder), validation='*.02.*', out=str(out), epochs=1, dynamics=2)


def outcome(out):
    "What two equal runs share: weights, tokens, figures."
    metrics = json.loads((out/'metrics.json').read_text())
    timing = ('seconds', 'tokens_per_second', 'peak_memory_gib')
    history = json.loads((out/'model'/'training.json').read_text())['history']
    return {p: (out/p).read_bytes() for p in ('model/model.safetensors', 'dynamics/dynamics.safetensors', 'tokenizer/tokenizer.safetensors', 'tokens/train/tokens.npy')} | dict(
        history=history, **{s: {k: v for k, v in metrics[s].items() if k not in timing} for s in ('tokenizer', 'model', 'dynamics')})


STAGES = dict(tokenizer='tokenizer.json', tokens='tokens/valid', training='model/training.json', dynamics='dynamics.json', evaluation='metrics.json', report='report.html') # and what ends them

def stage(out):
    "What a run is at, by what it has left."
    def ended(path): return (out/path).exists() and not (path == 'report.html' and 'learns</title>' in (out/path).read_text()) # (while a model learns, the report shows its curves)
    return next((name for name, path in STAGES.items() if not ended(path)), 'end')

def random_moment(rng, p, out, whole_time):
    "Wait for any moment of the run, or for one in a stage that is still to come; or for the run's end."
    to_come = [*STAGES, 'end'][[*STAGES, 'end'].index(stage(out)):]
    begin = rng.choice([None, *to_come])
    while begin and p.exitcode is None and stage(out) != begin: time.sleep(.002)
    p.join(whole_time * (rng.random()**3 / 8 if begin else rng.random()))


@pytest.fixture(scope='module')
def demos(tmp_path_factory):
    folder = tmp_path_factory.mktemp('demos')
    make_demos(folder, ['pn01'], episodes=3)
    return folder


def test_killed_at_any_moment_ends_the_same(demos, tmp_path):
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload(['aria_nb.cli'])
    def start(out): p = context.Process(target=train, args=(demos, out)); p.start(); return p
    p = start(tmp_path/'whole'); p.join(); assert p.exitcode == 0
    t = time.time(); p = start(tmp_path/'twice'); p.join(); whole_time = time.time() - t
    expected = outcome(tmp_path/'whole')
    assert outcome(tmp_path/'twice') == expected # the same seed, the same run
    rng, kills, runs = random.Random(SEED), Counter(), 0
    while kills.total() < KILLS:
        out, runs, cuts = tmp_path/f'killed{runs}', runs + 1, 0
        while True:
            p = start(out)
            if cuts < 5 and kills.total() < KILLS: random_moment(rng, p, out, whole_time)
            else: p.join()
            if p.exitcode is not None: assert p.exitcode == 0; break
            p.kill(); p.join(); kills[stage(out)] += 1; cuts += 1
        assert outcome(out) == expected
        assert not [q for q in out.rglob('*.new')] and not (out/'checkpoint').exists()
    print(f'{kills.total()} kills survived, {runs} runs; killed in', dict(kills))


def command(*args, **kw):
    done = subprocess.run([Path(sys.executable).parent/'aria_train', *map(str, args)], capture_output=True, text=True, timeout=300, **kw)
    return done.returncode, [l for l in done.stderr.splitlines() if l.startswith('aria_train:')], done.stderr


@pytest.mark.parametrize('room', [1_000, 20_000, 100_000])
def test_a_full_disk_says_so_and_keeps_what_was_there(demos, tmp_path, room):
    "No file may grow beyond so many bytes, as on a full disk: the run stops in one line at the tokenizer, the tokens or the checkpoint, leaves nothing by halves, and goes on when there is room."
    full = dict(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)))
    code, said, stderr = command('--recordings', demos, '--out', tmp_path/'run', *TRAIN, **full)
    assert code == 2 and len(said) == 1 and 'run' in said[0] and 'File too large' in said[0] and 'Traceback' not in stderr, stderr[-2000:]
    assert not list((tmp_path/'run').rglob('*.new')) and stage(tmp_path/'run') == {1_000: 'tokenizer', 20_000: 'tokens', 100_000: 'training'}[room]
    before = {p: p.read_bytes() for p in (tmp_path/'run').rglob('*') if p.is_file()}
    if room == 100_000: assert command('--recordings', demos, '--out', tmp_path/'run', *TRAIN)[0] == 0
    assert all(p.read_bytes() == data for p, data in before.items() if p.parent.name == 'tokenizer' or 'tokens' in p.parts)


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path):
    "The disk fills up while a second checkpoint is written: the first is still whole."
    import torch
    from aria_nb.training import load_checkpoint, save_checkpoint
    def attempt(value, room):
        model = torch.nn.Linear(300, 300)
        torch.nn.init.constant_(model.weight, value)
        opt = torch.optim.AdamW(model.parameters())
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
        try: save_checkpoint(tmp_path/'checkpoint', model, opt, dict(passes=value))
        finally: resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        return model, opt
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    model, opt = attempt(1, resource.RLIM_INFINITY)
    with pytest.raises(OSError, match='File too large'): attempt(2, 50_000)
    torch.nn.init.constant_(model.weight, 3)
    assert load_checkpoint(tmp_path/'checkpoint', model, opt) == dict(passes=1) and (model.weight == 1).all() and [p.name for p in tmp_path.iterdir()] == ['checkpoint']


def test_a_folder_that_cannot_be_written(demos, tmp_path):
    (tmp_path/'file').write_text('in the way')
    code, said, stderr = command('--recordings', demos, '--out', tmp_path/'file'/'run', *TRAIN)
    assert code == 2 and len(said) == 1 and 'Not a directory' in said[0] and 'Traceback' not in stderr, stderr[-2000:]


def test_two_runs_in_one_folder_and_an_interrupt(demos, tmp_path):
    args = ['--recordings', demos, '--out', tmp_path/'run', '--validation', '*.02.*', '--epochs', '200']
    first = subprocess.Popen([Path(sys.executable).parent/'aria_train', *map(str, args)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) # a job in the background ignores it
    try:
        while not (tmp_path/'run'/'tokens'/'valid').exists(): assert first.poll() is None; time.sleep(.2)
        code, said, _ = command(*args)
        assert code == 2 and len(said) == 1 and 'in use by another run' in said[0]
        time.sleep(3)
        first.send_signal(signal.SIGINT)
        _, stderr = first.communicate(timeout=60)
        assert first.returncode == 130 and 'stopped' in stderr and 'Traceback' not in stderr, stderr[-2000:]
    finally: first.kill()


def test_the_demo_twice_is_the_same(tmp_path):
    "The demo's small version, twice: the same figures, plays, weights and recordings; all but what a clock says."
    from aria_nb.cli import demo_run
    clocks = ('seconds', 'tokens_per_second', 'peak_memory_gib', 'ms_per_decision', 'recordings')
    still = lambda d: {k: still(v) for k, v in d.items() if k not in clocks} if isinstance(d, dict) else [still(v) for v in d] if isinstance(d, list) else d
    def plays(out): return {p.name: [s.key for s in read_episode(p).steps] for p in sorted((out/'play').iterdir())}
    a, b = (demo_run(tmp_path/k/'run', games=['fl01'], episodes=3, epochs=1, max_actions=40, plays=1, seed=5) for k in 'ab')
    assert still(a) == still(b) and len(a['play']) == 8 and a['config']['seed'] == 5
    assert plays(tmp_path/'a'/'run') == plays(tmp_path/'b'/'run') != {}
    assert (tmp_path/'a'/'run'/'fingerprint.json').read_text() == (tmp_path/'b'/'run'/'fingerprint.json').read_text()


def test_all_broken_recordings_are_named(demos, tmp_path):
    for path in demos.glob('*'): (tmp_path/path.name).write_bytes(path.read_bytes())
    for k in range(2): (tmp_path/f'pn01.bad{k}.jsonl').write_text('{"data": 3}\n')
    code, said, stderr = command('--recordings', tmp_path, '--out', tmp_path/'run', *TRAIN)
    assert code == 2 and '2 of 4 recordings' in said[0] and all(f'pn01.bad{k}.jsonl:1:' in stderr for k in range(2))
    code, _, stderr = command('--recordings', tmp_path, '--out', tmp_path/'run2', '--skip-bad', *TRAIN)
    assert code == 0 and 'passed over: 2 of 4' in stderr
