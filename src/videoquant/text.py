"""Others' names as text that every terminal line and every file can hold."""

from __future__ import annotations

import unicodedata

# Control characters, halves of surrogate pairs (a byte of a path that is not UTF-8), separators of lines.
_UNFIT = ("Cc", "Cs", "Zl", "Zp")


def printable(text: str) -> str:
    r"""The same text on one line: what is no visible character is written as Python writes it in a string.

    "a\nb" becomes r"a\nb", an escape "\x1b" becomes r"\x1b", and the byte 0xff of a path that is not UTF-8,
    which Python holds as "\udcff", becomes r"\xff". Text that needs none of this comes back as it is.
    """
    return "".join(_escape(c) if unicodedata.category(c) in _UNFIT else c for c in text)


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # how Python holds bytes that it cannot decode (PEP 383)
        return rf"\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode("ascii")
