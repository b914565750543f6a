"""Self-contained HTML pages from the templates beside this file; all of them extend page.html."""

from pathlib import Path

import jinja2

from edge.files import write_whole


def write_page(path: Path, template: str, **values: object) -> None:
    """One file, whole or not at all; values are escaped, and one that is missing is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    write_whole(path, environment.get_template(template).render(**values).encode())
