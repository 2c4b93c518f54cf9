import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from scratchgen import plots
from scratchgen.plots import Row
from scratchgen.training.loop import History


def texts(fig):
    return [t.get_text() for ax in fig.axes for t in ax.texts] + [t.get_text() for t in fig.texts]


def test_plots_import_matplotlib_with_the_first_figure_and_never_pyplot():
    code = (
        "import sys, numpy as np\n"
        "from scratchgen import plots\n"
        "assert 'matplotlib' not in sys.modules\n"
        "plots.image_grid([plots.Row('a', np.zeros((1, 4)))], title='b')\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_image_grid_shows_all_images_in_order(rng):
    first, second = rng.uniform(size=(3, 16)), rng.uniform(size=(3, 16))
    fig = plots.image_grid([Row("first", first), Row("second", second, numbers=(1, 2.26, 3))], title="Title")
    assert len(fig.axes) == 6
    for ax, pixels in zip(fig.axes, [*first, *second], strict=True):
        (image,) = ax.get_images()
        np.testing.assert_array_equal(image.get_array(), pixels.reshape(4, 4))
        assert image.get_clim() == (0, 1)
    upper, lower = fig.axes[0].get_position(), fig.axes[3].get_position()
    assert lower.y1 < upper.y0 and lower.x0 == upper.x0
    assert fig.axes[1].get_position().x0 > upper.x1
    assert {"first", "second", "Title", "1.0", "2.3", "3.0"} <= set(texts(fig))


def test_image_grid_draws_codes_as_bars_on_one_scale():
    codes = np.array([[1.0, -2.0, 0.5], [4.0, 0.0, -1.0]])
    fig = plots.image_grid([Row("codes", codes, bars=True)], title="")
    for ax, code in zip(fig.axes, codes, strict=True):
        assert [bar.get_height() for bar in ax.patches] == list(code)
        assert ax.get_ylim() == (-4, 4)
        above, below = (ax.patches[i].get_facecolor() for i in (0, code.argmin()))
        assert above != below


def test_image_grid_leaves_a_gap_at_a_break():
    rows = [Row("row", np.zeros((2, 4)))] * 3
    heights = [ax.get_position().y0 for ax in plots.image_grid(rows, title="", breaks=(2,)).axes[::2]]
    assert heights[1] - heights[2] > 1.1 * (heights[0] - heights[1])


@pytest.mark.parametrize("columns", [1, 9, 11, 12, 13, 20, 31])
@pytest.mark.parametrize("label", ["", "digits", "a label\nof two lines"])
@pytest.mark.slow
def test_image_grid_fits_any_number_of_columns_next_to_the_labels(columns, label):
    images = Row(label, np.zeros((columns, 16)), numbers=range(columns))
    rows = [images, Row("b", np.ones((columns, 3)), True)]
    fig = plots.image_grid(rows, title="")
    boxes = np.array([ax.get_position().extents for ax in fig.axes])
    assert boxes.min() >= 0 and boxes.max() <= 1
    fig.canvas.draw()
    right = max(text.get_window_extent().x1 for text in fig.texts[2:]) / fig.bbox.width
    assert right < boxes[:, 0].min()
    assert (boxes[1:columns, 0] > boxes[: columns - 1, 2]).all()        # no image covers the next one
    numbers = [ax.texts[0].get_window_extent() for ax in fig.axes[:columns]]
    assert all(a.x1 < b.x0 for a, b in zip(numbers, numbers[1:], strict=False))


def test_image_grid_refuses_more_columns_than_fit():
    with pytest.raises(ValueError, match=r"image_grid expected at most \d\d columns, got 100"):
        plots.image_grid([Row("digits", np.zeros((100, 16)))], title="")


def test_scatter_has_a_different_colour_for_each_class(rng):
    Z, y = rng.standard_normal((60, 2)), np.arange(60) % 10
    fig = plots.scatter_by_class({"one": (Z, y), "two": (-Z, y)}, title="Title")
    assert [ax.get_title() for ax in fig.axes] == ["one", "two"]
    for ax, sign in zip(fig.axes, (1, -1), strict=True):
        for k, points in enumerate(ax.collections):
            np.testing.assert_array_equal(points.get_offsets(), sign * Z[y == k])
        assert len({tuple(points.get_facecolor()[0]) for points in ax.collections}) == 10
        assert [t.get_text() for t in ax.texts] == [str(k) for k in range(10)]


def test_scatter_class_names_do_not_overlap_and_are_near_their_points(rng):
    """The names of two classes with equal medians are moved apart a little; that of a third is not moved."""
    Z = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 2.0]])
    (ax,) = plots.scatter_by_class({"all": (Z, np.array([0, 1, 2]))}).axes
    first, second, third = (np.array(t.get_position()) for t in ax.texts)
    assert 0.04 < abs(first - second)[0] < 0.06
    np.testing.assert_allclose(third, [1, 2])


