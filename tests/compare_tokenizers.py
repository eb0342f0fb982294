"""The world model on top of each frame tokenizer: equal demonstrations of the bundled games, passes and seeds; what it predicts is judged by the pixels of the true frames, since codes of one tokenizer say less than those of another.

`python tests/compare_tokenizers.py` (about ten minutes a tokenizer on one core; goes on where it was cut) writes `nbs/data/tokenizer_models.json`."""
import argparse, time
from collections import Counter
from itertools import product
from pathlib import Path

import numpy as np

from aria_nb.cli import RunConfig, read_episodes, recording_paths, train_run
from aria_nb.demos import make_demos
from aria_nb.evaluation import by_game, load_run, play_game, tokenizer_section
from aria_nb.files import read_json, write_json
from aria_nb.frames import to_patches
from aria_nb.games import GAMES
from aria_nb.training import predict_tokens, transitions
from aria_nb.transformer import get_preset
from aria_nb.vocab import FRAME_TOKENS, encode_episode
from aria_nb.vqvae import TOKENIZERS, fit_tokenizer, save_tokenizer

HELD, EPOCHS = '*.1[01].*', 3
VARIANTS = {v: dict(variant=v) for v in ('exact', 'placed', 'original')} | {'end to end': dict(variant='original', teach=False)}


def predicted_cells(run, episode):
    "Of each cell of each next frame: are the expected pixels the true ones? [T-1, 64] bool"
    tokens = encode_episode(run.vocab, episode.steps, run.tokenizer.encode(episode.frames), run.config['clicks'])
    best, _ = predict_tokens(run.model, run.vocab, tokens, get_preset(run.config['preset']).size)
    at = np.flatnonzero(tokens == run.vocab.frame)[1:]
    codes = run.vocab.token_code(best[at[:, None] + 1 + np.arange(FRAME_TOKENS)])
    dream = run.tokenizer.decode(np.maximum(codes, 0))
    return (to_patches(dream) == to_patches(episode.frames[1:])).all(-1) & (codes >= 0)

def pixel_figures(run, episodes, seen):
    "The figures of next frames as `metrics.json` names them, but by pixels."
    n = Counter()
    for e in episodes:
        right, moved = predicted_cells(run, e), (to_patches(e.frames[1:]) != to_patches(e.frames[:-1])).any(-1)
        new, perfect = np.array([h not in seen for h in transitions(e.steps)]), right.all(1)
        n.update({k: int(v.sum()) for k, v in dict(right=right, changed=moved, changed_right=right & moved, perfect=perfect, unseen=new, unseen_perfect=new & perfect).items()})
        n.update(cells=right.size, frames=len(right))
    return dict(frame_accuracy=n['right'] / n['cells'], changed_cell_accuracy=n['changed_right'] / n['changed'], perfect_next_frames=n['perfect'] / n['frames'],
                perfect_next_frames_unseen=n['unseen_perfect'] / n['unseen'], unseen_share=n['unseen'] / n['frames'])

def train(cfg, out, options):
    "Tokenizer and world model; returns the run and the episodes of both sides."
    sides = [read_episodes(cfg, paths) for paths in recording_paths(cfg)]
    if not (out/'tokenizer.json').exists():
        start = time.time()
        tok = fit_tokenizer(np.concatenate([e.frames for e in sides[0]]), **options)
        save_tokenizer(tok, out/'tokenizer')
        write_json(out/'tokenizer.json', tokenizer_section(tok, sides[1]) | dict(seconds=time.time() - start))
    if not (out/'metrics.json').exists(): train_run(cfg, out)
    return load_run(out), *sides


def figures(cfg, out, options):
    "A row of the table, but for the plays."
    run, seen_in, held = train(cfg, out, options)
    metrics, seen = read_json(out/'metrics.json'), {h for e in seen_in for h in transitions(e.steps)}
    by_pixels = lambda episodes: pixel_figures(run, episodes, seen)
    return dict(codes=run.tokenizer.n_codes, perfect_frames=metrics['tokenizer']['perfect_frames'], tokens=metrics['model']['tokens'],
                by_codes={k: metrics['model'][k] for k in ('frame_accuracy', 'changed_cell_accuracy', 'perfect_next_frames', 'perfect_next_frames_unseen')},
                by_pixels=by_pixels(held) | dict(games={g: by_pixels(es) for g, es in by_game(held).items()}), play=[])


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('--only', default=','.join(VARIANTS), help='names, with commas between'); p.add_argument('--seeds', type=int, default=5, help='plays of each game')
    p.add_argument('--runs', type=Path, default='runs/tokenizers'); p.add_argument('--json', type=Path, default='nbs/data/tokenizer_models.json')
    a = p.parse_args()
    make_demos(a.runs/'demonstrations')
    rows = read_json(a.json) if a.json.exists() else {}
    for name in a.only.split(','):
        if name in rows: continue
        rows[name] = figures(RunConfig(str((a.runs/'demonstrations').resolve()), [HELD], tokenizer=VARIANTS[name]['variant'], epochs=EPOCHS), a.runs/name, VARIANTS[name])
        write_json(a.json, rows)
    for seed, game, name in product(range(a.seeds), GAMES, a.only.split(',')): # (cut off, it has played the same with each)
        if any((e['game'], e['seed']) == (game, seed) for e in rows[name]['play']): continue
        entry, _ = play_game(load_run(a.runs/name), game, seed, 'plan', 300)
        rows[name]['play'].append({k: entry[k] for k in ('game', 'seed', 'levels', 'win_levels', 'actions', 'rhae')})
        print(name, *rows[name]['play'][-1].values(), flush=True); write_json(a.json, rows)
