"""A name in the registry is all that the schema, the help and the documentation need."""

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from triplet_train.registry import (
    APPLICATIONS,
    EXPORTS,
    FILES,
    FORMATS,
    SOURCES,
    STRATEGIES,
    TOWERS,
    TRACKERS,
)

DOCS = Path(__file__).parents[1] / "docs"
OWN_TOWERS = [name for name in TOWERS if name not in APPLICATIONS]
# package -> names, the function in the file of each, and the page that documents them
PACKAGES = {
    "losses": (STRATEGIES, "triplet_{}_statistics", "losses.md"),
    "models.towers": (OWN_TOWERS, "features", "towers.md"),
    "data.sources": (SOURCES, "source", "data.md"),
    "embeddings.formats": (FORMATS, "writer", "embeddings.md"),
    "exports.formats": (EXPORTS, "write", "serving.md"),
    "training.trackers": (TRACKERS, "start", "training.md"),
}

# Arguments of a strategy that training passes in addition to its options.
PASSED = {"y_true", "y_pred", "margin", "distance_metric"}


def plug_in(package, name):
    """Import the function that the file of a name has to have."""
    module = import_module(f"triplet_train.{package}.{name}")
    return getattr(module, PACKAGES[package][1].format(name))


@pytest.mark.parametrize("package", PACKAGES)
def test_each_name_is_that_of_a_file_and_has_its_entry_in_the_documentation(package):
    names, _, page = PACKAGES[package]
    text = (DOCS / page).read_text()
    for name in names:
        assert callable(plug_in(package, name))
        assert re.search(rf"(?<![-\w]){name}(?![-\w])", text), f"docs/{page} lacks {name}"


def test_files_of_one_package_take_the_same_arguments():
    for package in set(PACKAGES) - {"losses"}:
        names, _, _ = PACKAGES[package]
        signatures = {tuple(inspect.signature(plug_in(package, name)).parameters) for name in names}
        assert len(signatures) == 1, (package, signatures)
    for format in FILES:
        assert import_module(f"triplet_train.embeddings.formats.{format}").read


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_takes_the_arguments_that_training_passes(name):
    parameters = inspect.signature(plug_in("losses", name)).parameters
    passed = PASSED | set(STRATEGIES[name].options) - {"warmup_steps"}
    required = {key for key, value in parameters.items() if value.default is value.empty}
    assert passed <= set(parameters) and required - {"seed"} <= passed


def test_a_line_makes_a_name_known_to_the_schema_its_errors_and_the_help():
    code = """
import sys
from triplet_train import registry
registry.STRATEGIES["distant"] = registry.Strategy("each anchor with a far negative")
registry.TOWERS["perceptron"] = registry.Tower("dense layers", [8], False)
registry.SOURCES["listing"] = "a file that lists images"
registry.FORMATS["arrow"] = registry.Format("an Arrow file")
from triplet_train.cli.embed import main
from triplet_train.config import Config, load_config, schema_as_yaml
from triplet_train.errors import RequestError

for meaning in ("distant: each anchor with a far negative", "perceptron: dense layers",
                "listing: a file that lists images", "arrow: an Arrow file"):
    assert meaning in " ".join(schema_as_yaml().replace("#", "").split()), meaning
config = load_config("digits_semihard", ["loss.strategy=distant", "model={tower: perceptron}",
                                         "data={dataset: listing, path: x}"])
assert (config.model.filters, config.model.batch_norm) == ([8], False)
try:
    load_config("digits_semihard", ["loss.strategy=distent", "embeddings.formats=[arow]"])
except RequestError as error:
    assert f"must be one of {', '.join(registry.STRATEGIES)} (received" in str(error)
    assert "did you mean distant?" in str(error) and "did you mean arrow?" in str(error)
sys.argv = ["triplet-embed", "--help"]
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert f"{', '.join(FORMATS)} or arrow." in done.stdout, done.stderr


def test_names_in_the_configurations_of_others_stay():
    assert {"semi_hard", "hard", "easy_positive", "batch_all", "naive"} <= STRATEGIES.keys()
    assert {"cnn", "resnet", "MobileNetV2", "EfficientNetB0"} <= TOWERS.keys()
    assert {"image_folder", "table"} <= SOURCES.keys()
    assert {"parquet", "npz", "h5", "projector"} <= FORMATS.keys()
