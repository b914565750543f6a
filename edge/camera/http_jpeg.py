"""JPEG pictures over HTTP, one part of a multipart response each, decoded strictly."""

import ssl
import time
import urllib.request
from http.client import HTTPException, HTTPResponse
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit

from edge.base.closeable import Closeable
from edge.base.errors import CameraError, ImageError
from edge.camera import NO_PICTURE
from edge.camera.address import without_password
from edge.camera.multipart import MultipartReader
from edge.events.codes import Code
from edge.vision.frame import Frame
from edge.vision.image_files import decode_image

OPEN_S = 5.0
CHUNK = 2**16


class HttpJpegCamera(Closeable):
    """Frames of a response; one that is cut or damaged has the code INCOMPLETE and no picture.

    `first` are the bytes read already. It is read through edge.camera.reconnecting.
    """

    live = True

    def __init__(self, source: str, response: HTTPResponse, first: bytes) -> None:
        self._source, self._response, self._first = without_password(source), response, first
        self._count = 0
        self._parts = MultipartReader(self._source, self._more)

    def _more(self) -> bytes:
        first, self._first = self._first, b""
        return first or _read(self._response, self._source)

    def read(self) -> Frame:
        data = self._parts.read()
        captured = time.monotonic_ns()
        self._count += 1
        try:
            return Frame(decode_image(data, "the frame"), self._count, captured)
        except ImageError:
            return Frame(NO_PICTURE, self._count, captured, code=Code.INCOMPLETE)

    def about(self) -> dict[str, str | float]:
        return {"source": self._source}

    def close(self) -> None:
        self._response.close()


def open_http(source: str, deadline_ms: int) -> HttpJpegCamera | None:
    """The camera, or None where the address gives something else than multipart JPEG."""
    shown = without_password(source)
    try:
        response = _opener(source).open(
            _without_login(source), timeout=max(OPEN_S, 2 * deadline_ms / 1000)
        )
    except HTTPError as error:
        raise CameraError(
            f"'{shown}' answers {error.code} {error.reason}: check the address and its login"
        ) from error
    except OSError as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise CameraError(
            f"'{shown}' cannot be opened: check the address, and that the camera is on the network "
            f"({reason})"
        ) from error
    except (HTTPException, ValueError) as error:  # whose text may have a part of the password
        raise CameraError(
            f"'{shown}' cannot be opened: correct the address (in a password write / as %2F), or "
            "use a camera that speaks HTTP and a Basic or MD5 Digest login"
        ) from error
    first = _read(response, shown)
    kind = response.headers.get_content_maintype()
    if kind == "multipart" or first.lstrip().startswith(b"--"):
        return HttpJpegCamera(source, response, first)
    response.close()
    return None


def _read(response: HTTPResponse, shown: str) -> bytes:
    try:
        return response.read1(CHUNK)
    except (OSError, HTTPException, ValueError) as error:
        raise CameraError(f"'{shown}' gives no more frames: check its cable ({error})") from error


def _without_login(source: str) -> str:
    parts = urlsplit(source)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _opener(source: str) -> urllib.request.OpenerDirector:
    """Follows redirects and answers the camera's question for the login of the address."""
    # Cameras sign their certificates themselves: encryption, without proof of who answers.
    context = ssl._create_unverified_context()
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
    parts = urlsplit(source)
    if parts.username is not None:
        passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
        root = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
        passwords.add_password(None, root, unquote(parts.username), unquote(parts.password or ""))
        handlers += [
            urllib.request.HTTPBasicAuthHandler(passwords),
            urllib.request.HTTPDigestAuthHandler(passwords),
        ]
    return urllib.request.build_opener(*handlers)
