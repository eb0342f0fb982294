"The whole path must learn: demonstrations of one game in, completed levels out, more than chance completes."
from aria_nb.cli import RunConfig, train_run
from aria_nb.demos import make_demos
from aria_nb.evaluation import load_run, play_game


def test_policy_completes_levels_that_random_play_does_not(tmp_path):
    make_demos(tmp_path/'demos', ['fl01'], episodes=7)
    metrics = train_run(RunConfig(str(tmp_path/'demos'), ['*.06.*'], epochs=4, batch=2), tmp_path/'run')
    assert metrics['model']['frame_accuracy'] > metrics['model']['frame_copy']
    run = load_run(tmp_path/'run')
    learned = max(play_game(run, 'fl01', seed, max_actions=60)[0]['levels'] for seed in range(2))
    chance = max(play_game(None, 'fl01', seed, max_actions=60)[0]['levels'] for seed in range(5))
    assert learned > chance
