"""People who write to each other inside the process of the test: a letter costs milliseconds.

max_, alex, eve = letters.writers(tmp_path)       # all set up with a store in a folder, each knowing the others
max_.send(alex, "Which branch?", path), max_.sync(), alex.sync()
alex.texts()                                      # what has come
alex.read()                                       # what was read, with what it has saved

The program's own functions work, on real folders; `Writer.person` runs the program itself in the same home.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from agent_team_os.post import attached, box, directory, keys, letter, notice, people, reading, seal, setup, spool, sync
from agent_team_os.post.trip import Silent
from support.people import ADDRESSES, Person, objects, person, shared


@dataclass(frozen=True)
class Writer:
    """A person with a home, and the store they share with the others."""

    person: Person
    url: str

    @property
    def home(self) -> str:
        """The bus home."""
        return str(self.person.home)

    @property
    def env(self) -> dict[str, str]:
        """The variables that say where everything is."""
        return self.person.environment

    @property
    def keys(self) -> keys.Keys:
        """The keys of this device."""
        return keys.load(self.env)

    @property
    def uid(self) -> str:
        """Who this is to the others."""
        return self.keys.uid

    def sync(self, **options: Any) -> dict[str, Any]:
        """`msg sync`, which must not fail."""
        came = sync.run(self.home, self.env, self.url, **options)
        assert came["error"] is None, came
        return came

    def send(self, to: Writer, text: str, *paths: Path) -> str:
        """Leave a letter in the spool; its id."""
        document = spool.add(self.home, self.uid, to.uid, text, [str(path) for path in paths])
        return str(document["id"])

    def index(self) -> box.Index:
        """The letters that have come."""
        return box.Index(self.home)

    def letters(self) -> list[dict[str, Any]]:
        """The letters that have come, in their order, whole."""
        index = self.index()
        found = [index.open(name) for name in index.ordered()]
        assert all(found)
        return [document for document in found if document is not None]

    def texts(self) -> list[str]:
        """What the letters that have come say, in their order."""
        return [document["text"] for document in self.letters()]

    def read(self, which: Optional[str] = None) -> list[reading.Reading]:
        """`msg read`, with what it saved and could not save; the notices are up to date afterwards."""
        index, readings = reading.open_letters(self.home, which)
        reading.fetch(self.home, self.env, self.url, readings, Silent())
        for one in readings:
            one.save(attached.inbox({"CLAUDE_CONFIG_DIR": str(self.person.root / ".claude")}), False)
            one.done()
        box.count(self.home, index)
        return readings

    def saved(self) -> dict[str, bytes]:
        """What lies in the inbox, by name."""
        return {path.name: path.read_bytes() for path in sorted(self.person.inbox.glob("*"))}

    def sent(self) -> dict[str, Any]:
        """When each letter of this person was read, by id; None for not yet."""
        found = spool.Sent(self.home)
        opened = {letter_id: found.open(letter_id) for letter_id in found.to}
        assert all(opened.values())
        return {letter_id: document["read_at"] for letter_id, document in opened.items() if document}

    def known(self) -> people.Directory:
        """Who this home knows."""
        return people.load(self.home)

    def file(self, name: str, data: bytes) -> Path:
        """A file of this person's."""
        return self.person.file(name, data)


def writer(folder: Path, url: str, root: str, name: str = "", address: str = "") -> Writer:
    """Somebody who is set up and in the directory; the home is made below `folder` under the name `root`."""
    one = Writer(person(folder, root), url)
    name = name or root
    setup.make_store(url)
    keys.make(one.env, address or ADDRESSES.get(name, f"{name}@example.org"), name)
    one.person.home.mkdir(mode=0o700, exist_ok=True)
    (one.person.home / "locks").mkdir(mode=0o700, exist_ok=True)
    setup.settle(one.home, url)
    one.sync(claim=True)
    return one


def writers(folder: Path, *names: str) -> list[Writer]:
    """People who know each other: max, alex and eve unless others are named."""
    found = [writer(folder, shared(folder), name) for name in names or ADDRESSES]
    for one in found[:-1]:
        one.sync()
    return found


# ---- What a person could write who has another program than ours ------------------------------


def draft(sender: Writer, to: Writer, text: str = "Forged", **changes: Any) -> dict[str, Any]:
    """A letter as our program would make it, but for what is changed."""
    return {**letter.letter(letter.new_id(), sender.uid, to.uid, text, []), **changes}


def sealed(document: dict[str, Any], signer: Writer, *to: Writer) -> bytes:
    """What stands in the store: signed by somebody, closed to some people."""
    return seal.sealed(document, signer.keys.seed, [one.keys.recipient for one in to])


def place(url: str) -> Path:
    """The folder of a store."""
    return Path(url.removeprefix("file://"))


def put(url: str, key: str, data: bytes) -> str:
    """Put an object into the store by hand, in the place of what is there; its key."""
    path = place(url) / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return key


def stored(url: str, part: str) -> dict[str, bytes]:
    """The objects whose keys hold a text, by key."""
    return {key: data for key, data in objects(url).items() if part in key}


def publish(of: Writer, signer: keys.Keys, **changes: Any) -> str:
    """Put the next entry of a person into the store, made with the keys of a signer; its key."""
    about = of.known()[of.uid]
    number = directory.next_number(of.known(), of.uid)
    document = directory.entry(signer, number, directory.last(about)["sum"], about["entry"]["recipients"])
    document = seal.sign({**document, **changes}, signer.seed)
    return put(of.url, letter.entry_key(of.uid, document["number"]), seal.canonical(document))


def unread(one: Writer) -> int:
    """The number every command tells."""
    return notice.unread(one.home)[0]
