"""`draem bridge gpio` with a chip in memory: when the gate opens, and what never opens it.

No kernel here has gpio-sim: tests/support/bridge/gpio_chip.py stands in the place of
`gpiod.request_lines`.
"""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge.base.errors import SettingsError
from edge.bridge.feed import BridgeError
from edge.bridge.pass_queue import Way
from edge.bridge.protocols.gpio_lines import Pins, Wiring, parse_line
from edge.bridge.protocols.gpio_positions import ByEvents, ByLine
from edge.bridge.signals import Trouble
from tests.edge.bridge.conftest import Mistaken
from tests.support.bridge.gpio_chip import Chip, replaced
from tests.support.bridge.gpio_rig import (
    ENCODER,
    FEEDBACK,
    HEARTBEAT,
    OK,
    OUTPUTS,
    READY,
    REJECT,
    Rig,
    wiring,
)
from tests.support.waiting import wait_until

COUNTS = Way(delay=300, pulse=40, shortest=1, longest_s=0.5)


def test_gpio_opens_the_gate_for_an_ok_part_when_it_is_there() -> None:
    with Rig() as rig:
        assert rig.after(0.01) is False
        assert rig.ready
        rig.part(1)
        assert rig.after(0.19) is False
        assert rig.after(0.02) is True
        assert rig.after(0.04) is False
        rig.part(2, "NG")
        rig.part(3, "NO_VERDICT")
        rig.clock.s += 0.2
        assert [rig.after(0.01) for _ in range(20)] == [False] * 20


def test_gpio_rejects_while_the_line_is_silent_paused_or_a_verdict_is_late() -> None:
    with Rig() as rig:
        rig.part(1)
        assert rig.after(0.22)
        rig.beat("paused")
        assert (rig.after(0), rig.ready) == (False, False), "the part at the gate too"
        rig.part(2)
        assert rig.after(0.22) is False, "it came while the line was paused"
        assert rig.ready
        rig.part(3, age_s=0.31)
        assert [one.inspection.inspection_id for one in rig.missed] == [3]
        assert rig.after(0.01) is False
        rig.part(4)
        rig.clock.s += 1.1
        rig.part(5, age_s=0.3)
        rig.outputs.cycle(rig.feed)
        assert (rig.passes(), rig.ready) == (False, False), "no heartbeat for two periods"


def test_a_gate_that_stood_open_while_gpio_was_held_up_is_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Rig() as rig:
        rig.clock.s += 0.5
        rig.part(1)
        assert rig.after(0.22)
        assert "held up" not in caplog.text, "a closed gate lets nothing pass"
        rig.clock.s += 0.3
        rig.outputs.cycle(rig.feed)
        assert "held up for 300 ms while the gate was open" in caplog.text


def test_a_part_without_a_place_rejects_all_on_their_way_over_gpio() -> None:
    with Rig() as rig:
        rig.part(1)
        rig.script.part(2, "OK", "lid", rig.clock.s + 1, "another machine")
        assert rig.after(0.22) is False
        rig.part(3)
        assert rig.after(0.22) is True


def test_gpio_ready_drops_before_anything_changes_and_comes_last() -> None:
    with Rig() as rig:
        rig.part(1)
        assert rig.chip.calls[-1] == {READY: True}
        assert rig.after(0.22)
        rig.chip.calls.clear()
        rig.beat("fault")
        rig.outputs.cycle(rig.feed)
        assert rig.chip.calls[0] == {READY: False}
        assert rig.chip.calls[1].items() >= {REJECT: False, OK: False}.items()


@pytest.mark.parametrize("words", ["", "active-low", "open-drain", "open-drain,active-high",
                                   "open-source", "open-source,active-low"])  # fmt: skip
def test_an_undriven_gpio_line_rejects(words: str) -> None:
    chip = Chip()
    chip.pulls[REJECT] = "open-drain" in words
    line = parse_line(",".join(filter(None, [str(REJECT), words])))
    with replaced(chip), Pins(Wiring("/dev/gpiochip0", {"reject": line}, {})) as pins:
        rejecting = chip.high(REJECT)
        assert pins.read() == [("reject", "17", True)]
        pins.say({"reject": False})
        assert chip.high(REJECT) is not rejecting
        chip.driven.clear()  # a cut wire, or a boot
        assert chip.high(REJECT) is rejecting


