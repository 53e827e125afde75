"""How is a trace shown on a page? HTML that needs nothing else: no script, no font, no file; readable on light and dark pages."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from statewise.tracing._numbers import chosen, lags_shown, left_out, log_shares, number, scale_of
from statewise.tracing._svg import hidden_svg, shade

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import Tensor

    from statewise.tracing._records import Core, Stage, Submodule, Trace

MAX_COLUMNS = 12
MAX_ENTRIES = 20
MAX_CLASSES = 20

_ARROW = '<li class="sw-arrow" aria-hidden="true">&#8595;</li>'
_STYLE = """<style>
.sw-trace{font:14px/1.45 system-ui,sans-serif;max-width:60rem}
.sw-trace h3{font-size:1.25em;margin:.2em 0 .6em}.sw-trace h4{font-size:1.05em;margin:1.6em 0 .6em}
.sw-trace ol{list-style:none;margin:0;padding:0}
.sw-trace li.sw-stage{border:1px solid rgba(127,127,127,.35);border-radius:8px;padding:.7em 1em;background:rgba(127,127,127,.06)}
.sw-trace li.sw-arrow{text-align:center;line-height:1.5;opacity:.6}
.sw-trace .sw-head{display:flex;flex-wrap:wrap;gap:.6em;align-items:baseline}
.sw-trace .sw-place{display:inline-block;min-width:1.6em;line-height:1.6em;text-align:center;border-radius:50%;
 background:#2f7fd1;color:#fff;font-weight:600}
.sw-trace .sw-name{font-weight:600;font-size:1.05em}
.sw-trace .sw-shape{font-family:ui-monospace,monospace;font-size:.92em;margin-left:auto;padding:.05em .55em;border-radius:6px;
 background:rgba(127,127,127,.16)}
.sw-trace p{margin:.35em 0 .6em;opacity:.85}
.sw-trace .sw-scroll{overflow-x:auto}
.sw-trace table{border-collapse:collapse;font-variant-numeric:tabular-nums;background:none}
.sw-trace th,.sw-trace td{padding:.15em .6em;text-align:right;border:0;background:none;white-space:nowrap}
.sw-trace th{font-weight:500;opacity:.75}.sw-trace th.sw-row{text-align:left}
.sw-trace tr.sw-new>*{border-top:1px solid rgba(127,127,127,.35)}
.sw-trace .sw-more{opacity:.7;text-align:left;font-style:italic}
.sw-trace .sw-bar{display:inline-block;height:.8em;border-radius:3px;background:#2f7fd1}
.sw-trace .sw-best{font-weight:700}
.sw-trace td.sw-left,.sw-trace th.sw-left{text-align:left}
.sw-trace ul{margin:.3em 0;padding-left:1.3em}
</style>"""


def trace_html(trace: Trace, *, page: bool) -> str:
    """Return the whole trace as a fragment, or as a document of its own."""
    title = f"Trace of {trace.title}"
    parts = [
        f'<div class="sw-trace">{_STYLE}<h3>{escape(title)}</h3>',
        "<h4>From sequence to output</h4>",
        _pipeline(trace.stages, trace.cores),
    ]
    if trace.layers:
        parts += ["<h4>One prediction, layer by layer</h4>", _pipeline(trace.layers, ())]
    if trace.gradients is not None:
        parts += ["<h4>Back through time</h4>", _pipeline([trace.gradients], ())]
    if trace.submodules:
        parts.append(_submodules(trace.submodules))
    if trace.notes:
        parts.append(f"<h4>Notes</h4><ul>{''.join(f'<li>{escape(note)}</li>' for note in trace.notes)}</ul>")
    fragment = "".join([*parts, "</div>"])
    if not page:
        return fragment
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>:root{{color-scheme:light dark}}"
        f"body{{margin:2rem auto;max-width:60rem;padding:0 1rem}}</style></head><body>{fragment}</body></html>"
    )


def _pipeline(stages: Sequence[Stage], cores: Sequence[Core]) -> str:
    pictures = iter(cores)
    items = []
    for place, stage in enumerate(stages, start=1):
        body = {"bars": _bars, "lags": _lags}.get(stage.view, _values)(stage)
        if stage.view == "heat":
            body = hidden_svg([next(pictures)]) + f"<details><summary>The numbers</summary>{body}</details>"
        items.append(
            f'<li class="sw-stage"><div class="sw-head"><span class="sw-place">{place}</span>'
            f'<span class="sw-name">{escape(stage.name)}</span><span class="sw-shape">{escape(stage.shape)}</span></div>'
            f"<p>{escape(stage.says)}</p>{body}</li>"
        )
    return f"<ol>{_ARROW.join(items)}</ol>"


def _values(stage: Stage) -> str:
    parts = {name: values.flatten(0, -2) if values.ndim > 2 else values for name, values in stage.parts().items()}
    shown = dict(list(parts.items())[:MAX_ENTRIES])
    by_step = stage.axes[0] == "step" and len(shown) > 1 and len({len(values) for values in shown.values()}) == 1
    rows = [*(_by_step(shown) if by_step else _by_part(shown, stage))]
    widest = max((values.shape[1] for values in shown.values()), default=0)
    notes = [f"first {MAX_COLUMNS} of {widest} numbers a row"] * (widest > MAX_COLUMNS)
    notes += [f"first {len(shown)} of {len(parts)} rows"] * (len(parts) > len(shown))
    if by_step and stage.columns:
        notes.insert(0, escape(f"{list(parts)[-1]}: {', '.join(stage.columns)}"))
    more = f'<div class="sw-more">{"; ".join(notes)}; all are in .values</div>' if notes else ""
    return f'<div class="sw-scroll"><table>{"".join(rows)}</table></div>{more}'


def _by_part(parts: dict[str, Tensor], stage: Stage) -> Iterator[str]:
    row_word = stage.axes[0]
    header: tuple[str, ...] = ()
    largest = max((scale_of(values) for values in parts.values()), default=1.0)
    for name, values in parts.items():
        if (names := stage.column_names(name)) != header:
            header = names
            yield f"<tr><th></th>{''.join(f'<th>{escape(word)}</th>' for word in names[:MAX_COLUMNS])}</tr>"
        rows = chosen(len(values), first=6, last=3, whole=16)
        for place in rows:
            if place is None:
                left_out = f"&hellip; {len(values) - len(rows) + 1} {escape(row_word)}s left out"
                yield f'<tr><td class="sw-more" colspan="{MAX_COLUMNS + 1}">{left_out}</td></tr>'
                continue
            label = name if len(values) == 1 else " ".join(filter(None, [name, row_word, str(place + 1)]))
            yield f'<tr><th class="sw-row">{escape(label)}</th>{_cells(values[place], largest)}</tr>'


def _by_step(parts: dict[str, Tensor]) -> Iterator[str]:
    time = len(next(iter(parts.values())))
    few = len(parts) <= 6
    steps = chosen(time, first=2 if few else 1, last=1, whole=4 if few else 2)
    # Inputs come in any unit: they have a scale of their own, so that they do not drown the states.
    scales = [(name.endswith("input"), scale_of(values)) for name, values in parts.items()]
    largest = {read: max((scale for is_input, scale in scales if is_input == read), default=1.0) for read in (True, False)}
    for place in steps:
        if place is None:
            likewise = f"&hellip; {time - len(steps) + 1} steps likewise"
            yield f'<tr class="sw-new"><td class="sw-more" colspan="{MAX_COLUMNS + 2}">{likewise}</td></tr>'
            continue
        for number_of, (name, values) in enumerate(parts.items()):
            step = f'<th class="sw-row" rowspan="{len(parts)}">step {place + 1}</th>' if number_of == 0 else ""
            new = ' class="sw-new"' if number_of == 0 else ""
            yield f'<tr{new}>{step}<th class="sw-row">{escape(name)}</th>{_cells(values[place], largest[name.endswith("input")])}</tr>'


def _cells(values: Tensor, largest: float) -> str:
    whole = not values.is_floating_point()
    return "".join(f"<td{'' if whole else _tint(value, largest)}>{number(value)}</td>" for value in values[:MAX_COLUMNS].tolist())


def _tint(value: float, largest: float) -> str:
    colour, strength = shade(value, largest)
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f' style="background:rgba({red},{green},{blue},{strength * 0.45:.2f})"' if strength else ""


def _bars(stage: Stage) -> str:
    values = stage.parts()[""][0].tolist()
    order = list(range(len(values)))
    if len(order) > MAX_CLASSES:
        order = sorted(order, key=lambda place: -values[place])[:MAX_CLASSES]
    best, rows = max(values), []
    for place in order:
        chosen_class = ' class="sw-best"' if values[place] == best else ""
        share = max(0.0, min(1.0, values[place])) if values[place] == values[place] else 0.0
        rows.append(
            f'<tr{chosen_class}><th class="sw-row">{escape(stage.columns[place])}</th><td>{number(values[place])}</td>'
            f'<td class="sw-left"><span class="sw-bar" style="width:{share * 22:.2f}em"></span></td></tr>'
        )
    more = f'<div class="sw-more">the {len(order)} most likely of {len(values)} classes</div>' if len(values) > len(order) else ""
    return f'<div class="sw-scroll"><table>{"".join(rows)}</table></div>{more}'


def _lags(stage: Stage) -> str:
    values = stage.parts()[""][:, 0].tolist()
    lags, shares = lags_shown(len(values)), log_shares(values)
    rows = [
        f'<tr><th class="sw-row">lag {lag}</th><td>{number(values[lag])}</td>'
        f'<td class="sw-left"><span class="sw-bar" style="width:{shares[lag] * 22:.2f}em"></span></td></tr>'
        for lag in lags
    ]
    more = f'<div class="sw-more">bars on a logarithmic scale{left_out(lags, values)}</div>'
    return f'<div class="sw-scroll"><table>{"".join(rows)}</table></div>{more}'


def _submodules(rows: Sequence[Submodule]) -> str:
    def line(row: Submodule) -> str:
        words = (row.name or "(itself)", row.kind, row.inputs, row.outputs, str(row.calls))
        cells = "".join(f'<td class="sw-left">{escape(word)}</td>' for word in words)
        return f"<tr>{cells}</tr>"

    head = "".join(f'<th class="sw-left">{word}</th>' for word in ("name", "kind", "input", "output", "calls"))
    return (
        f'<details><summary>Every submodule, in the order of the calls ({len(rows)})</summary><div class="sw-scroll"><table><tr>{head}</tr>'
        f"{''.join(line(row) for row in rows)}</table></div></details>"
    )
