"A headless Chromium, driven through its own debugging port."
import base64, itertools, json, shutil, subprocess, tempfile, time
from pathlib import Path

import websocket

CHROMIUM = next(filter(None, map(shutil.which, ('chromium', 'chromium-browser', 'google-chrome'))), None)
FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
         '--disable-sync', '--hide-scrollbars', '--remote-debugging-port=0']
KEYS = {'ArrowUp': 38, 'ArrowDown': 40, 'ArrowLeft': 37, 'ArrowRight': 39, 'Enter': 13, ' ': 32, 'Tab': 9, 'End': 35, 'Home': 36}


class Browser:
    "One page of a browser of its own; ends with its `with` block."
    def __init__(self, width=1280, height=900, zoom=1):
        self.profile, self.ids, self.problems = tempfile.TemporaryDirectory(ignore_cleanup_errors=True), itertools.count(1), []
        self.process = subprocess.Popen([CHROMIUM, *FLAGS, f'--user-data-dir={self.profile.name}', 'about:blank'], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = self.until(lambda: self.port_file.exists() and self.port_file.read_text().split('\n')[:2], 60)
        self.socket = websocket.create_connection(f'ws://127.0.0.1:{port[0]}{port[1]}', suppress_origin=True, timeout=60)
        self.session = None
        target = self.send('Target.createTarget', url='about:blank')['targetId']
        self.session = self.send('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log'): self.send(f'{domain}.enable')
        self.size(width, height, zoom)
    @property
    def port_file(self): return Path(self.profile.name)/'DevToolsActivePort'
    def __enter__(self): return self
    def __exit__(self, *args): self.socket.close(); self.process.terminate(); self.process.wait(30); self.profile.cleanup()

    def send(self, method, **params):
        "Give an order and wait for its answer; errors of the page meanwhile are kept in `problems`."
        n = next(self.ids)
        self.socket.send(json.dumps(dict(id=n, method=method, params=params) | (dict(sessionId=self.session) if self.session else {})))
        while (m := json.loads(self.socket.recv())).get('id') != n:
            if m.get('method') == 'Runtime.exceptionThrown': self.problems.append(m['params']['exceptionDetails'].get('exception', {}).get('description', 'exception'))
            if m.get('method') == 'Log.entryAdded' and m['params']['entry']['level'] == 'error': self.problems.append(m['params']['entry']['text'])
        if 'error' in m: raise RuntimeError(f"{method}: {m['error']['message']}")
        return m['result']
    def until(self, f, seconds=20):
        "Wait until `f` answers with something, and return it."
        end = time.time() + seconds
        while not (out := f()):
            if time.time() > end: raise TimeoutError(f'not within {seconds} s; problems: {self.problems}')
            time.sleep(.05)
        return out

    def size(self, width, height, zoom=1, dark=False):
        self.send('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=zoom, mobile=False)
        self.send('Emulation.setEmulatedMedia', features=[dict(name='prefers-color-scheme', value='dark' if dark else 'light')])
    def goto(self, url): self.send('Page.navigate', url=url); self.wait('document.readyState == "complete"')
    def run(self, script):
        "The value of an expression in the page."
        r = self.send('Runtime.evaluate', expression=script, awaitPromise=True, returnByValue=True)
        if 'exceptionDetails' in r: raise RuntimeError(r['exceptionDetails'].get('exception', {}).get('description', script))
        return r['result'].get('value')
    def wait(self, script, seconds=20): return self.until(lambda: self.run(f'!!({script})'), seconds)
    def key(self, key, shift=False):
        text = dict(text='\r' if key == 'Enter' else key) if len(key) == 1 or key == 'Enter' else {}
        about = dict(key=key, windowsVirtualKeyCode=KEYS.get(key, ord(key[0].upper())), modifiers=8 if shift else 0)
        self.send('Input.dispatchKeyEvent', type='keyDown', **about, **text); self.send('Input.dispatchKeyEvent', type='keyUp', **about)
    def click(self, x, y):
        for kind in ('mousePressed', 'mouseReleased'): self.send('Input.dispatchMouseEvent', type=kind, x=x, y=y, button='left', clickCount=1)
    def box(self, selector): return self.run(f'(r => [r.left, r.top, r.width, r.height])(document.querySelector({json.dumps(selector)}).getBoundingClientRect())')
    def click_on(self, selector): left, top, width, height = self.box(selector); self.click(left + width / 2, top + height / 2)
    def pixels(self, selector):
        "The 64x64 colours of a canvas, 0xRRGGBB, in reading order."
        return self.run(f'(d => [...Array(4096).keys()].map(i => d[4*i] << 16 | d[4*i+1] << 8 | d[4*i+2]))(document.querySelector({json.dumps(selector)}).getContext("2d").getImageData(0, 0, 64, 64).data)')
    def screenshot(self, path, whole=False):
        Path(path).write_bytes(base64.b64decode(self.send('Page.captureScreenshot', format='png', captureBeyondViewport=whole)['data']))
