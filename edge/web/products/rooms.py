"""The room's pages and routes."""

from fastapi import FastAPI
from nicegui import ui
from starlette.requests import Request

from edge.web.accounts.roles import Role
from edge.web.page import Room, add_page
from edge.web.products.files import add_files
from edge.web.products.overview import build_new, build_overview
from edge.web.products.page import ProductPage
from edge.web.products.uploads import add_uploads
from edge.web.site import Site
from edge.web.texts import mark
from edge.web.viewer import Viewer

STYLE = '<link rel="stylesheet" href="/static/products.css">'


def add_products(app: FastAPI, site: Site) -> None:
    """/products, /products/new, /products/NAME, and what they load."""
    add_uploads(app, site)
    add_files(app, site)

    async def overview(viewer: Viewer, request: Request) -> None:
        ui.add_head_html(STYLE)
        await build_overview(site, viewer)

    async def new(viewer: Viewer, request: Request) -> None:
        ui.add_head_html(STYLE)
        build_new(site, viewer)

    async def product(viewer: Viewer, request: Request) -> None:
        ui.add_head_html(STYLE)
        page = ProductPage(site, viewer, request.path_params["name"], request.query_params)
        await page.show()

    add_page(site, Room("/products", mark("Products"), icon="category"), overview)
    add_page(
        site, Room("/products/new", mark("New product"), Role.ENGINEER, within="/products"), new
    )
    add_page(site, Room("/products/{name}", mark("Product"), within="/products"), product)
