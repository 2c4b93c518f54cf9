"""Checkpoints: a resumed run gives the same bits, and a file that does not fit is refused."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from helpers.same import expect_same
from helpers.tiny_run import Net, ctrl_c_in_step, tiny_trainer
from safetensors.numpy import load_file, save_file

from scratchgen import kernels
from scratchgen.layers import Layer, Parameter
from scratchgen.training import checkpoint
from scratchgen.training.callbacks import EarlyStopping
from scratchgen.training.loop import Callback, TrainingDiverged
from scratchgen.training.optimisers import SGD, Adam, RMSProp


@pytest.fixture(autouse=True)
def plain_kernels():
    with kernels.use("reference"):
        yield


class SaveAt(Callback):
    """Save the run after one given step."""

    def __init__(self, path, step):
        self.path, self.step = path, step

    def on_step(self, trainer, values):
        if trainer.step == self.step:
            checkpoint.save(self.path, trainer)


OPTIMIZERS = {
    "sgd": lambda p: SGD(p, 0.01),
    "momentum": lambda p: SGD(p, 0.01, momentum=0.9),
    "rmsprop": lambda p: RMSProp(p, 0.01),
    "adam": lambda p: Adam(p, 0.01),
    "two": lambda p: {
        "first": Adam({k: v for k, v in p.items() if k.startswith("body.0")}, 0.01),
        "last": SGD({k: v for k, v in p.items() if k.startswith("body.3")}, 0.01, momentum=0.5),
    },
}


class StepsAll(Net):
    """A net whose training step calls every optimiser."""

    def train_step(self, batch, optimizer, rng):
        several = list(optimizer.values()) if isinstance(optimizer, dict) else [optimizer]
        for part in several:
            part.zero_grad()
        loss, cache = self.loss(*batch, rng=rng, training=True)
        self.backward(cache)
        for part in several:
            part.step()
        return {"loss": loss}


def run_of(kind, seed=0, epochs=4, **others):
    net = StepsAll(seed)
    return tiny_trainer(epochs, seed=seed, net=net, optimizer=OPTIMIZERS[kind](net.parameters()), **others)


def state_of(trainer):
    """The whole state of a run, as one flat dict of lists."""
    optimizer = trainer.optimizer
    several = optimizer if isinstance(optimizer, dict) else {"": optimizer}
    return {
        "weights": {name: p.value.tolist() for name, p in trainer.model.parameters().items()},
        "buffers": {name: b.tolist() for name, b in trainer.model.buffers().items()},
        "moments": {name: {k: a.tolist() for k, a in o.state().items()} for name, o in several.items()},
        "updates": {name: o.steps for name, o in several.items()},
        "steps": trainer.history.steps,
        "epochs": {k: v for k, v in trainer.history.epochs.items() if k != "seconds"},
        "place": (trainer.step, trainer.epoch, trainer.batches.state()),
        "draws": [g.random() for g in (trainer.rng, *trainer.model.generators().values())],
    }


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("step", [7, 10, 20])      # within an epoch, after an epoch, after the run
def test_resumed_run_equals_an_uninterrupted_run(tmp_path, kind, step):
    uninterrupted = run_of(kind, callbacks=[SaveAt(tmp_path / "run.safetensors", step)])
    uninterrupted.run()
    resumed = run_of(kind, seed=50)             # with other weights and random numbers
    checkpoint.load(tmp_path / "run.safetensors", resumed)
    assert resumed.step == step
    assert 0 < resumed.history.seconds <= uninterrupted.history.seconds
    resumed.run()
    assert state_of(resumed) == state_of(uninterrupted)


def test_epochs_is_the_total_number_for_a_resumed_run(tmp_path):
    path = tmp_path / "run.safetensors"
    run_of("adam", epochs=2, callbacks=[checkpoint.Checkpointer(path)]).run()
    longer = run_of("adam", seed=9, epochs=3)
    checkpoint.load(path, longer)
    longer.run()
    assert longer.step == 15
    uninterrupted = run_of("adam", epochs=3)
    uninterrupted.run()
    assert state_of(longer) == state_of(uninterrupted)

    same = run_of("adam", seed=9, epochs=2)
    checkpoint.load(path, same)
    assert same.run().ended == "nothing left to do: 2 epochs are done, and epochs=2 is the total"
    assert same.step == 10


def test_ctrl_c_saves_a_state_between_two_steps(tmp_path):
    path = tmp_path / "run.safetensors"
    stopped = run_of("adam", callbacks=[checkpoint.Checkpointer(path)])
    with ctrl_c_in_step(stopped.model, 8), pytest.raises(KeyboardInterrupt):
        stopped.run()
    resumed, uninterrupted = run_of("adam", seed=50), run_of("adam")
    checkpoint.load(path, resumed)
    assert resumed.step == resumed.optimizer.steps == 8
    resumed.run()
    uninterrupted.run()
    assert state_of(resumed) == state_of(uninterrupted)


def test_checkpoint_contains_the_weights_of_the_best_epoch(tmp_path):
    def early(seed, epochs):
        values = [3.0, 1.0, 2.0, 2.0, 2.0]
        callbacks = [EarlyStopping(2), checkpoint.Checkpointer(path, overwrite=True)]
        return run_of("adam", seed, epochs, callbacks=callbacks, validate=lambda: values[trainers[-1].epoch])

    path, trainers = tmp_path / "run.safetensors", []
    trainers.append(early(0, 5))
    trainers[-1].run()
    best = trainers[0].optimizer.value.copy()
    trainers.append(early(0, 3))
    trainers[-1].run()
    trainers.append(early(50, 5))
    checkpoint.load(path, trainers[-1])
    history = trainers[-1].run()
    assert trainers[-1].epoch == 4 and "for 2 epochs" in history.ended
    np.testing.assert_array_equal(trainers[-1].optimizer.value, best)

    trainers.append(early(50, 5))               # the stopped run does not continue
    checkpoint.load(path, trainers[-1])
    assert trainers[-1].run().epochs["step"] == [5, 10, 15, 20]


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_checkpoint_keeps_every_kind_of_generator(tmp_path, kind):
    def trainer(seed):
        made = run_of("sgd")
        made.rng = np.random.Generator(kind(seed))
        return made

    saved, loaded = trainer(1), trainer(2)
    saved.rng.random(3)
    checkpoint.save(tmp_path / "run", saved)
    checkpoint.load(tmp_path / "run", loaded)
    np.testing.assert_array_equal(saved.rng.random(9), loaded.rng.random(9))

    message = f"expected random generator training to be PCG64, the file has {kind.__name__}$"
    with pytest.raises(ValueError, match=message):
        checkpoint.load(tmp_path / "run", run_of("sgd"))


def test_checkpointer_saves_at_the_interval_and_at_the_end(tmp_path, monkeypatch):
    saved = []
    monkeypatch.setattr(checkpoint, "save", lambda path, trainer, config: saved.append(trainer.epoch))
    run_of("sgd", epochs=5, callbacks=[checkpoint.Checkpointer(tmp_path / "run", every=2)]).run()
    assert saved == [2, 4, 5]


def test_model_is_loaded_from_either_kind_of_file(tmp_path):
    trainer = run_of("adam", epochs=1)
    trainer.run()
    checkpoint.save(tmp_path / "run", trainer, {"hidden": 4})
    checkpoint.save_model(tmp_path / "weights", trainer.model, {"hidden": 4})
    for name in ("run", "weights"):
        model = StepsAll(seed=50, **checkpoint.read_config(tmp_path / name))
        checkpoint.load_model(tmp_path / name, model)
        for key, p in trainer.model.parameters().items():
            np.testing.assert_array_equal(model.parameters()[key].value, p.value)
        np.testing.assert_array_equal(model.body[2].running_mean, trainer.model.body[2].running_mean)
    assert os.path.getsize(tmp_path / "weights") < os.path.getsize(tmp_path / "run")
    with pytest.raises(ValueError, match="contains weights but no run; read it with load_model"):
        checkpoint.load(tmp_path / "weights", trainer)


def test_checkpoint_is_never_written_with_nan(tmp_path):
    path = tmp_path / "run"
    trainer = run_of("adam", epochs=1)
    trainer.run()
    checkpoint.save(path, trainer)
    before = path.read_bytes()
    trainer.model.body[0].bias.value[1] = np.nan
    with pytest.raises(TrainingDiverged, match=r"at step 5 .*body.0.bias \(its value\)"):
        checkpoint.save(path, trainer)
    trainer.model.body[0].bias.value[1] = 0
    trainer.model.body[2].running_mean[0] = np.inf
    with pytest.raises(ValueError, match=r"save_model expected .* body.2.running_mean \(a buffer\)"):
        checkpoint.save_model(path, trainer.model)
    assert path.read_bytes() == before


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path, monkeypatch, call):
    path = tmp_path / "run"
    trainer = run_of("adam")
    checkpoint.save(path, trainer)
    before = path.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    trainer.run()
    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="No space left"):
        checkpoint.save(path, trainer)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["run"]


def test_checkpointer_checks_the_folder_before_the_first_step(tmp_path):
    trainer = run_of("sgd", callbacks=[checkpoint.Checkpointer(tmp_path / "none" / "run")])
    with pytest.raises(FileNotFoundError, match="Checkpointer cannot save run: no folder .*none"):
        trainer.run()
    assert trainer.step == 0


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"every": 0}, ValueError, "Checkpointer expected every of at least 1, got 0"),
        ({"every": 1.5}, TypeError, "Checkpointer expected every to be an int, got 1.5"),
        ({"every": True}, TypeError, "Checkpointer expected every to be an int, got True"),
        ({"overwrite": "no"}, TypeError, "Checkpointer expected overwrite to be True or False, got 'no'"),
    ],
)
def test_checkpointer_refuses_settings_of_another_type(tmp_path, settings, error, message):
    with pytest.raises(error, match=message):
        checkpoint.Checkpointer(tmp_path / "run", **settings)


@pytest.mark.parametrize("config", [[1], "abc", 3])
def test_config_that_could_not_be_read_is_refused_before_the_first_step(tmp_path, config):
    trainer = run_of("sgd", callbacks=[checkpoint.Checkpointer(tmp_path / "run", config=config)])
    message = f"Checkpointer expected config to be a dict, got {type(config).__name__}"
    with pytest.raises(TypeError, match=message):
        trainer.run()
    assert trainer.step == 0 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"every": 1.5}, "Checkpointer expected every to be an int, got 1.5"),
        ({"every": "2"}, "Checkpointer expected every to be an int, got '2'"),
        ({"overwrite": "no"}, "Checkpointer expected overwrite to be True or False, got 'no'"),
        ({"path": 5}, "Checkpointer expected a path, got int"),
    ],
)
def test_checkpointer_refuses_arguments_of_other_types(settings, message):
    """every=1.5 saved every third epoch, and overwrite="no" replaced the file."""
    with pytest.raises(TypeError, match=message):
        checkpoint.Checkpointer(**{"path": "run"} | settings)


def test_path_and_trainer_or_model_in_the_wrong_order(tmp_path):
    trainer = run_of("sgd")
    for function, other in (
        (checkpoint.save, trainer), (checkpoint.load, trainer),
        (checkpoint.save_model, trainer.model), (checkpoint.load_model, trainer.model),
    ):  # fmt: skip
        message = f"{function.__name__} expected a path, got {type(other).__name__}"
        with pytest.raises(TypeError, match=message):
            function(other, tmp_path / "run")
    for function in (checkpoint.read_config, checkpoint.is_finished):
        with pytest.raises(TypeError, match=f"{function.__name__} expected a path, got int"):
            function(5)


@pytest.mark.skipif(os.name == "nt", reason="there are no pipes in folders")
def test_pipe_is_not_replaced_by_a_checkpoint(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    trainer = run_of("sgd", callbacks=[checkpoint.Checkpointer(pipe)])
    with pytest.raises(FileExistsError, match="expected a regular file to write, but .*pipe is a device"):
        trainer.run()
    assert trainer.step == 0
    for save in (
        lambda: checkpoint.save(pipe, run_of("sgd")),
        lambda: checkpoint.save_model(pipe, run_of("sgd").model),
    ):
        with pytest.raises(FileExistsError, match="is a device, a pipe"):
            save()
    assert pipe.is_fifo() and os.listdir(tmp_path) == ["pipe"]


def test_checkpoint_that_cannot_be_read_raises(tmp_path):
    trainer, path = run_of("adam"), tmp_path / "run"
    checkpoint.save(path, trainer)
    complete = path.read_bytes()
    for content in (b"", b"PK\x03\x04 something else", complete[:-8], complete[:100]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="run is (not a complete safetensors file|damaged): "):
            checkpoint.load(path, trainer)
    save_file({"a": np.zeros(2)}, path)
    with pytest.raises(ValueError, match="expected the format 'scratchgen 2', the file has 'none'"):
        checkpoint.load(path, trainer)
    save_file({"a": np.zeros(2)}, path, metadata={"format": "scratchgen 3"})
    with pytest.raises(ValueError, match="expected the format 'scratchgen 2', the file has 'scratchgen 3'"):
        checkpoint.load(path, trainer)
    save_file({"a": np.zeros(2)}, path, metadata={"format": "scratchgen 2"})
    with pytest.raises(ValueError, match="run is damaged: the checksum of its header does not agree"):
        checkpoint.load(path, trainer)


class Wider(StepsAll):
    """A net with one more buffer than the saved one."""

    buffer_names = ("extra",)
    extra = np.zeros(3)


def wider_trainer():
    net = Wider()
    return tiny_trainer(net=net, optimizer=OPTIMIZERS["adam"](net.parameters()))


def narrower_trainer():
    net = StepsAll(hidden=3)
    return tiny_trainer(net=net, optimizer=OPTIMIZERS["adam"](net.parameters()))


def single_trainer():
    net = StepsAll()
    for module in net.modules():
        for name, p in module.own_parameters().items():
            setattr(module, name, Parameter(p.value.astype(np.float32)))
    return tiny_trainer(net=net, optimizer=OPTIMIZERS["adam"](net.parameters()))


def other_batches():
    trainer = run_of("adam")
    trainer.batches.batch_size = 6
    return trainer


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (narrower_trainer, r"weight: float64 \(3, 4\) in the file, float64 \(3, 3\) in the model"),
        (narrower_trainer, "body.0.out_features: 4 in the file, 3 in the model; "),
        (single_trainer, r"weight: float64 \(3, 4\) in the file, float32 \(3, 4\) in the model"),
        (wider_trainer, r"another model: StepsAll\(\) in the file, Wider\(\) in the model"),
        (lambda: run_of("rmsprop"), "the optimiser is Adam in the file, RMSProp in the trainer"),
        (lambda: run_of("sgd"), "the optimiser is Adam in the file, SGD in the trainer"),
        (lambda: run_of("two"), r"expected the optimisers \['first', 'last'\], the file has \[''\]"),
        (other_batches, "Batches expected a state with batch_size 6, got 5"),
    ],
)
def test_checkpoint_that_does_not_fit_changes_nothing(tmp_path, build, message):
    saved = run_of("adam", epochs=1)
    saved.run()
    checkpoint.save(tmp_path / "run", saved)
    trainer, twin = build(), build()
    with pytest.raises(ValueError, match=message):
        checkpoint.load(tmp_path / "run", trainer)
    assert state_of(trainer) == state_of(twin)


def test_checkpoint_is_a_plain_safetensors_file(tmp_path):
    trainer = run_of("adam", epochs=1)
    trainer.run()
    checkpoint.save(tmp_path / "run", trainer, {"hidden": 4})
    tensors = load_file(tmp_path / "run")
    np.testing.assert_array_equal(tensors["model.body.0.weight"], trainer.model.body[0].weight.value)
    np.testing.assert_array_equal(tensors["optimizer.m"], trainer.optimizer.m)
    np.testing.assert_array_equal(tensors["history.steps.loss"], trainer.history.steps["loss"])
    header = (tmp_path / "run").read_bytes()
    length = int.from_bytes(header[:8], "little")
    assert json.loads(header[8 : 8 + length])["__metadata__"]["format"] == "scratchgen 2"


def test_history_keeps_the_order_of_its_names(tmp_path):
    """A safetensors file sorts names, but "loss" must come first, as in the report of the model."""
    trainer = run_of("adam")
    trainer.run()
    trainer.history.steps = {"loss": [3.0, 2.0], "kl": [1.0, 1.0], "a": [0.5, 0.4]}
    checkpoint.save(tmp_path / "run.safetensors", trainer)
    resumed = run_of("adam")
    checkpoint.load(tmp_path / "run.safetensors", resumed)
    assert list(resumed.history.steps.items()) == list(trainer.history.steps.items())
    assert list(resumed.history.epochs) == list(trainer.history.epochs)


def test_checkpoint_keeps_arrays_of_any_memory_layout(tmp_path):
    """safetensors writes memory as it is; buffers may be transposed, reversed or strided views."""

    class Views(Net):
        buffer_names = ("fortran", "reversed", "strided")

        def __init__(self, start):
            super().__init__()
            numbers = start + np.arange(12.0).reshape(3, 4)
            self.fortran = np.asfortranarray(numbers)
            self.reversed, self.strided = numbers[:, ::-1], numbers[:, ::2]

    saved, loaded = Views(0), Views(100)
    checkpoint.save_model(tmp_path / "model", saved)
    checkpoint.load_model(tmp_path / "model", loaded)
    for name, buffer in saved.buffers().items():
        np.testing.assert_array_equal(loaded.buffers()[name], buffer, err_msg=name)


class Remember(Callback):
    """A callback with a given state."""

    def __init__(self, value):
        self.value = value

    def state(self):
        return {"value": self.value}

    def load_state(self, state):
        self.value = state["value"]


STATES = [
    np.array([1.0, 2.0]),
    {"a.b": np.arange(3), "a": {"b": np.ones(2)}},
    (1, [2, None], {"x", "y"}, {3: "three", (1, 2): float("nan")}),
    np.float32(0.1),
    "text",
    np.array(["ä", "b"]),
    np.array(3.0),
    np.zeros((0, 2)),
]


def test_callbacks_of_one_class_keep_separate_states_of_any_kind(tmp_path):
    path = tmp_path / "run"
    saved = run_of("adam", callbacks=[Remember(value) for value in STATES])
    checkpoint.save(path, saved)
    loaded = run_of("adam", callbacks=[Remember(None) for _ in STATES])
    checkpoint.load(path, loaded)
    for callback, value in zip(loaded.callbacks, STATES, strict=True):
        expect_same(callback.value, value)
    fewer = run_of("adam", callbacks=[Remember(None) for _ in STATES[:-1]])
    with pytest.raises(ValueError, match="run has the state of Remember.8, a callback that the"):
        checkpoint.load(path, fewer)
    assert fewer.callbacks[0].value is None
    checkpoint.load(path, fewer, strict=False)
    expect_same(fewer.callbacks[0].value, STATES[0])
    more = run_of("adam", callbacks=[*(Remember(None) for _ in STATES), Remember("new"), EarlyStopping(2)])
    checkpoint.load(path, more)
    assert more.callbacks[-2].value == "new"


def test_two_early_stoppings_keep_their_own_best_epochs(tmp_path):
    path = tmp_path / "run"
    saved = run_of("adam", callbacks=[EarlyStopping(2), EarlyStopping(3)])
    saved.callbacks[0].best, saved.callbacks[1].best = 1.0, 2.0
    saved.callbacks[1].waited = 1
    checkpoint.save(path, saved)
    loaded = run_of("adam", callbacks=[EarlyStopping(2), EarlyStopping(3)])
    checkpoint.load(path, loaded)
    assert [(c.best, c.waited) for c in loaded.callbacks] == [(1.0, 0), (2.0, 1)]


CONFIG = {
    "tuple": (1, (2.5, None)),
    3: "int key",
    "numbers": [float("nan"), -float("inf"), np.float32(0.1), 1 + 2j],
    "path": Path("runs/ü"),
    "set": {1, 2},
    "nested": {"a": [{"b": (True, b"bytes")}], "$object": 1},
}


def test_config_comes_back_equal(tmp_path):
    checkpoint.save(tmp_path / "run", run_of("adam"), CONFIG)
    expect_same(checkpoint.read_config(tmp_path / "run"), CONFIG)
    checkpoint.save_model(tmp_path / "model", StepsAll(), CONFIG)
    expect_same(checkpoint.read_config(tmp_path / "model"), CONFIG)


class Counting(Layer):
    """A layer with an attribute that forward changes, and settings."""

    def __init__(self, rate):
        self.rate, self._calls = rate, 0

    def forward(self, x, training=False):
        self._calls += 1
        return x, None

    def backward(self, dout, cache, input_grad=True):
        return dout


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"config": {"a": [lambda: 1]}}, "Checkpointer cannot store config: config.a.0 is of type function"),
        ({"config": {"a": {"b": np.zeros(3)}}}, "cannot store config: config.a.b is an array; convert"),
        ({"config": {"run": Counting(1)}}, "cannot store config: config.run is of type Counting"),
        (
            {"callbacks": [Remember(0), Remember(object())]},
            "cannot store the state of callback Remember.2: callback.Remember.2.value is of type object",
        ),
        ({"callbacks": [Remember(np.zeros(1, object))]}, "of callback Remember: .*value is of dtype object"),
    ],
)
def test_what_a_checkpoint_cannot_store_is_refused_before_the_first_step(tmp_path, part, said):
    config, callbacks = part.get("config"), part.get("callbacks", [])
    trainer = run_of("adam", callbacks=[*callbacks, checkpoint.Checkpointer(tmp_path / "run", config=config)])
    with pytest.raises(ValueError, match=said):
        trainer.run()
    assert trainer.step == 0 and list(tmp_path.iterdir()) == []


def test_resumed_run_continues_the_attributes_of_its_layers(tmp_path):
    def trainer(rate=0.5):
        made = run_of("adam")
        made.model.body.layers.append(Counting(rate))
        return made

    saved = trainer()
    saved.model.body[-1]._calls = 7
    checkpoint.save(tmp_path / "run", saved)
    resumed = trainer()
    checkpoint.load(tmp_path / "run", resumed)
    assert resumed.model.body[-1]._calls == 7
    with pytest.raises(ValueError, match=r"body.4.rate: 0.5 in the file, 0.1 in the model"):
        checkpoint.load(tmp_path / "run", trainer(0.1))
    checkpoint.load(tmp_path / "run", trainer(0.1), strict=False)


def test_finished_run_is_not_overwritten(tmp_path):
    path = tmp_path / "run"
    run_of("adam", epochs=1, callbacks=[checkpoint.Checkpointer(path)]).run()
    before = path.read_bytes()
    again = run_of("adam", epochs=1, callbacks=[checkpoint.Checkpointer(path)])
    with pytest.raises(ValueError, match="run already contains a finished run: load it to continue it"):
        again.run()
    assert again.step == 0 and path.read_bytes() == before and os.listdir(tmp_path) == ["run"]
    path.write_bytes(b"notes")
    with pytest.raises(ValueError, match="run already exists"):
        again.run()
    path.write_bytes(before)

    longer = run_of("adam", epochs=2, callbacks=[checkpoint.Checkpointer(path)])
    checkpoint.load(path, longer)
    longer.run()                                # it continues the run in the file
    longer.epochs = 3
    longer.run()
    assert checkpoint.is_finished(path) and longer.epoch == 3
    run_of("adam", epochs=1, callbacks=[checkpoint.Checkpointer(path, overwrite=True)]).run()
    assert not np.array_equal(path.read_bytes(), before) and os.listdir(tmp_path) == ["run"]


def test_two_runs_do_not_save_to_one_file(tmp_path):
    path = tmp_path / "run"

    class Second(Callback):
        """Starts another run in the middle of the first."""

        def on_epoch(self, trainer, values):
            other = run_of("adam", epochs=1, callbacks=[checkpoint.Checkpointer(path, overwrite=True)])
            with pytest.raises(BlockingIOError, match="another run is saving to this file.*run"):
                other.run()
            assert other.step == 0

    run_of("adam", epochs=2, callbacks=[checkpoint.Checkpointer(path), Second()]).run()
    assert checkpoint.is_finished(path) and os.listdir(tmp_path) == ["run"]


def test_config_is_read_without_the_tensors(tmp_path, monkeypatch):
    checkpoint.save(tmp_path / "run", run_of("adam"), {"a": 1})
    whole = (tmp_path / "run").read_bytes()
    (tmp_path / "run").write_bytes(whole[: 8 + int.from_bytes(whole[:8], "little")])
    assert checkpoint.read_config(tmp_path / "run") == {"a": 1}
    assert not checkpoint.is_finished(tmp_path / "run")
    with pytest.raises(ValueError, match="damaged"):
        checkpoint.load(tmp_path / "run", run_of("adam"))


def test_run_of_the_former_format_is_resumed(tmp_path):
    path = Path(__file__).with_name("files") / "run-format-1.safetensors"
    values = iter([3.0, 1.0, 2.0, 2.5, 2.5])
    validate = {"validate": lambda: next(values)}
    resumed = tiny_trainer(4, seed=50, callbacks=[EarlyStopping(5)], **validate)
    checkpoint.load(path, resumed)
    assert resumed.step == 15 and resumed.callbacks[0].best == 1.0
    assert checkpoint.read_config(path) == {"hidden": 4, "sizes": [1, 2]} and checkpoint.is_finished(path)
    values = iter([2.5])
    resumed.run()
    values = iter([3.0, 1.0, 2.0, 2.5])
    uninterrupted = tiny_trainer(4, callbacks=[EarlyStopping(5)], **validate)
    uninterrupted.run()
    assert len(uninterrupted.history.epochs.pop("lr")) == 4      # not recorded by the former format
    assert state_of(resumed) == state_of(uninterrupted)
    model = Net(seed=50)
    checkpoint.load_model(path, model)          # the weights of the best epoch
    np.testing.assert_array_equal(model.body[0].weight.value, uninterrupted.model.body[0].weight.value)


@pytest.mark.slow
def test_run_saved_with_other_kernels_is_resumed(tmp_path):
    with kernels.use("reference"):
        saved = run_of("adam", epochs=1)
        saved.run()
        checkpoint.save(tmp_path / "run", saved)
    with kernels.use("jit"):
        resumed = run_of("adam", epochs=2)
        checkpoint.load(tmp_path / "run", resumed)
        resumed.run()
    assert resumed.epoch == 2


@pytest.mark.parametrize("config", ["[1]", "null", "3", None])
def test_config_that_is_not_a_dict_is_refused(tmp_path, config):
    path = tmp_path / "a.safetensors"
    metadata = {"format": "scratchgen 1"} | ({} if config is None else {"config": config})
    save_file({"model.weight": np.zeros(2)}, path, metadata=metadata)
    with pytest.raises(ValueError, match="a.safetensors has contents of the wrong form: config is"):
        checkpoint.read_config(path)
