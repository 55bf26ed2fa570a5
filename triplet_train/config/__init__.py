"""Configuration of a run: the schema, and the way from a YAML file to a validated object."""

from triplet_train.config.description import schema_as_yaml
from triplet_train.config.flat import by_key
from triplet_train.config.loading import (
    as_overrides,
    config_name,
    find_config,
    load_config,
    make_data_config,
    make_evaluation_config,
    to_yaml,
)
from triplet_train.config.schema import (
    AugmentConfig,
    Config,
    DataConfig,
    EvaluationConfig,
    LossConfig,
    ModelConfig,
    OptimizerConfig,
    TrainConfig,
)

__all__ = [
    "AugmentConfig",
    "Config",
    "DataConfig",
    "EvaluationConfig",
    "LossConfig",
    "ModelConfig",
    "OptimizerConfig",
    "TrainConfig",
    "as_overrides",
    "by_key",
    "config_name",
    "find_config",
    "load_config",
    "make_data_config",
    "make_evaluation_config",
    "schema_as_yaml",
    "to_yaml",
]
