"""Keys and values of a configuration in one level."""

from typing import Any

from triplet_train.config.schema import Section


def by_key(section: Section) -> dict[str, Any]:
    """Return the values as config.yaml has them, by keys such as loss.margin."""
    values = section.model_dump(mode="json")
    flat: dict[str, Any] = {}
    for key, value in values.items():
        part = getattr(section, key)
        if isinstance(part, Section):
            flat |= {f"{key}.{name}": each for name, each in by_key(part).items()}
        else:
            flat[key] = value
    return flat
