"""Errors of routes that are no pages, as a line of text."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from edge.base.errors import DraemError
from edge.web.accounts.roles import NotAllowed


def add_plain_errors(app: FastAPI) -> None:
    """What a person sees who opens such an address."""

    @app.exception_handler(DraemError)
    async def wrong(request: Request, error: DraemError) -> PlainTextResponse:
        return PlainTextResponse(str(error), 403 if isinstance(error, NotAllowed) else 400)
