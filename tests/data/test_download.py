"""Downloads from a local server whose mirrors return wrong answers of many kinds."""

import gzip
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scratchgen.data import download, download_digits
from scratchgen.data.mnist import read_folder

BAD = {
    "forbidden": "403",
    "truncated": "IncompleteRead|incomplete",
    "short": "a complete gzip file",
    "lying": "bytes with SHA-256",
    "page": "bytes with SHA-256",
    "silent": r"timed out.*0\.3",
    "stalling": "timed out",
    "hangup": "abort|reset|closed|RemoteDisconnected",
    "endless": "more than 5000000 bytes",
}


class Mirrors(BaseHTTPRequestHandler):
    """The first part of the path selects the kind of answer; the rest is the name of the file."""

    def do_GET(self):
        _, kind, name = self.path.split("/")
        server = self.server
        server.requests.append((kind, name))
        plain = server.files[name.removesuffix(".gz")]
        packed = gzip.compress(plain)
        if kind == "forbidden":
            self.send_error(403)
        elif kind == "good":
            self.answer(packed)
        elif kind == "decoded":             # declares gzip as content encoding, which clients undo
            self.answer(packed, ("Content-Encoding", "gzip"))
        elif kind == "truncated":
            self.answer(packed[: len(packed) // 2], length=len(packed))
        elif kind == "short":               # half of the file, with a matching content length
            self.answer(packed[: len(packed) // 2])
        elif kind == "lying":               # the right length, but a wrong last byte
            self.answer(gzip.compress(plain[:-1] + bytes([plain[-1] ^ 1])))
        elif kind == "page":
            self.answer(b"<html>Sign in to this network</html>")
        elif kind == "silent":
            server.over.wait()
        elif kind == "stalling":
            self.answer(packed[:20], length=len(packed))
            server.over.wait()
        elif kind == "endless":
            self.answer(bytes(6_000_000))
        # "hangup" closes the connection without an answer

    def answer(self, body, header=None, length=None):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if header:
            self.send_header(*header)
        self.end_headers()
        try:
            self.wfile.write(body)
            self.wfile.flush()
        except ConnectionError:
            self.close_connection = True    # the client has closed the connection

    def log_message(self, *args):
        """Keep the test's output clean."""


@pytest.fixture
def server(tiny_files, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "LARGEST", 5_000_000)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Mirrors)
    server.files, server.requests, server.over = tiny_files, [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = lambda kind: f"http://127.0.0.1:{server.server_address[1]}/{kind}/"
    yield server
    server.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("bad", BAD)
def test_download_skips_a_bad_mirror(server, tiny_hashes, tmp_path, bad):
    mirrors = [server.url(bad), server.url("good")]
    folder = download_digits(tmp_path / "new", mirrors, files=tiny_hashes, timeout=0.3)
    assert folder == tmp_path / "new"
    assert names(folder) == sorted(f"{name}.gz" for name in tiny_hashes)
    assert len(read_folder(folder, tiny_hashes)) == 4
    # The bad mirror was tried first, and from then on the one that worked.
    assert [kind for kind, _ in server.requests] == [bad, "good", "good", "good", "good"]


def test_download_lists_the_answer_of_each_mirror_and_leaves_no_file(server, tiny_hashes, tmp_path):
    with pytest.raises(ConnectionError, match="no mirror has train-images: ") as caught:
        download_digits(tmp_path, [server.url(bad) for bad in BAD], files=tiny_hashes, timeout=0.3)
    answers = str(caught.value).split("; ")
    assert "\n" not in str(caught.value)
    assert len(answers) == len(BAD)
    for answer, (bad, expected) in zip(answers, BAD.items(), strict=True):
        assert server.url(bad) in answer
        assert re.search(expected, answer.split(server.url(bad))[1])
    assert names(tmp_path) == []


def test_download_from_a_port_without_a_server_raises(tiny_hashes, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.socket() as deaf:           # bound, so that no other process uses the port, but not listening
        deaf.bind(("127.0.0.1", 0))
        mirror = f"http://127.0.0.1:{deaf.getsockname()[1]}/"
        with pytest.raises(ConnectionError, match=f"{mirror}: .*establish"):
            download_digits(tmp_path, [mirror], files=tiny_hashes, timeout=0.3)
    with pytest.raises(ConnectionError, match="no mirror was given"):
        download_digits(tmp_path, [], files=tiny_hashes)
    assert names(tmp_path) == []


def test_download_keeps_complete_files_and_replaces_damaged_ones(
    server, tiny_files, tiny_hashes, put_files, tmp_path
):
    damaged = {**tiny_files, "test-labels": b"not an IDX file"}
    put_files(tmp_path, damaged, packed=False)
    download_digits(tmp_path, [server.url("good")], files=tiny_hashes)
    assert server.requests == [("good", "test-labels.gz")]
    assert len(read_folder(tmp_path, tiny_hashes)) == 4
    download_digits(tmp_path, [], files=tiny_hashes)


def test_download_compresses_a_file_that_the_client_uncompressed(server, tiny_files, tiny_hashes, tmp_path):
    download_digits(tmp_path, [server.url("decoded")], files=tiny_hashes)
    for name, data in tiny_files.items():
        assert gzip.decompress((tmp_path / f"{name}.gz").read_bytes()) == data


def test_download_into_a_file_fails_before_the_first_request(server, tiny_hashes, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="download_digits expected a writable folder, got .*file"):
            download_digits(folder, [server.url("good")], files=tiny_hashes)
    assert server.requests == []


def test_download_that_cannot_be_renamed_leaves_no_temporary_file(server, tiny_hashes, tmp_path):
    (tmp_path / "train-images.gz").mkdir()
    with pytest.raises(OSError, match="train-images.gz"):
        download_digits(tmp_path, [server.url("good")], files=tiny_hashes)
    assert names(tmp_path) == ["train-images.gz"]


def test_download_names_several_mirrors_by_default():
    hosts = {mirror.split("/")[2] for mirror in download.MIRRORS}
    assert len(hosts) >= 2
    assert all(mirror.startswith("https://") for mirror in download.MIRRORS)
