"""Write the pages of docs/measurements/: all of them, or those that are named.

    python scripts/bench/all.py
    python scripts/bench/all.py --only losses step

About 45 minutes on 2 CPU cores with nothing else to do. Needs MNIST, in the folder that
TFDS_DATA_DIR names or in TFDS's own. `retrieval` installs pytorch-metric-learning in build/.
`peers` is written only when it is named: it installs other libraries too, and takes half as long
again. A page is written again after each of its sections. A section whose script fails says so, and
the exit status is then 1.
"""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from machine import stamp

BENCH = Path(__file__).parent
PAGES = BENCH.parents[1] / "docs/measurements"
# Title, and the command of each section: in full, and in its quick form.
CONTENTS: dict[str, tuple[str, dict[str, str]]] = {
    "accuracy": (
        "Accuracy",
        {
            "reproduce.py --anew --seeds 0 --without mnist_best cifar10_finetune cifar10_unseen": (
                "reproduce.py digits_semihard --anew --seeds 0"
            ),
            "unseen.py": "unseen.py --quick",
        },
    ),
    "losses": ("Cost of the losses", {"losses.py": "losses.py --quick"}),
    "step": (
        "Cost of a training step",
        {f"{name}.py": f"{name}.py --quick" for name in ("step", "augmentation", "microbatch")},
    ),
    "input_output": (
        "Reading and export",
        {f"{name}.py": f"{name}.py --quick" for name in ("reading", "listing", "export")},
    ),
    "retrieval": (
        "Cost of the evaluation",
        {f"{name}.py": f"{name}.py --quick" for name in ("retrieval", "many_classes")},
    ),
    "scale": ("Scale", {"scale.py": "scale.py --quick"}),
    "peers": ("Comparison with other libraries", {"peers.py": "peers.py --quick"}),
}
UNLESS_NAMED = ("peers",)


def section(command: str) -> tuple[str, bool]:
    """Markdown that a bench prints, with its command under the heading; False if it failed."""
    print(f"scripts/bench/{command}", file=sys.stderr)
    script, *options = shlex.split(command)
    request = [sys.executable, BENCH / script, *options]
    done = subprocess.run(request, stdout=subprocess.PIPE, text=True)
    heading, _, rest = done.stdout.strip().partition("\n")
    heading = heading or f"## {script}"
    rest = rest.strip() or f"Not measured: the script failed with exit status {done.returncode}."
    return f"{heading}\n\n    python scripts/bench/{command}\n\n{rest}", done.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = [name for name in CONTENTS if name not in UNLESS_NAMED]
    parser.add_argument("--only", nargs="+", choices=CONTENTS, default=default, metavar="PAGE")
    parser.add_argument("--quick", action="store_true", help="try everything at tiny sizes")
    parser.add_argument("--output", type=Path, default=PAGES, help="folder of the pages")
    options = parser.parse_args()
    succeeded = True
    for name in options.only:
        title, commands = CONTENTS[name]
        parts = [f"# {title}", stamp()]
        for full, quick in commands.items():
            text, well = section(quick if options.quick else full)
            parts.append(text)
            succeeded &= well
            (options.output / f"{name}.md").write_text("\n\n".join(parts) + "\n")
    return int(not succeeded)


if __name__ == "__main__":
    sys.exit(main())
