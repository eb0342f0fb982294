"100,000 decisions: does memory stay flat, does a decision stay as fast? `python tests/soak.py runs/demo` (half an hour on an idle core). Other programs slow a machine down: so every thousand decisions (of few: every twentieth part) a fixed piece of work, the yardstick, is timed as well."
import argparse, json, time
from itertools import count
from pathlib import Path

import numpy as np
from tqdm import tqdm

from aria_nb.agent import Agent
from aria_nb.evaluation import load_run
from aria_nb.files import write_json
from aria_nb.games import GAMES, Session
from aria_nb.recordings import Step


def resident_mib(): return int(next(l for l in open('/proc/self/status') if l.startswith('VmRSS')).split()[1]) / 1024


def yardstick(run):
    "Milliseconds to read the same ten frames anew."
    world, frame, took = run.world_model(), np.zeros((64, 64), np.uint8), []
    for _ in range(10):
        world.reset(); t = time.perf_counter()
        for _ in range(10): world.see(frame); world.did(Step(frame, 1))
        took.append(1e3 * (time.perf_counter() - t))
    return float(np.median(took))


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
    run, rows, ms, every = load_run(a.run), [], [], max(1, min(1000, a.decisions // 20)) # decisions a row
    for n, took in enumerate(tqdm(decisions(run, a.rule, a.length), total=a.decisions, unit='decision', mininterval=5), 1):
        ms.append(took)
        if n % every == 0:
            rows.append(dict(decisions=n, mib=resident_mib(), ms=float(np.median(ms)), yardstick=yardstick(run))); ms = []
            write_json(a.json, dict(rows=rows))
        if n == a.decisions: break
    after = rows[4:]                                            # what is needed once is there by then
    first, last = after[:len(after) // 3], after[-(len(after) // 3):]
    middle = lambda part, f: float(np.median([f(r) for r in part]))
    early, late = (middle(part, lambda r: r['ms'] / r['yardstick']) for part in (first, last))
    most = max(r['mib'] for r in after)
    print(f"{rows[-1]['decisions']:,} decisions by {a.rule!r}; memory {after[0]['mib']:.0f} MiB after {after[0]['decisions']:,}, most {most:.0f} ({most / after[0]['mib'] - 1:+.1%}); "
          f"a decision takes {middle(first, lambda r: r['ms']):.1f} ms in the first third after those, {middle(last, lambda r: r['ms']):.1f} ms in the last, {late / early - 1:+.1%} measured by the yardstick")
