"""Text that can be shown, whatever bytes file names have."""


def printable(text: object) -> str:
    """A path, or a text with paths in it: bytes that are not UTF-8 become U+FFFD."""
    return str(text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
