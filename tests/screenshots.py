"The README's pictures, from a run of `make demo`: python tests/screenshots.py RUN FOLDER."
import sys, tempfile
from pathlib import Path

from PIL import Image

from aria_nb.evaluation import load_run
from aria_nb.games import Session
from aria_nb.recorder import Dream, GameServer, recording_path
from browser import Browser


def keep(browser, path):
    "A screenshot in 128 colours, which keeps it under 100 KB."
    browser.screenshot(path)
    Image.open(path).convert('RGB').quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)
    print(path, path.stat().st_size)


def play_levels(browser, real, n):
    "Play the shortest way through n levels with real keys."
    keys = {1: 'ArrowUp', 2: 'ArrowDown', 3: 'ArrowLeft', 4: 'ArrowRight'}
    while real.levels < n: browser.key(keys[real.world.solution()[0][0]]); browser.wait('waiting == 0')


def main(run, folder):
    run, folder = load_run(run), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with Browser(1120, 700) as b, tempfile.TemporaryDirectory() as tmp:
        with GameServer(lambda: Session('lk01', record=recording_path(tmp, 'lk01'))) as server:
            b.goto(server.url); b.wait('now && waiting == 0'); play_levels(b, server.game, 4); keep(b, folder/'recorder.png')
        with GameServer(lambda: Dream(run, Session('lk01'))) as server:
            b.goto(server.url); b.wait('now && waiting == 0'); play_levels(b, server.game.real, 2); b.click_on('#two'); b.wait('!$("beside").hidden'); keep(b, folder/'dream.png')
        b.size(1120, 1500); b.goto((run.folder/'report.html').resolve().as_uri()); b.wait('film && film.cursor'); keep(b, folder/'report.png')
        b.size(1120, 900, dark=True); b.run('show(film.steps.findIndex(s => s.completed) + 2); $("film").scrollIntoView()'); keep(b, folder/'viewer.png')


if __name__ == '__main__': main(*sys.argv[1:])
