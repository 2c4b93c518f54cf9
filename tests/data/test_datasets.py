"""Data of the user: images, IDX folders and tables, with labels, in training and test parts, or refused."""

import gzip
import hashlib
import logging
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from scratchgen.data import (
    download_fashion_mnist,
    load_dataset,
    load_digits,
    load_images,
    load_table,
)
from scratchgen.data import mnist as published
from scratchgen.data.digits import as_digits, digits_from

IRIS = "length,width,species\n5.1,3.5,setosa\n7.0,3.2,versicolor\n6.3,3.3,virginica\n5.0,3.4,setosa\n"


def picture(path, level, size=(4, 4)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full(size, level, np.uint8)).save(path)


def text(path, content):
    path.write_text(content, encoding="utf-8")
    return path


def level(x):
    return np.rint(255 * x[:, 0]).astype(int).tolist()


def test_folders_of_classes_are_split_and_keep_their_labels(tmp_path):
    for i in range(14):
        picture(tmp_path / "set" / ("cat", "dog")[i % 2] / f"{i}.png", i)
    data = load_dataset(tmp_path / "set")
    assert data.x_train.shape == (12, 16) and data.x_test.shape == (2, 16) and data.shape == (4, 4, 1)
    assert data.names == ("cat", "dog") and "set: 12 + 2 images of 4 x 4 x 1" in data.source
    levels = level(np.concatenate([data.x_train, data.x_test]))
    assert sorted(levels) == list(range(14))
    assert [i % 2 for i in levels] == [*data.y_train, *data.y_test]
    again = load_dataset(tmp_path / "set")
    assert np.array_equal(again.x_test, data.x_test)


def test_subfolders_train_and_test_are_the_parts(tmp_path):
    for part, levels in (("train", (10, 20)), ("test", (30,))):
        for value in levels:
            for name in ("a", "b"):
                picture(tmp_path / part / name / f"{value}.png", value)
    data = load_dataset(tmp_path)
    assert level(data.x_train) == [10, 20, 10, 20] and level(data.x_test) == [30, 30]
    picture(tmp_path / "test" / "c" / "1.png", 1)
    with pytest.raises(ValueError, match=r"same classes .*, got \(a, b\) and \(a, b, c"):
        load_dataset(tmp_path)


def test_test_data_may_be_elsewhere(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.full((3, 2, 2), 9, np.uint8), y=np.arange(3))
    np.save(tmp_path / "b.npy", np.full((2, 2, 2), 7, np.uint8))
    labels = text(tmp_path / "b.txt", "2\n0\n")
    data = load_dataset(tmp_path / "a.npz", test=tmp_path / "b.npy", test_labels=labels)
    assert (len(data.x_train), level(data.x_test), data.y_test.tolist()) == (3, [7, 7], [2, 0])
    np.save(tmp_path / "c.npy", np.full((2, 3, 2), 7, np.uint8))
    with pytest.raises(ValueError, match="training and test data of one shape, got 2 x 2 x 1 and 3 x 2 x 1"):
        load_dataset(tmp_path / "a.npz", test=tmp_path / "c.npy", test_labels=labels)


def test_npz_of_keras_has_both_parts(tmp_path):
    x, y = np.arange(60, dtype=np.uint8).reshape(5, 3, 4), np.arange(5, dtype=np.uint8)
    np.savez(tmp_path / "a.npz", x_train=x * 4, y_train=y, x_test=x[:2] * 4, y_test=y[:2])
    data = load_dataset(tmp_path / "a.npz", size=(2, 2))
    assert data.x_train.shape == (5, 4) and data.y_test.tolist() == [0, 1]
    np.savez(tmp_path / "a.npz", x_train=x, x_test=x, other=y)
    with pytest.raises(ValueError, match="expected x_train, y_train, x_test and y_test, got"):
        load_dataset(tmp_path / "a.npz")


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    "names",
    [
        ("train-images", "train-labels", "test-images", "test-labels"),
        ("kmnist_a.bin", "kmnist_b.bin", "t10k_a.bin", "t10k_b.bin"),
        ("w", "x", "y", "z"),
    ],
)
def test_idx_files_may_have_any_names(tmp_path, tiny_files, tiny_arrays, put_files, names, packed):
    folder = put_files(tmp_path / "k", dict(zip(names, tiny_files.values(), strict=True)), packed)
    data = load_dataset(folder)
    assert np.array_equal(np.rint(255 * data.x_train), tiny_arrays[0].reshape(40, 784))
    assert np.array_equal(data.y_train, tiny_arrays[1]) and np.array_equal(data.y_test, tiny_arrays[3])
    assert isinstance(as_digits(data).y_train, np.ndarray)


