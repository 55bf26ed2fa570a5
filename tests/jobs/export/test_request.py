"""Formats that a request names, and packages that are missing. See also tests/cli/bad_input.txt."""

import pytest

from triplet_train.errors import RequestError
from triplet_train.exports import output
from triplet_train.jobs.export.request import ExportRequest


@pytest.fixture
def tower(tmp_path):
    file = tmp_path / "tower.keras"
    file.touch()
    return file


def test_the_format_follows_from_the_name(tower, tmp_path, monkeypatch):
    monkeypatch.setattr(output, "find_spec", lambda package: package)
    for name, format in (
        ("a.onnx", "onnx"),
        ("a.tflite", "litert"),
        ("a", "saved_model"),
        ("a.2", "saved_model"),
    ):
        assert ExportRequest(checkpoint=tower, output=tmp_path / name).format == format


def test_a_package_that_is_missing_is_named_with_its_extra(tower, tmp_path, monkeypatch):
    monkeypatch.setattr(output, "find_spec", lambda package: package == "onnx" or None)
    with pytest.raises(RequestError, match=r"onnxruntime, tf2onnx not .*'triplet-train\[onnx\]'"):
        ExportRequest(checkpoint=tower, output=tmp_path / "a.onnx")
    with pytest.raises(RequestError, match=r"ai_edge_litert not .*'triplet-train\[litert\]'"):
        ExportRequest(checkpoint=tower, output=tmp_path / "a.tflite")
    ExportRequest(checkpoint=tower, output=tmp_path / "a")
