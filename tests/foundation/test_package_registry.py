import hashlib
import io
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from herd.foundation import PipSettings, UserError, fetch_distribution
from herd.foundation.pip_settings import _merge_sections, pip_settings_from

SETUP_THAT_MUST_NOT_RUN = b"raise SystemExit('code of the package was run')"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def make_sdist(path, version):
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo(f"verse-{version}/setup.py")
        member.size = len(SETUP_THAT_MUST_NOT_RUN)
        tar.addfile(member, io.BytesIO(SETUP_THAT_MUST_NOT_RUN))


@pytest.fixture
def index(tmp_path):
    """A simple index with two source distributions, a suitable wheel and an unsuitable one."""
    folder = tmp_path / "index" / "verse"
    folder.mkdir(parents=True)
    names = ["verse-1.0.tar.gz", "verse-2.0.tar.gz", "verse-3.0rc1.tar.gz"]
    for name in names:
        make_sdist(folder / name, name)
    for tag in ("py3-none-any", "cp27-cp27m-plan9"):
        name = f"verse-2.0-{tag}.whl"
        (folder / name).write_bytes(b"wheel " + tag.encode())
        names.append(name)
    links = "".join(f'<a href="{n}#sha256={digest_of(folder / n)}">{n}</a>\n' for n in names)
    (folder / "index.html").write_text(f"<html><body>{links}</body></html>")
    return tmp_path / "index"


def digest_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def index_url(index):
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=index))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("requirement", "kind", "name"),
    [
        ("verse", "sdist", "verse-2.0.tar.gz"),
        ("verse==1.0", "sdist", "verse-1.0.tar.gz"),
        ("Verse<2", "sdist", "verse-1.0.tar.gz"),
        ("verse==3.0rc1", "sdist", "verse-3.0rc1.tar.gz"),
        ("verse", "wheel", "verse-2.0-py3-none-any.whl"),
    ],
)
@pytest.mark.parametrize("local", [False, True])
def test_the_newest_suitable_file_is_fetched(
    index, index_url, tmp_path, requirement, kind, name, local
):
    settings = PipSettings(index_url=index.as_uri() if local else index_url)
    path = fetch_distribution(requirement, kind=kind, directory=tmp_path / "out", settings=settings)
    assert path.name == name
    assert path.read_bytes() == (index / "verse" / name).read_bytes()


def test_a_directory_of_files_serves_as_find_links(index, tmp_path):
    settings = PipSettings(no_index=True, find_links=(str(index / "verse"),))
    path = fetch_distribution("verse", kind="sdist", directory=tmp_path, settings=settings)
    assert path.name == "verse-2.0.tar.gz"


def test_a_pinned_file_already_there_needs_no_connection(index, index_url, tmp_path):
    online, offline = PipSettings(index_url=index_url), PipSettings(no_index=True)
    first = fetch_distribution("verse==1.0", kind="sdist", directory=tmp_path, settings=online)
    for sha256 in (None, digest_of(first)):
        again = fetch_distribution(
            "verse==1.0", kind="sdist", directory=tmp_path, sha256=sha256, settings=offline
        )
        assert again == first


def test_a_file_that_is_not_what_the_index_states_is_refused(index, index_url, tmp_path):
    make_sdist(index / "verse" / "verse-1.0.tar.gz", "tampered")
    with pytest.raises(UserError, match="expected"):
        fetch_distribution(
            "verse==1.0",
            kind="sdist",
            directory=tmp_path,
            settings=PipSettings(index_url=index_url),
        )
    assert not list(tmp_path.glob("*.tar.gz"))


def test_an_index_that_contradicts_the_pinned_digest_is_refused(index_url, tmp_path):
    with pytest.raises(UserError, match="do not use this file"):
        fetch_distribution(
            "verse==1.0",
            kind="sdist",
            directory=tmp_path,
            sha256="0" * 64,
            settings=PipSettings(index_url=index_url),
        )


def test_a_remote_file_without_a_stated_digest_is_refused(index, index_url, tmp_path):
    page = index / "verse" / "index.html"
    page.write_text('<a href="verse-1.0.tar.gz">verse-1.0.tar.gz</a>')
    with pytest.raises(UserError, match="states no SHA-256"):
        fetch_distribution(
            "verse", kind="sdist", directory=tmp_path, settings=PipSettings(index_url=index_url)
        )


@pytest.mark.parametrize("requirement", ["verse==9.9", "prose"])
def test_what_is_not_there_is_said_to_be_so(index_url, tmp_path, requirement):
    with pytest.raises(UserError, match="no source distribution"):
        fetch_distribution(
            requirement, kind="sdist", directory=tmp_path, settings=PipSettings(index_url=index_url)
        )


def test_offline_names_the_place_without_its_password(tmp_path):
    settings = PipSettings(index_url="http://me:secret@127.0.0.1:9/simple")
    with pytest.raises(UserError, match="cannot be reached") as raised:
        fetch_distribution("verse", kind="sdist", directory=tmp_path, settings=settings)
    assert "127.0.0.1:9/simple" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_malformed_requirement_is_one_line(tmp_path):
    with pytest.raises(UserError) as raised:
        fetch_distribution("a b", kind="sdist", directory=tmp_path, settings=PipSettings())
    assert "\n" not in str(raised.value)


def test_pip_variables_win_over_its_files_whatever_the_order():
    listing = (
        ":env:.index-url='https://b'\nglobal.index-url='https://a'\ndownload.no-index='true'\n"
    )
    listing += "global.extra-index-url='https://c\\nfile:///d'\nglobal.cert='/ca.pem'\n"
    settings = pip_settings_from(_merge_sections(listing))
    assert settings.index_url == "https://b"
    assert settings.extra_index_urls == ("https://c", "file:///d")
    assert settings.no_index
    assert settings.cert == "/ca.pem"
