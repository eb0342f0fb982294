"Two processes learn what one learns: same losses, same weights."
import json, os, subprocess, sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM

from aria_nb.bench import launcher
from aria_nb.training import TrainConfig, Trainer
from aria_nb.transformer import trained_tensors
from aria_nb.vocab import Vocab
from aria_nb.windows import Corpus, Windows


def train_small(out:Path, processes:int):
    "Train a small model on a made-up corpus; the main process writes weights and history."
    vocab, rng = Vocab(), np.random.default_rng(0)
    step = lambda: [vocab.frame, *rng.integers(0, 5, 64), vocab.act, vocab.act0 + 1]
    tokens = np.array([vocab.game_start, *(t for _ in range(40) for t in step())])
    ds = Windows(Corpus.of([tokens], ['toy']), vocab, size=200, stride=134)
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(vocab), hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, tie_word_embeddings=True))
    trainer = Trainer(model, ds, ds, TrainConfig(epochs=2, batch=3, accumulate=2, lr=1e-3), out)
    assert trainer.acc.num_processes == processes, f'{trainer.acc.num_processes} processes instead of {processes}'
    history = trainer.fit()
    if trainer.acc.is_main_process:
        save_file(trained_tensors(model), out/'weights.safetensors')
        (out/'history.json').write_text(json.dumps(history))


def launch(out:Path, processes:int):
    env = dict(os.environ, OMP_NUM_THREADS='1', ACCELERATE_USE_CPU='true')
    done = subprocess.run([*launcher(processes), __file__, str(out), str(processes)], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return load_file(out/'weights.safetensors'), json.loads((out/'history.json').read_text())


def test_two_processes_learn_what_one_learns(tmp_path):
    runs = {}
    for n in (1, 2):
        (tmp_path/str(n)).mkdir()
        runs[n] = launch(tmp_path/str(n), n)
    (one, h1), (two, h2) = runs[1], runs[2]
    assert [h['passes'] for h in h1] == [h['passes'] for h in h2]
    np.testing.assert_allclose([h['loss'] for h in h1], [h['loss'] for h in h2], rtol=1e-4)
    np.testing.assert_allclose(h1[-1]['val_loss'], h2[-1]['val_loss'], rtol=1e-4)
    for name in one: torch.testing.assert_close(one[name], two[name], rtol=1e-3, atol=1e-4)


if __name__ == '__main__': train_small(Path(sys.argv[1]), int(sys.argv[2]))
