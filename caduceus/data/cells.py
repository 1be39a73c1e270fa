"""Values of other kinds as the cells of text that a table holds."""

from __future__ import annotations

from typing import Any

from caduceus.extras import require

# Between the labels of a cell that holds several.
SEPARATOR = ";"


def columns_of(table: Any) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The columns of a table of pyarrow as cells, and those that no cells can stand for, with what is wrong with each.

    A value is as CSV would hold it, an absent one empty, and a list as the labels of a cell: joined.
    """
    columns, refused = {}, {}
    for one in table.schema:
        values = table.column(one.name).to_pylist()
        if not _is_flat(one.type):
            refused[one.name] = f"holds {one.type}, expected texts, numbers, or lists of them"
        elif any(isinstance(value, list) and SEPARATOR in "".join(map(_cell, value)) for value in values):
            refused[one.name] = f"holds lists with {SEPARATOR!r} in a text, expected texts without it: it joins them"
        else:
            columns[one.name] = [_cell(value) for value in values]
    return columns, refused


def _is_flat(kind: Any) -> bool:
    """Whether a type of pyarrow is one of single values, or of lists of them."""
    types = require("pyarrow", "parquet").types
    listed = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return not types.is_nested(kind.value_type if listed else kind)


def _cell(value: Any) -> str:
    """The cell of a value.

    >>> _cell(None), _cell(0), _cell(["a", "b"])
    ('', '0', 'a;b')
    """
    if isinstance(value, list):
        return SEPARATOR.join(map(_cell, value))
    return "" if value is None else str(value)
