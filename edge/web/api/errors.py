"""Errors as JSON: {"error": what is wrong and how to fix it}."""

import logging

from fastapi import FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from edge.base.errors import DraemError
from edge.events.client import NoAnswer
from edge.web.accounts.roles import NotAllowed

log = logging.getLogger(__name__)

SEE = "see /api/ for what there is"


def add_error_answers(api: FastAPI) -> None:
    """An answer for each kind of error."""

    @api.exception_handler(AnyHTTPException)
    async def refused(request: Request, error: AnyHTTPException) -> JSONResponse:
        text = str(error.detail)
        if error.status_code in (404, 405) and text in ("Not Found", "Method Not Allowed"):
            text = f"{request.method} {request.url.path} is no request of this program: {SEE}"
        return _answer(error.status_code, text, error.headers)

    @api.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return _answer(422, f"{place} cannot be used ({first['msg']}): {SEE}")

    @api.exception_handler(DraemError)
    async def wrong(request: Request, error: DraemError) -> JSONResponse:
        if isinstance(error, NotAllowed):
            return _answer(403, str(error))
        is_away = isinstance(error.__cause__, (SQLAlchemyError, NoAnswer))
        return _answer(503 if is_away else 400, str(error))

    @api.exception_handler(NoAnswer)
    async def silent(request: Request, error: NoAnswer) -> JSONResponse:
        return _answer(503, f"{error}: check that the station runs")

    @api.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return _answer(500, "the program failed: its log has the reason")


def missing(error: DraemError) -> HTTPException:
    """What is raised where something that the address names does not exist."""
    return HTTPException(404, str(error))


def _answer(status: int, error: str, headers: object = None) -> JSONResponse:
    return JSONResponse({"error": error}, status, headers if isinstance(headers, dict) else None)
