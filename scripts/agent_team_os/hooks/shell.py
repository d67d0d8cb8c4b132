"""One plain command as a shell reads it: its words and what is on its stdin, or nothing at all.

The grammar is the small part of the shell language that sh, dash, bash and zsh read alike whatever options a person
has set. All else is not understood, on purpose: whoever asks must be certain of every word, and that nothing else runs.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

_MOST = 200_000  # characters of a command
_UNFIT = r"[\0\ud800-\udfff]"  # no shell passes on a NUL, and a lone surrogate has no bytes
# A piece of a word: '…', "…" or bare. What zsh can be set to read differently is left out: '' within '…' may be a
# quote, and a bare = at the start of a word or after = and : may be followed by the name of a program, whose path it
# becomes. In "…" an interactive shell would look up a ! in its history.
_PIECE = (
    r"'([^']*)'(?!')"
    r'|"([^"$`\\!]*)"'
    r"|((?:[A-Za-z0-9_@%+:,./-]|(?<=[A-Za-z0-9_@%+,./-])=)+)"
)
_HEREDOC = r"(?<=[ \t])<<(['\"])([A-Za-z0-9_]+)\1[ \t]*\n"


def parse(command: str) -> Optional[tuple[list[str], Optional[str]]]:
    """The words of the only command in a text, and the body of its heredoc, None without one; None for all else.

    It stands on one line, which may go on in quotes: without variables, substitutions, patterns, escapes or
    redirections, its first word in one piece. A heredoc with a quoted delimiter may follow, and nothing after it.
    """
    if len(command) > _MOST or re.search(_UNFIT, command):
        return None
    words, at = _words(command, len(command) - len(command.lstrip(" ")))
    if not words or len(words[0]) != 1:
        return None
    read = ["".join(pieces) for pieces in words]
    if command[at:] in ("", "\n"):
        return read, None
    found = re.compile(_HEREDOC).match(command, at)
    if found is None:
        return None
    lines = command[found.end() :].split("\n")  # not splitlines, which knows ten more ends of a line than a shell
    if found[2] not in lines:
        return None
    end = lines.index(found[2])
    if lines[end + 1 :] not in ([], [""]) or any(_is_damaged(line, found[2]) for line in lines[:end]):
        return None
    return read, "".join(line + "\n" for line in lines[:end])


def _is_damaged(line: str, delimiter: str) -> bool:
    """True for a line of which dash loses a byte: a beginning of the delimiter, and what follows that is not ASCII."""
    same = 0
    while line[same : same + 1] == delimiter[same : same + 1] != "":
        same += 1
    return same > 0 and not line[same : same + 1].isascii()


def _words(command: str, at: int) -> tuple[list[list[str]], int]:
    """The pieces of each word from a place on, and the place after the last word and its blanks."""
    piece, blanks = re.compile(_PIECE), re.compile(r"[ \t]*")
    words: list[list[str]] = []
    while True:
        pieces = []
        found = piece.match(command, at)
        while found is not None:
            pieces.append(found[1] or found[2] or found[3] or "")
            at = found.end()
            found = piece.match(command, at)
        if pieces:
            words.append(pieces)
        gap = blanks.match(command, at)
        if not pieces or gap is None or gap.end() == at:
            return words, at
        at = gap.end()
