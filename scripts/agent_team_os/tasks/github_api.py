"""GitHub's API through the `gh` program, which knows how the person is logged in.

Nothing of a task becomes an option or a word of the command: the endpoint is made of checked parts, and everything
else goes in as JSON on stdin. What gh answers is looked at whole before anybody uses it.
"""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
from typing import Any

from ..protocol import credentials
from ..storage import process
from .provider import TaskProviderFailed

TIMEOUT = 60.0  # seconds for one call of gh, all pages of a list included
_TOKENS = ("GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN")
# They would colour what we read, mix it with what gh has sent, or let gh ask for a newer one of itself.
_DROPPED = ("GH_DEBUG", "DEBUG", "GH_FORCE_TTY", "CLICOLOR_FORCE")
_QUIET = {"GH_PROMPT_DISABLED": "1", "GH_NO_UPDATE_NOTIFIER": "1", "NO_COLOR": "1"}
_STATUS = re.compile(r"^gh: (?:.*\()?HTTP ([0-9]{3})\)?$", re.M)
_LONGEST = 300  # characters of a text from gh in an error
_LOOK = " The change may have arrived all the same: look before you try again."


class Refused(TaskProviderFailed):
    """A call that failed: `http` is GitHub's status, 0 if there was none; `unsure` if it may have had its effect."""

    def __init__(self, message: str, hint: str, http: int = 0, unsure: bool = False, answer: Any = None) -> None:
        super().__init__(message, hint + _LOOK if unsure else hint)
        self.http = http
        self.unsure = unsure
        self.answer = answer

    def exists(self) -> bool:
        """Whether GitHub refused to make what is there already."""
        errors = self.answer.get("errors") if isinstance(self.answer, dict) else None
        return any(isinstance(error, dict) and error.get("code") == "already_exists" for error in errors or ())


class Api:
    """The API of one host, as the person who runs us may use it."""

    def __init__(self, program: str, host: str, timeout: float = TIMEOUT) -> None:
        self.program = program
        self.host = host
        self.timeout = timeout

    def pages(self, endpoint: str) -> list[Any]:
        """All that is listed under `endpoint`, from all of its pages; Refused if one of them fails."""
        pages = self._call("GET", endpoint, None, "--paginate")
        if not all(isinstance(page, list) for page in pages):
            raise self._unclear("GET", endpoint)
        return [entry for page in pages for entry in page]

    def call(self, method: str, endpoint: str, body: dict[str, Any] | None = None) -> Any:
        """What GitHub answers to one request, None if it answers nothing; Refused if it says no."""
        documents = self._call(method, endpoint, body)
        if len(documents) > 1:
            raise self._unclear(method, endpoint)
        return documents[0] if documents else None

    def exactly(self, endpoint: str) -> tuple[Any, bool]:
        """What GitHub answers, and whether it is all it has sent.

        For the sake of terminals gh replaces control characters in an answer, and what looks like their codes. The
        answer is shorter then than GitHub says it is.
        """
        data = self._run("GET", endpoint, None, "--include", "-H", "Accept-Encoding: identity")
        head, _, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"^content-length: ([0-9]+)\r?$", head, re.M | re.I)
        documents = self._parsed("GET", endpoint, body)
        if len(documents) != 1:
            raise self._unclear("GET", endpoint)
        return documents[0], length is not None and int(length.group(1)) == len(body)

    def _call(self, method: str, endpoint: str, body: dict[str, Any] | None, *options: str) -> list[Any]:
        return self._parsed(method, endpoint, self._run(method, endpoint, body, *options))

    def _parsed(self, method: str, endpoint: str, data: bytes) -> list[Any]:
        try:
            return _documents(data)
        except ValueError:
            raise self._unclear(method, endpoint) from None

    def _run(self, method: str, endpoint: str, body: dict[str, Any] | None, *options: str) -> bytes:
        command = ["api", "--hostname", self.host, "--method", method, *options]
        command += ["-H", "Accept: application/vnd.github+json", endpoint]
        # No GIT_ variables: they would be about some repository, and gh may ask git.
        dropped = {name for name in os.environ if name in _DROPPED or name.startswith("GIT_")}
        kept = {name: value for name, value in os.environ.items() if name not in dropped}
        program = process.program(self.program)
        command += ["--input", "-"] if body is not None else []
        given = json.dumps(body).encode() if body is not None else b""
        try:
            if program is None:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            done = subprocess.run(
                [program, *command], input=given, env={**kept, **_QUIET}, cwd="/", capture_output=True,
                timeout=self.timeout, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise Refused(
                f"{self.host} did not answer {method} {endpoint} within {self.timeout:g} s",
                "Try again later.",
                unsure=method != "GET",
            ) from None
        except OSError as error:
            raise Refused(
                f"the program {self.program} cannot be run: {error.strerror}",
                "Install GitHub's gh (https://cli.github.com), or give its path as program in task_provider of the"
                " agent map.",
            ) from None
        if done.returncode:
            raise self._failure(method, endpoint, done)
        return done.stdout

    def _unclear(self, method: str, endpoint: str) -> Refused:
        return Refused(
            f"what {self.host} answered to {method} {endpoint} is broken, or not what GitHub answers",
            f"See what comes: {self.program} api --hostname {self.host} user",
            unsure=method != "GET",
        )

    def _failure(self, method: str, endpoint: str, done: subprocess.CompletedProcess[bytes]) -> Refused:
        """What gh's exit means, and what to do next."""
        said = done.stderr.decode("utf-8", "replace")
        status = _STATUS.search(said)
        http = int(status.group(1)) if status else 0
        try:
            answer = json.loads(done.stdout)
        except ValueError:  # gh prints the body of a refusal too, whatever it is
            answer = None
        message = f"{self.host} refuses {method} {endpoint}: {_shown(said)}"
        login = f"Log in: {self.program} auth login --hostname {self.host}"
        if http in {401, 407} or done.returncode == 4:
            return Refused(message, login, http)
        if http == 429 or (http == 403 and "rate limit" in said.lower()):
            return Refused(message, f"Wait until there are calls again: {self.program} api rate_limit", http)
        if http == 403:
            return Refused(message, f"Use a token that may write issues. {login}", http)
        if http == 404:
            hint = "Look at repo in task_provider of the agent map, and whether your token may see that repository."
            return Refused(message, hint, http)
        if 300 <= http < 400:
            return Refused(message, "Give the repository's new name as repo in task_provider of the agent map.", http)
        if 400 <= http < 500:
            return Refused(message, "GitHub has changed nothing; change what it names.", http, answer=answer)
        message = f"no good answer from {self.host} to {method} {endpoint}: {_shown(said)}"
        return Refused(message, "Look at your connection, and try again later.", http, unsure=method != "GET")


def _documents(data: bytes) -> list[Any]:
    """The JSON documents that stand one after the other: of several pages gh makes one or many; ValueError."""
    text = data.decode("utf-8").strip()
    decoder = json.JSONDecoder()
    documents = []
    at = 0
    while at < len(text):
        document, at = decoder.raw_decode(text, at)
        documents.append(document)
        while text[at : at + 1].isspace():
            at += 1
    return documents


def _shown(said: str) -> str:
    """What gh has said, on one line and without anybody's token."""
    for token in filter(None, map(os.environ.get, _TOKENS)):
        said = said.replace(token, "…")
    for _, literal, pattern in credentials.TABLE:
        if literal in said:
            said = re.sub(pattern, "…", said)
    words = " ".join(said.split()).removeprefix("gh: ") or "it says nothing"
    return words if len(words) <= _LONGEST else words[:_LONGEST] + "…"
