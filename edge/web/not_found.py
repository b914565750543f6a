"""What a person sees at an address without a page."""

from fastapi import Request
from fastapi.exception_handlers import http_exception_handler
from nicegui import Client, ui
from nicegui import app as nicegui_app
from starlette.exceptions import HTTPException
from starlette.responses import Response

from edge.web.page import ROOMS, Room
from edge.web.shell import shell, show_error
from edge.web.site import Site
from edge.web.texts import mark


def add_not_found(site: Site) -> None:
    """The page around an error; a file that is missing is answered without a page."""
    room = Room("", mark("Not found"))

    async def not_found(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if request.scope.get("endpoint") not in (None, nicegui_app):
            return await http_exception_handler(request, error)
        viewer = site.viewer_of(request)
        text = viewer.texts.say("there is no page at this address: choose one above")
        client = Client(ui.page(""), request=request)
        with client, shell(site, viewer, room, ROOMS):
            show_error(text)
        return client.build_response(request, 404)

    nicegui_app.add_exception_handler(404, not_found)
