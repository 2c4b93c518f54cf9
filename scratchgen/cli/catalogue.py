"""The models of the command line, from the families: their names, their forms and their settings.

A form is a way to build a model from plain settings: a class method such as `dense`, or the constructor,
which is called "standard". Settings and defaults come from the signatures, those for images from the cards.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any

from scratchgen.cli.settings import can_be_typed, parse_setting

if TYPE_CHECKING:
    from scratchgen.studies.cards import Trainable

STANDARD = "standard"
OF_DATA = ("features", "shape", "classes", "alphabet")      # arguments that follow from the data
NOT_SETTINGS = ("self", "cls", "rng", "dtype", "sizes", "alphabet")
# arguments of fit that the command chooses itself
NOT_OF_RUN = (
    "self", "X", "y", "text", "epochs", "rng", "callbacks", "validate", "validation_data", "warm_start",
)  # fmt: skip


@dataclass(frozen=True)
class Form:
    """One way to build a model.

    settings : name -> Parameter, of all arguments that can be written in a command
    own      : the arguments in the signature of `build` itself
    """

    name: str
    build: Callable[..., Any]
    settings: Mapping[str, inspect.Parameter]
    own: frozenset[str]

    @property
    def required(self) -> tuple[str, ...]:
        """The settings without a default, except for those that follow from the data."""
        return tuple(n for n, p in self.settings.items() if p.default is p.empty and n not in OF_DATA)


@dataclass(frozen=True)
class Entry:
    """A model: its class, and what its card says."""

    model: Any
    card: Trainable

    @property
    def name(self) -> str:
        """The name to type: vae, conditional_vae, mlp."""
        name = re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", self.model.__name__).lower()
        return name.removesuffix("classifier").rstrip("_") or name

    @cached_property
    def forms(self) -> dict[str, Form]:
        """The forms by name, the default first."""
        found = {form.name: form for form in _forms(self.model)}
        return {name: found[name] for name in dict.fromkeys([*self.card.settings, *found]) if name in found}

    def defaults(self, form: str, images: bool = True) -> dict[str, Any]:
        """The settings of a form with their defaults: of the card for images, and of the signature."""
        known = {
            name: None if p.default is p.empty else p.default for name, p in self.forms[form].settings.items()
        }
        return known | (dict(self.card.settings.get(form, {})) if images else {})

    @cached_property
    def run_settings(self) -> dict[str, inspect.Parameter]:
        """The settings of `fit`, such as batch_size and lr."""
        parameters = inspect.signature(self.model.fit).parameters
        return {
            name: p for name, p in parameters.items()
            if name not in NOT_OF_RUN and p.kind is not p.VAR_KEYWORD and can_be_typed(p)
        }  # fmt: skip

    @property
    def by_epochs(self) -> bool:
        """Whether the model is trained for a number of epochs, instead of being fitted in one call."""
        return "epochs" in inspect.signature(self.model.fit).parameters

    @property
    def of_text(self) -> bool:
        """Whether the model is trained on a text."""
        return any("alphabet" in form.own for form in self.forms.values())

    @property
    def is_classifier(self) -> bool:
        """Whether `fit` needs the label of each example."""
        return hasattr(self.model, "predict_proba")

    def form(self, name: str | None) -> Form:
        """A form by name, or the default. Raises ValueError for an unknown name."""
        from scratchgen.checks import check_name

        return self.forms[check_name("form", name or next(iter(self.forms)), self.forms)]

    def parse(
        self, form: Form, given: Sequence[tuple[str, str]], option: Mapping[str, str] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The settings of the constructor and those of `fit`, from pairs of a name and a text.

        option : for messages, the option that gave each setting, such as --lr; by default --set NAME

        Raises ValueError for an unknown name and for a value of another type.
        """
        from scratchgen.checks import check_name

        build: dict[str, Any] = {}
        run: dict[str, Any] = {}
        for key, text in given:
            known = {**form.settings, **self.run_settings}
            check_name(f"setting of {self.name} ({form.name})", key, known)
            value = parse_setting(key, text, known[key], (option or {}).get(key, ""))
            (build if key in form.settings else run)[key] = value
        return build, run


def entries() -> dict[str, Entry]:
    """All models that can be built from settings, by name, in the order of the families."""
    from scratchgen import models
    from scratchgen.studies.cards import Trainable, cards

    found = {}
    for family, card in cards().items():
        said = {trainable.model: trainable for trainable in card.trainable}
        module = import_module(f"scratchgen.models.{family}")
        for public in module.__all__:
            model = getattr(module, public)
            if isinstance(model, type) and issubclass(model, models.Estimator):
                entry = Entry(model, said.get(model, Trainable(model)))
                if entry.forms:
                    found[entry.name] = entry
    return found


def find_entry(name: str) -> Entry:
    """A model by its name, in any case and with any separator. Raises ValueError for an unknown one."""
    from scratchgen.checks import check_name

    known = entries()
    spellings = {_plain(n): n for entry in known.values() for n in (entry.name,)}
    spellings |= {_plain(entry.model.__name__): n for n, entry in known.items()}
    name = spellings.get(_plain(name), name)
    return known[check_name("model", name, known)]


def _plain(name: str) -> str:
    return re.sub("[ _-]", "", name).lower()


def _forms(model: Any) -> list[Form]:
    names = {
        name: None
        for cls in reversed(model.__mro__)
        for name, value in vars(cls).items()
        if isinstance(value, classmethod) and not name.startswith("_")
    }
    found = [_form(model, name, getattr(model, name)) for name in names]
    return [form for form in [*found, _form(model, STANDARD, model)] if form is not None]


def _form(model: Any, name: str, build: Callable[..., Any]) -> Form | None:
    """The form that `build` is, or None if it takes parts that are not plain settings."""
    own = {n: p for n, p in inspect.signature(build).parameters.items() if n not in ("self", "cls")}
    if any(p.kind is p.VAR_POSITIONAL for p in own.values()):
        return None
    returns = inspect.signature(build).return_annotation
    if name != STANDARD and returns not in ("Self", model.__name__):
        return None
    settings: dict[str, inspect.Parameter] = {}
    for key, p in own.items():
        if p.kind is p.VAR_KEYWORD or key in NOT_SETTINGS:
            continue
        if not can_be_typed(p):
            if p.default is p.empty:
                return None
            continue
        if p.default is p.empty and p.annotation == "str":      # a text, and not a setting
            return None
        settings[key] = p
    if any(p.kind is p.VAR_KEYWORD for p in own.values()):
        for key, p in _inherited(model, constructor_of=name == STANDARD).items():
            if key not in own and key not in NOT_SETTINGS and can_be_typed(p) and p.default is not p.empty:
                settings[key] = p
    return Form(name, build, settings, frozenset(own))


def _inherited(model: Any, constructor_of: bool) -> dict[str, inspect.Parameter]:
    """The arguments of the constructor, and of those that it passes others on to."""
    found: dict[str, inspect.Parameter] = {}
    classes = [cls for cls in model.__mro__ if "__init__" in vars(cls) and cls is not object]
    constructors = [vars(cls)["__init__"] for cls in classes]
    for constructor in constructors[1 if constructor_of else 0 :]:
        parameters = inspect.signature(constructor).parameters
        found = {n: p for n, p in parameters.items() if p.kind is not p.VAR_KEYWORD} | found
        if all(p.kind is not p.VAR_KEYWORD for p in parameters.values()):
            break
    return found
