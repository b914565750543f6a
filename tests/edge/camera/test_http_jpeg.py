"""JPEG over HTTP: a picture that is cut is one frame without a verdict, and no other suffers."""

import ssl
import subprocess
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event as StopEvent
from urllib.request import parse_http_list, parse_keqv_list

import cv2
import pytest

from edge.base.errors import CameraError
from edge.camera.http_jpeg import HttpJpegCamera, open_http
from edge.camera.multipart import MultipartReader
from edge.camera.open import open_camera
from edge.events.codes import Code
from tests.support.cameras import CameraStation, wait_for
from tests.support.http_camera import BOUNDARY, HttpCamera, part
from tests.support.numbered_pictures import number_of, picture, pictures
from tests.support.video_files import frames_until_the_end

JPEGS = [cv2.imencode(".jpg", image)[1].tobytes() for image in pictures(12)]
END = b"\xff\xd9"


def cut(jpeg: bytes, share: float = 0.55) -> bytes:
    return jpeg[: int(len(jpeg) * share)]


def opened(camera: HttpCamera) -> HttpJpegCamera:
    found = open_http(camera.source, 800)
    assert found is not None
    return found


def received(*parts: bytes, **how: object) -> list[int | None]:
    """The numbers of the pictures that came; None for a frame that is incomplete."""
    with HttpCamera(parts, **how) as camera, opened(camera) as reader:  # type: ignore[arg-type]
        frames = frames_until_the_end(reader)
    assert {frame.code for frame in frames} <= {Code.NONE, Code.INCOMPLETE}
    assert all(frame.image.size == 0 for frame in frames if frame.code is Code.INCOMPLETE)
    return [None if frame.code else number_of(frame.image) for frame in frames]


@pytest.mark.parametrize("end", [b"", END], ids=["without end marker", "with end marker"])
def test_a_defect_in_a_cut_frame_is_never_judged_ok(end: bytes, tmp_path: Path) -> None:
    """FFmpeg completed the missing half from the frame before, and the defect was gone."""
    go_on = StopEvent()

    def parts() -> Iterator[bytes]:
        for number in range(40):
            image = picture(number)
            if number % 5 == 4:
                cv2.line(image, (20, 150), (300, 220), (0, 0, 255), 5)
            jpeg = cv2.imencode(".jpg", image)[1].tobytes()
            data = cut(jpeg) + end if number % 5 == 4 else jpeg
            yield part(data, len(data))
            go_on.wait(0.02)
        go_on.wait(20)

    with HttpCamera(parts()) as camera:
        station = CameraStation(tmp_path, camera.source)
        try:
            wait_for(lambda: any(i.frame_id == 39 for i in station.inspections()))
        finally:
            go_on.set()
            station.close()
    of_cut = [i for i in station.inspections() if i.frame_id % 5 == 0 and i.frame_id <= 40]
    assert {(i.verdict, i.code.name) for i in of_cut} == {("NO_VERDICT", "incomplete")}
    assert len(of_cut) >= 7, "a frame without a picture is never passed over"
    assert station.verdicts() > 5, "the whole ones are judged"


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        pytest.param(part(JPEGS[1]), [0, 1, 2], id="no length"),
        pytest.param(part(JPEGS[1], 10), [0, 1, 2], id="length too small"),
        pytest.param(part(JPEGS[1], len(JPEGS[1]) + 9), [0, None, 2], id="length too large"),
        pytest.param(part(JPEGS[1] + bytes(999), len(JPEGS[1]) + 999), [0, 1, 2], id="padded"),
        pytest.param(part(cut(JPEGS[1])), [0, None, 2], id="cut"),
        pytest.param(part(cut(JPEGS[1]), len(JPEGS[1])), [0, None, 2], id="cut, full length"),
        pytest.param(part(cut(JPEGS[1], 0.999), len(JPEGS[1])), [0, None, 2], id="last bytes cut"),
        pytest.param(part(cut(JPEGS[1]) + END), [0, None, 2], id="cut, with end marker"),
        pytest.param(part(cut(JPEGS[1]) + bytes(20_000)), [0, None, 2], id="cut, then zeros"),
        pytest.param(part(cut(JPEGS[1]) + bytes(20_000) + END), [0, None, 2], id="zeros and end"),
        pytest.param(part(cut(JPEGS[1]) + JPEGS[3]), [0, None, 2], id="cut, then another picture"),
        pytest.param(
            part(JPEGS[1][:20_000] + JPEGS[1][20_100:], len(JPEGS[1])), [0, None, 2], id="a gap"
        ),
        pytest.param(part(b"", 0), [0, None, 2], id="empty"),
        pytest.param(
            part(cut(JPEGS[1]) + b"\n" + BOUNDARY + b"\r\n\r\n" + JPEGS[1][1000:]),
            [0, None, None, 2],
            id="boundary inside",
        ),
        pytest.param(part(b"temperature 31", 14, b"text/plain"), [0, 2], id="a part with text"),
        pytest.param(part(b"<html>busy</html>", 17), [0, None, 2], id="text that says image"),
        pytest.param(part(JPEGS[1], None, b"application/octet-stream"), [0, 1, 2], id="other type"),
    ],
)
def test_one_damaged_part_costs_one_frame(second: bytes, expected: list[int | None]) -> None:
    first, last = part(JPEGS[0], len(JPEGS[0])), part(JPEGS[2], len(JPEGS[2]))
    assert received(first, second, last) == expected
    assert received(first, second, last, chunked=True) == expected


