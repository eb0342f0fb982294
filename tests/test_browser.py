"The pages, in a real browser: what is drawn, what keys and clicks do, what stays text, who is refused."
import gzip, http.client, json, shutil, signal, subprocess, sys
from pathlib import Path

import numpy as np
import pytest

from aria_nb.cli import demo_run
from aria_nb.evaluation import load_run
from aria_nb.frames import PALETTE
from aria_nb.games import Session
from aria_nb.recorder import Dream, GameServer, recording_path
from aria_nb.recordings import CLICK, read_episode, read_lines
from aria_nb.viewer import film_page, run_films, show, write_report
from browser import CHROMIUM, Browser

pytestmark = pytest.mark.skipif(not CHROMIUM, reason='no Chromium here (Debian, Ubuntu: apt install chromium)')


@pytest.fixture(scope='module')
def browser():
    with Browser() as b: yield b

@pytest.fixture(scope='module')
def run(tmp_path_factory):
    "A run that has hardly learned anything."
    out = tmp_path_factory.mktemp('browser')/'run'
    demo_run(out, games=['pn01'], episodes=2, epochs=1, max_actions=12, plays=1)
    return load_run(out)

def record(folder, game='lk01'): return GameServer(lambda: Session(game, record=recording_path(folder, game)))
def colours(frame): return (PALETTE[np.asarray(frame).reshape(-1)].astype(int) @ [65536, 256, 1]).tolist()
def idle(browser): browser.wait('now && waiting == 0')


def test_recorder_with_real_keys(browser, tmp_path):
    "Keys of all kinds complete a level; the canvas shows the game's frame; the file replays to the same frames."
    with record(tmp_path) as server:
        browser.goto(server.url); idle(browser)
        assert browser.pixels('#frame') == colours(server.game.frame)
        names = {1: ['ArrowUp', 'w'], 2: ['ArrowDown', 's'], 3: ['ArrowLeft', 'a'], 4: ['ArrowRight', 'd']}
        for k, (action, _, _) in enumerate([(1, None, None), *server.game.world.solution()]):
            browser.key(names[action][k % 2]); idle(browser)
            assert browser.pixels('#frame') == colours(server.game.frame)
        assert 'Level 1 is completed' in browser.run('$("message").textContent') and browser.run('$("steps").lastChild.textContent').endswith('level completed')
        browser.key(' '); browser.key('u'); idle(browser)                              # not offered here
        n = server.game.actions
        assert n == k + 1 == browser.run('$("steps").children.length') and browser.run('[...document.querySelectorAll("#actions button:disabled")].map(b => +b.value)') == [5, 6, 7]
        browser.run('$("save").focus()'); browser.key('Enter'); browser.wait('over')
        assert 'Saved: ' in browser.run('$("message").textContent') and not browser.problems
    [path] = server.saved
    lines = list(read_lines(path))
    with Session('lk01') as again:
        for line in lines[1:]: assert all((a == b).all() for a, b in zip(again.step(line.action, line.x, line.y).frames, line.frames, strict=True))
    assert len(lines) == n + 1 and read_episode(path).levels == 1


def test_everything_is_reached_by_tab(browser, tmp_path):
    "Tab visits every control that can be used, each with a visible outline."
    with record(tmp_path) as server:
        browser.goto(server.url); idle(browser)
        seen = []
        for _ in range(9):
            seen.append(browser.run('(e => [e.id || e.value, getComputedStyle(e).outlineStyle])(document.activeElement)'))
            browser.key('Tab')
        assert [name for name, _ in seen] == ['frame', '1', '2', '3', '4', '0', 'again', 'save', 'steps'] and all(o == 'solid' for _, o in seen[:8]), seen


@pytest.mark.parametrize('width,zoom,css', [(1280, 1, 1), (1280, 2, 1), (700, 1.25, 1), (500, 3, 1), (1280, 1, .67), (1600, 1.1, 1.5)])
def test_a_click_lands_on_its_pixel(browser, tmp_path, width, zoom, css):
    "At every size of the window, of the device's pixels and of the page."
    with record(tmp_path, 'pn01') as server:
        browser.size(width, 900, zoom); browser.goto(server.url); idle(browser)
        browser.run(f'document.body.style.zoom = {css}')
        left, top, w, h = browser.box('#frame')
        assert w > 200 and abs(w - h) < 1
        picks = [(0, 0), (13, 5), (31, 32), (50, 40)]
        for x, y in picks: browser.click(left + (x + .5) * w / 64, top + (y + .5) * h / 64)
        for x, y in [(7, 9), (8, 9)]: browser.click(left + (x + (.95 if x == 7 else .05)) * w / 64, top + (y + .5) * h / 64) # on both sides of a pixel's edge
        idle(browser)
        assert [(s.action, s.x, s.y) for s in read_episode(server.game.recorder.path).steps[:-1]] == [(CLICK, x, y) for x, y in [*picks, (7, 9), (8, 9)]]
    browser.size(1280, 900)


