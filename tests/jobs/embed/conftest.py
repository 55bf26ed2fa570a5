import pytest
from PIL import Image

from tests.helpers.tables import pixels
from triplet_train.cli.embed import main as embed
from triplet_train.config import DataConfig
from triplet_train.data.source import open_source


@pytest.fixture
def photos(workplace, data_dir):
    """The first test digits as files, in folders by class but for the last two."""
    source = open_source(DataConfig(dataset="digits", data_dir=str(data_dir)))
    digits = source.table("test[:20]")
    for number, (image, label) in enumerate(zip(pixels(digits), digits.labels, strict=True)):
        folder = workplace / "photos" / (f"digit {label}" if number < 18 else "")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).save(folder / f"{number:02d}.png")
    return digits


@pytest.fixture
def exported(command, finished_run):
    """Run triplet-embed on the small run: `exported(*options)` -> (status, stdout, stderr)."""
    return lambda *options: command(embed, "--checkpoint", finished_run, *options)
