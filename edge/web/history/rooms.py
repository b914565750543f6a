"""The pages and routes of History."""

from fastapi import FastAPI

from edge.web.history.csv_route import add_csv
from edge.web.history.page import add_list
from edge.web.history.part_page import add_part
from edge.web.site import Site


def add_history(app: FastAPI, site: Site) -> None:
    """The list, its export, and the page of a part."""
    add_list(site)
    add_part(site)
    add_csv(app, site)
