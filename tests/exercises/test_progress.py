"""The file of the progress: its contents, and the messages for a damaged one."""

import pytest

from scratchgen.exercises.progress import VARIABLE, Progress, progress_file


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "folder" / "progress.json"))
    return tmp_path / "folder" / "progress.json"


def test_progress_is_kept(file):
    progress = Progress.load()
    assert progress.solved == [] and progress.hints == {}
    progress.solve("linear")
    progress.solve("linear")
    assert [progress.next_hint("linear", 3) for _ in range(4)] == [0, 1, 2, 2]
    assert progress.save() == file
    again = Progress.load()
    assert again.solved == ["linear"] and again.hints == {"linear": 3}


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", '{"solved": [], "hints": []}', '{"solved": [1], "hints": {}}',
        '{"solved": [], "hints": {"a": -1}}', "\xff",
    ],
)
def test_damaged_file_is_named(file, text):
    file.parent.mkdir()
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match="expected the progress of exercises; delete the file to begin anew"):
        Progress.load()


def test_file_is_in_the_folder_of_this_user(monkeypatch, tmp_path):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert progress_file().name == "exercises.json" and "scratchgen" in progress_file().parts
