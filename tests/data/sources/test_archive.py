import contextlib
import io
import stat
import tarfile
import zipfile

import pytest

from herd.data.sources import archive
from herd.data.sources.archive import read_archive
from herd.data.tally import Tally
from herd.foundation import UserError


def make_tar(path, members):
    with tarfile.open(path, "w:gz") as tar:
        for member, data in members:
            member = tarfile.TarInfo(member) if isinstance(member, str) else member
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def link(name, target, kind):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def test_regular_files_come_out_in_order(tmp_path):
    path = make_tar(tmp_path / "p.tar.gz", [("p/b.txt", b"two"), ("p/a.txt", b"one")])
    found = [(name, stream.read()) for name, stream in read_archive(path, Tally())]
    assert found == [("p/b.txt", b"two"), ("p/a.txt", b"one")]


def test_links_devices_and_names_pointing_outside_are_left_out_and_counted(tmp_path):
    members = [
        ("../../outside.txt", b"x"),
        ("/absolute.txt", b"x"),
        ("p/../../../up.txt", b"x"),
        (link("p/soft.txt", "/etc/passwd", tarfile.SYMTYPE), b""),
        (link("p/hard.txt", "p/good.txt", tarfile.LNKTYPE), b""),
        (link("p/pipe.txt", "", tarfile.FIFOTYPE), b""),
        ("p/good.txt", b"good"),
    ]
    tally = Tally()
    found = [name for name, _ in read_archive(make_tar(tmp_path / "p.tar.gz", members), tally)]
    assert found == ["p/good.txt"]
    assert tally.counts["read", "name pointing outside its archive"] == 3
    assert tally.counts["read", "link or device in an archive"] == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["p.tar.gz"]


def test_a_zip_is_read_too(tmp_path):
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as file:
        file.writestr("p/a.txt", "one")
        file.writestr("../b.txt", "out")
        link = zipfile.ZipInfo("p/link.txt")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    tally = Tally()
    found = [(name, stream.read()) for name, stream in read_archive(tmp_path / "p.zip", tally)]
    assert found == [("p/a.txt", b"one")]
    assert tally.counts["read", "link or device in an archive"] == 1


@pytest.mark.parametrize("name", ["p.tar.gz", "p.zip", "p.tar"])
def test_what_is_no_archive_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"not an archive, by any means" * 40)
    with pytest.raises(UserError, match="damaged archive"):
        list(read_archive(tmp_path / name, Tally()))


def test_a_truncated_archive_is_refused(tmp_path):
    path = make_tar(
        tmp_path / "p.tar.gz", [(f"p/{i}.txt", bytes(range(256)) * 99) for i in range(9)]
    )
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(UserError, match="damaged archive"):
        for _, stream in read_archive(path, Tally()):
            with contextlib.suppress(EOFError):  # read_file counts it and goes on
                stream.read()


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 3)
    path = make_tar(tmp_path / "p.tar.gz", [(f"p/{i}.txt", b"x") for i in range(9)])
    with pytest.raises(UserError, match="more than 3 files"):
        list(read_archive(path, Tally()))


def test_too_much_in_all_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_TOTAL_BYTES", 1 << 16)
    path = make_tar(tmp_path / "p.tar.gz", [(f"p/{i}.txt", bytes(1 << 14)) for i in range(9)])
    with pytest.raises(UserError, match="more than 64"):
        list(read_archive(path, Tally()))


def test_one_file_too_large_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 100)
    path = make_tar(tmp_path / "p.tar.gz", [("p/big.txt", bytes(101)), ("p/small.txt", b"x")])
    assert [name for name, _ in read_archive(path, Tally())] == ["p/small.txt"]


def test_a_header_that_claims_gigabytes_is_a_trap(tmp_path):
    """An extended header of 16 GiB, of which the file holds nothing."""
    member = tarfile.TarInfo("p/pax")
    member.type, member.size = tarfile.XHDTYPE, 16 << 30
    (tmp_path / "p.tar").write_bytes(member.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    with pytest.raises(UserError, match="trap"):
        list(read_archive(tmp_path / "p.tar", Tally()))
