"""The demos of discriminative and generative models on less data: their numbers support their claims."""

import pytest

pytestmark = pytest.mark.slow


def test_two_views_agree_near_the_data_and_densities_are_low_far_away(run_demo):
    table = run_demo("classical.two_views", tested=4000, epochs=60)["table"]
    best = table.pop("best possible")["error"]
    assert list(table) == ["logistic regression", "net 2-16-2", "naive Bayes", "LDA", "QDA"]
    for name, row in table.items():
        assert best - 0.003 < row["error"] < best + 0.02
        assert row["agrees with best"] > 0.97 and row["P(y=1 | x) far away"] > 0.99
        assert ("log p(x) far away" in row) == (name in ("naive Bayes", "LDA", "QDA"))
        if "log p(x) far away" in row:
            assert row["log p(x) far away"] < row["lowest in training"] - 30


def test_bayes_bridge_is_exact_and_large_tables_have_unseen_rows(run_demo):
    results = run_demo("classical.bayes_bridge")
    assert results["differences"]["by Bayes"] < 1e-12
    assert results["differences"]["naive Bayes"] > 0.03
    unseen, by_table, by_naive = "test digits in unseen rows", "error of the table", "error of naive Bayes"
    few, many = results["errors"][3], results["errors"][30]
    assert few["rows of the table"] == 8 and few[unseen] == 0 and abs(few[by_table] - few[by_naive]) < 0.03
    assert many[unseen] > 0.90 and many[by_table] > many[by_naive] + 0.15


def test_crossing_has_fewer_errors_with_more_examples(run_demo):
    pytest.importorskip("sklearn")
    settings = {"repeats": 4, "largest": 200, "updates": 100, "draws": 2}
    results = run_demo("classical.crossing", **settings)
    assert list(results["curves"]) == ["iris", "wine", "breast cancer", "digits, 8×8", "digits, 28×28"]
    for curves in results["curves"].values():
        for errors in (curves.naive, curves.logistic):
            assert errors[-1][0] < errors[0][0]
        assert len(curves.sizes) >= 3 and curves.verdict
    for by_size in results["densities"].values():               # of MADE, of NICE; guessing errs in 90 %
        (few, _), *_, (many, _) = by_size.values()
        assert many < few - 0.05 and many < 0.60


def test_only_generative_models_generate_and_handle_missing_pixels(run_demo):
    results = run_demo("classical.only_generative", examples=2000, tested=300, epochs=6)
    assert results["read"]["naive Bayes"] > 0.50 and results["read"]["Gaussians"] > 0.50
    errors = results["errors"]
    summed, black = (errors[f"naive Bayes, {how}"] for how in ("summed out", "black"))
    assert summed[0.75] < summed[0.0] + 0.12 and black[0.75] > summed[0.75] + 0.10
    assert errors["Gaussians, integrated out"][0.75] < errors["net, black"][0.75]
    auroc = results["auroc"]["Gaussians, log p(x)"]
    assert auroc["noise"] > 0.99 and auroc["shuffled"] > 0.9 and auroc["blank"] < 0.5
