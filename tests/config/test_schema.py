"""Output of --schema: every key, as the schema has it."""

import yaml

from triplet_train.config import Config, schema_as_yaml
from triplet_train.registry import FORMATS, STRATEGIES, TOWERS


def sections():
    """(name of the section, or none; its model) for every part of the schema."""
    parts = [(name, field.annotation) for name, field in Config.model_fields.items()]
    return [(None, Config), *((name, part) for name, part in parts if name != "seed")]


def test_every_key_has_a_meaning():
    for name, section in sections():
        assert section.__doc__ or section is Config
        for key, field in section.model_fields.items():
            assert field.description or (section is Config and key != "seed"), (name, key)


def test_the_printed_schema_is_the_configuration_of_all_defaults():
    printed = yaml.safe_load(schema_as_yaml())
    assert list(printed) == list(Config.model_fields)
    for name, section in sections()[1:]:
        assert list(printed[name]) == list(section.model_fields)
    printed["data"]["dataset"] = "digits"
    assert Config.model_validate(printed) == Config.model_validate({"data": {"dataset": "digits"}})


def test_the_printed_schema_gives_types_limits_and_meanings_and_fits_a_terminal():
    printed = schema_as_yaml()
    assert max(map(len, printed.splitlines())) <= 100
    for line in (
        "  dataset:                  # (required text) a TFDS name",
        "  margin: 1.0               # (number >= 0) how much farther a negative has to be",
        "  schedule: cosine          # (constant | cosine) cosine decays to 0",
        "  image_size: null          # ([integer >= 1, integer >= 1]) [height, width] to resize",
        "#   npz: NumPy arrays",
    ):
        assert line in printed
    for name in (*STRATEGIES, *FORMATS, *TOWERS):
        assert name in printed
