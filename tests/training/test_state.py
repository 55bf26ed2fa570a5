import json

from triplet_train.training.state import TrainingState


def test_the_keys_of_the_file_are_those_that_older_runs_have():
    state = TrainingState(20, 10, {"recall_at_1": 0.5}, "abc", 3, 1, 2)
    content = json.loads(state.to_json())
    assert list(content) == [
        "step",
        "best_step",
        "best_figures",
        "best_sha256",
        "lost",
        "lost_in_a_row",
        "waited",
    ]
    assert TrainingState.from_json(state.to_json()) == state
    assert TrainingState.from_json('{"step": 5}') == TrainingState(5)
