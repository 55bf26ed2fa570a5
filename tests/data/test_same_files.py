"""Files of the same bytes in two classes."""

from pathlib import Path

import numpy as np

from triplet_train.data import same_files
from triplet_train.data.same_files import in_two_classes


def test_the_files_in_two_classes_are_those_that_comparing_every_pair_finds(tmp_path):
    """Files of few sizes, small and large; some differ in their last byte only."""
    random, classes = np.random.default_rng(0), {}
    for number in range(600):
        size, end = random.choice([0, 9, 9_000]), random.integers(9, dtype=np.uint8)
        path = f"{random.integers(3)}/{number:03}.png"
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes((b"x" * size + bytes([end]))[-size:] if size else b"")
        classes[path] = path[0]
    contents = {path: (tmp_path / path).read_bytes() for path in sorted(classes)}
    same = [
        [path for path in contents if contents[path] == content]
        for content in dict.fromkeys(contents.values())
    ]
    expected = [group for group in same if len({classes[path] for path in group}) > 1]
    (line,) = in_two_classes(tmp_path, classes)
    assert line.startswith(f"warning: {len(expected)} identical image files")
    for pair in line.split(": ")[-1].removesuffix(" ...").split(", "):
        first, second = pair.split(" = ")
        assert contents[first] == contents[second] and classes[first] != classes[second]


def test_a_file_whose_size_no_other_class_has_is_not_opened(tmp_path, monkeypatch):
    sizes = {"ant/1.png": 5, "ant/2.png": 6, "ant/3.png": 6, "bee/1.png": 7, "bee/2.png": 5}
    for path, size in sizes.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(path.encode()[:size].ljust(size))
    opened, open_file = set(), Path.open

    def watched(path, *arguments, **options):
        opened.add(path.relative_to(tmp_path).as_posix())
        return open_file(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", watched)
    assert not in_two_classes(tmp_path, {path: path[:3] for path in sizes})
    assert opened == {"ant/1.png", "bee/2.png"}


def test_more_files_than_can_be_compared_in_seconds_are_not_and_the_user_is_told(monkeypatch):
    monkeypatch.setattr(same_files, "_MOST", 1)
    (line,) = in_two_classes(Path("nowhere"), {"ant/1.png": "ant", "bee/1.png": "bee"})
    assert line.startswith("not looked for, among more than 1 images: identical files")
