"""draem: find surface defects on a production line, trained on pictures of good parts alone.

The workflow, in order:

  draem collect   --source S --frames N --to DIR    save frames of good parts
  draem train     DIR --product P                   train on them (or: draem import)
  draem build     --product P                       compile the engine of this device, and verify it
  draem calibrate --product P                       set the threshold from good frames
  draem release   seal / activate / rollback        for a line that changes only on purpose
  draem run       --product P --source S            judge frames and publish events over ZeroMQ
  draem watch                                       show the events, in another terminal

'draem train --all products.toml' does a command for many products; also build, calibrate, evaluate.
Settings come from the command line, then DRAEM_* variables, then station.toml.
"""

import argparse
import importlib
import io
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

from edge.base.errors import DraemError, EngineLost, SettingsError
from edge.base.os_errors import how_to_fix
from edge.base.passwords import without_password
from edge.base.repeats import RepeatsHandler
from edge.base.text import on_one_line

COMMANDS = {
    "collect": ("calibration.commands.collect", "save frames of good parts from the camera"),
    "station": (
        "calibration.commands.station",
        "measure lens, millimetres and regions of interest",
    ),
    "train": ("trainer.commands.train", "train on images of good parts"),
    "import": ("trainer.commands.import_weights", "import a published pair of checkpoints"),
    "build": ("deploy.commands.build", "compile and verify the engine of this device"),
    "calibrate": ("calibration.commands.calibrate", "set the threshold from held-out good frames"),
    "release": ("deploy.commands.release", "seal, activate, roll back, export and import versions"),
    "run": ("edge.commands.run", "judge frames of a camera and publish events"),
    "cameras": ("edge.commands.cameras", "list the cameras on the network and their state"),
    "record": ("edge.commands.record", "record the newest frames of a camera, for replay"),
    "watch": ("edge.commands.watch", "show the events of a running line"),
    "combine": ("edge.commands.combine", "join the verdicts of several cameras on one part"),
    "bridge": ("edge.commands.bridge", "send verdicts to a PLC"),
    "control": ("edge.commands.control", "state of a running line; pause and resume"),
    "switch": ("edge.commands.switch", "change the product of a running line"),
    "keys": ("edge.commands.keys", "key pairs, and the clients that may connect"),
    "archive": ("edge.commands.archive", "keep and search what stations have inspected"),
    "deliver": ("edge.commands.deliver", "copy pictures of parts to a file server"),
    "log": ("edge.commands.log", "show the event log of a station"),
    "inspect": ("edge.commands.inspect", "judge image files without a camera"),
    "evaluate": (
        "trainer.commands.evaluate",
        "accuracy on labelled images",
    ),
    "ablate": ("trainer.commands.ablate", "the paper's ablation on your images"),
    "bench": (
        "trainer.commands.bench",
        "milliseconds of each stage, and of torch eager in the same run",
    ),
    "web": ("edge.commands.web", "serve the web page"),
    "account": ("edge.commands.account", "accounts of the web page"),
    "doctor": ("edge.commands.doctor", "what this machine has and lacks"),
}
ALL = ("train", "build", "calibrate", "evaluate")  # of every product in a file
MODULES = {  # of each extra
    "trainer": ("torch", "onnx", "sklearn", "jinja2", "matplotlib", "tensorboard"),
    "calibration": ("scipy",),
    "video": ("av",),
    "genicam": ("gi",),
    "modbus": ("pymodbus",),
    "opcua": ("asyncua", "ifaddr", "o6_nodeset_compiler"),
    "s7": ("snap7",),
    "ethernet-ip": ("pylogix",),
    "mqtt": ("paho",),
    "gpio": ("gpiod",),
    "release": ("cryptography",),
    "archive": ("sqlalchemy", "alembic", "fsspec"),
    "deliver": ("paramiko", "smbprotocol", "smbclient"),
    "web": ("nicegui", "argon2", "babel", "fastapi", "starlette", "uvicorn"),
    "parquet": ("pyarrow",),
    "metrics": ("prometheus_client",),
    "cluster": ("ray",),
}
EXTRAS = {module: extra for extra, modules in MODULES.items() for module in modules}
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; 0 is success, 2 an error whose printed line says how to fix it."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):  # file names may hold what a terminal cannot show
        if isinstance(stream, io.TextIOWrapper):
            with suppress(OSError):
                stream.reconfigure(errors="replace")
    handler = RepeatsHandler()
    handler.setFormatter(Formatter("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    if argv is None:
        hide_passwords(words)
    try:
        return run_command(words)
    except EngineLost as error:
        code = fail(str(error))
        sys.stdout.flush()
        # A thread of the engine may hang, and the interpreter could wait for it at its end.
        os._exit(code)
    except DraemError as error:
        return fail(str(error))
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        return fail(f"{error.name} is missing: run './just setup', or pip install '.[{extra}]'")
    except BrokenPipeError:
        # The program that reads our output (head, less) has ended.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return fail(os_error(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


class Formatter(logging.Formatter):
    """Log lines without passwords, those of libraries and tracebacks too; a message is one line."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return on_one_line(" ".join(super().formatMessage(record).splitlines()))

    def format(self, record: logging.LogRecord) -> str:
        return without_password(super().format(record))


def hide_passwords(words: list[str]) -> None:
    """In this process's arguments, which every user of the machine can read, and in tracebacks."""
    sys.excepthook = lambda *error: logging.critical("draem failed", exc_info=error)
    shown = [without_password(word) for word in words]
    if shown != words:
        import setproctitle

        setproctitle.setproctitle(" ".join(["draem", *shown]))


class Parser(argparse.ArgumentParser):
    """argparse with errors of one line, as everywhere else.

    With the default `intermixed` positional words may stand between the options.
    """

    _parsing = False

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        if self._parsing or not self.get_default("intermixed"):
            return super().parse_known_args(args, namespace)
        self._parsing = True  # it calls this method for the options, then for the words
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._parsing = False

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message}; see '{self.prog} --help'")


def run_command(words: list[str]) -> int:
    """Import the module of the subcommand, and of no other, and call it with the arguments."""
    listing = "\n".join(f"  {name:<10} {text}" for name, (_, text) in COMMANDS.items())
    root = Parser(
        prog="draem",
        description=__doc__,
        epilog=f"commands:\n{listing}\n\n'draem COMMAND --help' shows its options.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="draem COMMAND [options]",
    )
    root.add_argument("command", metavar="COMMAND", choices=COMMANDS, help=argparse.SUPPRESS)
    command = root.parse_args(words[:1] or ["--help"]).command
    if words[1:2] == ["--all"] and command in ALL:
        from edge.commands.all_products import run_all

        return run_all(command, words[2:])
    module = importlib.import_module(COMMANDS[command][0])
    parser = Parser(
        prog=f"draem {command}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    check_no_empty(words)
    code: int = module.main(parser.parse_args(words[1:]))
    return code


def check_no_empty(words: Sequence[str]) -> None:
    """Raise SettingsError for an empty word: an empty path would be the current folder."""
    for before, word in zip(("", *words), words, strict=False):
        if not word or (word.startswith("--") and word.endswith("=")):
            name = word.rstrip("=") or (before if before.startswith("--") else "an argument")
            raise SettingsError(
                f"{name} is empty, perhaps by an unset variable of a script: give it a value, or "
                "leave it out"
            )


def fail(message: str) -> int:
    """Print an error as one line; the exit code."""
    line = " ".join(without_password(message).split())
    print(f"draem: {on_one_line(line)}", file=sys.stderr)
    return 2


def os_error(error: OSError) -> str:
    """An error of the operating system as one line, and how to fix it."""
    where = f"{error.filename}: " if error.filename else ""
    fix = how_to_fix(error) or "correct it and try again"
    return f"{where}{error.strerror or error}: {fix}"


if __name__ == "__main__":
    sys.exit(main())
