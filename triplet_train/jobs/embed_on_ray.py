"""triplet-embed --engine ray: the same export in shards, one for each CPU of a Ray cluster."""

import logging
import os
from pathlib import Path
from typing import Any

import ray

from triplet_train.console import Console
from triplet_train.embeddings.output import part_name
from triplet_train.errors import CommandError, RequestError, RunError
from triplet_train.files import replacing
from triplet_train.jobs.embed import embed
from triplet_train.models.embedder import embedder_file


def embed_on_ray(
    checkpoint: Path,
    output: Path,
    format: str,
    console: Console,
    *,
    images: Path | None = None,
    data_dir: str | None = None,
    **options: Any,
) -> tuple[int, int]:
    """Write a folder of shards to `output`; rows and dimensions of what was written.

    Joins the cluster of RAY_ADDRESS, or else starts one on this machine. All machines have to see
    the same files.

    Args:
        options: as in `embed`, which also says what is raised; but for `shard`.
    """
    embedder_file(checkpoint)  # before a cluster is started
    ray.init(log_to_driver=False, logging_level=logging.ERROR)
    logging.getLogger("ray.data").setLevel("WARNING")
    try:
        ray.data.DataContext.get_current().enable_progress_bars = not console.quiet
        shards = max(1, int(ray.cluster_resources().get("CPU", 1)))
        options |= {
            "images": images and images.absolute(),
            "data_dir": data_dir and os.path.abspath(data_dir),
        }
        with replacing(output.absolute()) as beside:
            beside.mkdir()

            def export(row: dict[str, int]) -> dict[str, Any]:
                shard = (int(row["id"]) + 1, shards)
                file = beside / part_name(shard, format)
                said: list[str] = []
                done = {"rows": 0, "width": 0, "failure": "", "status": 0}
                try:
                    done["rows"], done["width"] = embed(
                        checkpoint.absolute(),
                        file,
                        format,
                        Console(write=said.append),
                        shard=shard,
                        **options,
                    )
                except (CommandError, OSError) as error:  # of which Ray would make a traceback
                    status = getattr(error, "exit_status", RunError.exit_status)
                    done |= {"failure": str(error), "status": status}
                return done | {"said": "\n".join(said)}

            parts = ray.data.range(shards, override_num_blocks=shards).map(export).take_all()
            for lines in {part["said"] for part in parts} - {""}:  # the first shard alone speaks
                console.say(lines)
            failure = _failure(parts)
            if failure and len(list(beside.iterdir())) < shards:
                raise failure  # and nothing is left of the others
    finally:
        ray.shutdown()
    if failure:
        raise failure
    return sum(part["rows"] for part in parts), max(part["width"] for part in parts)


def _failure(parts: list[dict[str, Any]]) -> CommandError | None:
    """What the shards could not do; said once, where all of them say the same."""
    failures = dict.fromkeys(part["failure"] for part in parts if part["failure"])
    if not failures:
        return None
    wrong = any(part["status"] == RequestError.exit_status for part in parts)
    return (RequestError if wrong else RunError)("\n".join(failures))
