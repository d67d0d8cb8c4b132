"""What a request cost, by the list prices in the package genai-prices; nothing is fetched and nothing is guessed.

The package works out one request in 0.15 ms, which is ten seconds for a gigabyte of transcripts, and takes 0.3 s to
import. All its prices are linear in the tokens as long as the size of the prompt stays in one tier. So it is asked
once for each model what a token of each kind costs in each tier: its tariff. The rest is multiplication of whole
numbers, and the store remembers the tariffs that hold from some day on, so that later passes do without the package.
"""

from __future__ import annotations

import functools
import json
import os
from datetime import datetime, time, timezone
from decimal import Decimal
from typing import Any, NamedTuple

from . import entries

PACKAGE = "genai_prices"
_PICO = 10**12  # prices of a token are whole numbers of these to the dollar
_KINDS = ("cache_read_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens", "web_searches")
# From how large a prompt on, and then in 10**-12 dollars: for the request, for a token that was never cached, and for
# one of each of _KINDS. The largest prompts come first.
_Tier = tuple[int, int, int, list[int]]


class Tariff(NamedTuple):
    """What requests on some terms cost, from a time in seconds since 1970 on; without tiers they have no price."""

    since: float
    tiers: list[_Tier] | None


_NEVER = Tariff(0.0, None)
_version: str | None = None
_steady: dict[tuple[str, str], Tariff] = {}  # by model and terms
_learned = False
_former: dict[tuple[str, str, str], list[_Tier] | None] = {}  # by model, terms and what the package then had


def version() -> str:
    """Which prices there are; empty where the package is not there, or does not work. The package is not imported."""
    global _version
    if _version is None:
        from importlib.util import find_spec

        try:
            found = find_spec(PACKAGE)
            _version = _distribution(os.path.dirname(found.origin)) if found and found.origin else ""
        except Exception:  # whatever lies in its place
            _version = ""
    return _version


def work() -> bool:
    """Whether the package can be imported; one that cannot is none from then on."""
    global _version
    try:
        from genai_prices import Usage, calc_price  # noqa: F401
    except Exception:  # it is not ours, and may fail in any way: a part of it is missing, or something it needs
        _version = ""
    return bool(version())


def _distribution(package: str) -> str:
    above, name = os.path.split(package)
    named = (entry for entry in os.listdir(above) if entry.startswith(name + "-") and entry.endswith(".dist-info"))
    return next(named, name)


def nanodollars(
    model: str, at: float | None, terms: str, plain: int, output: int, read: int, short: int, long: int, searches: int
) -> int | None:
    """The price of a request in billionths of a dollar, to the nearest; None if there is none for it.

    `terms` are those of `entries.Request`: a request on terms that the model has no price of its own for has none,
    and neither has one without a time.
    """
    if at is None or not 0 <= at < entries.END or not version():
        return None
    tariff = _steady.get((model, terms))
    try:
        tiers = tariff.tiers if tariff and at >= tariff.since else _tiers_at(model, terms, at)
    except Exception:  # its inner parts are others than those that are used here
        return None
    if tiers is None:
        return None
    prompt = plain + read + short + long
    _, fee, base, others = next((tier for tier in tiers if prompt > tier[0]), tiers[-1])
    picos = fee + base * plain
    for rate, number in zip(others, (read, short, long, output, searches)):
        picos += rate * number
    return (picos + 500) // 1000


# ---- What the store remembers -------------------------------------------------------------------


def remember(text: str) -> None:
    """Take the tariffs that `tariffs` gave earlier, if they are of these prices."""
    try:
        kept = json.loads(text)
        if kept["version"] == version():
            _steady.update({(model, terms): Tariff(since, tiers) for model, terms, since, tiers in kept["tariffs"]})
    except (ValueError, KeyError, TypeError):
        pass  # somebody else's: the package is asked again


def tariffs() -> str:
    """The tariffs to remember; empty if none was learned in this process."""
    kept = [(model, terms, *tariff) for (model, terms), tariff in _steady.items()]
    return json.dumps({"version": version(), "tariffs": kept}) if _learned and version() else ""


# ---- What the package says ----------------------------------------------------------------------


def _tiers_at(model: str, terms: str, at: float) -> list[_Tier] | None:
    """The tiers by the package itself, which is asked for the steady tariff too where that is not known."""
    global _learned
    if not work():
        return None
    asked = _asked(model)
    context = _context(terms)
    if asked is None or (terms and not context):
        _steady[model, terms], _learned = _NEVER, True
        return None
    if (model, terms) not in _steady:
        since = _settled(asked.model, context)
        if since is not None:
            _steady[model, terms], _learned = Tariff(since, _ask(asked, max(since, at), context)), True
            if at >= since:
                return _steady[model, terms].tiers
    moment = datetime.fromtimestamp(at, timezone.utc)
    key = model, terms, repr(asked.model.get_prices(moment, context))
    if key not in _former:
        _former[key] = _ask(asked, at, context)
    return _former[key]


@functools.cache
def _asked(model: str) -> Any:
    """The package's answer for a request without tokens, which names the model and its provider; None if it has none.

    With no word on who provided it, that is the maker its name tells of, and no other.
    """
    from genai_prices import Usage, calc_price

    try:
        return calc_price(Usage(), model)
    except LookupError:
        return None


def _context(terms: str) -> dict[str, str]:
    """The terms of a request in the words of the package; empty for terms it does not know."""
    return {"speed=fast": {"speed": "fast"}, "service_tier=batch": {"processing": "batch"}}.get(terms, {})


def _settled(info: Any, context: dict[str, str]) -> float | None:
    """From when on the prices of a model change no more; None if they change with the hour."""
    parts = [*(info.prices if isinstance(info.prices, list) else ()), *((info.price_variants or ()) if context else ())]
    limits = [part.constraint for part in parts if part.constraint is not None]
    if any(not hasattr(limit, "start_date") for limit in limits):
        return None
    days = (datetime.combine(limit.start_date, time.min, timezone.utc).timestamp() for limit in limits)
    return max(days, default=0.0)


def _ask(asked: Any, at: float, context: dict[str, str]) -> list[_Tier] | None:
    """What the package takes at a time for one token more of each kind, tier by tier; None if it has no such price."""
    from genai_prices import Usage

    moment = datetime.fromtimestamp(at, timezone.utc)
    prices = asked.model.get_prices(moment, context)
    if context and prices == asked.model.get_prices(moment):
        return None  # it has the usual price only

    def price(prompt: int, kind: str = "") -> int:
        # Every kind is named, since the package refuses what is part of nothing that was named.
        numbers = dict.fromkeys(_KINDS, 0) | ({kind: 1} if kind else {})
        written = numbers["cache_write_5m_tokens"] + numbers["cache_write_1h_tokens"]
        usage = Usage(input_tokens=prompt, cache_write_tokens=written, **numbers)
        found = asked.model.calc_price(
            usage, asked.provider, genai_request_timestamp=moment, price_context=context or None
        )
        return round(Decimal(found.total_price) * _PICO)

    tiers: list[_Tier] = []
    for start in sorted({0, *(tier.start for rate in vars(prices).values() for tier in getattr(rate, "tiers", ()))}):
        prompt = start + 1
        whole = price(prompt)
        base = price(prompt + 1) - whole
        # A cached token is part of the prompt, in the place of one that was not.
        others = [price(prompt, kind) - whole + (base if "cache" in kind else 0) for kind in _KINDS]
        tiers.insert(0, (start, whole - base * prompt, base, others))
    return tiers
