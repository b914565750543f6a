"""Lines of a GPIO chip (libgpiod): which they are, how they are driven, what they are set to.

A cut wire, a boot and an ended process leave an output undriven. So each output is set up such that
an undriven line says what is safe, or the settings are refused.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import gpiod
from gpiod.line import Bias, Direction, Drive, Edge, Value

from edge.base.closeable import Closeable
from edge.base.errors import SettingsError
from edge.bridge.feed import BridgeError

Name = Literal["reject", "ok", "ready", "heartbeat"]
SAFE: dict[Name, bool] = {"reject": True, "ok": False, "ready": False, "heartbeat": False}
"""What each output says while nothing is known, and whenever something is wrong."""
DRIVES = {
    "push-pull": Drive.PUSH_PULL, "open-drain": Drive.OPEN_DRAIN, "open-source": Drive.OPEN_SOURCE,
}  # fmt: skip
BIASES = {"pull-up": Bias.PULL_UP, "pull-down": Bias.PULL_DOWN}
POLARITIES = {"active-low": True, "active-high": False}
Config = dict[Iterable[int | str] | int | str, gpiod.LineSettings | None]
EDGES_KEPT = 1024  # by the kernel: as many as it permits for one line


@dataclass(frozen=True)
class Line:
    """A line by its offset or its name. `active_low` is None where it follows from the drive."""

    line: int | str
    active_low: bool | None = None
    drive: Drive = Drive.PUSH_PULL
    bias: Bias = Bias.AS_IS

    def output(self, name: Name) -> gpiod.LineSettings:
        """As an output that is set to what is safe. Raises SettingsError."""
        undriven_is_high = self.drive is Drive.OPEN_DRAIN
        low = SAFE[name] is not undriven_is_high
        wanted = low if self.active_low is None else self.active_low
        if self.drive is not Drive.PUSH_PULL and wanted is not low:
            words = next(word for word, is_low in POLARITIES.items() if is_low is low)
            raise SettingsError(
                f"--{name}: a cut wire at line {self.line} would not be safe: add {words} to it"
            )
        self._check_bias(name, safe_is_high=SAFE[name] is not wanted)
        return gpiod.LineSettings(
            direction=Direction.OUTPUT, drive=self.drive, bias=self.bias, active_low=wanted,
            output_value=_value(SAFE[name]),
        )  # fmt: skip

    def _check_bias(self, name: Name, *, safe_is_high: bool) -> None:
        """The chip's resistor decides the level of an undriven line, whatever its drive is."""
        safe = next(word for word, bias in BIASES.items() if (bias is Bias.PULL_UP) is safe_is_high)
        if self.bias in BIASES.values() and self.bias is not BIASES[safe]:
            raise SettingsError(
                f"--{name}: line {self.line} would be pulled to what is not safe while nothing "
                f"drives it: write {safe} instead, or no bias"
            )

    def encoder(self) -> gpiod.LineSettings:
        """As an input whose changes to active are counted. Raises SettingsError."""
        self._check_input()
        return gpiod.LineSettings(
            direction=Direction.INPUT, bias=self.bias, active_low=bool(self.active_low),
            edge_detection=Edge.RISING,
        )  # fmt: skip

    def feedback(self, output: gpiod.LineSettings) -> gpiod.LineSettings:
        """As an input, with the polarity of the output that it reads, unless it has its own.

        Raises SettingsError.
        """
        self._check_input()
        low = output.active_low if self.active_low is None else self.active_low
        return gpiod.LineSettings(direction=Direction.INPUT, bias=self.bias, active_low=low)

    def _check_input(self) -> None:
        if self.drive is not Drive.PUSH_PULL:
            raise SettingsError(f"line {self.line} is an input: remove open-drain, open-source")


