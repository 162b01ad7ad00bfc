"""Each public name of the package has a docstring and a type."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import kedge
import pytest
from kedge import _core

ROOT = Path(kedge.__file__).parent


def modules() -> list[ModuleType]:
    """Those that are for programs: not those with an underscore, nor the commands."""
    names = ["kedge"]
    for info in pkgutil.walk_packages(kedge.__path__, "kedge."):
        if not any(part.startswith("_") for part in info.name.split(".")):
            names.append(info.name)
    found = [importlib.import_module(name) for name in names]
    return [module for module in found if hasattr(module, "__all__")]


MODULES = modules()

module = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)


def exported(module: ModuleType) -> dict[str, Any]:
    return {name: getattr(module, name) for name in module.__all__}


def members(type_: type) -> Iterator[tuple[str, Any]]:
    """What a class has by itself and for others."""
    for name, thing in vars(type_).items():
        if not name.startswith("_") and not isinstance(thing, Enum):
            yield name, thing


def functions(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    """All public functions and methods that are written in Python."""
    for name, thing in exported(module).items():
        if isinstance(thing, FunctionType):
            yield name, thing
        elif isinstance(thing, type):
            for attribute, value in members(thing):
                plain = value.fget if isinstance(value, property) else inspect.unwrap(value)
                plain = getattr(plain, "__func__", plain)
                if isinstance(plain, FunctionType):
                    yield f"{name}.{attribute}", plain


@module
def test_a_module_says_what_it_is_and_what_is_public(module: ModuleType) -> None:
    assert module.__doc__
    assert len(module.__all__) == len(set(module.__all__))
    assert set(module.__all__) <= set(dir(module)) | set(exported(module))


@module
def test_each_name_is_documented(module: ModuleType) -> None:
    silent = []
    for name, thing in exported(module).items():
        if not isinstance(thing, type | FunctionType):
            continue
        # A class that says nothing would show its base's words, or object's.
        said = thing.__doc__ if isinstance(thing, type) else inspect.getdoc(thing)
        if not said:
            silent.append(name)
        elif isinstance(thing, type):
            silent += [f"{name}.{n}" for n, value in members(thing) if not told(thing, n, value)]
    assert silent == []


def told(type_: type, name: str, value: Any) -> bool:
    """Its own docstring, or its name in the text of its class; fields of values are told there."""
    if inspect.ismemberdescriptor(value) or not (
        callable(value) or isinstance(value, property | classmethod | staticmethod)
    ):
        return True
    return bool(inspect.getdoc(getattr(type_, name))) or name in (type_.__doc__ or "")


@module
def test_each_function_has_its_types(module: ModuleType) -> None:
    bare = []
    for name, function in functions(module):
        parameters = list(inspect.signature(function).parameters.values())
        if parameters and parameters[0].name in ("self", "cls"):
            parameters = parameters[1:]
        if any(parameter.annotation is parameter.empty for parameter in parameters):
            bare.append(name)
        if "return" not in function.__annotations__:
            bare.append(f"{name} ->")
    assert bare == []


def stub() -> dict[str, ast.stmt]:
    found: dict[str, ast.stmt] = {}
    for node in ast.parse((ROOT / "_core.pyi").read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
    return found


def test_the_stub_has_all_that_the_extension_has() -> None:
    there = {name for name in vars(_core) if not name.startswith("_")}
    assert there <= set(stub())


def test_the_stub_tells_what_the_extension_tells() -> None:
    """A class begins with the same words in both: an editor shows what help() does."""
    other = []
    for name, node in stub().items():
        thing = getattr(_core, name, None)
        if isinstance(node, ast.ClassDef) and isinstance(thing, type):
            told, runs = ast.get_docstring(node) or "", inspect.getdoc(thing) or ""
            if first_words(told) != first_words(runs):
                other.append((name, first_words(told), first_words(runs)))
    assert other == []


def first_words(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split())