def test_a_stream_that_ends_within_a_frame() -> None:
    assert received(part(JPEGS[0]), part(JPEGS[1], len(JPEGS[1]))[:9000]) == [0, None]


@pytest.mark.parametrize("kind", ["multipart/x-mixed-replace;boundary=wrong", "", "image/jpeg"])
def test_the_stream_itself_says_its_boundary(kind: str) -> None:
    """Cameras announce another one than they send, or none."""
    assert received(*map(part, JPEGS), kind=kind) == [*range(12)]


def test_parts_do_not_depend_on_how_their_bytes_arrive() -> None:
    data = b"hello\r\n" + b"".join(map(part, JPEGS, [None, 100, None] * 4))
    for size in (7, 5000):
        pieces = iter([data[i : i + size] for i in range(0, len(data), size)])
        reader = MultipartReader("camera", lambda pieces=pieces: next(pieces, b""))  # type: ignore[misc]
        assert [reader.read().rstrip(b"\r\n") for _ in JPEGS] == JPEGS


def test_a_stream_without_any_boundary_ends_with_an_error() -> None:
    with pytest.raises(CameraError, match="sends no multipart pictures"):
        MultipartReader("camera", lambda: bytes(2**22))


def test_a_picture_is_not_waited_for_once_its_last_byte_has_come() -> None:
    """Content-Length saves waiting for the boundary, which some cameras send with the next one."""
    go_on = StopEvent()

    def chunks() -> Iterator[bytes]:
        yield part(JPEGS[0], len(JPEGS[0])).removesuffix(b"\r\n")
        go_on.wait(20)

    with HttpCamera(chunks()) as camera, opened(camera) as reader:
        assert number_of(reader.read().image) == 0
        go_on.set()


def test_a_stream_that_stalls_within_a_frame_is_an_outage(tmp_path: Path) -> None:
    go_on = StopEvent()

    def chunks() -> Iterator[bytes]:
        yield from map(part, JPEGS)
        yield part(JPEGS[0], len(JPEGS[0]))[:9000]
        go_on.wait(20)

    with HttpCamera(chunks()) as camera:
        station = CameraStation(tmp_path, camera.source)
        try:
            wait_for(lambda: bool(station.faults()))
        finally:
            go_on.set()
            station.close()
    assert station.fault_names()[0] in ("camera_lost", "camera_silent")


def test_another_size_in_mid_stream_is_reported() -> None:
    small = cv2.imencode(".jpg", picture(3)[:200, :300])[1].tobytes()
    with (
        HttpCamera(map(part, [JPEGS[0], small, JPEGS[1]])) as server,
        open_camera(server.source, triggered=False) as camera,
    ):
        codes = [camera.read().code for _ in range(3)]
    assert codes == [Code.NONE, Code.FORMAT_CHANGED, Code.NONE]


def basic(request: BaseHTTPRequestHandler) -> bool:
    if request.headers["Authorization"] == "Basic dXNlcjpwOmEvc3M=":  # user:p:a/ss
        return False
    return refused(request, 'Basic realm="camera"')


def digest(request: BaseHTTPRequestHandler) -> bool:
    given = request.headers["Authorization"] or ""
    fields = parse_keqv_list(parse_http_list(given.removeprefix("Digest ")))
    if fields.get("username") == "user" and len(fields.get("response", "")) == 32:
        return False
    return refused(request, 'Digest realm="camera", nonce="1", qop="auth"')


def refused(request: BaseHTTPRequestHandler, question: str) -> bool:
    request.send_response(401)
    request.send_header("WWW-Authenticate", question)
    request.end_headers()
    return True


def moved(request: BaseHTTPRequestHandler) -> bool:
    if request.path == "/moved":
        return False
    request.send_response(302)
    request.send_header("Location", "/moved")
    request.end_headers()
    return True


@pytest.mark.parametrize("answer", [basic, digest, moved])
def test_logins_and_redirects(answer: Callable[[BaseHTTPRequestHandler], bool]) -> None:
    with HttpCamera(map(part, JPEGS), answer=answer) as server:
        source = server.source.replace("//", "//user:p%3Aa%2Fss@")
        camera = open_http(source, 800)
        assert camera is not None
        with camera:
            assert number_of(camera.read().image) == 0
            assert "user" not in str(camera.about())


def test_a_refused_login_is_one_line_without_the_password() -> None:
    with HttpCamera([], answer=basic) as server, pytest.raises(CameraError) as raised:
        open_camera(server.source.replace("//", "//user:secret@"), triggered=False)
    assert "answers 401 Unauthorized: check the address and its login" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_password_that_is_not_encoded_is_not_shown() -> None:
    with pytest.raises(CameraError) as raised:
        open_camera("http://user:se/cret@127.0.0.1:9/x", triggered=False)
    assert "write / as %2F" in str(raised.value)
    assert "(se" not in str(raised.value)
    assert "'se'" not in str(raised.value)


def test_a_camera_that_signed_its_own_certificate(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=camera -keyout {} -out {}"
    subprocess.run(command.format(key, certificate).split(), check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    assert received(*map(part, JPEGS), tls=tls) == [*range(12)]


def test_an_address_without_video_is_one_line() -> None:
    with (
        HttpCamera([b"<html>login</html>"], kind="text/html") as server,
        pytest.raises(CameraError, match="cannot be opened: check the address"),
    ):
        open_camera(server.source, triggered=False)
