"""A corpus of broken files: everything a disk, a foreign program or a bad day can leave under a name.

for kind in corpus.KINDS:
    corpus.write(kind, path, document, elsewhere)  # a broken version of what should have been `document`
    corpus.grow_old(path)  # so that nobody takes it for a file that is still being written
"""

from __future__ import annotations

import json
import os
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

from jsonschema import Draft202012Validator

Document = dict[str, Any]
GIGABYTE = 1 << 30


def compact(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _with(junk: bytes) -> Callable[[Document], bytes]:
    """The document with one more field, whose value is `junk`."""
    return lambda document: compact(document)[:-1] + b',"junk":' + junk + b"}"


def _cut(part: float) -> Callable[[Document], bytes]:
    def cut(document: Document) -> bytes:
        whole = compact(document)
        return whole[: min(max(int(len(whole) * part), 1), len(whole) - 1)]

    return cut


def _cut_in(junk: bytes) -> Callable[[Document], bytes]:
    """The document, cut off within a last field of its own."""
    return lambda document: compact(document)[:-1] + b',"junk":' + junk


# Texts that stop in the middle: what a file holds while somebody is still writing it.
EARLY: dict[str, Callable[[Document], bytes]] = {
    "empty": lambda _: b"",
    "blank": lambda _: b" \r\n\t",
    "one byte": lambda _: b"{",
    "cut at a tenth": _cut(0.1),
    "cut at a third": _cut(0.33),
    "cut at a half": _cut(0.5),
    "cut at nine tenths": _cut(0.9),
    "cut before the last byte": _cut(1.0),
    "cut in a string": _cut_in(b'"half of'),
    "cut after a backslash": _cut_in(b'"half of \\'),
    "cut in an escape": _cut_in(b'"\\u00'),
    "cut in a character": _cut_in('"日'.encode()[:-1]),
    "cut in a word": _cut_in(b"tru"),
    "cut after a minus": _cut_in(b"-"),
    "cut after a point": _cut_in(b"1."),
    "cut after an exponent": _cut_in(b"1e+"),
    "cut in a list": _cut_in(b'[1,{"a":2},'),
}
# Texts that no waiting makes right.
WRONG: dict[str, Callable[[Document], bytes]] = {
    "duplicate key": lambda document: compact(document)[:-1] + b"," + compact(document)[1:],
    "duplicate key below": _with(b'[{"a":1,"b":2,"a":1}]'),
    "duplicate key by an escape": _with(b'{"a":1,"\\u0061":1}'),
    "duplicate half of a pair": _with(b'{"\\ud800":1,"\\ud800":2}'),
    "duplicate key that drives a terminal": _with(b'{"\\u001b[2J\\n":1,"\\u001b[2J\\n":2}'),
    "NaN": _with(b"NaN"),
    "Infinity": _with(b"Infinity"),
    "minus Infinity": _with(b"-Infinity"),
    "1e400": _with(b"1e400"),
    "5000 digits": _with(b"7" * 5000),
    "2**53 + 1": _with(b"9007199254740993"),
    "-2**53 - 1": _with(b"-9007199254740993"),
    "33 levels": _with(b"[" * 32 + b"]" * 32),
    "100000 levels": _with(b"[" * 100_000 + b"]" * 100_000),
    "100000 levels of objects": _with(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "100000 open levels": _with(b"[" * 100_000),
    "lone surrogate": _with(b'"\\ud83d"'),
    "lone low surrogate": _with(b'["x\\ude00"]'),
    "lone surrogate as key": _with(b'{"\\ud83d":1}'),
    "surrogates in UTF-8": _with(b'"\xed\xa0\xbd\xed\xb8\x80"'),
    "overlong NUL": _with(b'"\xc0\x80"'),
    "raw NUL": _with(b'"a\0b"'),
    "raw escape character": _with(b'"\x1b[2J"'),
    "raw tab": _with(b'"a\tb"'),
    "only NUL bytes": lambda _: b"\0" * 4096,
    "NUL after the end": lambda document: compact(document) + b"\0",
    "NUL to a block": lambda document: compact(document).ljust(4096, b"\0"),
    "UTF-16": lambda document: compact(document).decode().encode("utf-16"),
    "UTF-16 without a mark": lambda document: compact(document).decode().encode("utf-16-be"),
    "UTF-32": lambda document: compact(document).decode().encode("utf-32"),
    "byte order mark": lambda document: b"\xef\xbb\xbf" + compact(document),
    "Latin-1": _with(b'"caf\xe9"'),
    "array": lambda document: compact([document]),
    "string": lambda document: compact(compact(document).decode()),
    "number": lambda _: b"5",
    "null": lambda _: b"null",
    "true": lambda _: b"true",
    "two documents": lambda document: compact(document) + compact(document),
    "two documents with a blank": lambda document: compact(document) + b" " + compact(document),
    "trailing garbage": lambda document: compact(document) + b" garbage",
    "trailing brace": lambda document: compact(document) + b"}",
    "leading garbage": lambda document: b"garbage " + compact(document),
    "trailing comma": lambda document: compact(document)[:-1] + b",}",
    "single quotes": lambda document: str({"id": document.get("id")}).encode(),
    "a comment": lambda document: b"/* x */" + compact(document),
    "no JSON": lambda _: "Dear ops, ünïcödé\x1b[31m".encode(),
    "HTML": lambda _: b"<!doctype html><title>502 Bad Gateway</title>",
    "a picture": lambda _: b"\x89PNG\r\x1a\x0c\0\0\0\rIHDR",
    "over 1 MiB": _with(b'"' + b"x" * (1 << 20) + b'"'),
    "random bytes": lambda _: bytes(range(11, 256)) * 40,
}
TEXTS = {**EARLY, **WRONG}


def _sparse(path: Path, beginning: bytes) -> None:
    path.write_bytes(beginning)
    os.truncate(path, GIGABYTE)


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "inside").write_text("x")


def _unreadable(path: Path) -> None:
    path.write_bytes(b'{"for":"nobody"}')  # root can read it all the same, and then it is still no document
    path.chmod(0)


# Things that are no plain file, or none that can be read. Each gets its path, what should be there, and a folder.
THINGS: dict[str, Callable[[Path, bytes, Path], None]] = {
    "1 GB sparse": lambda path, _, __: _sparse(path, b""),
    "1 GB sparse after the document": lambda path, data, _: _sparse(path, data),
    "FIFO": lambda path, _, __: os.mkfifo(path),
    "folder": lambda path, _, __: _folder(path),
    "empty folder": lambda path, _, __: path.mkdir(),
    "link to a valid file": lambda path, data, elsewhere: _link(path, elsewhere, data),
    "link to nothing": lambda path, _, elsewhere: path.symlink_to(elsewhere / "nothing\x1b[2J"),
    "link to itself": lambda path, _, __: path.symlink_to(path.name),
    "link to a folder": lambda path, _, elsewhere: path.symlink_to(elsewhere),
    "link to /dev/zero": lambda path, _, __: path.symlink_to("/dev/zero"),
    "mode 000": lambda path, _, __: _unreadable(path),
}


def _link(path: Path, elsewhere: Path, data: bytes) -> None:
    target = elsewhere / f"target-of-{path.parent.name}-{path.name}"
    target.write_bytes(data)
    path.symlink_to(target)


def _node(kind: int, device: int = 0) -> Callable[[Path, bytes, Path], None]:
    return lambda path, _, __: os.mknod(path, kind | 0o600, device)


def _can_make(make: Callable[[Path, bytes, Path], None]) -> bool:
    """Sockets need Linux here, and devices the right to make them."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            make(Path(folder, "x"), b"", Path(folder))
        except OSError:
            return False
    return True


_NODES = {
    "socket": _node(stat.S_IFSOCK),
    "device /dev/zero": _node(stat.S_IFCHR, os.makedev(1, 5)),
    "device /dev/full": _node(stat.S_IFCHR, os.makedev(1, 7)),
}
if sys.platform == "linux":
    THINGS.update({kind: make for kind, make in _NODES.items() if _can_make(make)})

KINDS = (*TEXTS, *THINGS)
# Names in our folders that are no names of ours.
FOREIGN_NAMES = (
    "\n", "msg-20260520T091812Z-x7q3abcd.json\n", "msg-20260520T091812Z-x7q3abcd\n.json", "\x1b[2J",
    "\x1b]0;owned\x07.json", "..json", " ", "-rf", "--help", "msg-20260520T091812Z-x7q3abcd.JSON",
    "msg-20260520T091812Z-x7q3abcd.json.tmp", ".msg-20260520T091812Z-x7q3abcd.json.tmp",
    "msg-2026０20520T091812Z-x7q3abcd.json", "right\u202eleft", "\U000e0041tag", "README.md", "new\r\nline",
    "x" * 255, "caf\udce9", "@", "@\x1b[31m", "@..", "'; rm -rf ~; '", "$(id)", "*",
)  # fmt: skip


def text(kind: str, document: Document) -> bytes:
    """The bytes of one of TEXTS."""
    return TEXTS[kind](document)


def write(kind: str, path: Path, document: Document, elsewhere: Path) -> None:
    """Put a broken version of `document` under a free name; what links lead to lies in the folder `elsewhere`."""
    if kind in TEXTS:
        path.write_bytes(text(kind, document))
    else:
        THINGS[kind](path, compact(document), elsewhere)


def grow_old(path: Path, seconds: float = 3600) -> None:
    """Let a file, or whatever it is, have been changed an hour ago."""
    then = os.lstat(path).st_mtime - seconds
    os.utime(path, (then, then), follow_symlinks=False)


def wrong_fields(document: Document, schema: Document) -> Iterator[tuple[str, Document]]:
    """A label and the document, for each of its fields with a value of each JSON type that the schema forbids there."""
    valid = Draft202012Validator(schema).is_valid
    for name in schema["properties"]:
        for value in (None, True, 0, -1, 1.5, 2**53, "", "\n", "\x1b[2J", "../../x", "x" * 5000, [], [5], {}, {"a": 1}):
            changed = {**document, name: value}
            if not valid(changed):
                yield f"{name} = {str(value)[:20]!r}", changed
    for name in schema["required"]:
        yield f"no {name}", {key: value for key, value in document.items() if key != name}
