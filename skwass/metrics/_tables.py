"""How tables of numbers are printed."""


def printed(names, table, formats):
    """Return a table as text, a row per name.

    Parameters
    ----------
    names : list of str
        Of rows.
    table : dict of array-like of shape (n_names,)
        Columns.
    formats : dict of str
        How the numbers of each column are formatted; those of other columns are left
        out.

    Returns
    -------
    text : str
    """
    columns = [["", *names]]
    for name, form in formats.items():
        columns.append([name, *(f"{value:{form}}" for value in table[name])])
    widths = [max(map(len, column)) for column in columns]
    widths[0] = -widths[0]  # names to the left
    return "\n".join(
        "  ".join(f"{cell:{'<' if w < 0 else '>'}{abs(w)}}" for cell, w in row)
        for row in (
            zip(cells, widths, strict=True) for cells in zip(*columns, strict=True)
        )
    )
