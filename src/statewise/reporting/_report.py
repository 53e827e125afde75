"""How does a run become one file that answers whether its model is fit for production, and why?"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statewise.errors import OptionError, missing_extra
from statewise.evaluation import Evaluation
from statewise.files import write_atomically
from statewise.reporting import _figures as figures
from statewise.reporting._drawing import chart_png, require_altair
from statewise.reporting._evidence import Missing, gather
from statewise.reporting._page import draw, make_page
from statewise.reporting._palette import PICTURE
from statewise.runs import RunFiles

if TYPE_CHECKING:
    from jinja2 import Environment

    from statewise.runs import Run
    from statewise.verdicts import Policy

_SCORES = ("metrics", "confusion", "thresholds", "values", "ahead")


def report(run: Run | Evaluation | Path | str, path: Path | str | None = None, *, policy: Policy | str | Path | None = None) -> Path:
    """Write a run's report, or that of an evaluation of anyone's predictions: one HTML file that needs no network, the verdict first.

    What a run has no evidence for is said in its place, with how it is had. A run without a verdict is judged under the
    default policy, and the page says so.

    Args:
        run: a run, or the path of a run directory; or an evaluation alone, of which the rest is said to be unknown.
        path: the file to write; `report.html` in the run directory by default.
        policy: what the evidence is judged under anew, as in `judge`; without one the verdict that was kept stands.

    Returns:
        The path of the file.

    Raises:
        OptionError: the run is kept in memory and no path was given, or no such policy.
        RunError: it is not a run directory, it is damaged, or the file cannot be written.
        MissingExtraError: jinja2, altair or vl-convert is not installed.

    Example:
        >>> report("runs/japanese-vowels")  # doctest: +SKIP
        PosixPath('runs/japanese-vowels/report.html')
    """
    environment = _environment()
    require_altair()
    script = _script()
    evidence = gather(run, policy)
    target = _target(evidence.run, path, what="run" if not isinstance(run, Evaluation) else "evaluation")
    page = make_page(evidence)
    html = environment.get_template("report.html.j2").render(
        page=page, style=_safe(_template("style.css")), script=_safe(script), slider=_safe(_template("trade_off.js"))
    )
    return write_atomically(target, html, asked="write the report")


def save_picture(run: Run | Path | str, path: Path | str) -> Path:
    """Write the charts of a run as one PNG picture.

    Args:
        run: a run, or the path of a run directory.
        path: the file to write.

    Returns:
        The path.

    Raises:
        MissingExtraError: what draws is not installed.
        RunError: it is not a run directory, or its configuration or history is damaged.
        OptionError: the run has nothing that could be drawn.
    """
    alt = require_altair()
    drawn = draw(gather(run), palette=PICTURE)
    if not drawn:
        raise OptionError(asked="draw a run", where="its records", arrived="no epoch and no evaluation", hint="Train or evaluate it first.")
    own = {"color": "independent", "fill": "independent", "fillOpacity": "independent", "strokeDash": "independent"}
    columns = [
        alt.vconcat(*(chart.properties(width=420) for chart in column)).resolve_scale(**own)
        for scored in (False, True)
        if (column := [chart for name, chart in drawn.items() if (name in _SCORES) is scored])
    ]
    whole = alt.hconcat(*columns, spacing=40).resolve_scale(**own)
    return write_atomically(Path(path), chart_png(whole, palette=PICTURE), asked="draw a run")


def _target(run: Run, path: Path | str | None, *, what: str) -> Path:
    if path is not None:
        return Path(path)
    if run.directory is None:
        raise OptionError(
            asked="write a report",
            where="path",
            arrived=f"nothing, and the {what} is kept in memory",
            hint=f"Name the file: report({what}, 'report.html').",
        )
    return RunFiles(run.directory).report


def _environment() -> Environment:
    """Return the templates; what users named is escaped wherever it stands."""
    try:
        import jinja2
    except ImportError as problem:
        raise missing_extra("write a report", "jinja2", "report") from problem
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("statewise.reporting"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({name: getattr(figures, name) for name in ("figure", "loss", "plain", "count", "exact")})
    environment.filters["json"] = _json
    environment.tests["missing_evidence"] = lambda value: isinstance(value, Missing)
    return environment


@cache
def _script() -> str:
    """Return Vega, Vega-Lite and our few lines as one script; made once a process, it takes a second or two."""
    try:
        import vl_convert
    except ImportError as problem:
        raise missing_extra("write a report", "vl_convert", "report") from problem
    return str(vl_convert.javascript_bundle(_template("charts.js")))


def _template(name: str) -> str:
    return resources.files("statewise.reporting").joinpath("templates", name).read_text(encoding="utf-8")


def _safe(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704  # our own style sheet and script


def _json(value: Any) -> Any:
    """Return JSON that cannot end the script element it stands in, whatever names it holds."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return _safe(text)
