"""What `latchkey up` keeps on disk is closed to other users of the machine."""

import os
import pwd
import stat
import tempfile
from pathlib import Path

import pytest

from latchkey import embedded, up
from latchkey.embedded import EmbeddedError


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the socket's folder lies if the data folder's path is long."""
    monkeypatch.setattr(embedded, "_LONGEST_SOCKET_FOLDER", 0)
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    return embedded._sockets_of(Path("/somewhere"))


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_sockets_folder_is_closed(elsewhere: Path) -> None:
    elsewhere.mkdir(mode=0o777)
    elsewhere.chmod(0o777)
    assert embedded._socket_folder(Path("/somewhere"), None) == elsewhere
    assert mode_of(elsewhere) == 0o700


def test_a_folder_that_somebody_else_put_there_is_not_used(elsewhere: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o755)
    elsewhere.symlink_to(theirs)
    with pytest.raises(EmbeddedError, match="belongs to somebody else"):
        embedded._socket_folder(Path("/somewhere"), None)
    assert mode_of(theirs) == 0o755, "nothing of theirs was changed"


def test_another_users_folder_is_not_used(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere.mkdir()
    someone = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: someone)
    with pytest.raises(EmbeddedError, match="belongs to somebody else"):
        embedded._socket_folder(Path("/somewhere"), None)


def test_postgres_runs_in_its_users_own_group() -> None:
    user = pwd.struct_passwd(("latchkey-postgres", "x", 901, 902, "", "/", "/bin/false"))
    prepared = embedded.Postgres([], user, Path("/run"))
    assert prepared.identity == {"user": 901, "group": 902, "extra_groups": []}
    assert embedded.Postgres([], None, Path("/run")).identity == {}


def test_what_earlier_releases_left_open_is_closed(tmp_path: Path) -> None:
    for name in ("temporal.db", "processes.json", "of somebody else's"):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(0o644)
    (tmp_path / "sandbox").mkdir(mode=0o755)
    up._data_folder(tmp_path)
    found = {path.name: mode_of(path) for path in tmp_path.iterdir()}
    assert found == {
        "temporal.db": 0o600,
        "processes.json": 0o600,
        "sandbox": 0o700,
        "of somebody else's": 0o644,
    }
