"""The page, the JSON, the figure and the command of a trace."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from scratchgen import cli
from scratchgen.trace import trace_case
from scratchgen.trace.equations import Equation, equation, listed, source_files
from scratchgen.trace.figure import MOST
from scratchgen.trace.graph import layout
from scratchgen.trace.statements import PACKAGE
from scratchgen.trace.typeset import mathml

SMALL = ("VAE", "WGAN dense, penalised", "LogisticRegression", "HiddenMarkovModel")
VOID = {"meta", "link", "br", "hr", "img", "input"}
TRACES = {}


def traced(name):
    if name not in TRACES:
        TRACES[name] = trace_case(name)
    return TRACES[name]


class Reader(HTMLParser):
    """Read a page: the ids, the links, the elements that are not closed, and the text of each step."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.open, self.wrong, self.tags = [], [], [], [], set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.add(tag)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [value for name, value in attributes if name in ("href", "src", "action", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.mark.parametrize("name", SMALL)
def test_page_parses_and_refers_to_nothing_outside(name):
    text = traced(name).to_html()
    reader = Reader(text)
    assert not reader.wrong and not reader.open
    assert len(reader.ids) == len(set(reader.ids))
    inside = {link[1:] for link in reader.links if link.startswith("#")}
    assert inside <= set(reader.ids)
    assert [link for link in reader.links if not link.startswith("#")] == ["data:,"]
    assert not reader.tags & {"script", "img", "iframe", "object", "embed"}
    assert "@import" not in text and not re.search(r"url\((?!#p\dsarrow\))", text)
    assert not re.search(r"https?://", text)


@pytest.mark.parametrize("name", SMALL)
def test_each_step_has_its_equations_beside_its_code_and_a_box(name):
    found = traced(name)
    text = found.to_html()
    for number, phase in enumerate(found.phases):
        ids = {f"p{number}s{step.index}" for step in phase.steps}
        assert ids <= set(Reader(text).ids)
        places = layout(phase)
        assert len(set(places.values())) == len(places)     # no two boxes at one place
        drawn = {step.index for step in phase.steps if not step.container}
        assert drawn <= set(places)
    if name == "VAE":
        formula = mathml("z = mu + std·eps,  eps ~ N(0, I)")
        (pair,) = re.findall(rf"{re.escape(formula)}.*?</pre>", text, re.DOTALL)
        assert "models/vae/model.py:" in pair and "z = mu + std * eps" in pair
        assert "The whole method, layers/linear.py" in text and "def backward(self, dout: Array" in text


def test_a_wrong_gradient_is_marked_on_the_page(monkeypatch):
    from scratchgen.distributions import Normal

    right = Normal.kl_grad
    monkeypatch.setattr(Normal, "kl_grad", staticmethod(lambda *a: tuple(2 * g for g in right(*a))))
    found = trace_case("VAE")
    text = found.to_html()
    assert not found.ok and 'class="verdict wrong"' in text and '<g class="wrong">' in text
    step, what, _ = found.phases[0].disagreements[0]
    assert what in ("dmu", "dlogvar") and f"step {step.index}, " in text


def test_every_equation_of_the_library_becomes_well_formed_mathematics():
    equations = [e for file in source_files() for e in listed(file).values()]
    assert len(equations) > 300
    for e in equations:
        root = ElementTree.fromstring(mathml(e.formula))
        letters = "".join(root.itertext())
        assert e.formula and letters, e
        assert not re.search(r"[_^]", letters), e


@pytest.mark.parametrize(
    ("formula", "inside"),
    [
        ("x_t", "<msub><mi>x</mi><mi>t</mi></msub>"),
        ("W²", "<msup><mi>W</mi><mrow><mn>2</mn></mrow></msup>"),
        ("J_gᵀ", "<msubsup><mi>J</mi><mi>g</mi><mrow><mi>T</mi></mrow></msubsup>"),
        ("h_{t−1}", "<msub><mi>h</mi><mrow><mi>t</mi><mo>−</mo><mn>1</mn></mrow></msub>"),
        ("Σₙ", "<msub><mi>Σ</mi><mrow><mi>n</mi></mrow></msub>"),
        ("√D", "<msqrt><mi>D</mi></msqrt>"),
        ("eps", "<mi>ε</mi>"),
        ("logvar", "<mi>logvar</mi>"),
        ("a < b", "<mi>a</mi><mo>&lt;</mo><mi>b</mi>"),
    ],
)
def test_formula_is_typeset(formula, inside):
    assert f"<mrow>{inside}</mrow></math>" in mathml(formula)


def test_equations_are_read_from_docstrings():
    file = str(PACKAGE / "layers" / "linear.py")
    first = "x (N, D), W (D, M), b (M,), out (N, M)"
    found = equation("LIN.1", file)
    assert found == Equation("LIN.1", "out = x·W + b", first, "Linear", "docs/backprop.md")
    assert equation("ZZZ.9", file) == Equation("ZZZ.9", "")
    batch_norm = equation("BN.11", file)
    assert batch_norm.formula.count("\n") == 1 and batch_norm.remark == "unbiased"


