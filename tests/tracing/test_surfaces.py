"""Do the terminal, plain text, HTML, SVG and JSON show the values that the trace holds?"""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor, nn

from statewise import build, trace
from statewise.tracing import Trace, demo_trace
from statewise.tracing._numbers import number
from tests.tracing.strangers import CellLoop, LastState, Tokens

NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"


def rows_of(text: str, section: str) -> dict[str, list[float]]:
    """Return the printed rows of a numbered section by their labels."""
    body = re.split(r"\n ?\d+  ", text[text.index(section) :])[0]
    found: dict[str, list[float]] = {}
    for line in body.splitlines():
        match = re.match(rf"    +(\S.*?)\s{{2,}}({NUMBER}(?:\s+{NUMBER})*)$", line)
        if match:
            found.setdefault(match[1].strip(), []).extend(float(each) for each in match[2].split())
    return found


def require_printed(printed: list[float], values: Tensor) -> None:
    assert len(printed) == values.numel()
    assert torch.allclose(torch.tensor(printed), values.flatten().float(), atol=6e-4, rtol=6e-3)


@cache
def large() -> Trace:
    return trace(nn.LSTM(5, 30, num_layers=2, bidirectional=True), torch.randn(300, 5))


@cache
def shown_cases() -> list[Trace]:
    torch.manual_seed(0)
    names = [f"a rather long name of class {place}" for place in range(30)]
    many = build("gru", task="classify", input_size=40, hidden_size=100, class_names=names, num_layers=3, bidirectional=True)
    tag = build("rnn", task="tag", input_size=5, hidden_size=4, num_classes=3)
    return [
        demo_trace(),
        large(),
        trace(many, torch.randn(20, 40) * 1000),
        trace(tag, torch.randn(3, 5)),
        trace(Tokens(), list(range(20))),
        trace(CellLoop(), torch.randn(4, 5)),
        trace(nn.Identity(), torch.randn(1, 6, 5), contract=None, call=lambda module, batch: module(batch.x)),
        trace(nn.Sequential(*(nn.Linear(5, 5) for _ in range(40))), torch.randn(6, 5), call=lambda module, batch: module(batch.x)),
    ]


def test_the_figures_of_the_demo_are_read_back_from_the_terminal() -> None:
    found = demo_trace()
    text = str(found)
    for shape in (
        "10 steps x 5 features",
        "1 layer x batch 1 x hidden 4, zeros",
        "1 x 5 and 1 x 4 give 1 x 4",
        "10 x 4",
        "1 x 4 gives 1 x 3 classes",
    ):
        assert re.search(rf" {re.escape(shape)}$", text, re.MULTILINE)
    sequence = rows_of(text, "1  input sequence")
    hidden = rows_of(text, "4  hidden state updated")
    values = found.stages[0].parts()[""]
    assert found.hidden is not None
    for step in range(10):
        require_printed(sequence[f"step {step + 1}"], values[step])
        require_printed(hidden[f"step {step + 1}"], found.hidden[step])
    cells = rows_of(text, "3  cell processing")
    parts = found.stages[2].parts()
    for name in ("input", "state", "new state"):
        require_printed(cells[name], parts[name][[0, 1, 9]])
    assert found.outputs is not None
    assert found.probabilities is not None
    require_printed(rows_of(text, "5  output")["output"], found.outputs)
    computed = rows_of(text, "2  cell computation")
    for name, part in found.layers[1].parts().items():
        require_printed(computed[name], part)
    layer = rows_of(text, "4  final output layer")
    require_printed(layer["W h + b"], found.outputs)
    chances = re.findall(r"class (\d)\s+(0\.\d+)  █", text)
    require_printed([float(value) for _, value in chances], found.probabilities)


def test_the_strip_reads_without_colour() -> None:
    found = demo_trace()
    strips = re.findall(r"unit (\d)   ([▁-█]+)  (\S+) to (\S+)", str(found))
    assert len(strips) == 4
    assert found.hidden is not None
    for unit, blocks, low, high in strips:
        values = found.hidden[:, int(unit) - 1]
        assert [mark in "▅▆▇█" for mark in blocks[::3]] == (values >= 0).tolist()
        require_printed([float(low), float(high)], torch.stack([values.min(), values.max()]))
    assert "▄ just below 0" in str(found)


@pytest.mark.parametrize("place", range(8))
def test_nothing_is_wider_than_eighty_columns(place: int) -> None:
    found = shown_cases()[place]
    assert max(len(line) for line in str(found).splitlines()) <= 80


def test_what_is_left_out_is_said() -> None:
    text = str(large())
    for words in (
        "294 steps left out",
        "first 8 of 60 units",
        "one step in 7",
        "steps 2 to 299 likewise",
        "rows of a step; all are in .values",
    ):
        assert words in text
    page = large().to_html()
    for words in ("291 steps left out", "one step in 2", "first 48 of 60 units", "298 steps likewise", "first 12 of 60 numbers a row"):
        assert words in page
    classes = shown_cases()[2]
    assert "the 12 most likely of 30 classes" in str(classes)
    assert "the 20 most likely of 30 classes" in classes.to_html()
    assert "first 24 of 41; all are in .submodules" in str(shown_cases()[7])


