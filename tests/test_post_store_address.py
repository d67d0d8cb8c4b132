"""Which addresses a store may have, and where the credentials for it come from: never from the address or the map."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_team_os.post import credentials
from agent_team_os.post import store as stores
from agent_team_os.post.store import Denied, StoreFailed
from agent_team_os.protocol.errors import NotInstalled, Usage
from support import seaweed

MAX = "m" * 26
MINE = f"v1/from/{MAX}/to/{'a' * 26}"
SSO = "sso_start_url = https://example.org/start\nsso_account_id = 1\n"


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("/srv/team", "file:///srv/team"),
        ("/srv/team/../my team/", "file:///srv/my%20team"),
        ("~/team", "file:///home/max/team"),
        ("file:///srv/team/", "file:///srv/team"),
        ("file:///srv/my%20team", "file:///srv/my%20team"),
        ("s3://team", "s3://team"),
        ("s3://team/mail/of/us/", "s3://team/mail/of/us"),
        ("s3://team//mail", "s3://team/mail"),
        ("gs://team/mail", "gs://team/mail"),
        ("az://team", "az://team"),
    ],
)
def test_addresses(text: str, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An address has one form, whichever way it was written; a path is that of a folder."""
    monkeypatch.setenv("HOME", "/home/max")
    monkeypatch.chdir(tmp_path)
    assert stores.check_url(text) == url
    assert stores.check_url(url) == url
    assert stores.check_url("team") == f"file://{tmp_path}/team"


@pytest.mark.parametrize(
    "text",
    ["", " ", "s3://", "s3:///mail", "s3://a key:a secret@team", "s3://key@team/mail", "https://team.s3.example.org",
     "http://key:a-secret@example.org/team", "memory://team", "ftp://team", "s3://team?secret=1", "s3://team/mail#x",
     "s3://team/../other", "s3://team/two words", "file://host/srv", "file:///srv?x", "s3://te\nam",
     "s3://[::1", "gs://"],
)  # fmt: skip
def test_no_addresses(text: str) -> None:
    """What is no address of a store, or holds a secret, is refused in one line, which does not repeat the secret."""
    with pytest.raises(Usage) as refusal:
        stores.check_url(text)
    said = refusal.value.message + refusal.value.hint
    assert refusal.value.hint.endswith((".", "…", "://."))
    assert "\n" not in said
    assert "a secret" not in said
    assert "a-secret" not in said
    if text != "memory://team":
        with pytest.raises(Usage):
            stores.open_store(text, {})


def works(url: str, environ: dict[str, str], key: str) -> None:
    """That an environment opens a store to max."""
    assert stores.open_store(url, environ).put_new(f"{MINE}/{key}", b"a letter") is True


def test_credentials_come_from_a_profile(tmp_path: Path) -> None:
    """Keys, region and endpoint of a profile are used; the environment counts more, and no other profile's keys do."""
    team = seaweed.team({"max": MAX, "alex": "a" * 26})
    max_, alex = team.environ("max"), team.environ("alex")
    keys = {
        name: f"aws_access_key_id = {of['AWS_ACCESS_KEY_ID']}\naws_secret_access_key = {of['AWS_SECRET_ACCESS_KEY']}\n"
        for name, of in (("max", max_), ("alex", alex))
    }
    folder = tmp_path / ".aws"
    folder.mkdir()
    (folder / "credentials").write_text(f"[default]\n{keys['max']}\n[team]\n{keys['max']}\n[another]\n{keys['alex']}")
    endpoint = f"endpoint_url = {team.endpoint}\nregion = us-east-1\n"
    (folder / "config").write_text(f"[default]\n{endpoint}\n[profile team]\n{endpoint}[profile another]\n{endpoint}")
    home = {"HOME": str(tmp_path)}
    works(team.url, home, "1.age")
    works(team.url, {**home, "AWS_PROFILE": "team"}, "2.age")
    with pytest.raises(Denied):
        works(team.url, {**home, "AWS_PROFILE": "another"}, "3.age")
    works(team.url, {**home, "AWS_PROFILE": "another", **max_}, "3.age")
    for file, variable in (("config", "AWS_CONFIG_FILE"), ("credentials", "AWS_SHARED_CREDENTIALS_FILE")):
        (folder / file).rename(tmp_path / file)
        home[variable] = str(tmp_path / file)
    works(team.url, {**home, "AWS_DEFAULT_PROFILE": "team"}, "4.age")


