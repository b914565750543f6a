"""What is well with a station and what is not: each with its state in a word, and how to fix it."""

from edge.web.codes import cause, fix
from edge.web.live.condition import Condition, unknown
from edge.web.live.live_station import LiveStation
from edge.web.live.neighbours import neighbours
from edge.web.texts import Texts


def conditions(station: LiveStation, texts: Texts) -> list[Condition]:
    """All of them, always in the same order; those that cannot be known are left out."""
    found = [_line(station, texts), _camera(station, texts), _log(station, texts)]
    return [*found, _drift(station, texts), *neighbours(station, texts)]


def _line(station: LiveStation, texts: Texts) -> Condition:
    say, state = texts.say, station.state()
    word = say(state.word)
    if state.level == "good":
        answers = station.health.answers
        if answers.error:
            return Condition(
                "line", "warning", word, say("It does not answer requests."), answers.error
            )
        return Condition("line", "good", word)
    if state.word == "no connection":
        problem = say("No events come from {address}.", address=station.addresses.events)
        text = say("Start the station, or check the network and the keys of both.")
        return Condition("line", "bad", word, problem, text)
    if state.word == "hung":
        text = say("Restart the station; if it hangs again, see its log.")
        return Condition("line", "bad", word, say("The engine or the loop hangs."), text)
    if state.word == "paused":
        problem = say("No part is judged; each is without a verdict.")
        return Condition("line", "warning", word, problem, say("Resume the line."))
    beat = station.feed.heartbeat
    name = beat.code.name if beat else ""
    return Condition("line", "bad", word, state.message or cause(texts, name), fix(texts, name))


def _camera(station: LiveStation, texts: Texts) -> Condition:
    say, answers = texts.say, station.health.answers
    if answers.health is None:
        return unknown("camera", texts)
    if outage := answers.health.outage:
        return Condition("camera", "bad", say("fault"), cause(texts, outage), fix(texts, outage))
    skipped = answers.counters.passed_over if answers.counters else 0
    if skipped:
        return Condition("camera", "good", say("{count} skipped", count=texts.number(skipped)))
    return Condition("camera", "good", say("in order"))


def _log(station: LiveStation, texts: Texts) -> Condition:
    say, health = texts.say, station.health.answers.health
    if health is None:
        return unknown("log", texts)
    if health.unlogged:
        problem = texts.say_count(
            "{count} result is not written yet.", "{count} results are not written yet.",
            health.unlogged,
        )  # fmt: skip
        return Condition("log", "bad", say("fault"), problem, fix(texts, "unlogged"))
    if station.health.answers.log_error:
        problem = say("It does not answer requests.")
        return Condition("log", "warning", say("fault"), problem, station.health.answers.log_error)
    return Condition("log", "good", say("event {number}", number=texts.number(health.head)))


def _drift(station: LiveStation, texts: Texts) -> Condition:
    say, health = texts.say, station.health.answers.health
    if health is None:
        return unknown("drift", texts)
    if health.drift:
        word = cause(texts, health.drift)
        return Condition("drift", "warning", word, word, fix(texts, health.drift))
    return Condition("drift", "good", say("none"))
