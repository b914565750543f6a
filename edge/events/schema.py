"""`python -m edge.events.schema` prints the JSON Schema of all headers: docs/event.schema.json."""

import json

from edge.events.codes import CODE_NAMES
from edge.events.event import MESSAGE, SCHEMA


def schema() -> str:
    """The JSON Schema of all headers, with the table of codes."""
    made = MESSAGE.json_schema(mode="serialization")
    made["title"] = f"Header of a DRAEM message, schema {SCHEMA}"
    made["x-codes"] = {str(number): name for number, name in CODE_NAMES.items()}
    return json.dumps(made, indent=2) + "\n"


if __name__ == "__main__":
    print(schema(), end="")
