"""Sides of a comparison: towers of one configuration, trained from several seeds."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from triplet_train.errors import RequestError

_NO_SETTINGS = (  # metadata that says where vectors come from, not how they were made
    *("triplet_train", "dataset", "split", "classes"),
    *("checkpoint", "checkpoint_sha256", "config", "shard", "shards_of"),
)
_NAMING = ("loss", "model")  # sections that name a side where they differ; then all others


@dataclass(frozen=True)
class Tower:
    """A tower of a comparison.

    Attributes:
        origin: the run or file, as the user named it.
        metadata: see `EmbeddingTable`.
    """

    origin: str
    metadata: dict[str, Any]

    @property
    def seed(self) -> int | None:
        """The seed of the run; None if it is unknown."""
        config = self.metadata.get("config")
        return config.get("seed") if isinstance(config, dict) else None

    def settings(self) -> dict[str, Any]:
        """The configuration without its seed, by key such as loss.margin; empty if unknown."""
        config = self.metadata.get("config")
        if not isinstance(config, dict):
            return {}
        settings = {key: self.metadata[key] for key in self.metadata if key not in _NO_SETTINGS}
        for section, keys in config.items():
            if isinstance(keys, dict):
                settings |= {f"{section}.{key}": value for key, value in keys.items()}
        return settings


@dataclass(frozen=True)
class Side:
    """Towers that differ in the seed only.

    Attributes:
        name: the settings in which it differs from the other sides, or the origin of its tower.
        towers: in the order of their seeds.
    """

    name: str
    towers: list[Tower]


def sides_of(towers: Sequence[Tower]) -> list[Side]:
    """Group towers into sides, in the order in which they were named.

    Towers whose configuration is unknown, and towers of one configuration and one seed, such as
    two steps of a run, are sides of their own.

    Raises:
        RequestError: there is one side only.
    """
    groups: dict[str, list[Tower]] = defaultdict(list)
    for tower in towers:
        settings = tower.settings()
        groups[repr(sorted(settings.items())) if settings else tower.origin].append(tower)
    sides: list[list[Tower]] = []
    for group in groups.values():
        distinct = len({tower.seed for tower in group}) == len(group)
        group.sort(key=lambda tower: tower.seed or 0)
        sides += [group] if distinct else [[tower] for tower in group]
    if len(sides) == 1:
        raise RequestError(
            f"--against: all {len(towers)} runs have one configuration and differ in the seed "
            "only, so there are no two sides to compare"
        )
    names = _names([side[0].settings() for side in sides])
    return [
        Side(name if name and names.count(name) == 1 else side[0].origin, side)
        for name, side in zip(names, sides, strict=True)
    ]


def differing_keys(settings: Sequence[dict[str, Any]]) -> list[str]:
    """Keys that differ between settings that are known; those of the loss and the model first."""
    known = [each for each in settings if each]
    keys = dict.fromkeys(key for each in known for key in each)
    differing = [key for key in keys if any(each.get(key) != known[0].get(key) for each in known)]
    return sorted(differing, key=lambda key: _rank(key.partition(".")[0]))


def _rank(section: str) -> int:
    return _NAMING.index(section) if section in _NAMING else len(_NAMING)


def _names(settings: list[dict[str, Any]]) -> list[str]:
    """Values of as few differing keys as tell the sides apart; empty where they are unknown."""
    parts: list[list[str]] = [[] for _ in settings]
    for key in differing_keys(settings):
        for part, each in zip(parts, settings, strict=True):
            part += [_in_words(key, each[key])] if key in each else []
        if len(set(map(tuple, parts))) == len(parts):
            break
    return [", ".join(part) for part in parts]


def _in_words(key: str, value: Any) -> str:
    return value if isinstance(value, str) else f"{key.rpartition('.')[2]} {value}"
