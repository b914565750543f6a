"""draem: find surface defects on a production line, from pictures of good parts alone.

The workflow, in order:

  draem collect   --source S --frames N --to DIR    save frames of good parts
  draem train     DIR --product P                   train on them (or: draem import)
  draem build     --product P                       compile the engine of this device, and prove it
  draem calibrate --product P                       set the threshold from good frames
  draem release   seal / activate / rollback        on a line that must not change by itself
  draem run       --product P --source S            judge frames and publish events over ZeroMQ
  draem watch                                       see the events, in another terminal

Settings come from the command line, then DRAEM_* variables, then station.toml.
"""

import argparse
import errno
import importlib
import logging
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from edge.base.errors import DraemError, SettingsError

COMMANDS = {
    "collect": ("calibration.commands.collect", "save frames of good parts from the camera"),
    "station": (
        "calibration.commands.station",
        "measure lens, millimetres and regions of interest",
    ),
    "train": ("trainer.commands.train", "train on images of good parts"),
    "import": ("trainer.commands.import_weights", "take over a published checkpoint pair"),
    "build": ("deploy.commands.build", "compile and prove this device's engine"),
    "calibrate": ("calibration.commands.calibrate", "set the threshold from held-out good frames"),
    "release": ("deploy.commands.release", "seal, activate, roll back, carry to another station"),
    "run": ("edge.commands.run", "judge frames of a camera and publish events"),
    "cameras": ("edge.commands.cameras", "list the cameras on the network, and their state"),
    "record": ("edge.commands.record", "keep a camera's newest frames on disk, to play them again"),
    "watch": ("edge.commands.watch", "show the events of a running line"),
    "bridge": ("edge.commands.bridge", "carry the verdicts into a PLC"),
    "control": ("edge.commands.control", "ask a running line how it is, pause and resume it"),
    "switch": ("edge.commands.switch", "change what a running line judges"),
    "keys": ("edge.commands.keys", "key pairs, and the list of who may connect"),
    "log": ("edge.commands.log", "look into a station's log of events"),
    "inspect": ("edge.commands.inspect", "judge image files without a camera"),
    "evaluate": (
        "trainer.commands.evaluate",
        "how well it does on labelled images, and why",
    ),
    "ablate": ("trainer.commands.ablate", "the paper's ablation on your images"),
    "bench": ("trainer.commands.bench", "milliseconds of each stage, and of torch eager beside it"),
    "doctor": ("edge.commands.doctor", "what this machine has"),
}
TRAINER = ("torch", "onnx", "sklearn", "jinja2", "matplotlib", "tensorboard")
BRIDGES = {"pymodbus": "modbus", "asyncua": "opcua", "snap7": "s7", "paho": "mqtt"}
ROOMS = {"scipy": "calibration", "cryptography": "release", "gi": "genicam"}
EXTRAS = dict.fromkeys(TRAINER, "trainer") | BRIDGES | ROOMS
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; 0 is success, 2 a mistake that the printed line tells how to mend."""
    words = list(sys.argv[1:] if argv is None else argv)
    logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
    try:
        return run_command(words)
    except DraemError as error:
        return fail(str(error))
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        return fail(f"{error.name} is missing: run './just setup', or pip install '.[{extra}]'")
    except BrokenPipeError:
        # The reader of our output has gone (head, less): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return fail(os_error(error))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


class Parser(argparse.ArgumentParser):
    """argparse, but a mistake is one line like every other."""

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message}; see '{self.prog} --help'")


def run_command(words: list[str]) -> int:
    """Import the subcommand's module, and only that, and hand it its arguments."""
    listing = "\n".join(f"  {name:<10} {text}" for name, (_, text) in COMMANDS.items())
    front = Parser(
        prog="draem",
        description=__doc__,
        epilog=f"commands:\n{listing}\n\n'draem COMMAND --help' tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="draem COMMAND [options]",
    )
    front.add_argument("command", metavar="COMMAND", choices=COMMANDS, help=argparse.SUPPRESS)
    command = front.parse_args(words[:1] or ["--help"]).command
    module = importlib.import_module(COMMANDS[command][0])
    parser = Parser(
        prog=f"draem {command}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    code: int = module.main(parser.parse_args(words[1:]))
    return code


def fail(message: str) -> int:
    """One line for the person at the terminal."""
    print(f"draem: {' '.join(message.split())}", file=sys.stderr)
    return 2


def os_error(error: OSError) -> str:
    """What to do about the system's refusals."""
    mends = {
        errno.ENOSPC: "the disk is full: free some space or choose a folder on another disk",
        errno.EACCES: "no permission: choose a folder that you may write, or change its owner",
        errno.EPERM: "no permission: choose a folder that you may write, or change its owner",
        errno.EROFS: "the disk is read-only: choose a folder on another disk",
        errno.ENOTDIR: "a part of the path is a file, not a folder: choose another path",
        errno.EISDIR: "this is a folder, a file is needed: choose another path",
        errno.EEXIST: "this exists already as something else: choose another path",
        errno.EFBIG: "the file would be too large for this disk or limit: choose another folder",
        errno.EBADF: "this file system keeps no locks: choose a folder on a local disk",
        errno.ENOLCK: "this file system keeps no locks: choose a folder on a local disk",
        errno.ENOENT: "this does not exist: correct the path",
    }
    mend = mends.get(error.errno or 0, f"{error.strerror or error}: correct it and try again")
    return f"{error.filename}: {mend}" if error.filename else mend


if __name__ == "__main__":
    sys.exit(main())
