"""What is remembered beside the fleet file: private, and never in the way when it is broken."""

import pytest

from ventoy_kit.edge.state import load_state, save_state
from ventoy_kit.errors import StorageError


def test_what_is_saved_is_loaded_and_nobody_else_can_read_it(tmp_path):
    save_state(tmp_path, "hashes", {"b": "x", "a": 1})
    assert load_state(tmp_path, "hashes") == {"a": 1, "b": "x"}
    assert (tmp_path / ".ventoy-kit").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".ventoy-kit/hashes.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"5", b"\xff", b"[" * 100_000])
def test_what_cannot_be_understood_is_as_good_as_nothing(tmp_path, data):
    (tmp_path / ".ventoy-kit").mkdir()
    (tmp_path / ".ventoy-kit/x.json").write_bytes(data)
    assert load_state(tmp_path, "x") == {}
    save_state(tmp_path, "x", {"a": 1})
    assert load_state(tmp_path, "x") == {"a": 1}


def test_nothing_there_is_nothing(tmp_path):
    assert load_state(tmp_path, "x") == {}


def test_a_file_in_the_place_of_the_folder_is_a_storage_error(tmp_path):
    (tmp_path / ".ventoy-kit").touch()
    with pytest.raises(StorageError, match=r"\.ventoy-kit"):
        save_state(tmp_path, "x", {})
