"""Options of small runs on `digits`."""

SMALL = [
    "batch.per_class=4",
    "model.filters=[8]",
    "model.embedding_dim=16",
    "loss.strategy=naive",  # which is compiled soonest
    "train.steps=20",
    "train.eval_every=10",
    "train.checkpoint_every=10",
]


def small_run(data_dir, *more):
    options = [part for key in SMALL for part in ("--set", key)]
    return ["--config", "digits_semihard", "--data-dir", data_dir, *options, *more]