@pytest.mark.parametrize("words", [
    "pull-up", "active-low,pull-up", "active-high,pull-down", "open-drain,pull-down",
    "open-source,pull-up",
])  # fmt: skip
def test_a_gpio_output_is_not_pulled_to_what_is_unsafe(words: str) -> None:
    line, chip = f"{REJECT},{words}", Chip()
    wiring = Wiring("/dev/gpiochip0", {"reject": parse_line(line)}, {})
    with replaced(chip), pytest.raises(SettingsError, match=r"write pull-(up|down) instead"):
        Pins(wiring)
    turned = {"pull-up": "pull-down", "pull-down": "pull-up"}
    safe = ",".join(turned.get(word, word) for word in line.split(","))
    with replaced(chip), Pins(Wiring("/dev/gpiochip0", {"reject": parse_line(safe)}, {})):
        pass


def test_a_gpio_output_that_does_not_follow_drops_ready_for_good(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Rig() as rig:
        rig.part(1)
        assert rig.after(0.22)
        rig.chip.shorts[REJECT] = True
        rig.after(0.03)
        assert rig.ready, "it says what it was set to"
        rig.after(0.01)
        assert rig.ready, "it may need a little time"
        rig.after(0.05)
        assert (rig.ready, rig.chip.high(OK)) == (False, False)
        assert "line 17 of reject is inactive, but was set active" in caplog.text
        assert caplog.text.count("line 17") == 1
        assert rig.feed.signals().trouble is Trouble.HALTED
        del rig.chip.shorts[REJECT]
        beats = set()
        for number in range(2, 12):
            rig.part(number)
            assert rig.after(0.22) is False
            beats.add(rig.chip.high(HEARTBEAT))
        assert beats == {False}, "a watchdog stops the machine"


def test_a_gpio_feedback_shows_what_the_output_itself_cannot() -> None:
    with Rig(Way(300, 100, 1, 9), lines=wiring(feedback=str(FEEDBACK))) as rig:
        rig.part(1)
        assert rig.after(0.22)
        assert rig.after(0.03)
        del rig.chip.wires[FEEDBACK]  # the wire is cut: the input is low, which is rejecting
        assert rig.after(0.01) is False
        assert not rig.ready
    with pytest.raises(BridgeError, match=r"line 23 of reject is inactive, but was set active"):
        Rig(lines=wiring(feedback=f"{FEEDBACK},active-high"))


def test_the_gpio_heartbeat_changes_while_the_bridge_runs() -> None:
    with Rig() as rig:
        levels = []
        for _ in range(8):
            rig.after(0.1)
            levels.append(rig.chip.high(HEARTBEAT))
        assert len(set(levels)) == 2
        assert rig.ready


def test_gpio_counts_the_way_by_a_line_and_the_verdict_may_take_its_time() -> None:
    with Rig(COUNTS, ByLine, wiring(ENCODER)) as rig:
        rig.part(1, age_s=0.1)
        rig.chip.edge(ENCODER, 340)
        assert rig.after(0.01) is False, "its picture is of before the bridge"
        rig.chip.edge(ENCODER, 100)
        rig.clock.s += 0.05  # the picture
        captured = rig.clock.s
        rig.clock.s += 0.05
        rig.chip.edge(ENCODER, 150)
        rig.part(2, age_s=rig.clock.s - captured)
        rig.chip.edge(ENCODER, 149)
        assert rig.after(0.01) is False
        rig.chip.edge(ENCODER)
        assert rig.after(0.01) is True
        rig.chip.edge(ENCODER, 39)
        assert rig.after(0.01) is True
        rig.chip.edge(ENCODER)
        assert rig.after(0.01) is False
        assert rig.ready


def test_a_gpio_encoder_that_fails_rejects_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with Rig(COUNTS, ByLine, wiring(ENCODER)) as rig:
        for number in (1, 2):
            rig.chip.edge(ENCODER, 50)
            rig.clock.s += 0.1
            rig.part(number, age_s=0.05)
        rig.chip.edge(ENCODER, 100, lost=7)
        rig.chip.edge(ENCODER, 150)
        assert rig.after(0.01) is False, "the first part would be here"
        assert "7 edges are lost" in caplog.text
        rig.part(6, age_s=0.05)
        rig.chip.edge(ENCODER, 300)
        assert rig.after(0.01) is False, "its picture is of before the loss"
        rig.clock.s += 0.1
        rig.part(7, age_s=0)
        rig.clock.s += 0.1
        rig.part(8, age_s=0)
        assert (rig.after(0.01), rig.ready) == (False, False)
        assert caplog.text.count("the encoder does not count, but parts come") == 1
        rig.chip.edge(ENCODER, 100)
        rig.part(9, age_s=0)
        rig.chip.edge(ENCODER, 299)
        assert (rig.after(0.01), rig.ready) == (False, True)
        rig.chip.edge(ENCODER)
        assert rig.after(0.01) is True
        assert rig.after(0.6) is False, "the encoder stands still, and perhaps its wire is cut"


def test_gpio_counts_by_the_events_for_an_indexed_machine(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Every index is 100 counts, and the gate is three of them after the camera."""
    with Rig(COUNTS, lambda pins: ByEvents(0.5)) as rig:
        opened = []
        for number, verdict in enumerate(("OK", "NG", "OK", "OK", "OK", "OK"), 1):
            rig.clock.s += 0.2
            rig.beat()
            rig.part(number, verdict, encoder=-100 * number)  # type: ignore[arg-type]
            opened.append(rig.passes())
        assert opened == [False, False, False, True, False, True], "the first and the third part"
        assert rig.after(0.45) is False, "the next trigger does not come: where are the parts?"
        rig.part(7, encoder=-500)
        assert "the encoder count of the events goes back" in caplog.text
        rig.part(8, encoder=-700)
        assert rig.passes() is False
        rig.part(9)
        assert rig.passes() is False, "without a count"


def test_a_gpio_chip_that_is_pulled_off_ends_the_bridge() -> None:
    rig = Rig()
    rig.part(1)
    assert rig.after(0.22)
    rig.chip.gone = True
    with pytest.raises(BridgeError, match=r"have failed .*No such device"):
        rig.outputs.run(rig.feed, lambda: False)
    with pytest.raises(BridgeError):
        rig.close()
    assert not rig.chip.owned, "released all the same"


def test_gpio_mistakes_are_one_line_each(mistaken: Mistaken) -> None:
    chip = Chip()
    chip.shorts[6] = True
    where = ("--delay", "300", "--pulse", "40")
    with replaced(chip):
        for words, says in (
            ([*where], "add --reject LINE or --ok LINE"),
            (["--reject", "17"], "add --delay N and --pulse N"),
            (["--reject", "17,rubbish", *where], "write a line's number or name"),
            (["--reject", "17,pull-up,pull-down", *where], "one bias at most"),
            (["--reject", "17,open-drain,active-low", *where], "add active-high to it"),
            (["--ok", "17,open-source,active-low", *where], "add active-high to it"),
            (["--ok", "17", "--ready", "17", *where], "one line is named twice"),
            (["--ok", "17", "--reject-feedback", "3", *where], "add --reject LINE"),
            (["--ok", "17", "--ok-feedback", "3,open-drain", *where], "line 3 is an input"),
            (["--ok", "17", *where, "--pulse-min", "41"], "lower it"),
            (["--ok", "17", *where, "--encoder", "events"], "add --pulse-max-ms MS"),
            (["--ok", "17", *where, "--pulse-max-ms", "50"], "add --encoder, or remove it"),
            (["--ok", "nowhere", *where], "does each exist? 'gpioinfo' lists them"),
            (["--ok", "17", *where, "--chip", "/dev/gpiochip7"], "correct --chip"),
            (["--ok", "6", *where], "line 6 of ok is active, but was set inactive"),
            (["--ok", "6", "--test"], "line 6 of ok is active, but was set inactive"),
        ):
            assert says in mistaken("gpio", *words), words
        assert not chip.owned
        with Pins(wiring()):
            assert "another program" in mistaken("gpio", "--ok", str(OK), *where)


def test_gpio_lines_are_safe_at_once_when_the_bridge_is_terminated(tmp_path: Path) -> None:
    file = tmp_path / "pads"
    file.touch()
    lines = [word for name, line in OUTPUTS.items() for word in (f"--{name}", str(line))]
    command = [sys.executable, "-m", "tests.support.bridge.gpio_chip", str(file), "bridge", "gpio"]
    way = ("--delay", "100", "--pulse", "400", "--simulate", "3", "--data", str(tmp_path))
    process = subprocess.Popen([*command, *lines, *way], stderr=subprocess.PIPE, text=True)

    def levels() -> dict[int, int]:
        found = [line.split() for line in file.read_text().splitlines()]
        return {int(line): int(level) for line, level in found}

    wait_until(lambda: levels().get(REJECT) == 1, "the gate is open")
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=20)[1]
    assert process.returncode == 0, said
    assert "Traceback" not in said
    assert set(levels().values()) == {0}, "undriven says the same"
    order = [line.split()[0] for line in file.read_text().splitlines()]
    last = {line: len(order) - order[::-1].index(str(line)) for line in (READY, REJECT, OK)}
    assert last[READY] < min(last[REJECT], last[OK])