def test_one_step_left_out_is_named() -> None:
    assert "… step 3 likewise" in str(trace(nn.RNN(5, 4), torch.randn(4, 5)))


def printed(found: Trace, **options: Any) -> str:
    file = io.StringIO()
    Console(file=file, width=80, **options).print(found)
    return file.getvalue()


def test_the_terminal_shows_the_plain_text_and_colour_adds_nothing_else() -> None:
    found = demo_trace()
    plain = printed(found, color_system=None)
    assert [line.rstrip() for line in plain.splitlines()] == str(found).splitlines()
    coloured = printed(found, force_terminal=True, color_system="truecolor", no_color=False)
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured).split() == str(found).split()


def test_a_terminal_without_block_characters_gets_digits() -> None:
    class Ascii(io.StringIO):
        encoding = "ascii"

    file = Ascii()
    Console(file=file, width=80, color_system=None).print(demo_trace())
    text = file.getvalue()
    assert text.isascii()
    assert re.search(r"unit 1   [1-8]{30}  -", text)


def test_the_repr_is_one_line_of_sizes() -> None:
    assert repr(demo_trace()).startswith("Trace(Demo on 10 steps x 5 features; 10 steps x 5 features -> 1 layer x batch 1")


class Pages(HTMLParser):
    """Reads cells of tables, and notes whether every tag is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        if tag not in ("meta", "rect", "path"):
            self.open.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "path"):
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "td":
            self.cells[-1] += data


@pytest.mark.parametrize("place", range(8))
def test_every_page_is_whole_and_needs_nothing_else(place: int) -> None:
    found = shown_cases()[place]
    page = found.to_html(page=True)
    assert Pages(page).open == []
    assert not re.search(r"https?:|<script|src=|@import|url\(", page.replace("http://www.w3.org/2000/svg", ""))
    assert found._repr_html_() in page
    assert Pages(found.to_html()).open == []


def test_the_figures_of_the_demo_are_read_back_from_the_page() -> None:
    found = demo_trace()
    cells = [float(cell) for cell in Pages(found.to_html()).cells if re.fullmatch(NUMBER, cell)]
    require_printed(cells[:50], found.stages[0].parts()[""])
    assert found.hidden is not None
    assert found.probabilities is not None
    for value in [*found.hidden.flatten().tolist(), *found.probabilities.flatten().tolist()]:
        assert float(number(value)) in cells


def test_names_from_outside_are_escaped() -> None:
    model = build("gru", task="classify", input_size=5, hidden_size=4, class_names=["<script>alert(1)</script>", "b", "c"])
    assert "<script>" not in trace(model, torch.randn(3, 5)).to_html()


def test_the_picture_holds_every_value_with_axes_and_a_scale() -> None:
    found = demo_trace()
    root = ET.fromstring(found.to_svg())  # noqa: S314 - our own
    space = "{http://www.w3.org/2000/svg}"
    titles = [each.text or "" for each in root.iter(f"{space}title")]
    assert found.hidden is not None
    assert len(titles) == 40
    for title in titles:
        match = re.fullmatch(rf"step (\d+), unit (\d): ({NUMBER})", title)
        assert match
        require_printed([float(match[3])], found.hidden[int(match[1]) - 1, int(match[2]) - 1])
    words = [each.text for each in root.iter(f"{space}text")]
    low, high = number(float(found.hidden.min())), number(float(found.hidden.max()))
    assert {"step", "unit 1", "unit 4", "1", "10", "0", f"smallest {low}, largest {high}"} <= set(words)
    cell = next(each for each in root.iter(f"{space}rect") if (each[0].text if len(each) else "") == titles[0])
    assert cell.get("fill") == ("#2f7fd1" if found.hidden[0, 0] < 0 else "#e2701d")


def test_a_large_picture_stays_small_and_is_whole() -> None:
    picture = large().to_svg()
    assert len(picture) < 250_000
    assert "backward 1" in trace(nn.GRU(5, 4, bidirectional=True), torch.randn(9, 5)).to_svg()
    ET.fromstring(picture)  # noqa: S314 - our own


def test_the_document_holds_everything_as_plain_json() -> None:
    found = demo_trace()
    document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert document["schema"] == 1
    assert found.hidden is not None
    assert torch.equal(torch.tensor(document["hidden"]), found.hidden)
    assert [stage["shape"] for stage in document["stages"]] == [stage.shape for stage in found.stages]
    assert [stage["name"] for stage in document["layers"]] == [stage.name for stage in found.layers]
    assert torch.equal(torch.tensor(document["stages"][2]["values"]["new state"]), found.stages[2].parts()["new state"])
    assert document["submodules"][0]["kind"] == "Demo"
    assert document["submodules"][2]["values"] == found.outputs.tolist()  # type: ignore[union-attr]
    assert trace(Tokens(), [1, 2]).to_dict()["stages"][0]["values"] == [[1, 2]]


def test_columns_are_named_after_what_they_hold_when_sizes_coincide() -> None:
    text = str(trace(LastState(classes=4), torch.randn(6, 5)))
    section = text[text.index("5  output") :]
    assert section.index("unit") < section.index("read ") < section.index("class 0") < section.index("\n    output")
