"""The page of a run, `report.html`, and the page of several, `sesamo-jax compare`."""

import base64
import json
import re

import numpy as np
import pytest
from browser import needs_browser, seen
from small_runs import PLAIN, plain_run

from sesamo_jax.config import resolve
from sesamo_jax.config.record import from_json, to_json
from sesamo_jax.run.cli.main import main
from sesamo_jax.run.execute import execute
from sesamo_jax.run.figures import make_figures
from sesamo_jax.run.folder import RunFolder
from sesamo_jax.run.report.html import tag
from sesamo_jax.run.report.page import write_report

BASE = {"base.variance": 6.0, "training.learning_rate": 3e-3}


@pytest.fixture(scope="module")
def folders(no_training, tmp_path_factory):
    """Return the folders of two small runs, the first with its figures."""
    parent = tmp_path_factory.mktemp("pages")
    execute(plain_run(), parent / "narrow")
    execute(resolve("gmm", "smoke", PLAIN | BASE, seed=1, seeds=2), parent / "wide")
    folder = RunFolder(parent / "narrow")
    write_report(folder, make_figures(folder))
    return parent / "narrow", parent / "wide"


@pytest.fixture(scope="module")
def page(folders):
    return (folders[0] / "report.html").read_text()


def test_a_page_begins_with_the_verdict_and_ends_with_how_to_repeat(page, folders):
    metrics = json.loads((folders[0] / "metrics.json").read_text())
    order = [metrics["seeds"][0]["verdict"].split("(")[0].strip(), "Estimates", "log Z"]
    order += ["Figures", "Configuration", "learning_rate", "How to repeat it"]
    found = [page.find(words) for words in order]
    assert found == sorted(found)
    assert found[0] > 0
    assert metrics["aggregate"]["ess"]["text"] in page


def test_a_page_needs_no_other_file(page, folders):
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', page)
    assert len(sources) == 4
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "http" not in page
    embedded = re.findall(r'base64,([^"]+)"', page)
    for name in ("density", "sectors", "weights", "ess"):
        picture = (folders[0] / f"{name}.png").read_bytes()
        assert base64.b64encode(picture).decode() in embedded


def test_what_a_file_says_is_shown_and_not_carried_out(folders, tmp_path):
    folder = RunFolder(tmp_path / "odd")
    folder.path.mkdir()
    metrics = RunFolder(folders[0]).read("metrics.json")
    evil = "<script>alert('x')</script> & \"more\""
    metrics |= {"target": evil, "doubts": [evil]}
    folder.write("metrics.json", metrics)
    folder.write("config.json", {"preset": evil, "flow": {"name": evil}})
    folder.write("env.json", {"command": evil, "packages": {evil: evil}})
    write_report(folder, [])
    text = (folder.path / "report.html").read_text()
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 7


def test_elements_escape_what_they_hold():
    inner = tag("b", "1 < 2")
    assert tag("p", inner, " & ", title='"') == (
        '<p title="&quot;"><b>1 &lt; 2</b> &amp; </p>'
    )


def test_the_settings_of_a_folder_are_those_of_its_run(folders):
    """As the page says how to repeat it from Python."""
    config = json.loads((folders[1] / "config.json").read_text())
    assert to_json(from_json(config)) == config
    assert config["base"]["variance"] == 6.0


@pytest.fixture(scope="module")
def comparison(folders, tmp_path_factory):
    output = tmp_path_factory.mktemp("compared") / "both.html"
    main(["compare", *map(str, folders), "--output", str(output)])
    return output.read_text()


def rows(page, heading):
    """Return the cells of the table that follows a heading, row by row."""
    table = page.split(f"<h2>{heading}</h2>")[1].split("</table>")[0]
    return [
        re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in table.split("<tr>")[1:]
    ]


def test_a_comparison_names_what_differs_and_nothing_else(comparison, folders):
    head, *differences = rows(comparison, "Settings that differ")
    assert head == ["setting", "narrow", "wide"]
    assert differences == [
        ["base.variance", "5.0", "6.0"],
        ["training.learning_rate", "0.01", "0.003"],
    ]
    head, first, *_ = rows(comparison, "Estimates")
    texts = [
        json.loads((folder / "metrics.json").read_text())["aggregate"]["ess"]["text"]
        for folder in folders
    ]
    assert head == ["quantity", "narrow", "wide"]
    assert first == ["ESS", *texts]


def test_only_finished_and_different_runs_are_compared(folders, tmp_path, capsys):
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "metrics.json").write_text('{"colour": "blue"}')
    for words, message in (
        ([folders[0], tmp_path], "holds no finished run: metrics.json is not there"),
        ([folders[0], foreign], "foreign/metrics.json is damaged, or not of this"),
        ([folders[0]], "name two or more different folders of finished runs"),
        ([folders[0], folders[0]], "name two or more different folders"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["compare", *map(str, words), "--output", str(tmp_path / "no.html")])
        assert stop.value.code == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    assert not (tmp_path / "no.html").exists()


@needs_browser
@pytest.mark.parametrize("width", [1200, 390])
def test_pages_fit_the_window_and_show_their_pictures(
    page, comparison, width, tmp_path
):
    for text, pictures in ((page, 4), (comparison, 2)):
        found = seen(text, width, tmp_path)
        assert found.pictures == pictures
        assert found.broken == 0
        assert found.width <= found.window <= width


@needs_browser
def test_a_page_that_is_too_wide_is_noticed(tmp_path):
    text = '<p style="width: 700px">wide</p><img src="data:image/png;base64,AAAA">'
    found = seen(text, 390, tmp_path)
    assert found.width > found.window
    assert found.broken == 1


def test_the_largest_numbers_of_a_run_can_be_unknown(folders, tmp_path):
    """A run whose weights are no numbers has a page, too."""
    folder = RunFolder(tmp_path / "unknown")
    folder.path.mkdir()
    for name in ("config.json", "env.json"):
        folder.write(name, RunFolder(folders[0]).read(name))
    metrics = RunFolder(folders[0]).read("metrics.json")
    nothing = {"mean": None, "std": None, "text": "-"}
    metrics["aggregate"] |= {"ess": nothing, "max_weight_share": nothing}
    for seed in metrics["seeds"]:
        seed["log_z"] = None
    folder.write("metrics.json", metrics)
    arrays = RunFolder(folders[0]).read_arrays()
    arrays["log_w"] = np.full_like(arrays["log_w"], -np.inf)
    folder.write_arrays("samples.npz", arrays)
    write_report(folder, make_figures(folder))
    assert "<img" in (folder.path / "report.html").read_text()
