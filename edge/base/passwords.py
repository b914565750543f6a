"""Removes user names and passwords from text before it is shown, logged or published."""

import re

_NAMES = (
    r"(?:pw|pwd|psw|pas|pass|passwd|password|passphrase|psk|secret|token|sig|signature|credential|"
    r"credentials|auth|jwt|bearer|passcode|passwort|kennwort|"
    r"(?:api|access|secret|private|stream)[_-]?key)"
)
# Where what follows `user:` is no port, the password may contain any character, spaces too.
_ADDRESS = re.compile(
    r"""(?<=://)([^\s/?\#@:'"[]+:(?!(?:\d+|\*)(?:[]\s/?\#'",;:)]|$)).{0,300}@)?(\S*)""", re.VERBOSE
)
# Of an address whose `://` was forgotten, or is `:/` since it was taken as a path.
_BARE_LOGIN = re.compile(
    r"""(?<![^\s'"=(,])([\w./\\-]{0,300}/)?[\w.\\;-]{1,100}:(?!//)\S{1,300}@"""
    r"""(?=[\w.-]+(?:[]\s:/?'",;)]|$)|\[)"""
)
_OPTIONS = rf"(?:{_NAMES}|[?&;](?:key|sid|session(?:_?id)?|code|hash|ticket|login|pin|p))="
_OPTION = re.compile(rf"(?i){_OPTIONS}")
_QUOTED = re.compile(rf"""(?i)(['"])(\w+://\S{{0,300}}?{_OPTIONS}).{{0,300}}?\1(?=[\s,;:.)]|$)""")
_AFTER = re.compile(r"""['"]?[]:,;)]{0,3}$""")
_PROPERTY = re.compile(
    rf"""(?i)({_NAMES}\s*=\s*)("(?:\\.|[^"\\])*"|'[^']*'|(?:\\.|\S)+?(?=['"]?[]:,;)]{{0,3}}(?:\s|$)))"""
)
_HEADER = re.compile(r"(?i)(authorization\W).*")


def without_password(text: str) -> str:
    """The text with the logins of addresses, and the values of secret options, removed."""
    text = _ADDRESS.sub(_shown, _QUOTED.sub(r"\1\2***\1", text))
    text = _PROPERTY.sub(r"\1***", _BARE_LOGIN.sub(r"\1", text))
    return _HEADER.sub(r"\1***", text)


def _shown(found: re.Match[str]) -> str:
    """What follows `://`. The last @ ends the login, and a secret option hides all after it."""
    login, rest = found[1], found[2]
    if login is None:
        unquoted = re.split("['\"]", rest, maxsplit=1)[0]
        before, _, _ = unquoted.rpartition("@")
        if ":" in before or (before and not re.search("[/?#]", before)):
            login, rest = before, rest[len(before) + 1 :]
    if login and _OPTION.search(login):
        option_end = 0  # the @ may be part of the option's value
    elif option := _OPTION.search(rest):
        option_end = option.end()
    else:
        return rest
    after = _AFTER.search(rest)
    return f"{rest[:option_end]}***{after[0] if after else ''}"
