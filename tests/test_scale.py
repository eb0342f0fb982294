"Windows over a corpus of any size: what they hold in memory is some numbers a window, never tokens."
import tracemalloc

import numpy as np
import pytest

from aria_nb.vocab import Vocab
from aria_nb.windows import Corpus, Windows

EPISODE = 67 * 467 + 1 # tokens; 28 of them are as many as the original system learned from


def write_corpus(folder, vocab, episodes):
    "Synthetic tokens, one episode at a time, straight to disk."
    rng = np.random.default_rng(0)
    steps = np.concatenate([np.full((467, 1), vocab.frame), rng.integers(0, 512, (467, 64)), np.full((467, 1), vocab.act), np.full((467, 1), vocab.act0 + 1)], 1)
    episode = np.concatenate([[vocab.game_start], steps.ravel()]).astype(np.int32)
    episode[67 * np.arange(40, 467, 60)] = vocab.level_complete
    folder.mkdir()
    tokens = np.lib.format.open_memmap(folder/'tokens.npy', 'w+', np.int32, (episodes * EPISODE,))
    for i in range(episodes): tokens[i * EPISODE:(i + 1) * EPISODE] = episode
    np.save(folder/'ends.npy', np.arange(1, episodes + 1) * EPISODE)
    np.save(folder/'games.npy', np.array(['toy1'] * episodes))


def peak(folder, vocab, **kw):
    "(bytes that Python and numpy held at most while the windows were laid out and 200 of them read, number of windows)"
    tracemalloc.start()
    ds = Windows(Corpus.load(folder), vocab, **kw)
    for i in np.linspace(0, len(ds) - 1, 200).astype(int): ds[i]
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return held, len(ds)


@pytest.mark.parametrize('size, stride', [(2048, 670), (1024, 512)])
def test_memory_does_not_grow_with_tokens(tmp_path, size, stride):
    vocab = Vocab()
    for n in (28, 2800): write_corpus(tmp_path/str(n), vocab, n)
    kw = dict(size=size, stride=stride)
    (little, few), (much, many) = (peak(tmp_path/str(n), vocab, **kw) for n in (28, 2800))
    assert many == 100 * few
    assert (much - little) / (many - few) < 200 # bytes a window; its tokens alone would be 4 * size
    (once, n1), (often, n9) = (peak(tmp_path/'2800', vocab, oversample=k, **kw) for k in (1, 9))
    assert n9 > 2 * n1 and (often - once) / (n9 - n1) < 40
