"""Differences between a file and a model: long names in a file are shortened in the message."""

import pytest

from scratchgen.saving.differences import expect_equal


def test_long_name_in_the_file_is_shortened():
    def described(name):
        inside = {"$object": "B", "settings": [], "attributes": {}}
        return {"$object": "A", "settings": [], "attributes": {name: inside}}

    with pytest.raises(ValueError, match="a file belongs to another model: .*…") as caught:
        expect_equal("a file", described("n\n" * 5_000), {}, described("m"), {})
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)
