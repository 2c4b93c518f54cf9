"""The recipes of docs/how-to.md run as they are, in an empty folder."""

import logging
import os
import re
import subprocess
import sys

import pytest
from helpers.pages import ROOT, anchors, blocks, links

PAGE = (ROOT / "docs" / "how-to.md").read_text(encoding="utf-8")
SECTIONS = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
RECIPES = {section.splitlines()[0]: section for section in SECTIONS}
SLOW = {
    "Train a model", "Plot the training curve", "Sample and plot in a notebook", "Stop early",
    "Your own callback", "Train with MPI",
}
APART = {"Train with MPI"}      # in a process of its own, because MPI is started once per process
OUTPUT = {      # what a recipe prints, as a pattern
    "Train a model": r"(?:epoch \d: loss \d+\.\d, validation \d+\.\d nats\n){3}",
    "Resume a run": r"finished after step 40, 5 of 5 epochs done\n",
    "Stop early": r"stopped after .*: the validation value was not below [\d.]+ for 2 epochs\nbest .*\n",
    "Train within a time budget": r"stopped after .*: the time limit of 0\.5 s is reached\nloss [\d.]+\n",
    "Log to CSV": r"epoch,loss,lr,step,seconds\n1,.*\n2,.*\n3,.*\n\n\('epoch', .*\) \(3, 5\)\n",
    "Your own callback": r"stopped after .*: the loss is \d+ \d+ \(4, 784\)\n",
    "Run a study on several machines": r"(?s).*\['pca', 'pca', 'pca', 'intensity'\]\n",
    "Train with MPI": r"1 ranks, loss [\d.]+\n|training on several ranks needs .*\n",
    "Your own images": r"\(80, 144\) 0\.0 1\.0 \[40 40\]\n[\d.]+ [\d.]+\n",
    "Debug with pdb": r"(?s).*encoder.*\d\.\d\de[+-]\d\d\n",
}


def test_page_has_the_recipes_and_lists_them_all():
    assert len(RECIPES) >= 15
    listed = {target[1:] for target in links(PAGE.split("\n## ")[0]) if target.startswith("#")}
    assert listed == anchors(PAGE) - {"how-to-short-recipes"}
    assert set(OUTPUT) | SLOW <= set(RECIPES)
    for name, section in RECIPES.items():
        (block,) = blocks(section)
        assert block.language == "python" and len(block.text.splitlines()) <= 30, name


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in RECIPES]
)
def test_recipe_runs_in_an_empty_folder(name, tmp_path, monkeypatch, capsys):
    """The breakpoint prints where it is and continues."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "breakpointhook", lambda: None)
    (block,) = blocks(RECIPES[name])
    if name in APART:
        words, path = [sys.executable, "-c", block.text], {"PYTHONPATH": str(ROOT)}
        run = subprocess.run(words, env=os.environ | path, capture_output=True, text=True, check=True)
        assert re.fullmatch(OUTPUT[name], run.stdout), run.stdout
        return
    with monkeypatch.context() as patch:
        patch.setattr(logging.getLogger("scratchgen"), "level", logging.ERROR)
        exec(compile(block.text, f"{name}.py", "exec"), {"__name__": "recipe"})
    printed = capsys.readouterr().out
    if name in OUTPUT:
        assert re.fullmatch(OUTPUT[name], printed), printed


def test_recipe_that_fails_is_found():
    assert not re.fullmatch(OUTPUT["Resume a run"], "finished after step 16, 2 of 5 epochs done\n")
