import copy
import subprocess
import sys
from types import MappingProxyType

import numpy as np
import pytest
import yaml

from triplet_train.config import as_overrides, config_name, load_config, to_yaml
from triplet_train.errors import RequestError


def write(folder, text):
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def message(*arguments):
    with pytest.raises(RequestError) as error:
        load_config(*arguments)
    return str(error.value)


def test_every_error_is_listed_at_once_with_path_value_and_nearest_name(tmp_path):
    text = """
        data: {dataset: digits, trian_split: train, image_size: [8, x]}
        batch: {per_class: 1, classes: "5"}
        loss: {strategy: semihard}
        optimiser: {learning_rate: 1e-3}
        optimizer: {clip_norm: -1}
        model: {filters: [], dropout: 1}
        train: 3
    """
    lines = message(write(tmp_path, text)).splitlines()
    assert lines[0].startswith("10 errors in ") and "run.yaml" in lines[0]
    expected = [
        ("data.image_size.1:", "'x'", ""),
        ("data.trian_split: unknown key", "'train'", "did you mean data.train_split?"),
        ("batch.classes:", "'5'", ""),
        ("batch.per_class:", "received 1", ""),
        ("model.filters:", "[]", ""),
        ("model.dropout:", "received 1", ""),
        ("loss.strategy:", "'semihard'", "did you mean semi_hard?"),
        ("optimizer.clip_norm:", "-1", ""),
        ("train: must be a section with keys", "3", ""),
        ("optimiser: unknown key", "0.001", "did you mean optimizer?"),
    ]
    for path, received, hint in expected:
        line = next((line for line in lines if line.strip().startswith(path)), None)
        assert line, (path, lines)
        assert received in line and hint in line
    assert len(lines) - 1 == len(expected)


def test_the_metrics_to_compute_are_checked_at_once_and_named_as_they_are(tmp_path):
    lists = ["recall_at=[10, 5]", "precision_at=[0]", "false_accept_rates=[1e-3, 1e-2]"]
    text = message("digits_semihard", [f"evaluation.{each}" for each in [*lists, "best_metric=x"]])
    assert "4 errors" in text and "evaluation.precision_at.0: " in text
    assert "evaluation.recall_at: must be in ascending order, each number once" in text
    assert "evaluation.false_accept_rates: must be in descending order" in text
    for metric, near in (("map_at_R", "map_at_r"), ("tpr_at_fpr_1e-3", "tpr_at_fpr_1e-4")):
        rates = "evaluation.false_accept_rates=[1e-2, 1e-4]"
        text = message("digits_semihard", [rates, f"evaluation.best_metric={metric}"])
        assert f"(received '{metric}'); did you mean {near}?" in text
    config = load_config("digits_semihard", ["evaluation.recall_at=[10, 100]"])
    assert config.evaluation.recall_at == [1, 10, 100]


def test_a_missing_configuration_is_refused_with_the_nearest_shipped_one():
    assert "did you mean digits_semihard?" in message("digit_semihard.yaml")


def test_the_resolved_configuration_reproduces_itself(tmp_path):
    config = load_config("digits_semihard", ["data.image_size=[16, 12]", "loss.margin=1e-1"])
    assert config.data.image_size == (16, 12) and config.loss.margin == 0.1
    path = write(tmp_path, to_yaml(config))
    assert load_config(path) == config
    assert set(yaml.safe_load(to_yaml(config))) == set(type(config).model_fields)


def test_a_key_without_its_section_is_found_and_errors_of_every_kind_come_together(tmp_path):
    path = write(tmp_path, "data: {dataset: digits}\nmargin: 0.3\nloss: {strategy: naive}")
    overrides = ["loss.soft=true", "loss.margni=1", "nonsense", "train.learning_rate=1"]
    text = message(path, overrides)
    for part in (
        "5 errors",
        "margin: unknown key (received 0.3); did you mean loss.margin?",
        "loss.soft: is for strategy hard only",
        "loss.margni: unknown key (received 1); did you mean loss.margin?",
        "--set nonsense",
        "did you mean optimizer.learning_rate?",
    ):
        assert part in text


@pytest.mark.parametrize("name", ["1e3", "5", "1.5", "yes", "null", "2020-01-01", "~", "=", "<<"])
def test_a_class_with_the_name_of_a_number_stays_text_in_the_resolved_configuration(tmp_path, name):
    path = write(tmp_path, f"data: {{dataset: digits, eval_classes: ['{name}']}}")
    config = load_config(path)
    assert config.data.eval_classes == [name]
    assert load_config(write(tmp_path, to_yaml(config))) == config