def test_a_session_token_is_passed_on(tmp_path: Path) -> None:
    """Keys for a while come with a token, from the environment or the profile that holds the keys, never from both."""
    (tmp_path / "credentials").write_text(
        "[default]\naws_access_key_id = a\naws_secret_access_key = b\naws_session_token = c\n"
    )
    file = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"), "HOME": str(tmp_path)}
    of_profile = credentials.s3(file, "here")["credential_provider"]()
    assert (of_profile["access_key_id"], of_profile["secret_access_key"], of_profile["token"]) == ("a", "b", "c")
    keys = {**file, "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y"}
    assert credentials.s3(keys, "here")["credential_provider"]()["token"] is None
    assert credentials.s3({**keys, "AWS_SESSION_TOKEN": "z"}, "here")["credential_provider"]()["token"] == "z"


@pytest.mark.parametrize(
    ("config", "environ", "error", "words"),
    [
        ("", {"AWS_ENDPOINT_URL": "https://s3.example.org"}, StoreFailed, "There are no credentials"),
        ("", {"AWS_EC2_METADATA_DISABLED": "true"}, StoreFailed, "There are no credentials"),
        ("", {"AWS_PROFILE": "nobody"}, StoreFailed, "There is no profile nobody"),
        ("[broken\n", {}, StoreFailed, "is no file of profiles"),
        (f"[default]\n{SSO}", {}, NotInstalled, "needs boto3"),
        ("[profile r]\nrole_arn = arn:aws:iam::1:role/x\n", {"AWS_PROFILE": "r"}, NotInstalled, "needs boto3"),
        ("[default]\ncredential_process = echo\n", {}, NotInstalled, "needs boto3"),
    ],
)
def test_no_credentials(
    config: str, environ: dict[str, str], error: type[Exception], words: str, tmp_path: Path
) -> None:
    """Where there are no credentials, or only boto3 could get them, one line says so and what to do."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(config)
    with pytest.raises(error, match=words) as refusal:
        stores.open_store("s3://team", {"HOME": str(tmp_path), **environ})
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("endpoint", "more", "words"),
    [
        ("http://s3.example.org", {}, "is http"),
        ("http://10.0.0.1:9000", {}, "is http"),
        ("http://127.0.0.1.example.org", {}, "is http"),
        ("http://s3.example.org", {"AWS_ALLOW_HTTP": "false"}, "is http"),
        ("https://key:a-secret@s3.example.org", {}, "is not an address"),
        ("ftp://s3.example.org", {}, "is not an address"),
        ("s3.example.org", {}, "is not an address"),
        ("http://[::1", {}, "is not an address"),
        ("https://s3.example.org?a-secret", {}, "is not an address"),
        ("https://s3.example.org", {"AWS_CA_BUNDLE": "/nonexistent.pem"}, "cannot be read"),
    ],
)
def test_no_endpoints(endpoint: str, more: dict[str, str], words: str) -> None:
    """Nothing is sent over plain http to another machine, unless that was asked for; no endpoint holds credentials."""
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "HOME": "/nonexistent"}
    with pytest.raises(StoreFailed, match=words) as refusal:
        stores.open_store("s3://team", {**keys, "AWS_ENDPOINT_URL": endpoint, **more})
    assert "a-secret" not in refusal.value.message + refusal.value.hint


@pytest.mark.parametrize(
    ("endpoint", "more"),
    [
        ("http://127.0.0.1:9000", {}),
        ("http://localhost:9000", {}),
        ("http://[::1]:9000", {}),
        ("http://s3.example.org", {"AWS_ALLOW_HTTP": "true"}),
        ("https://s3.example.org/", {}),
    ],
)
def test_endpoints(endpoint: str, more: dict[str, str]) -> None:
    """This machine, and every https address, may be a store; nothing is asked of it yet."""
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "HOME": "/nonexistent"}
    store = stores.open_store("s3://team/mail", {**keys, "AWS_ENDPOINT_URL": endpoint, **more})
    assert store.url == "s3://team/mail"
