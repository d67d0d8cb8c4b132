"""Who we are for an S3 store: the environment and the profiles that every S3 program reads, and nothing of ours.

The environment comes first, then the profile (`AWS_PROFILE`, else `default`) in the credentials and config files,
then what obstore finds by itself: a web identity, a container, the machine's own role on AWS. A profile that logs in
through SSO, a role or a program is left to boto3, if that is there.
"""

from __future__ import annotations

import configparser
import ipaddress
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ..protocol.errors import NotInstalled, StoreFailed

# Keys of a profile that only boto3 can make credentials of.
_LOGIN = ("sso_session", "sso_start_url", "role_arn", "credential_process", "web_identity_token_file", "login_session")
# Variables by which obstore finds credentials on its own.
_OWN = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")


def s3(environ: Mapping[str, str], where: str) -> dict[str, Any]:
    """The arguments for obstore's S3Store: config, client_options and perhaps credential_provider.

    `where` names the store for messages. StoreFailed where there are no credentials, or the endpoint is http and not
    on this machine; NotInstalled where they are boto3's business and it is missing.
    """
    profile = _profile(environ)
    endpoint = _first(environ, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT") or profile.get("endpoint_url")
    config: dict[str, Any] = {
        "region": _first(environ, "AWS_REGION", "AWS_DEFAULT_REGION") or profile.get("region") or "us-east-1",
        # One object at a time: not every server knows how to delete several.
        "disable_bulk_delete": True,
        "conditional_put": "etag",
    }
    options: dict[str, Any] = {"allow_http": False}
    if endpoint:
        options["allow_http"] = _is_plain(endpoint, environ, where)
        config["endpoint"] = endpoint.rstrip("/")
    bundle = environ.get("AWS_CA_BUNDLE") or profile.get("ca_bundle")
    if bundle:
        options["root_certificate"] = _certificates(bundle)
    arguments: dict[str, Any] = {"config": config, "client_options": options}
    key = environ.get("AWS_ACCESS_KEY_ID", "")
    if key:
        secret, token = environ.get("AWS_SECRET_ACCESS_KEY", ""), environ.get("AWS_SESSION_TOKEN", "")
    else:
        key, secret = profile.get("aws_access_key_id", ""), profile.get("aws_secret_access_key", "")
        token = profile.get("aws_session_token", "")
    if _yes(environ.get("AWS_SKIP_SIGNATURE", "")):
        config["skip_signature"] = True
    elif key:
        # A provider, for obstore would add what it finds of the environment to single keys.
        credential = {"access_key_id": key, "secret_access_key": secret, "token": token or None, "expires_at": None}
        arguments["credential_provider"] = lambda: credential
    elif any(name in profile for name in _LOGIN):
        arguments["credential_provider"] = _boto3(_name(environ), where)
    elif not any(environ.get(name) for name in _OWN) and not _may_be_on_aws(endpoint, environ):
        raise StoreFailed(
            f"There are no credentials for the store {where}.",
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.",
        )
    return arguments


def host(environ: Mapping[str, str]) -> str:
    """The host and port of the endpoint that the environment or the profile names; empty for AWS itself."""
    try:
        endpoint = _first(environ, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT") or _profile(environ).get(
            "endpoint_url", ""
        )
        return urlsplit(endpoint).netloc.rpartition("@")[2]
    except (StoreFailed, ValueError):
        return ""


def _first(environ: Mapping[str, str], *names: str) -> str:
    return next((environ[name] for name in names if environ.get(name)), "")


def _yes(text: str) -> bool:
    return text.strip().lower() in ("1", "true", "yes")


def _name(environ: Mapping[str, str]) -> str:
    return _first(environ, "AWS_PROFILE", "AWS_DEFAULT_PROFILE") or "default"


def _profile(environ: Mapping[str, str]) -> dict[str, str]:
    """The keys of the profile in use; what the credentials file says counts more than the config file."""
    folder = os.path.join(environ.get("HOME") or os.path.expanduser("~"), ".aws")
    name = _name(environ)
    found: dict[str, str] = {}
    there = False
    for variable, file, section in (
        ("AWS_CONFIG_FILE", "config", name if name == "default" else f"profile {name}"),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", name),
    ):
        path = environ.get(variable) or os.path.join(folder, file)
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read(path, encoding="utf-8")  # nothing if there is no such file
        except (configparser.Error, OSError, UnicodeDecodeError):
            raise StoreFailed(f"{path} is no file of profiles.", "Repair it, or move it away.") from None
        if parser.has_section(section):
            there = True
            found.update(parser.items(section))
    if not there and name != "default":
        raise StoreFailed(f"There is no profile {name} in {folder}.", "Set AWS_PROFILE to one that is there.")
    return found


def _is_plain(endpoint: str, environ: Mapping[str, str], where: str) -> bool:
    """Whether the endpoint is http, which is refused unless it is on this machine or was asked for."""
    try:
        parts = urlsplit(endpoint)
        name, known = parts.hostname or "", parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        name, known = "", False
    if not known or parts.username or parts.password or parts.query:
        raise StoreFailed(
            f"The endpoint of the store {where} is not an address like https://s3.example.org.",
            "Look at AWS_ENDPOINT_URL and at endpoint_url of the profile; credentials do not belong there.",
        )
    if parts.scheme == "https":
        return False
    try:
        here = ipaddress.ip_address(name).is_loopback
    except ValueError:
        here = name == "localhost" or name.endswith(".localhost")
    if not here and not _yes(environ.get("AWS_ALLOW_HTTP", "")):
        raise StoreFailed(
            f"The endpoint of the store {where} is http, so anybody on the way could see who writes to whom.",
            "Use https, or set AWS_ALLOW_HTTP=true.",
        )
    return True


def _certificates(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise StoreFailed(
            f"{path} cannot be read: {(error.strerror or '').lower()}.", "Look at AWS_CA_BUNDLE."
        ) from None


def _may_be_on_aws(endpoint: str | None, environ: Mapping[str, str]) -> bool:
    """Whether it makes sense to ask the machine for its role, which takes seconds where there is nobody to ask."""
    if _yes(environ.get("AWS_EC2_METADATA_DISABLED", "")):
        return False
    return not endpoint or (urlsplit(endpoint).hostname or "").endswith((".amazonaws.com", ".amazonaws.com.cn"))


def _boto3(profile: str, where: str) -> Any:
    try:
        import boto3  # type: ignore[import-not-found,unused-ignore]  # it is there only where a profile needs it
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        raise NotInstalled(
            f"The profile {profile} logs in through SSO, a role or a program, which needs boto3, and that is missing.",
            "Install boto3 beside this program, or set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN.",
        ) from None
    try:
        return Boto3CredentialProvider(boto3.Session(profile_name=profile))
    except Exception:  # whatever it raises, and its words may hold a secret
        raise StoreFailed(
            f"boto3 has no credentials of the profile {profile} for the store {where}.",
            "Log in again, as with `aws sso login`.",
        ) from None
