"""Which steps of a run have a checkpoint; known without TensorFlow."""

from pathlib import Path

CHECKPOINTS = "checkpoints"


def step_folder(run_dir: Path, step: int) -> Path:
    """Where the checkpoint of a step is, or would be."""
    return run_dir / CHECKPOINTS / f"step_{step:08d}"


def saved_steps(run_dir: Path) -> list[int]:
    """Steps that have a folder, ascending, whether it can be read or not."""
    folders = (run_dir / CHECKPOINTS).glob("step_" + "[0-9]" * 8)
    return sorted(int(folder.name.removeprefix("step_")) for folder in folders)
