"""Answer of triplet-search: a text, a JSON file and a page."""

from collections.abc import Iterator

from triplet_train.console import Console
from triplet_train.errors import RunError
from triplet_train.files import write_json
from triplet_train.jobs.search.found import Answer, as_json, as_text
from triplet_train.jobs.search.request import SearchRequest


def write_answer(request: SearchRequest, answer: Answer, console: Console) -> Iterator[str]:
    """Write the requested files, and yield the text for the user as soon as it is known.

    Raises:
        OSError: a file cannot be written.
        RunError: a photograph could not be read; everything is written all the same.
    """
    if request.json is not None:
        write_json(request.json, as_json(answer))
    yield from as_text(answer)
    if request.report is not None:
        from triplet_train.jobs.search.page import write_page  # half a second to import

        write_page(request.report, answer, console)
        yield f"\n{request.report}\n"
    if answer.unreadable:
        count = len(request.images)
        summary = f"{len(answer.unreadable):,} of {count:,} images cannot be read:"
        raise RunError("\n  ".join([summary, *answer.unreadable]))