def test_equations_that_the_documentation_shows_are_in_the_trace():
    page = (PACKAGE.parent / "docs" / "trace.md").read_text(encoding="utf-8")
    shown = re.findall(r"^ +(\([A-Z]+\.\d+\)  .*?)  +(\S+):\d+$", page, re.MULTILINE)
    text = re.sub(r":\d+$", "", str(traced("VAE")), flags=re.MULTILINE)
    assert len(shown) >= 5
    for formula, file in shown:
        assert re.search(rf"{re.escape(formula)} +{re.escape(file)}$", text, re.MULTILINE), formula


NUMBERS = {"mean", "rms", "low", "high", "norm"}
VALUE = {"name", "shape", "dtype", "check", *NUMBERS}
STEP = {
    "index", "pass", "kind", "name", "layer", "depth", "note", "file", "line", "uses", "forward_step",
    "incoming_gradient", "values", "parameter_gradients", "lines",
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_json_has_the_documented_fields(name):
    found = traced(name)
    read = json.loads(found.to_json(), parse_constant=lambda word: pytest.fail(word))
    assert set(read) == {
        "schema", "model", "title", "batch", "parameters", "tolerance", "agrees", "phases"
    }  # fmt: skip
    assert read["schema"] == 1 and read["agrees"] is True
    for phase in read["phases"]:
        assert set(phase) == {"name", "title", "loss", "gradient_norm", "parameters", "check", "steps"}
        assert [step["index"] for step in phase["steps"]] == list(range(len(phase["steps"])))
        for step in phase["steps"]:
            assert set(step) == STEP
            assert step["pass"] in ("forward", "backward", "tangent")
            assert all(source < step["index"] for source in step["uses"])
            incoming = [] if step["incoming_gradient"] is None else [step["incoming_gradient"]]
            for value in [*incoming, *step["values"], *step["parameter_gradients"]]:
                assert set(value) == VALUE
                assert value["check"] is None or set(value["check"]) == {"error", "verdict"}
            for code in step["lines"]:
                assert set(code) == {"file", "line", "code", "equations"}
                source = (PACKAGE / code["file"]).read_text(encoding="utf-8").splitlines()
                assert code["code"].splitlines()[0] in source[code["line"] - 1]
                for e in code["equations"]:
                    assert set(e) == {"number", "formula", "remark", "chapter"} and e["formula"]


@pytest.mark.parametrize("name", ["VAE", "WGAN dense, penalised"])
def test_figure_has_a_panel_for_each_loss_and_a_bar_for_each_output(name):
    found = traced(name)
    fig = found.flow_figure()
    assert len(fig.axes) == len(found.phases)
    for ax, phase in zip(fig.axes, found.phases, strict=True):
        outputs = [s for s in phase.of("backward") if s.incoming is not None and not s.container]
        assert min(MOST, len(outputs)) <= len(ax.patches)
        assert ax.get_xlabel().startswith("rms of the gradient")


def test_command_prints_text_and_json_and_writes_files(tmp_path, capsys):
    assert cli.main(["trace", "MLPClassifier"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("MLPClassifier: one training step") and max(map(len, out.splitlines())) <= 80
    assert cli.main(["trace", "MLPClassifier", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"] == "MLPClassifier"
    page, plot = tmp_path / "a.html", tmp_path / "a.png"
    assert cli.main(["trace", "MLPClassifier", "--html", str(page), "--plot", str(plot)]) == 0
    assert capsys.readouterr().out == f"page: {page}\ngradient flow: {plot}\n"
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>") and plot.stat().st_size > 5000


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "trace expected a MODEL, such as VAE, or --list"),
        (["VAE", "--list"], "got both"),
        (["VEA"], "VAE"),
        (["PCA"], "PCA has no training step"),
        (["VAE", "--plot", "a.txt"], ".png"),
        (["VAE", "--html", "."], "is a folder"),
    ],
)
def test_command_refuses_in_one_line(words, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["trace", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_command_fails_if_a_gradient_is_wrong(monkeypatch, capsys):
    from scratchgen.layers import SiLU

    right = SiLU.backward

    def backward(self, dout, cache, input_grad=True):
        return -right(self, dout, cache, input_grad)

    monkeypatch.setattr(SiLU, "backward", backward)
    assert cli.main(["trace", "MLPClassifier"]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "The backward pass of step" in out and "net.1 (SiLU)" in out


@pytest.mark.slow
def test_page_opens_in_a_browser_without_an_error(tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium is installed")
    page = traced("VAE").save_page(tmp_path / "vae.html")
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom"]
    options.append(f"--user-data-dir={tmp_path / 'profile'}")
    done = subprocess.run(
        [browser, *options, page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    assert "One loss" in done.stdout and "CONSOLE" not in done.stderr


