"""Finding, downloading and preparing of TFDS data sets."""

import atexit
import contextlib
import difflib
import io
import socket
import sys
import tempfile
import urllib.parse
import urllib.request
from importlib import import_module

import tensorflow_datasets as tfds
from absl import logging as absl_logging

from triplet_train.console import Console
from triplet_train.data.sources.tfds.digits import Digits
from triplet_train.errors import RequestError
from triplet_train.files import first_line
from triplet_train.registry import SOURCES

absl_logging.set_verbosity(absl_logging.ERROR)  # TFDS announces its work as warnings


def find(
    name: str, data_dir: str | None, console: Console, *, write: bool
) -> tfds.core.DatasetBuilder:
    """Return the builder of a data set, which is downloaded and prepared if necessary.

    Args:
        console: if it is quiet, TFDS shows no progress bars.
        write: if False, write nothing into the folder. `digits`, which needs no download, is then
            prepared in a temporary folder, other data sets are not prepared.

    Raises:
        RequestError: no such data set, or no way to get it.
    """
    builder = _builder(name, data_dir)
    if builder.is_prepared():
        return builder
    if not write:
        if not isinstance(builder, Digits):
            return builder
        folder = tempfile.TemporaryDirectory()
        atexit.register(folder.cleanup)
        builder = Digits(data_dir=folder.name)
    _prepare(builder, console)
    return builder


def _builder(name: str, data_dir: str | None) -> tfds.core.DatasetBuilder:
    if name != Digits.name:  # register most sets of images: TFDS would import those of all kinds
        import_module("tensorflow_datasets.image_classification")
    try:
        return tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError:
        near = difflib.get_close_matches(name, [*SOURCES, *tfds.list_builders()], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise RequestError(f"data.dataset: TFDS knows no data set {name!r}{hint}") from None
    except Exception as error:
        # An unknown configuration, version or option, a missing extra, a damaged description, no
        # network: the libraries behind a name raise all kinds of errors.
        raise RequestError(f"data.dataset: {name!r} cannot be used: {first_line(error)}") from None


def _prepare(builder: tfds.core.DatasetBuilder, console: Console) -> None:
    """Download and prepare the data set."""
    embedded = isinstance(builder, Digits)
    if embedded or console.quiet:  # the digits take a moment only
        tfds.disable_progress_bar()
    if not embedded:
        _refuse_if_unreachable(builder)
    try:
        # TFDS prints to stdout, which is for the output of the command.
        with contextlib.redirect_stdout(io.StringIO() if embedded else sys.stderr):
            builder.download_and_prepare()
    except Exception as error:  # no network, a file that has changed, a full disk, a missing extra
        if builder.is_prepared():  # by another process, meanwhile
            return
        raise RequestError(_unavailable(builder, first_line(error))) from error


def _refuse_if_unreachable(builder: tfds.core.DatasetBuilder) -> None:
    """Raise RequestError if hosts have no address, as TFDS would retry for minutes."""
    hosts = {urllib.parse.urlsplit(url).hostname for url in builder.url_infos or ()}
    if not hosts or urllib.request.getproxies():
        return
    for host in sorted(filter(None, hosts)):
        try:
            socket.getaddrinfo(host, None)
        except OSError:
            raise RequestError(_unavailable(builder, f"{host} cannot be reached")) from None


def _unavailable(builder: tfds.core.DatasetBuilder, reason: str) -> str:
    root = builder.data_path.parents[len(builder.info.full_name.split("/")) - 1]
    return (
        f"the data set {builder.info.full_name} is not in {root} and cannot be prepared there: "
        f"{reason}. Name the folder that holds it with --data-dir; or prepare it on a machine with "
        f"a network (tfds build {builder.name}), and copy it"
    )
