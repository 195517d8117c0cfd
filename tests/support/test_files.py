"""Files and folders appear whole or not at all, and one process at a time makes them."""

import threading
import time

import pytest

from fmnist_utils.support import files


def test_text_is_written_whole_and_nothing_stays_beside_it(tmp_path):
    path = tmp_path / "new" / "file.json"
    files.write_json(path, {"a": 1})
    files.write_json(path, {"a": 2})
    assert files.read_json(path) == {"a": 2}
    assert [p.name for p in path.parent.iterdir()] == ["file.json"]


def test_a_folder_is_stored_whole_or_not_at_all(tmp_path):
    def broken(folder):
        (folder / "half").touch()
        raise ValueError("stopped in the middle")

    with pytest.raises(ValueError, match="stopped"):
        files.store(tmp_path / "models" / "a", broken)
    assert list((tmp_path / "models").iterdir()) == []

    files.store(tmp_path / "models" / "a", lambda folder: (folder / "first").touch())
    files.store(tmp_path / "models" / "a", lambda folder: (folder / "second").touch())
    assert [p.name for p in (tmp_path / "models" / "a").iterdir()] == ["first"], "who came first stays"
    assert len(list((tmp_path / "models").iterdir())) == 1


def test_who_comes_second_waits_and_finds_it_made(tmp_path):
    target, began, order = tmp_path / "models" / "net", threading.Event(), []

    def make(name: str) -> None:
        with files.locked(target):
            began.set()
            if target.exists():
                order.append(f"{name} found it")
                return
            time.sleep(0.3)
            target.mkdir()
            order.append(f"{name} made it")

    first = threading.Thread(target=make, args=["first"])
    first.start()
    began.wait()
    make("second")
    first.join()
    assert order == ["first made it", "second found it"]
    assert [path.name for path in target.parent.iterdir()] == ["net"]


def test_a_lock_is_released_by_a_failure(tmp_path):
    with pytest.raises(ValueError, match="no more wool"), files.locked(tmp_path / "net"):
        raise ValueError("no more wool")
    with files.locked(tmp_path / "net"):
        pass
    assert not list(tmp_path.iterdir())
