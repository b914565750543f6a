"""/live/STATION/KIND/STREAM/SEQ: the pictures of a running station, from memory."""

from collections.abc import Mapping

from fastapi import FastAPI, HTTPException
from starlette.responses import Response

from edge.web.live.live_station import LiveStation
from edge.web.live.picture_feed import Picture
from edge.web.live.station_feed import Key

HEADERS = {"cache-control": "no-store"}  # a page that is open all day would fill the cache


def add_live_pictures(app: FastAPI, stations: Mapping[str, LiveStation]) -> None:
    """Frames, heatmaps and small pictures; every account may see them.

    Without content where it is no longer kept: the page goes on with a newer one.
    """

    def found(name: str, stream_id: str, seq: int) -> Picture | None:
        if name not in stations:
            raise HTTPException(404, "no such station")
        return stations[name].pictures.find(Key(stream_id, seq))

    @app.get("/live/{name}/picture/{stream_id}/{seq}")
    async def frame(name: str, stream_id: str, seq: int) -> Response:
        picture = found(name, stream_id, seq)
        return _answer(picture.jpeg if picture else b"")

    @app.get("/live/{name}/heat/{stream_id}/{seq}")
    async def heat(name: str, stream_id: str, seq: int) -> Response:
        picture = found(name, stream_id, seq)
        return _answer(picture.heat if picture else b"")

    @app.get("/live/{name}/small/{stream_id}/{seq}")
    def small(name: str, stream_id: str, seq: int) -> Response:
        picture = found(name, stream_id, seq)
        return _answer(picture.small if picture else b"")


def _answer(jpeg: bytes) -> Response:
    if not jpeg:
        return Response(status_code=204, headers=HEADERS)
    return Response(jpeg, media_type="image/jpeg", headers=HEADERS)
