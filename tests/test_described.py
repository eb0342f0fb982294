"The described system, exactly: SmolLM2-360M's shape with random weights, 49,675 rows, embeddings and head trained."
import json

import torch

from aria_nb.cli import RunConfig, train_run
from aria_nb.demos import make_demos
from aria_nb.evaluation import load_run
from aria_nb.transformer import PRESETS, build_model, count_parameters
from aria_nb.training import weighted_loss
from aria_nb.vocab import Vocab


def test_360m_as_described_trains_a_step(monkeypatch):
    monkeypatch.setattr('aria_nb.transformer.fast_dtype', lambda device='cpu': torch.bfloat16) # as on a machine that has it
    vocab = Vocab(kind='full', extras=False)
    model = build_model('smollm2-360m', vocab, 'random', as_described=True)
    sizes = count_parameters(model)
    assert sizes['lora'] == 3_276_800 and sizes['trainable'] == 3_276_800 + 2 * 49_675 * 960
    assert model.get_input_embeddings().weight.dtype == torch.bfloat16
    ids = torch.tensor([[vocab.game_start, vocab.frame, *range(vocab.offset, vocab.offset + 30), vocab.act, vocab.act0 + 1]])
    loss = weighted_loss(model(ids).logits, ids, torch.ones_like(ids, dtype=torch.float32))
    assert loss.dtype == torch.float32 and torch.isfinite(loss)
    loss.backward()
    moved = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert any('lm_head' in n for n in moved) and any('embed_tokens' in n for n in moved) and any('lora_B' in n for n in moved)
    assert all('lora_' in n or 'modules_to_save' in n for n in moved)


def test_the_whole_described_path_runs_small(tmp_path, monkeypatch):
    "Every original choice at once (alignment, first grid, no clicks, strides, window split), on a double of the model."
    real = PRESETS['smollm2-360m']
    small = real.shape | dict(hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=96)
    monkeypatch.setitem(PRESETS, 'smollm2-360m', type(real)(**vars(real) | dict(shape=small, size=512, stride=670, epochs=1)))
    monkeypatch.setattr('aria_nb.vqvae.fit_vqvae.__defaults__', (20, 16, 4e-3, True, 0, 'cpu'))
    make_demos(tmp_path/'demos', ['pn01'], episodes=3)
    cfg = RunConfig(str(tmp_path/'demos'), ['*.02.*'], 'smollm2-360m', alignment='original', grid='first', start='stride', split='window', as_described=True, weights='random')
    metrics = train_run(cfg, tmp_path/'run')
    assert metrics['tokenizer']['variant'] == 'original' and metrics['tokenizer']['codes'] == 512
    assert 0 <= metrics['model']['frame_accuracy'] <= 1 and metrics['model']['level_count'] == 6
    run = load_run(tmp_path/'run')
    assert len(run.vocab) == 49_675 and json.loads((tmp_path/'run'/'model'/'model.json').read_text())['as_described']
