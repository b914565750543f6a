"""No text that people or files bring is parsed as attributes."""

import ast
from pathlib import Path

from edge.web.texts import LOCALE

WEB = LOCALE.parent


def is_fixed(node: ast.expr) -> bool:
    """Whether an expression consists of texts of the program and its constants alone."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Name):
        return node.id.isupper()
    if isinstance(node, ast.IfExp):
        return is_fixed(node.body) and is_fixed(node.orelse)
    if isinstance(node, ast.FormattedValue):
        return is_fixed(node.value)
    return isinstance(node, ast.JoinedStr) and all(map(is_fixed, node.values))


def parsed_values(path: Path) -> list[str]:
    """The calls of `.props()` in a file with anything else."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        given = [*node.args, *(word.value for word in node.keywords)]
        if node.func.attr == "props" and not all(map(is_fixed, given)):
            found.append(f"{path.relative_to(WEB)}:{node.lineno}")
    return found


def test_web_props_are_fixed_texts_and_values_are_set_with_attributes() -> None:
    found = [line for path in sorted(WEB.rglob("*.py")) for line in parsed_values(path)]
    assert found == [], "use edge.web.attributes.attributes"
