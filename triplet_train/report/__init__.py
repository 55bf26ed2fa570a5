"""Pictures, and one page that holds them."""

from pathlib import Path

from triplet_train.files import plots_name


def plots_folder(page: Path) -> Path:
    """Where the plots of a page lie: plots/ beside report.html, NAME_plots/ beside NAME.html."""
    return page.with_name(plots_name(page.name))
