"""triplet-embed --engine ray: an export in shards, one for each CPU of a Ray cluster."""

import logging
from dataclasses import replace
from typing import Any

import ray

from triplet_train.console import Console
from triplet_train.embeddings.output import part_name
from triplet_train.errors import CommandError, RequestError, RunError
from triplet_train.files import replacing
from triplet_train.jobs.embed.local import write
from triplet_train.jobs.embed.request import EmbedRequest
from triplet_train.jobs.open_tower import tower_file


def embed(request: EmbedRequest, console: Console) -> tuple[int, int]:
    """Write a folder of shards.

    Join the cluster of RAY_ADDRESS, or else start one on this machine. All machines must see the
    same files.

    Returns:
        Number of vectors and their dimensions.

    Raises:
        RequestError, RunError: see `local.write`.
    """
    tower_file(request.checkpoint)  # before a cluster is started
    ray.init(log_to_driver=False, logging_level=logging.ERROR)
    logging.getLogger("ray.data").setLevel("WARNING")
    try:
        ray.data.DataContext.get_current().enable_progress_bars = not console.quiet
        shards = max(1, int(ray.cluster_resources().get("CPU", 1)))
        absolute = replace(  # workers have another working directory
            request,
            checkpoint=request.checkpoint.absolute(),
            images=request.images and request.images.absolute(),
            data_dir=request.data_dir and request.data_dir.absolute(),
        )
        with replacing(request.output.absolute()) as beside:
            beside.mkdir()

            def export(row: dict[str, int]) -> dict[str, Any]:
                shard = (int(row["id"]) + 1, shards)
                file = beside / part_name(shard, request.written_format)
                said: list[str] = []
                done = {"count": 0, "width": 0, "failure": "", "status": 0}
                try:
                    console = Console(write=said.append)
                    done["count"], done["width"] = write(absolute, file, shard, console)
                except (CommandError, OSError) as error:  # Ray would print a traceback
                    status = getattr(error, "exit_status", RunError.exit_status)
                    done |= {"failure": str(error), "status": status}
                return done | {"said": "\n".join(said)}

            parts = ray.data.range(shards, override_num_blocks=shards).map(export).take_all()
            for lines in {part["said"] for part in parts} - {
                ""
            }:  # only the first shard prints lines
                console.say(lines)
            failure = _failure(parts)
            if failure and len(list(beside.iterdir())) < shards:
                raise failure  # which removes the other shards
    finally:
        ray.shutdown()
    if failure:
        raise failure
    return sum(part["count"] for part in parts), max(part["width"] for part in parts)


def _failure(parts: list[dict[str, Any]]) -> CommandError | None:
    """Join the failures of the shards; equal ones are reported once."""
    failures = dict.fromkeys(part["failure"] for part in parts if part["failure"])
    if not failures:
        return None
    wrong = any(part["status"] == RequestError.exit_status for part in parts)
    return (RequestError if wrong else RunError)("\n".join(failures))
