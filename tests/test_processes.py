"Two processes learn what one learns: same losses, same weights; and a checkpoint of a model that is spread over two (FSDP) is whole."
import json, os, subprocess, sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from transformers import LlamaConfig, LlamaForCausalLM

from aria_nb.bench import launcher
from aria_nb.training import TrainConfig, Trainer, load_checkpoint, save_checkpoint
from aria_nb.transformer import trained_tensors
from aria_nb.vocab import Vocab
from aria_nb.windows import Corpus, Windows


def small_model(tokens:int):
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(vocab_size=tokens, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, tie_word_embeddings=True))


def train_small(out:Path, processes:int):
    "Train a small model on a made-up corpus; the main process writes weights and history."
    vocab, rng = Vocab(), np.random.default_rng(0)
    step = lambda: [vocab.frame, *rng.integers(0, 5, 64), vocab.act, vocab.act0 + 1]
    tokens = np.array([vocab.game_start, *(t for _ in range(40) for t in step())])
    ds = Windows(Corpus.of([tokens], ['toy']), vocab, size=200, stride=134)
    model = small_model(len(vocab))
    trainer = Trainer(model, ds, ds, TrainConfig(epochs=2, batch=3, accumulate=2, lr=1e-3), out)
    assert trainer.acc.num_processes == processes, f'{trainer.acc.num_processes} processes instead of {processes}'
    history = trainer.fit()
    if trainer.acc.is_main_process:
        save_file(trained_tensors(model), out/'weights.safetensors')
        (out/'history.json').write_text(json.dumps(history))


def steps(model, opt, numbers):
    "Train on made-up batches, the same in all processes; returns the weights."
    for k in numbers:
        ids = torch.randint(0, 97, (2, 20), generator=torch.Generator().manual_seed(k))
        model(ids, labels=ids).loss.backward(); opt.step(); opt.zero_grad()
    return trained_tensors(model)


def spread(out:Path, processes:int):
    "A few steps of a model spread over the processes, a checkpoint on the way, and the same steps again from there."
    torch.distributed.init_process_group('gloo')
    mesh, main = init_device_mesh('cpu', (processes,)), torch.distributed.get_rank() == 0
    def start():
        model = small_model(97)
        for part in (*model.model.layers, model): fully_shard(part, mesh=mesh)
        return model, torch.optim.AdamW(model.parameters(), 1e-3)
    model, opt = start()
    assert all(isinstance(p, DTensor) and p.to_local().numel() < p.numel() for p in model.parameters())
    steps(model, opt, range(3))
    save_checkpoint(out/'checkpoint', model, opt, dict(passes=3), write=main)
    torch.distributed.barrier()
    straight = steps(model, opt, range(3, 6))
    model, opt = start()
    assert load_checkpoint(out/'checkpoint', model, opt) == dict(passes=3)
    resumed = steps(model, opt, range(3, 6))
    if main: save_file({f'{k}|{n}': t for k, d in dict(straight=straight, resumed=resumed).items() for n, t in d.items()}, out/'weights.safetensors')
    torch.distributed.destroy_process_group()


def launch(out:Path, processes:int, job:str='train_small'):
    env = dict(os.environ, OMP_NUM_THREADS='1', ACCELERATE_USE_CPU='true')
    done = subprocess.run([*launcher(processes), __file__, job, str(out), str(processes)], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]


def trained(out:Path, processes:int):
    launch(out, processes)
    return load_file(out/'weights.safetensors'), json.loads((out/'history.json').read_text())


def test_two_processes_learn_what_one_learns(tmp_path):
    runs = {}
    for n in (1, 2):
        (tmp_path/str(n)).mkdir()
        runs[n] = trained(tmp_path/str(n), n)
    (one, h1), (two, h2) = runs[1], runs[2]
    assert [h['passes'] for h in h1] == [h['passes'] for h in h2]
    np.testing.assert_allclose([h['loss'] for h in h1], [h['loss'] for h in h2], rtol=1e-4)
    np.testing.assert_allclose(h1[-1]['val_loss'], h2[-1]['val_loss'], rtol=1e-4)
    for name in one: torch.testing.assert_close(one[name], two[name], rtol=1e-3, atol=1e-4)


def test_a_spread_model_resumes_and_learns_what_one_process_learns(tmp_path):
    launch(tmp_path, 2, 'spread')
    found, model = load_file(tmp_path/'weights.safetensors'), small_model(97)
    one = steps(model, torch.optim.AdamW(model.parameters(), 1e-3), range(6))
    assert len(found) == 2 * len(one)
    for name in one:
        assert torch.equal(found[f'straight|{name}'], found[f'resumed|{name}'])
        torch.testing.assert_close(found[f'straight|{name}'], one[name], rtol=1e-4, atol=1e-5)


if __name__ == '__main__': {'train_small': train_small, 'spread': spread}[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]))
