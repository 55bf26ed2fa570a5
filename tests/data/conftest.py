import pytest

from triplet_train.data.sources.tfds.digits import Digits


@pytest.fixture(scope="session")
def digits_in_both_formats(tmp_path_factory):
    """A folder with `digits` in either file format, in a folder that is named for the format."""
    place = tmp_path_factory.mktemp("sets")
    for format in ("tfrecord", "array_record"):
        Digits(data_dir=place / format, file_format=format).download_and_prepare()
    return place
