"Recordings of real games, where they are at hand (`ARIA_RECORDINGS`, or a folder shared/recordings beside the checkout)."
import os
from pathlib import Path

import numpy as np
import pytest

from aria_nb.recordings import episode_lines, find_recordings, read_episode, read_lines, write_recording
from aria_nb.vocab import Vocab, decode_tokens, encode_episode
from aria_nb.vqvae import fit_tokenizer, tokenizer_metrics

FOLDER = Path(os.environ.get('ARIA_RECORDINGS', Path(__file__).parents[2]/'shared'/'recordings'))
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason='no recordings of real games here')


@pytest.mark.parametrize('name', ['human/cn04*', 'solver/vc33*', 'explored/ft09*.10.*'])
def test_real_recording_survives_every_translation(name, tmp_path):
    "File -> episode -> file, and episode -> tokens -> steps."
    path = next(FOLDER.glob(name))
    ep = read_episode(path)
    write_recording(episode_lines(ep), tmp_path/'again.jsonl.gz')
    assert read_episode(tmp_path/'again.jsonl.gz').steps == ep.steps
    tok = fit_tokenizer(ep.frames, 'exact')
    vocab = Vocab(tok.n_codes)
    steps = decode_tokens(vocab, encode_episode(vocab, ep.steps, tok.encode(ep.frames)))
    assert [(s.action, s.x, s.y, s.completed, s.lost) for s in steps] == [(s.action, s.x, s.y, s.completed, s.lost) for s in ep.steps]
    assert np.array_equal(tok.decode(np.stack([s.codes for s in steps])), ep.frames)


def test_winning_recordings_complete_every_level():
    for path in sorted((FOLDER/'solver').glob('*.gz'))[:4] + [next((FOLDER/'human').glob('cn04*'))]:
        ep = read_episode(path)
        expected = 5 if 'dc22' in path.name else ep.win_levels
        assert ep.levels == expected, path.name


def test_action_on_a_line_made_its_frame():
    "A click that changes nothing is followed by its own frame: only the pairing with the next line says so."
    lines = list(read_lines(next(FOLDER.glob('explored/ls20*.00.*'))))
    ep = read_episode(next(FOLDER.glob('explored/ls20*.00.*')))
    assert [s.action for s in ep.steps[:-1]] == [l.action for l in lines[1:]]
    assert all(np.array_equal(s.frame, l.frames[-1]) for s, l in zip(ep.steps, lines))


def test_512_codes_lose_nothing_that_was_seen():
    "Shared among three games by their places, 512 codes are as good as all cells, and do not flicker."
    plays = [read_episode(next(FOLDER.glob(f'explored/{g}*.00.*'))).frames for g in ('ls20', 'ft09', 'vc33')]
    frames = np.concatenate(plays)
    placed, exact, scarce = fit_tokenizer(frames, 'placed'), fit_tokenizer(frames, 'exact'), fit_tokenizer(frames, 'exact', max_codes=512)
    assert placed.n_codes == 512 < exact.n_codes
    assert np.array_equal(placed.decode(placed.encode(frames)), frames)
    m = tokenizer_metrics(placed, plays)
    assert m['flicker'] == 0 and m['perfect_frames'] == 1 > tokenizer_metrics(scarce, plays)['perfect_frames']