def parse_line(text: str) -> Line:
    """From 17, or from NAME,active-low,open-drain. Raises ValueError."""
    first, *words = text.split(",")
    known = {*DRIVES, *BIASES, *POLARITIES}
    if not re.fullmatch(r"[\w.+/#-]+", first) or set(words) - known or first in known:
        raise ValueError(f"write a line's number or name, then any of {', '.join(sorted(known))}")
    line = int(first) if re.fullmatch("[0-9]{1,4}", first) else first
    if any(len(set(words) & set(table)) > 1 for table in (POLARITIES, DRIVES, BIASES)):
        raise ValueError("write one polarity, one drive and one bias at most")
    return Line(
        line,
        next((POLARITIES[word] for word in words if word in POLARITIES), None),
        next((DRIVES[word] for word in words if word in DRIVES), Drive.PUSH_PULL),
        next((BIASES[word] for word in words if word in BIASES), Bias.AS_IS),
    )


@dataclass(frozen=True)
class Wiring:
    """The lines of a machine, all of one chip. `feedback` says what an output's wire really is."""

    chip: str
    outputs: Mapping[Name, Line]
    feedback: Mapping[Name, Line]
    encoder: Line | None = None


class Pins(Closeable):
    """The lines of a machine, from the start on set to what is safe. Raises DraemError."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        outputs = {name: one.output(name) for name, one in wiring.outputs.items()}
        config: Config = {one.line: outputs[name] for name, one in wiring.outputs.items()}
        for name, one in wiring.feedback.items():
            config[one.line] = one.feedback(outputs[name])
        if wiring.encoder is not None:
            config[wiring.encoder.line] = wiring.encoder.encoder()
        count = len(wiring.outputs) + len(wiring.feedback) + (wiring.encoder is not None)
        if len(config) < count:
            raise SettingsError("one line is named twice: give each output and input its own")
        self._request = _request(wiring.chip, config)
        self.said = {name: SAFE[name] for name in wiring.outputs}
        """What each output was set to."""

    def say(self, values: Mapping[Name, bool]) -> None:
        """Set those outputs that change and are wired, all at once."""
        new = {name: values[name] for name in self.said if values.get(name, self.said[name])
               is not self.said[name]}  # fmt: skip
        if new:
            values_of_lines = {
                self._wiring.outputs[name].line: _value(value) for name, value in new.items()
            }
            with self._failing():
                self._request.set_values(values_of_lines)
            self.said |= new

    def read(self) -> list[tuple[Name, str, bool]]:
        """Of each output and each feedback: the output, which line was read, what it says."""
        lines = [*self._wiring.outputs.items(), *self._wiring.feedback.items()]
        with self._failing():
            values = self._request.get_values([one.line for _, one in lines])
        return [
            (name, str(one.line), bool(value))
            for (name, one), value in zip(lines, values, strict=True)
        ]

    def wait_for_edge(self, seconds: float) -> None:
        """Return at the encoder's next edge, or after `seconds`."""
        with self._failing():
            self._request.wait_edge_events(timedelta(seconds=seconds))

    def edges(self) -> list[gpiod.EdgeEvent]:
        """The encoder's edges since the last call."""
        found: list[gpiod.EdgeEvent] = []
        with self._failing():
            while self._request.wait_edge_events(timedelta()):
                found += self._request.read_edge_events()
        return found

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """A chip on USB or I2C can be pulled off."""
        try:
            yield
        except OSError as error:
            raise BridgeError(
                f"the lines of {self._wiring.chip} have failed ({error}): is the chip still "
                "connected? Then start the bridge again"
            ) from error

    def make_safe(self) -> None:
        """Ready first, so that the machine stops before anything else changes."""
        self.say({"ready": False})
        self.say(SAFE)

    def close(self) -> None:
        """Leave what is safe, and release the lines."""
        if self._request:
            try:
                self.make_safe()
            finally:
                self._request.release()


def _value(active: bool) -> Value:
    return Value.ACTIVE if active else Value.INACTIVE


def _request(chip: str, config: Config) -> gpiod.LineRequest:
    try:
        return gpiod.request_lines(chip, config, consumer="draem", event_buffer_size=EDGES_KEPT)
    except FileNotFoundError:
        why = "it does not exist: correct --chip ('gpiodetect' lists them)"
    except PermissionError:
        why = "this user may not use it: add the user to its group ('ls -l' shows it)"
    except (OSError, ValueError) as error:
        why = (
            f"{error}: is another program (perhaps a bridge) using a line, and does each exist? "
            "'gpioinfo' lists them"
        )
    raise BridgeError(f"the lines of {chip} cannot be had: {why}")