def test_lines_have_their_points_and_names():
    series = {"pixels": ([100, 1000], [70.0, 90.0]), "codes": ([100, 1000], [80.0, 85.0])}
    (ax,) = plots.lines(series, title="Title", xlabel="labels", ylabel="right", log_x=True).axes
    for line, (name, (x, y)) in zip(ax.lines, series.items(), strict=True):
        assert line.get_label() == name
        np.testing.assert_array_equal(line.get_xydata(), np.column_stack([x, y]))
    assert ax.lines[0].get_color() != ax.lines[1].get_color()
    assert ax.lines[0].get_marker() != ax.lines[1].get_marker()
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_xscale()) == ("labels", "right", "log")
    assert [t.get_text() for t in ax.get_xticklabels()] == ["100", "1,000"]


def test_curves_show_steps_epochs_and_validation():
    history = History(
        steps={"loss": [5.0, 3.0, 2.0, 1.0]},
        epochs={"loss": [4.0, 1.5], "validation": [4.5, 2.5], "step": [2, 4], "seconds": [1, 2]},
    )
    (ax,) = plots.curves(history).axes
    drawn = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert drawn == {
        "each update": [[1, 5], [2, 3], [3, 2], [4, 1]],
        "mean of each epoch": [[2, 4], [4, 1.5]],
        "validation": [[2, 4.5], [4, 2.5]],
    }
    assert ax.get_yscale() == "log"


def test_curves_of_losses_below_zero_have_a_linear_axis():
    (ax,) = plots.curves(History(steps={"loss": [1.0, -3.0]})).axes
    assert ax.get_yscale() == "linear"


def test_save_writes_a_legible_figure_and_no_other_file(rng, tmp_path):
    fig = plots.image_grid([Row("row", rng.uniform(size=(2, 16)))], title="Title")
    path = plots.save(fig, tmp_path / "picture.png")
    assert list(tmp_path.iterdir()) == [path]
    with Image.open(path) as picture:
        assert picture.format == "PNG" and picture.width == 1200
        assert np.ptp(np.asarray(picture.convert("L"))) > 200


def test_save_that_fails_has_the_path_in_the_error_and_leaves_no_file(tmp_path):
    fig = plots.new_figure(1)
    with pytest.raises(FileNotFoundError) as caught:
        plots.save(fig, tmp_path / "no" / "picture.png")
    assert caught.value.filename == str(tmp_path / "no" / "picture.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(IsADirectoryError, match=r"expected a file to write, but .*folder\.png is a folder"):
        plots.save(fig, tmp_path / "folder.png")
    assert [path.name for path in tmp_path.iterdir()] == ["folder.png"]


def test_save_keeps_the_old_figure_if_writing_fails(tmp_path, monkeypatch):
    (tmp_path / "picture.png").write_bytes(b"old")
    fig = plots.new_figure(1)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scratchgen.data.files.os.fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*/picture\.png"):
        plots.save(fig, tmp_path / "picture.png")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("picture.png", b"old")]


IMAGES, Z = np.zeros((3, 4)), np.zeros((3, 2))
HOW = {"title": "", "xlabel": "", "ylabel": ""}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plots.image_grid([], title=""), "at least one row"),
        (lambda: plots.image_grid([Row("a", IMAGES), Row("b", Z[:2])], title=""), r"\(2, 2\).* in row 'b'"),
        (lambda: plots.image_grid([Row("a", IMAGES, numbers=(1, 2))], title=""), "2 numbers in row 'a'"),
        (lambda: plots.image_grid([Row("a", IMAGES[:, :3])], title=""), "got 3 pixels in row 'a'"),
        (lambda: plots.scatter_by_class({}), "at least one panel"),
        (lambda: plots.scatter_by_class({"a": (IMAGES, np.arange(3))}), r"got \(3, 4\) and \(3,\)"),
        (lambda: plots.scatter_by_class({"a": (np.eye(11, 2), np.arange(11))}), "at most 10 classes, got 11"),
        (lambda: plots.lines({}, **HOW), "one to 5 series, got 0"),
        (lambda: plots.lines({"a": ([1, 2], [3])}, **HOW), "in 'a', got 2 and 1"),
        (lambda: plots.curves(History()), "at least one update"),
    ],
)
def test_plot_error_messages(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.SVG", b"<?xml"), ("a.pdf", b"%PDF")])
def test_save_writes_the_format_of_the_file_name(tmp_path, name, start):
    fig = plots.image_grid([Row("a", np.zeros((1, 4)))], title="b")
    assert plots.save(fig, tmp_path / name).read_bytes().startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_save_refuses_an_unknown_format(tmp_path):
    fig = plots.image_grid([Row("a", np.zeros((1, 4)))], title="b")
    with pytest.raises(ValueError, match=r"ends in \.png, \.svg or \.pdf, got .*a\.xyz"):
        plots.save(fig, tmp_path / "a.xyz")
    assert not list(tmp_path.iterdir())


def test_text_of_an_svg_stays_text(tmp_path):
    """So that it can be searched and read aloud."""
    path = plots.save(plots.new_figure(2.0, title="A title to search for"), tmp_path / "a.svg")
    assert re.search(r"<text[^>]*>A title to search for</text>", path.read_text(encoding="utf-8"))