def test_clicks_without_a_mouse(browser, tmp_path):
    with record(tmp_path, 'pn01') as server:
        browser.goto(server.url); idle(browser)
        for key in ['ArrowLeft'] * 3 + ['ArrowUp'] * 2 + ['Enter']: browser.key(key)
        idle(browser)
        assert browser.run('$("steps").textContent') == 'ACTION6(29,30)' and 'x 29, y 30' in browser.run('$("under").textContent')


def test_what_was_played_by_hand_trains(browser, tmp_path):
    "Two plays in the browser, the second begun anew on the page; a model is trained on them by the command."
    with record(tmp_path/'mine', 'pn01') as server:
        browser.goto(server.url); idle(browser)
        for _ in range(2):
            while server.game.levels < 2:
                _, x, y = server.game.world.solution()[0]
                left, top, w, h = browser.box('#frame'); browser.click(left + (x + .5) * w / 64, top + (y + .5) * h / 64); idle(browser)
            browser.click_on('#again'); browser.wait('now && now.levels == 0 && waiting == 0')
    assert len(server.saved) == 2 == len(list((tmp_path/'mine').iterdir()))
    r = subprocess.run([Path(sys.executable).parent/'aria_train', '--recordings', tmp_path/'mine', '--epochs', '1', '--out', tmp_path/'run'], capture_output=True, text=True)
    assert r.returncode == 0 and (tmp_path/'run'/'report.html').exists(), r.stderr[-2000:]


def test_others_are_refused(browser, tmp_path):
    "Foreign hosts and origins, by hand and from a page in the browser."
    def ask(port, method='POST', path='/do', body='{"what": "step", "action": 1}', **headers):
        c = http.client.HTTPConnection('127.0.0.1', port); c.request(method, path, body, {'Content-Type': 'application/json', 'Host': f'127.0.0.1:{port}'} | headers)
        return c.getresponse().status
    with record(tmp_path) as server, record(tmp_path/'other') as other:
        own = dict(Origin=server.url.rstrip('/'))
        assert ask(server.port, **own) == 200 and ask(server.port, 'GET', '/', None) == 200
        for wrong in (dict(), dict(Origin='null'), dict(Origin=other.url.rstrip('/')), own | dict(Host='evil.example')): assert ask(server.port, **wrong) == 403, wrong
        assert ask(server.port, 'GET', '/', None, Origin='http://evil.example') == 403 and ask(server.port, 'GET', '/do', None) == 405
        assert ask(server.port, body='x' * 20_000, **own) == 413 and ask(server.port, body='[' * 499, **own) == 400
        browser.goto(other.url); idle(browser)
        for mode in ('cors', 'no-cors'): assert browser.run(f'fetch("{server.url}do", {{method: "POST", mode: "{mode}", body: "{{}}"}}).then(r => r.type, e => "refused")') in ('refused', 'opaque')
        assert server.game.actions == 1
        assert server.socket.getsockname()[0] == '127.0.0.1'
    browser.problems.clear()


