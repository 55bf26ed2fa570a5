"""Pictures, and one page that holds them."""

from pathlib import Path


def plots_folder(page: Path) -> Path:
    """Where the plots of a page lie: plots/ beside report.html, NAME_plots/ beside NAME.html."""
    return page.with_name("plots" if page.name == "report.html" else f"{page.stem}_plots")
