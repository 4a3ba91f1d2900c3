"""Rows of figures, printed as they come."""

WIDTHS = (15, 6, 10, 12, 9, 9, 9, 9, 9, 12)


def print_row(*cells: object) -> None:
    """The first cell is a name and stands left, figures stand right."""
    name, *figures = map(str, cells)
    print(name.ljust(WIDTHS[0]), *map(str.rjust, figures, WIDTHS[1:]), flush=True)
