"""`videoquant info` says what is there and what is not, also where PyTorch is missing."""

from importlib.metadata import PackageNotFoundError

from videoquant import _native
from videoquant.cli import info
from videoquant.made import VERSION


def test_what_is_there_and_what_is_not(command, monkeypatch):
    def version(name):
        if name == "torch":
            raise PackageNotFoundError
        return "1.2.3"

    monkeypatch.setattr(info, "version", version)
    code, out, err = command("info")
    said = dict(line.split(None, 1) for line in out.splitlines())
    assert (code, err) == (0, "") and said["videoquant"] == VERSION
    assert said["torch"] == "not installed" and said["numpy"] == "1.2.3"
    assert f"integer engine    {_native.isas()[0]} kernels" in out
