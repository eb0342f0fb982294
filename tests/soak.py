"100,000 decisions: does memory stay flat, does a decision stay as fast? `python tests/soak.py runs/demo` (an hour or so)."
import argparse, json, time
from itertools import count
from pathlib import Path

import numpy as np
from tqdm import tqdm

from aria_nb.agent import Agent
from aria_nb.evaluation import load_run
from aria_nb.files import write_json
from aria_nb.games import GAMES, Session


def resident_mib(): return int(next(l for l in open('/proc/self/status') if l.startswith('VmRSS')).split()[1]) / 1024


def decisions(run, rule, length):
    "Play the bundled games in turn, `length` actions each, for ever; yields the milliseconds of each decision."
    for seed in count():
        for game in GAMES:
            agent = Agent(run.world_model(), rule, seed=seed)
            with Session(game, seed % 7) as s:
                while s.state != 'WIN' and s.actions < length:
                    frame, level, over, t = s.frame, s.levels, s.state == 'GAME_OVER', time.perf_counter()
                    d = agent.decide(frame, s.available, over)
                    ms = 1e3 * (time.perf_counter() - t)
                    s.step(*d.key)
                    agent.learn(frame, d, s.frame, s.levels > level, s.state == 'GAME_OVER' and not over)
                    yield ms


if __name__ == '__main__':
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument('run'); p.add_argument('--decisions', type=int, default=100_000); p.add_argument('--rule', default='policy')
    p.add_argument('--length', type=int, default=500, help='actions a game'); p.add_argument('--json', type=Path, default='soak.json')
    a = p.parse_args()
    rows, ms = [], []
    for n, took in enumerate(tqdm(decisions(load_run(a.run), a.rule, a.length), total=a.decisions, unit='decision', mininterval=5), 1):
        ms.append(took)
        if n % 1000 == 0:
            rows.append(dict(decisions=n, mib=resident_mib(), ms=float(np.median(ms)))); ms = []
            write_json(a.json, rows)
        if n == a.decisions: break
    after = [r for r in rows if r['decisions'] >= 5000]
    early, late = (float(np.median([r['ms'] for r in part])) for part in (after[:10], after[-10:]))
    print(f"{rows[-1]['decisions']} decisions by {a.rule!r}; memory {after[0]['mib']:.0f} MiB after 5,000, most {max(r['mib'] for r in after):.0f} ({max(r['mib'] for r in after) / after[0]['mib'] - 1:+.1%}), "
          f"last {after[-1]['mib']:.0f}; median decision {early:.1f} ms in the first 10,000 after those, {late:.1f} ms in the last ({late / early - 1:+.1%})")
