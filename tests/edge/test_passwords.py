"""Passwords are in no message, log line, event, recording or process title."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

import draem as program
from edge.base.errors import CameraError
from edge.base.passwords import without_password
from edge.camera import CameraNotice
from edge.camera import open as cameras
from edge.camera.recording import RecordingRing
from edge.events.codes import Code
from tests.support.commands import draem_in_process

SECRET = "S3CRET"
LOGINS = (
    *("user:S3CRET", "user:a/S3CRET", "user:a?S3CRET", "user:a#S3CRET", "user:a@S3CRET"),
    *("us@er:S3CRET", "S3CRET", ":S3CRET", "user:12/S3CRET", "user:a S3CRET", "user:a'S3CRET"),
    *('user:a"S3CRET', "ü:äS3CRET", "user:%53S3CRET", "DOM/u:S3CRET", "DOM\\u:S3CRET"),
)
ADDRESSES = (
    *(f"rtsp://{login}@camera/x" for login in LOGINS),
    *(f"rtsp://{login}@[fe80::1]:554/x" for login in LOGINS),
    *("mqtt://u:S3CRET@h:1883", "RTSPS://u:S3CRET@h", "rtsp://u:S3CRET@h/x?a=b@c"),
    *("http://h/x?pwd=S3CRET", "http://h/x?user=a&Password=a&S3CRET#x", "http://h/x?token=S3CRET"),
    *("http://h:80/x?a=b&pwd=a@S3CRET", "http://h/x?api_key=S3CRET", "http://h/x?key=S3CRET"),
    *("http://u:pwd=S3CRET@h/x", "http://u:a@h/x?pwd=S3CRET", "http://h/x?pwd=a'S3CRET"),
    *("http://h/x?loginuse=admin&loginpas=S3CRET", "http://h/x?usr=a&psw=S3CRET"),
    *("rtsp://h/user=admin&password=S3CRET&channel=1", "rtsp://h/user=a_password=S3CRET_c=1.sdp"),
    *("https://b.s3.x/v.mp4?X-Amz-Signature=S3CRET", "https://b/v?X-Amz-Credential=S3CRET/x"),
    *("u:S3CRET@h:1883", "rtsp:/u:S3CRET@h/x", "rtsp//u:a/S3CRET@h", "/tmp/u:S3CRET@[::1]:/in"),
    *("http://h/x?passwort=S3CRET", "http://h/x?a=b&sessionid=S3CRET", "http://h/x?login=u:S3CRET"),
    "gst://rtspsrc location=rtsp://h/x user-id=u user-pw=S3CRET ! decodebin",
    'gst://rtspsrc location=rtsp://h/x user-pw="a S3CRET" ! decodebin',
    *("gst://rtspsrc user-pw = S3CRET ! x", "gst://rtspsrc user-pw=a\\ S3CRET ! x"),
    'gst://rtspsrc location="rtsp://u:a S3CRET@h/x" ! decodebin',
    *("gst://srtsrc passphrase=S3CRET ! x", "gst://souphttpsrc proxy-pw=S3CRET ! x"),
    'gst://souphttpsrc extra-headers="h, Authorization=(string)\\"Basic S3CRET\\"" ! x',
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_password_in_a_message_that_names_an_address(address: str) -> None:
    for text in (address, f"'{address}' cannot be opened: check it", f"--source={address}"):
        assert SECRET not in without_password(text)
        assert SECRET not in str(CameraError(text))


def test_a_space_in_a_secret_option_ends_at_the_closing_quote() -> None:
    shown = without_password("'http://h/x?pwd=a'b S3CRET' cannot be opened: run 'draem doctor'")
    assert shown == "'http://h/x?pwd=***' cannot be opened: run 'draem doctor'"


@pytest.mark.parametrize(
    "text",
    [
        *("http://h/x?to=me@home", "ipc://@draem", "rtsp://camera:554/live", "http://[::1]:80/x"),
        "publishing on tcp://127.0.0.1:5570, answering on tcp://127.0.0.1:5571; me@home",
        *("line://moulded?rate=5&seed=3", "genicam://Acme?trigger=software&line=Line0"),
        "copy x to plant@server:/srv; at 12:30 me@home; udp://@239.0.0.1:1234; http://h:80/x",
        "each client is [name] with role = one of watch, bridge and key = its public key",
    ],
)
def test_what_is_no_password_is_shown(text: str) -> None:
    assert without_password(text) == text


@pytest.mark.parametrize("command", ["record --to x", "collect --to x", "run --product lid"])
@pytest.mark.parametrize(
    "source",
    [
        *("rtsp://user:a/S3CRET@127.0.0.1:9/x", "http://127.0.0.1:9/x?pwd=S3CRET"),
        *("ftp://u:S3CRET@h/x", "line://u:S3CRET@moulded?x=3", "genicam://[u:S3CRET@x"),
    ],
)
def test_no_command_prints_the_password_of_its_source(
    command: str, source: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    done = draem_in_process(*command.split(), "--source", source, cwd=tmp_path)
    assert done.returncode == 2
    assert SECRET not in done.stdout + done.stderr + "".join(capfd.readouterr())
    done = draem_in_process(*command.split(), "--sorce", source, cwd=tmp_path)
    assert SECRET not in done.stdout + done.stderr


def test_a_slash_in_a_password_gets_a_hint_how_to_write_it() -> None:
    with pytest.raises(CameraError, match="%2F for /, %40 for an at sign"):
        cameras.open_camera("rtsp://user:se/cret@127.0.0.1:9/x", triggered=False)
    with pytest.raises(CameraError) as plain:
        cameras.open_camera("rtsp://user:secret@127.0.0.1:9/x", triggered=False)
    assert "%40" not in str(plain.value)


def test_no_password_in_station_toml_is_printed(tmp_path: Path) -> None:
    (tmp_path / "station.toml").write_text('source = ["rtsp://user:S3CRET@h/x"]\n')
    done = draem_in_process("record", "--to", "x", cwd=tmp_path)
    assert done.returncode == 2
    assert "source" in done.stderr
    assert SECRET not in done.stderr


def test_no_password_in_a_notice_that_is_recorded_and_published(tmp_path: Path) -> None:
    notice = CameraNotice(Code.CAMERA_LOST, "'rtsp://user:a/S3CRET@h/x': reconnecting")
    assert SECRET not in str(notice)
    RecordingRing(tmp_path, 5, 5).put(notice)
    assert all(SECRET.encode() not in path.read_bytes() for path in tmp_path.iterdir())


def test_no_password_in_a_traceback_or_a_library_s_log_line() -> None:
    class Model(BaseModel):
        number: int

    formatter = program.Formatter("%(message)s")
    try:
        Model.model_validate({"number": "rtsp://user:S3CRET@h/x"})
    except ValidationError as error:
        exc_info = (type(error), error, error.__traceback__)
        record = logging.LogRecord(
            "x", 40, "x", 1, "opening %s", ("http://h?pwd=S3CRET",), exc_info
        )
    assert SECRET not in formatter.format(record)
    assert "opening http://h?pwd=***" in formatter.format(record)


def test_other_users_do_not_see_the_password_in_the_arguments_of_the_process(
    tmp_path: Path,
) -> None:
    words = ("record", "--to", "x", "--source", "line://moulded?rate=5", "--sorce")
    command = [sys.executable, "-c", _RECORDER, *words[:-1], "--unused=rtsp://user:S3CRET@h/x"]
    environment = {**os.environ, "PYTHONPATH": str(Path(program.__file__).parent)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        shown = json.loads(process.stdout.readline())
        process.kill()
    assert SECRET not in shown
    assert "record --to x --source line://moulded?rate=5 --unused=rtsp://h/x" in shown


_RECORDER = """
import json, sys
from pathlib import Path
import draem
draem.run_command = lambda words: print(json.dumps(Path('/proc/self/cmdline').read_text()))
draem.main()
"""
