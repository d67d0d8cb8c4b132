"""What a credential looks like: prefixes no other text has.

Messages are kept for ever, in an inbox and in the audit log, so a key in one is a key on disk for ever.
The table holds only forms that cannot be mistaken; it finds slips, it does not prove their absence.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Optional

# What it is, the literal every such credential contains, and its whole form.
TABLE = (
    ("an AWS access key id", "AKIA", r"(?<![A-Z0-9])AKIA[A-Z2-7]{16}(?![A-Z0-9])"),
    ("a temporary AWS access key id", "ASIA", r"(?<![A-Z0-9])ASIA[A-Z2-7]{16}(?![A-Z0-9])"),
    ("a GitHub token", "gh", r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{36,}"),
    ("a fine-grained GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{40,}"),
    ("a GitLab token", "glpat-", r"glpat-[A-Za-z0-9_-]{20,}"),
    ("a Slack token", "xox", r"xox[abeoprs]-[0-9]+-[A-Za-z0-9-]{10,}"),
    ("an Anthropic API key", "sk-ant-", r"sk-ant-[a-z0-9]+-[A-Za-z0-9_-]{20,}"),
    ("an OpenAI API key", "sk-", r"(?<![A-Za-z0-9])sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,}"),
    ("a Google API key", "AIza", r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    ("a Stripe live key", "_live_", r"(?<![A-Za-z0-9])[sr]k_live_[A-Za-z0-9]{16,}"),
    ("an npm token", "npm_", r"(?<![A-Za-z0-9_])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
    ("a PyPI token", "pypi-", r"pypi-AgE[A-Za-z0-9_-]{50,}"),
    ("a SendGrid key", "SG.", r"(?<![A-Za-z0-9])SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    ("a Hugging Face token", "hf_", r"(?<![A-Za-z0-9_])hf_[A-Za-z0-9]{34,}"),
    ("an age private key", "AGE-SECRET-KEY-1", r"AGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    ("a private key", "PRIVATE KEY-----", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----"),
)


def find(text: str) -> Optional[str]:
    """What kind of credential `text` holds; None if it holds none of the table."""
    for what, literal, pattern in TABLE:
        if literal in text and re.search(pattern, text):
            return what
    return None