def test_idx_folders_that_do_not_fit_are_refused(tmp_path, tiny_files, put_files):
    folder = put_files(tmp_path / "k", {**tiny_files, "third-images": tiny_files["test-images"]})
    with pytest.raises(ValueError, match="expected one or two IDX files of images"):
        load_dataset(folder)
    labels = {"train-labels": tiny_files["test-labels"], "test-labels": tiny_files["train-labels"]}
    folder = put_files(tmp_path / "l", {**tiny_files, **labels})
    with pytest.raises(ValueError, match="expected 40 labels for train-images.gz, got "):
        load_dataset(folder)
    path = folder / "train-images.gz"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(ValueError, match="train-images.gz: expected a complete gzip file"):
        load_dataset(folder)


def test_labels_file_names_the_pictures_or_follows_their_order(tmp_path):
    for i in (1, 2, 10):
        picture(tmp_path / "set" / f"{i}.png", i)
    by_name = text(tmp_path / "a.csv", "file,label\n10.png,cat\n2.png,dog\n1.png,dog\n")
    found = load_images(tmp_path / "set", labels=by_name)
    assert found.names == ("cat", "dog") and found.y.tolist() == [1, 1, 0]
    assert load_images(tmp_path / "set", labels=text(tmp_path / "b.txt", "3\n1\n3\n")).y.tolist() == [3, 1, 3]
    np.save(tmp_path / "c.npy", np.array([0, 1, 2]))
    np.savez(tmp_path / "c.npz", np.array([0, 1, 2]))
    for name in ("c.npy", "c.npz"):
        assert load_images(tmp_path / "set", labels=tmp_path / name).y.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("1\n2\n", "expected 3 labels, one for each example, got 2"),
        ("1.png,a\n2.png,b\n", "expected a label for each file, got none for '10.png'"),
        ("1.png,a\n2.png,b\n10.png,a\n11.png,a\n", "expected labels of the 3 pictures, got '11.png'"),
        ("1.png,a\n1.png,b\n10.png,a\n", "expected each file once, got '1.png' twice"),
        ("1.png,a,b\n", "expected one label per line, or lines FILE,LABEL, got '1.png,a,b'"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path, content, message):
    for i in (1, 2, 10):
        picture(tmp_path / "set" / f"{i}.png", i)
    with pytest.raises(ValueError, match=message):
        load_images(tmp_path / "set", labels=text(tmp_path / "labels.csv", content))


def test_second_set_of_labels_is_refused(tmp_path):
    picture(tmp_path / "set" / "a" / "1.png", 1)
    with pytest.raises(ValueError, match="expected no labels file, because .*set has labels"):
        load_images(tmp_path / "set", labels=text(tmp_path / "labels.txt", "1\n"))


def test_images_of_an_array_are_resized_like_pictures(tmp_path):
    pixels = np.zeros((1, 8, 8), np.uint8)
    pixels[0, :4] = 200
    np.save(tmp_path / "a.npy", pixels)
    found = load_images(tmp_path / "a.npy", size=(2, 2))
    picture(tmp_path / "set" / "a.png", 0)
    Image.fromarray(pixels[0]).save(tmp_path / "set" / "a.png")
    assert found.shape == (2, 2, 1)
    assert found.x == pytest.approx(load_images(tmp_path / "set", size=(2, 2)).x, abs=0.5 / 255)


def test_table_has_text_labels_in_any_column(tmp_path):
    path = text(tmp_path / "iris.csv", IRIS)
    for label in ("species", -1, 2):
        table = load_table(path, label=label)
        assert table.x.dtype == np.float32 and table.x.shape == (4, 2)
        assert table.columns == ("length", "width")
        assert table.names == ("setosa", "versicolor", "virginica") and table.y.tolist() == [0, 1, 2, 0]
    without = text(tmp_path / "b.csv", IRIS.partition("\n")[2])
    table = load_table(without, label=-1)
    assert len(table.x) == 4 and table.columns == ()
    data = load_dataset(path, label="species")
    assert data.shape is None and len(data.x_train) == 3 and data.columns == ("length", "width")


def test_table_with_whole_numbers_as_labels_keeps_them(tmp_path):
    table = load_table(text(tmp_path / "a.csv", "k,a\n1,0.5\n3,0.25\n"), label="k")
    assert table.y.tolist() == [1, 3] and table.names == () and table.x.tolist() == [[0.5], [0.25]]


@pytest.mark.parametrize(
    ("content", "label", "message"),
    [
        (IRIS, "class", "expected a column 'class'; the first line has length, width, species"),
        (IRIS, 3, "expected label to be a column of 3, got 3"),
        (IRIS, None, r"line 2, column 3: .* 'setosa'; if this column holds the classes, use load_table"),
        (IRIS.partition("\n")[2], None, "if the column holds the classes, use load_table"),
        (IRIS + "1,2\n", "species", "line 6: expected 3 cells, as in the first line, got 2"),
        (IRIS + "1,x,a\n", "species", "line 6, column 2: expected a finite number, got 'x'"),
        (IRIS + "1,1e300,a\n", "species", "in the range of float32, got 1e\\+300 in row 4"),
        (IRIS + "1,2,\n", "species", "line 6, column 3: expected a label, got none"),
        ("a\nx\n", "a", "expected rows of numbers and a label, got none"),
    ],
)
def test_tables_that_are_unclear_are_refused(tmp_path, content, label, message):
    with pytest.raises(ValueError, match=message):
        load_table(text(tmp_path / "a.csv", content), label=label)


