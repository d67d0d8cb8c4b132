"""What went wrong with a store, in plain words.

obstore passes on what a server, the network or the kernel said, with addresses, headers and Rust's own notation in
it. Nothing of that reaches a person: it is recognised, and said anew, so that no credential can slip through.
"""

from __future__ import annotations

import errno
import re

from ..protocol.errors import StoreFailed


class Denied(StoreFailed):
    """The store refuses: these credentials, or this user, may not do that."""


class Missing(Exception):
    """The store has no object with this key."""


class TooLarge(Exception):
    """The object is larger than the caller wants to read."""


# Of what obstore says a pattern; what it means, said of the store; what to do. The first that fits counts.
_DENIED = (
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|InvalidToken|InvalidClientTokenId|AuthenticationFailed",
        "does not know these credentials",
        "Look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and AWS_PROFILE.",
    ),
    (r"ExpiredToken|TokenRefreshRequired", "no longer accepts these credentials, they have expired", "Log in again."),
    (r"RequestTimeTooSkewed", "does not accept the time of this machine", "Set its clock right."),
    (
        r"\b40[13] [A-Z]|AccessDenied|PermissionDenied|UnauthenticatedError|os error (13|1)\b|code: (13|1),",
        "does not let you do that",
        "Ask whoever runs the store for the access rules of a person.",
    ),
)
_OTHERS = (
    (
        r"NoSuchBucket|ContainerNotFound|specified bucket does not exist",
        "has no such bucket",
        "Look at the name in `org.store` of AGENT_MAP.json, and at the endpoint.",
    ),
    (
        r"Account must be specified",
        "needs the name of an account",
        "Set AZURE_STORAGE_ACCOUNT_NAME.",
    ),
    (
        r"dns error|lookup address",
        "is away: its name is not known here",
        "Look at the name of the endpoint and at the network.",
    ),
    (
        r"InvalidCertificate|invalid peer certificate|certificate verify",
        "shows a certificate that this machine does not trust",
        "Set AWS_CA_BUNDLE to the file with the certificates of your organisation.",
    ),
    (
        r"kind: TimedOut|TimedOut\b|operation timed out|TimeoutError",
        "is away: it did not answer in time",
        "Look at the network and at the endpoint.",
    ),
    (
        r"os error 28|os error 122|code: (28|122),|507 Insuff|NoSpaceLeft|QuotaExceeded|No space left|StorageFull",
        "is full",
        "Make room there.",
    ),
    (
        r"os error 30|code: 30,|ReadOnlyFilesystem|Read-only file system",
        "is read-only",
        "Make it writable.",
    ),
    (
        r"PermanentRedirect|AuthorizationHeaderMalformed|without LOCATION",
        "is in another region",
        "Set AWS_REGION to the region of the bucket.",
    ),
    (
        r"ConditionalRequestConflict",
        "had two writes of one object at once",
        "The next sync tries again.",
    ),
    (
        r"501 Not Impl|NotImplemented|NotSupported",
        "cannot create an object only where there is none",
        "Messages need a store that honours `If-None-Match: *`.",
    ),
    (
        r"\b429 |\b5\d\d [A-Z]|SlowDown",
        "has trouble of its own",
        "Ask those who run it, if it lasts.",
    ),
    (
        r"kind: Connect|Connection ?[Rr]efused|error sending request|[Cc]onnection (closed|reset)|"
        r"(Host|Network)Unreachable|error decoding response body|IncompleteMessage|kind: (Request|Interrupted|Decode)",
        "is away",
        "Look at the network and at the endpoint.",
    ),
)
# Said of a folder, where no obstore is between us and the kernel.
_ERRNO = {
    errno.ENOSPC: "os error 28",
    errno.EDQUOT: "os error 122",
    errno.EROFS: "os error 30",
    errno.EACCES: "os error 13",
    errno.EPERM: "os error 1",
    errno.ETIMEDOUT: "TimedOut",
}


def refuse(error: BaseException, where: str, doing: str) -> StoreFailed:
    """The refusal to raise for whatever came out of obstore or of the kernel.

    `where` names the store, `doing` what was tried, as in "keep v1/…". The error's own text is not part of it.
    """
    number = error.errno if isinstance(error, OSError) else None
    said = f"{type(error).__name__}: {error}" if number is None else _ERRNO.get(number, "")
    for kind, table in ((Denied, _DENIED), (StoreFailed, _OTHERS)):
        for pattern, words, hint in table:
            if re.search(pattern, said):
                return kind(f"The store {where} {words}: could not {doing}.", hint)
    if number is not None and isinstance(error, OSError):
        why = (error.strerror or "an unknown error").lower()
    else:
        status = re.search(r"status code: (\d{3})", said)
        why = f"HTTP {status[1]}" if status else "an answer this program does not know"
    return StoreFailed(f"The store {where} failed ({why}): could not {doing}.", "Look whether the store is in order.")
