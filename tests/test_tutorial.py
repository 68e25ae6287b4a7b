"""The tutorial runs from top to bottom, in a kernel as its readers have it, and shows what it says."""

from pathlib import Path

import pytest

import videoquant

TUTORIAL = Path(videoquant.__file__).parents[2] / "docs" / "tutorial.ipynb"
format_ = pytest.importorskip("nbformat", reason="nbformat is not installed")
client = pytest.importorskip("nbclient", reason="nbclient is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")


def shown(notebook, kind):
    """What each cell of code shows last, of a kind; "" where it shows none."""
    cells = (cell for cell in notebook.cells if cell.cell_type == "code")
    return [
        ([o["data"][kind] for o in cell.outputs if kind in o.get("data", {})] or [""])[-1] for cell in cells
    ]


def test_it_runs_from_top_to_bottom(tmp_path):
    notebook = format_.read(TUTORIAL, as_version=4)
    stored = shown(notebook, "text/html")
    client.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    html = shown(notebook, "text/html")
    assert [bool(text) for text in html] == [bool(text) for text in stored]
    network, table, answer, quantized = (text for text in html if text)
    assert "1×3×64×96" in network and "mask IoU" in table and table.count("<tr>") == 1 + 6
    assert answer.startswith("<p>Take <code>") and "surely keeps mask IoU ≥ 0.95" in answer
    assert "4 quantized" in quantized
    assert shown(notebook, "image/png")[-1]
    assert {"ball.mp4", "ball.vq", "report"} <= {path.name for path in tmp_path.iterdir()}
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "id='film'" in page and "the answer</span>" in page
