"""Text of files that people edit, and text that can be shown whatever bytes it has."""

import codecs


def printable(text: object) -> str:
    """A path, or a text with paths in it: bytes that are not UTF-8 become U+FFFD."""
    shown = str(text)
    if shown.isascii():  # nearly always, and every text of an event comes through here
        return shown
    return shown.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def on_one_line(text: object) -> str:
    """For a terminal or a log, over which names of files and texts of others have no power.

    Control characters, such as those that colour, erase or begin a line, become U+FFFD.
    """
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(c if c.isprintable() else "\ufffd" for c in shown)


def decode_text(data: bytes) -> str:
    """A text in UTF-8, with or without the byte order mark that Windows programs write.

    Raises ValueError, which names the first byte that is no text.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError("is in UTF-16: save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
        wrong = data.find(0)
    except UnicodeDecodeError as error:
        wrong = error.start + (len(codecs.BOM_UTF8) if data.startswith(codecs.BOM_UTF8) else 0)
    if wrong < 0:
        return text
    line = data.count(b"\n", 0, wrong) + 1
    raise ValueError(
        f"is not UTF-8: byte {wrong} (0x{data[wrong]:02x}, in line {line}) is no text; save it as "
        "UTF-8"
    )