def test_the_command_and_what_a_kill_leaves(browser, tmp_path):
    "`aria_record` serves until it is interrupted, and says what it saved; killed, it leaves every step that was answered."
    for end, code in ((signal.SIGINT, 0), (signal.SIGKILL, -9)):
        p = subprocess.Popen([sys.executable, '-c', 'from aria_nb.cli import aria_record; aria_record()', '--game', 'lk01', '--out', tmp_path/f'{end}.jsonl'], stdout=subprocess.PIPE, text=True,
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
        url = p.stdout.readline().split()[-1]
        browser.goto(url); idle(browser)
        for key in ('ArrowUp', 'd', 'r'): browser.key(key)
        idle(browser); p.send_signal(end); said, _ = p.communicate(timeout=30)
        assert p.returncode == code and (code or said.splitlines()[-2] == str(tmp_path/f'{end}.jsonl'))
        assert [s.name for s in read_episode(tmp_path/f'{end}.jsonl').steps] == ['ACTION1', 'ACTION4', 'RESET', 'end']
        browser.key('ArrowUp'); browser.wait('$("message").textContent.startsWith("The server has ended")')
    browser.problems.clear()


def test_playing_in_a_dream(browser, run):
    "Imagined frames answer; the real game goes along; waking up shows it."
    with GameServer(lambda: Dream(run, Session('pn01'))) as server:
        browser.goto(server.url); idle(browser)
        game = server.game
        for _ in range(3):
            _, x, y = game.real.world.solution()[0]
            left, top, w, h = browser.box('#frame'); browser.click(left + (x + .5) * w / 64, top + (y + .5) * h / 64); idle(browser)
            assert browser.pixels('#frame') == colours(game.line.frames[0])
        assert browser.run('$("beside").hidden')
        browser.click_on('#two'); browser.wait('!$("beside").hidden')
        assert browser.pixels('#real') == colours(game.real.frame)
        browser.key('e'); browser.wait('waiting == 0 && now.dream.differ == 0')
        assert browser.pixels('#frame') == browser.pixels('#real') == colours(game.real.frame)
        assert 'not recorded' in browser.run('$("file").textContent')


def seek(browser, t): browser.run(f'show({t})')

def test_viewer_with_a_model(browser, run, tmp_path):
    "Every picture shows what it says; keys, slider and the curve move through the steps."
    path = next((run.folder/'demonstrations').glob('*.01.*'))
    [film] = run_films(run, [path], most=30)
    page = film_page([film]).save(tmp_path/'page.html')
    browser.goto(page.as_uri()); browser.wait('film && film.cursor')
    e, th = film.episode, film.thoughts
    for t in (0, 7, 29):
        seek(browser, t)
        assert browser.pixels('#real') == colours(e.steps[t].frame)
        assert browser.pixels('#pictures figure:nth-of-type(4) canvas') == colours(th.reconstruction[t])
        assert browser.run('codeCells.map(c => +c.textContent)') == th.codes[t].tolist()
        assert e.steps[t].name in browser.run('$("said").textContent')
        assert browser.run('$("options").tBodies[0].rows.length') == len(th.options[t])
        if t: assert browser.pixels('#pictures figure:nth-of-type(1) canvas') == colours(th.futures[t - 1][0])
        if t < 27: assert [browser.pixels(f'#futures canvas:nth-of-type({k})') for k in (1, 2)] == [colours(th.futures[t][0]), colours(e.steps[t + 1].frame)]
    seek(browser, 7)
    heat = np.array(browser.pixels('#pictures figure:nth-of-type(2) canvas')).reshape(8, 8, 8, 8)[:, 4, :, 4] >> 16  # redness of each cell
    hottest = np.unravel_index(th.surprise[7].argmax(), (8, 8))
    assert heat[hottest] == heat.max()
    clicks = np.array(browser.pixels('#pictures figure:nth-of-type(3) canvas')) >> 16
    assert clicks[th.clicks[7].argmax()] == 255
    s = e.steps[7]
    mark, real = browser.box('#mark'), browser.box('#real')
    assert abs(mark[0] + mark[2] / 2 - real[0] - (s.x + .5) / 64 * real[2]) < 1 and abs(mark[1] + mark[3] / 2 - real[1] - (s.y + .5) / 64 * real[3]) < 1
    browser.run('document.activeElement.blur()')
    for key, at in [('ArrowRight', 8), ('ArrowLeft', 7)]: browser.key(key); assert browser.run('at') == at
    done = [t for t, s in enumerate(e.steps) if s.completed]
    browser.key('n'); assert browser.run('at') == next(t for t in [*done, 29] if t > 7)
    browser.run('$("slider").focus()'); browser.key('End'); assert browser.run('at') == 29
    left, top, w, h = browser.box('#curve'); browser.click(left + w * 10 / 29, top + h / 2); assert browser.run('at') == 10
    assert browser.run('document.querySelectorAll("#curve line").length') == 1 + len(done)
    browser.key('p'); browser.wait('at == 29 && !playing'); assert not browser.problems


@pytest.mark.parametrize('dark', [False, True])
def test_text_can_be_read(browser, run, dark):
    "Contrast of text and background, in light and dark, is at least 4.5 to 1."
    browser.size(1280, 900, dark=dark); browser.goto((run.folder/'report.html').as_uri()); browser.wait('film && film.cursor')
    styles = browser.run('''[...document.querySelectorAll("h1,p,td,th,button,figcaption,.soft,pre,select,#where")].filter(e => e.offsetParent).map(e => {
        let b = e; while (b && getComputedStyle(b).backgroundColor == "rgba(0, 0, 0, 0)") b = b.parentElement
        return [getComputedStyle(e).color, getComputedStyle(b || document.body).backgroundColor] })''')
    def light(c): v = np.array([float(x) for x in c[c.index('(') + 1:-1].split(',')][:3]) / 255; return np.where(v <= .04045, v / 12.92, ((v + .055) / 1.055) ** 2.4) @ [.2126, .7152, .0722]
    for pair in {tuple(s) for s in styles}: a, b = sorted(map(light, pair)); assert (b + .05) / (a + .05) >= 4.5, pair
    assert (light(styles[0][1]) < .2) == dark
    assert browser.run('[...document.querySelectorAll("canvas,img,svg")].every(e => e.getAttribute("aria-label") || e.alt)')
    browser.size(1280, 900)


HOSTILE = "<img src=x onerror='document.title=1'></script><script>document.title=1</script>"

def test_hostile_words_stay_text(browser, run, tmp_path):
    "File names, reasons and settings are text in the viewer and in the report."
    with gzip.open(next((run.folder/'demonstrations').glob('*.00.*')), 'rt') as f: lines = [json.loads(l) for l in f.readlines()[:6]]
    for line, words in zip(lines[1:], [HOSTILE, {'reason': HOSTILE}, {'x': [HOSTILE]}, '__proto__', 'constructor']): line['data']['action_input']['reasoning'] = words; line['data']['guid'] = line['data']['state'] = HOSTILE
    path = tmp_path/f'{HOSTILE.replace("/", "")}.jsonl'
    path.write_text('\n'.join(map(json.dumps, lines)))
    browser.goto(show(path).save(tmp_path/'page.html').as_uri()); browser.wait('film && film.cursor')
    for t in range(3): seek(browser, t); assert HOSTILE in browser.run('$("said").textContent')
    assert browser.run('[$("which").textContent, document.querySelector("h1").textContent, document.title]') == [path.stem] * 3
    assert browser.run('document.querySelectorAll("img,script").length') == 2 and not browser.problems

    shutil.copytree(run.folder, tmp_path/'run'); copy = load_run(tmp_path/'run')
    metrics = json.loads((copy.folder/'metrics.json').read_text()); metrics['config']['weights'] = metrics['config'][HOSTILE] = HOSTILE
    (copy.folder/'metrics.json').write_text(json.dumps(metrics)); shutil.rmtree(copy.folder/'play'); (copy.folder/'play').mkdir(); shutil.copy(path, copy.folder/'play')
    browser.goto(write_report(copy).as_uri()); browser.wait('film && film.cursor')
    seek(browser, 0); assert HOSTILE in browser.run('$("said").textContent') and browser.run('document.body.textContent').count(HOSTILE) > 2
    assert browser.run('document.title') == 'run' and browser.run('document.querySelectorAll("img[onerror]").length') == 0 and not browser.problems


def test_a_thousand_steps_are_smooth(browser, run, tmp_path):
    "A long episode with thoughts stays small; scrubbing shows at least 30 steps a second."
    [film] = run_films(run, [next((run.folder/'demonstrations').glob('*.00.*'))], most=20)
    e, th = film.episode, film.thoughts
    many = lambda a: (list(a) * 50) if isinstance(a, list) else np.concatenate([a] * 50)
    e.steps, film.reasons = many(e.steps), many(film.reasons)
    film.thoughts = type(th)(*(many(v) for v in vars(th).values()))
    page = film_page([film]).save(tmp_path/'page.html')
    assert page.stat().st_size < 15 * 2**20
    browser.goto(page.as_uri()); browser.wait('film && film.cursor', 60)
    ms = browser.run('new Promise(async done => { const t = performance.now(); for (let k = 0; k < 200; k++) { show(k * 5); await new Promise(requestAnimationFrame) } done((performance.now() - t) / 200) })')
    assert browser.run('film.n') == 1000 and ms < 33, ms
