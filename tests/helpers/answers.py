"""The results of a fitted model, for tests that compare a model with one that was saved and loaded.

python -m helpers.answers FOLDER        load each FOLDER/NAME.model and write its answers, in a new process
"""

import sys
from pathlib import Path

import numpy as np

from scratchgen.models import NoLikelihood
from scratchgen.models.cases import EXAMPLES

KINDS = {example.name: example for example in EXAMPLES}
METHODS = (
    "transform",
    "reconstruct",
    "predict",
    "predict_proba",
    "predict_real",
    "critic_score",
    "score_samples",
    "log_likelihoods",
    "decision_function",
    "viterbi",
    "posterior",
)


def data(name):
    """Training data (X, y) for the example of that name; y is None for a model without labels."""
    example = KINDS[name]
    X = example.text or np.random.default_rng(5).random(example.shape).astype(np.float32)
    return X, np.arange(24) % example.classes if example.classes else None


def fitted(name):
    """The example of that name, fitted."""
    example, (X, y) = KINDS[name], data(name)
    run = {} if example.fit is None else {**example.fit, "rng": 3}
    return example.build(np.random.default_rng(0)).fit(X, y, **run)


def answers(model, name):
    """The results of all methods that the model has, as arrays."""
    example, (X, y) = KINDS[name], data(name)
    if example.text:
        return {"log_probabilities": model.log_probabilities(X), "sample": model.sample(3, rng=7)}
    x = np.round(X) if hasattr(model, "binarisation") else X
    labels = {"y": y[:3]} if example.given_labels else {}
    calls = {method: (x, y) if example.given_labels else (x,) for method in METHODS if hasattr(model, method)}
    found = {}
    for method, arguments in calls.items():
        try:
            answer = getattr(model, method)(*arguments)
        except (NoLikelihood, TypeError) as error:
            assert name in str(error)
            continue
        several = answer if isinstance(answer, tuple) else (answer,)
        found |= {f"{method}.{i}": np.asarray(a) for i, a in enumerate(several)}
    try:
        found["sample"] = model.sample(3, rng=7, **labels)
    except TypeError as error:
        assert "cannot sample" in str(error)
    assert found
    return found


def main(folder):
    """Load the models in `folder` and write their answers beside them."""
    import scratchgen

    for path in sorted(Path(folder).glob("*.model")):
        np.savez(path.with_suffix(".npz"), **answers(scratchgen.load(path), path.stem))


if __name__ == "__main__":
    main(sys.argv[1])