@pytest.mark.parametrize("size", ["100", "'100'", "100 B"])
def test_a_cache_may_be_a_number_of_bytes(tmp_path, size):
    config = load_config(write(tmp_path, f"data: {{dataset: digits, cache: {size}}}"))
    assert config.data.cache_bytes == 100
    assert load_config(write(tmp_path, to_yaml(config))) == config


def test_overrides_win_over_the_file():
    config = load_config("digits_semihard", ["loss.margin=0.25", "train.steps=7"])
    assert (config.loss.margin, config.train.steps) == (0.25, 7)


@pytest.mark.parametrize(
    ("module", "arguments", "status"),
    [
        ("train", ["--help"], 0),
        ("embed", ["--help"], 0),
        ("evaluate", ["--help"], 0),
        ("train", ["--config", "digits_semihard", "--set", "loss.margin=x"], 2),
        ("embed", ["--checkpoint", "x", "--output", "y.csv"], 2),
        ("evaluate", [], 2),
    ],
)
def test_help_and_wrong_requests_answer_without_modules_that_take_long_to_import(
    module, arguments, status
):
    unneeded = ["numpy", "pyarrow", "pydantic", "rich", "yaml"] if "--help" in arguments else []
    code = f"""
import sys
from triplet_train.cli.{module} import main
sys.argv = ["triplet", *{arguments!r}]
try:
    main()
except SystemExit as end:
    assert (end.code or 0) == {status}, end.code
imported = {{"tensorflow", "scipy", *{unneeded!r}}} & sys.modules.keys()
assert not imported, imported
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr


def test_changes_of_colour_are_refused_for_images_of_one_channel():
    colours = "augment={hue: 0.1, grayscale: 0.5}"
    with pytest.raises(RequestError, match=r"hue and grayscale would change colours.*remove hue"):
        load_config("digits_semihard", ["data.channels=1", colours])
    assert load_config("digits_semihard", ["data.channels=3", colours]).augment.hue == 0.1


def test_a_microbatch_that_does_not_divide_the_batch_is_refused_with_one_that_does():
    with pytest.raises(
        RequestError, match=r"microbatch must divide the 80 .* smaller divisor is 20"
    ):
        load_config("digits_semihard", ["train.microbatch=30"])
    assert load_config("digits_semihard", ["train.microbatch=100"])  # all of it


def test_a_configuration_in_python_is_that_of_the_same_yaml_and_stays_as_it_is(tmp_path):
    size = (16, 16)
    given = {
        "data": {"dataset": "image_folder", "path": tmp_path / "photos", "image_size": size},
        "batch": MappingProxyType({"classes": np.int64(4)}),
        "loss": {"margin": np.float32(0.5)},
    }
    before = copy.deepcopy({**given, "batch": dict(given["batch"])})
    overrides = as_overrides(
        {
            "loss": {"warmup_steps": 5, "strategy": "hard"},
            "model.filters": np.array([8, 16]),
            "optimizer.learning_rate": 1e-5,
        }
    )
    config = load_config(given, overrides)
    text = f"""
        data: {{dataset: image_folder, path: {tmp_path}/photos, image_size: [16, 16]}}
        batch: {{classes: 4}}
        loss: {{margin: 0.5, warmup_steps: 5, strategy: hard}}
        model: {{filters: [8, 16]}}
        optimizer: {{learning_rate: 1e-5}}
    """
    assert config == load_config(write(tmp_path, text))
    assert given == before


@pytest.mark.parametrize("text", ["yes", "1e-3", "a: b", "- #", "ü\n\u2028 '\"", " x "])
def test_text_that_overrides_a_key_stays_text(text):
    overrides = as_overrides({"data.image_key": text})
    assert load_config({"data": {"dataset": "digits"}}, overrides).data.image_key == text


def test_errors_of_a_configuration_in_python_name_the_key_and_the_value():
    text = message({"data": {"dataset": "digits"}, "loss": {"margni": 1}, "train": 3}, ["a.b=1"])
    assert text.startswith("3 errors in the configuration:\n")
    assert "loss.margni: unknown key (received 1); did you mean loss.margin?" in text
    with pytest.raises(RequestError, match="of type object"):
        load_config({"data": {"dataset": object()}})
    with pytest.raises(RequestError, match="give --run-dir"):
        config_name({"data": {"dataset": "digits"}})
