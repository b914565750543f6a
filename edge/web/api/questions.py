"""The archive's query as parameters of an address, as /api/v1/inspections?verdict=NG&since=2h."""

from typing import Any

from starlette.requests import Request

from edge.archive.query import Query, parse_query

OWN = ("limit", "after", "by", "of", "every")


def asked(request: Request) -> Query:
    """The query of a request. Raises ArchiveError."""
    given = [(name, value) for name, value in request.query_params.multi_items() if name not in OWN]
    return parse_query(f"{name}={_plus(name, value)}" for name, value in given)


def _plus(name: str, value: str) -> str:
    """In an address a + is a space."""
    return value.replace(" ", "+") if name in ("box", "since", "until") else value


def described(*names: str) -> dict[str, Any]:
    """How an OpenAPI document describes these parameters; without names all."""
    fields = {name: Query.model_fields[name] for name in names or Query.model_fields}
    parameters = [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": field.description,
            "schema": {"type": "string"},
        }
        for name, field in fields.items()
    ]
    return {"parameters": parameters}
