"""Tables that people open in a spreadsheet."""

import csv
import io

from edge.base.csv_table import csv_table


def test_a_text_that_looks_like_a_formula_is_kept_as_a_text() -> None:
    rows: list[dict[str, object]] = [
        {"a": '=HYPERLINK("http://evil")', "b": -1.5, "left out": 1},
        {"a": "+49", "b": None},
    ]
    table = list(csv.DictReader(io.StringIO(csv_table(["a", "b"], rows).decode())))
    assert table == [
        {"a": '\'=HYPERLINK("http://evil")', "b": "-1.5"},
        {"a": "'+49", "b": ""},
    ]
