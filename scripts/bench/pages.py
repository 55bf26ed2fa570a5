"""Tables as Markdown has them."""


def markdown_table(rows: list[list[str]], left: int = 1) -> str:
    """The first row is the heading; from column `left` on, numbers stand to the right."""
    lines = ["---"] * left + ["---:"] * (len(rows[0]) - left)
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], lines, *rows[1:]])
