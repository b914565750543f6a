"""The process around a job's command: `python -m edge.web.jobs.runner FOLDER LOCK`.

It leads the job's session, outlives the page, and notes the command's exit code. LOCK is the number
of the open lock file, which it shares with the command.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from edge.base.priority import yield_to_the_line
from edge.base.validation import read_json
from edge.web.jobs.job import EXIT, OUTPUT, PROGRESS, SPEC, STARTED, JobSpec, note

TEMPORARY = "temporary"
TAKE_PROGRESS = ("collect", "train", "build", "calibrate", "inspect")


def main(folder: Path, lock: int) -> int:
    """Run the command of a job's folder to its end."""
    # A handler, since a signal that is ignored would be ignored by the command too.
    signal.signal(signal.SIGINT, lambda *_: None)
    yield_to_the_line()
    note(folder / STARTED, session=os.getpid(), at=time.time())
    spec = read_json(folder / SPEC, JobSpec)
    temporary = folder / TEMPORARY
    temporary.mkdir(exist_ok=True)
    with (folder / OUTPUT).open("ab") as output:
        code = _run(spec, folder, output.fileno(), lock)
    shutil.rmtree(temporary, ignore_errors=True)
    note(folder / EXIT, code=code, at=time.time())
    return 0


def _run(spec: JobSpec, folder: Path, output: int, lock: int) -> int:
    command = [sys.executable, "-m", "draem", *spec.words]
    if spec.words[0] in TAKE_PROGRESS:
        command += ["--progress", str(folder / PROGRESS)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "COLUMNS": "200"}
    # Not /tmp: the page may have one of its own, which is removed when the page is stopped.
    environment["TMPDIR"] = str((folder / TEMPORARY).resolve())
    if spec.station_file:
        environment["DRAEM_STATION_FILE"] = spec.station_file
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        pass_fds=[lock],
        check=False,
    )
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