def test_table_from_arrays(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(6.0).reshape(3, 2))
    np.savez(tmp_path / "a.npz", X=np.arange(6).reshape(3, 2), y=np.array([1, 0, 1]))
    assert load_table(tmp_path / "a.npy").x.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert load_table(tmp_path / "a.npz").y.tolist() == [1, 0, 1]
    data = load_dataset(tmp_path / "a.npy", ordered=True)
    assert data.x_test.tolist() == [[4, 5]]
    with pytest.raises(ValueError, match="label names a column of a CSV file"):
        load_table(tmp_path / "a.npy", label=0)
    with pytest.raises(ValueError, match="expected no size for the table"):
        load_dataset(tmp_path / "a.npy", size=(2, 2))
    np.save(tmp_path / "a.npy", np.zeros((1, 2)))
    with pytest.raises(ValueError, match="expected at least two examples"):
        load_dataset(tmp_path / "a.npy")


def test_hostile_folders_and_files_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty: expected files named .png, .jpg, .jpeg, found none"):
        load_dataset(tmp_path / "empty")
    picture(tmp_path / "set" / "a.png", 1)
    text(tmp_path / "set" / "b.png", "this is text")
    with pytest.raises(ValueError, match="b.png: expected a complete PNG or JPEG picture"):
        load_dataset(tmp_path / "set")
    with pytest.raises(FileNotFoundError):
        load_dataset(tmp_path / "missing")


def test_digits_may_be_replaced_by_other_images(tmp_path, caplog):
    paper = np.full((20, 28, 28), 250, np.uint8)
    np.savez(tmp_path / "a.npz", images=paper, y=np.arange(20) % 10)
    with caplog.at_level(logging.WARNING, "scratchgen"):
        digits = as_digits(load_dataset(tmp_path / "a.npz"))
    assert "pass invert=True (on the command line --invert)" in caplog.text
    with digits_from(digits):
        assert load_digits() is digits
        assert len(load_digits("embedded").x_train) == 6_000
    assert load_digits() is not digits
    assert load_digits(folder=tmp_path / "a.npz").source.startswith("a.npz: 18 + 2 images")
    for arrays, message in (
        ({"x": paper[:, :8], "y": np.arange(20) % 10}, "in the place of MNIST, got 8 x 28 x 1; resize"),
        ({"x": paper}, "expected labels, as MNIST has them, got none"),
        ({"x": paper, "y": np.arange(20)}, "expected labels from 0 to 9, as MNIST has them, got 1"),
    ):
        np.savez(tmp_path / "a.npz", **arrays)
        with pytest.raises(ValueError, match=message):
            load_digits(folder=tmp_path / "a.npz")


def test_fashion_mnist_is_verified_by_the_md5_of_the_gzipped_files(tmp_path, tiny_files, monkeypatch):
    """From a local server: a wrong mirror is skipped, and the download is found by its name."""
    packed = {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in tiny_files.items()}
    hashes = {
        name: f"md5:{hashlib.md5(packed[f'{name}.gz'], usedforsecurity=False).hexdigest()}"
        for name in tiny_files
    }

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            _, kind, name = self.path.split("/")
            body = packed[name] if kind == "good" else gzip.compress(tiny_files[name[:-3]], mtime=1)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            """Keep the test's output clean."""

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("scratchgen.data.download.FASHION_MNIST", hashes)
    monkeypatch.setitem(published.PUBLISHED, "fashion-mnist", hashes)
    monkeypatch.setattr("scratchgen.data.datasets.cache_folder", lambda name: tmp_path / name)
    with pytest.raises(FileNotFoundError, match="run `scratchgen download --dataset fashion-mnist`"):
        load_dataset("fashion-mnist")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        with pytest.raises(ConnectionError, match=r"bytes with MD5 [0-9a-f]{12}…, expected"):
            download_fashion_mnist(tmp_path / "none", [f"{url}/other/"])
        assert list((tmp_path / "none").iterdir()) == []
        download_fashion_mnist(tmp_path / "fashion-mnist", [f"{url}/other/", f"{url}/good/"])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert len(load_dataset("fashion-mnist").x_train) == 40
    path = tmp_path / "fashion-mnist" / "train-labels.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), mtime=2))
    with pytest.raises(ValueError, match="train-labels.gz: expected a gzipped file with MD5"):
        load_dataset("fashion-mnist")


def test_published_hashes_are_those_of_their_kind():
    for files, length in ((published.MNIST, 64), (published.FASHION_MNIST, 32)):
        assert len(files) == 4
        assert {len(expected.removeprefix("md5:")) for expected in files.values()} == {length}
