"""/api/: what the requests are, for people; made from the OpenAPI document, without scripts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
)


def documentation(openapi: dict[str, Any]) -> str:
    """The page as HTML."""
    schemas = openapi.get("components", {}).get("schemas", {})
    template = TEMPLATES.get_template("documentation.html")
    return template.render(
        info=openapi["info"],
        requests=list(_requests(openapi)),
        schemas={name: list(_fields(schema)) for name, schema in schemas.items()},
        described={name: schema.get("description", "") for name, schema in schemas.items()},
    )


def _requests(openapi: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in openapi["paths"].items():
        for method, about in methods.items():
            body = about.get("requestBody", {}).get("content", {}).get("application/json", {})
            answers = about["responses"]
            answer = next(iter(answers.values())).get("content", {}).get("application/json", {})
            yield {
                "method": method.upper(),
                "path": f"/api{path}",
                "about": about.get("description", about.get("summary", "")),
                "parameters": [
                    (p["name"], p["in"], type_of(p.get("schema", {})), p.get("description", ""))
                    for p in about.get("parameters", [])
                ],
                "body": type_of(body.get("schema", {})) if body else "",
                "answer": type_of(answer.get("schema", {})) if answer.get("schema") else "a file",
            }


def _fields(schema: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        yield name, type_of(field), "" if name in required else "may be missing"


def type_of(schema: dict[str, Any]) -> str:
    """A type in one line: `list of Found`, `string or null`, `"pdf" or "csv"`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " or ".join(type_of(one) for one in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return " or ".join(f'"{value}"' for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type", "any"))
