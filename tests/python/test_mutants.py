"""The planted bugs of the simulation: each must still be one."""

from __future__ import annotations

import pytest

from tools.mutants import ROOT, Mutant, mutants


@pytest.mark.parametrize("mutant", mutants(), ids=lambda mutant: mutant.name)
def test_a_mutant_changes_one_place(mutant: Mutant) -> None:
    assert mutant.source() != (ROOT / mutant.file).read_text()
    assert mutant.says


def test_names_are_unique() -> None:
    names = [mutant.name for mutant in mutants()]
    assert len(set(names)) == len(names) >= 12
