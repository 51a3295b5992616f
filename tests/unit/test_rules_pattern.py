"""Patterns: what stands in for the engine says what the engine says, and none can hang."""

from __future__ import annotations

import re2
from hypothesis import assume, example, given
from hypothesis import strategies as st

from receiver.domain.rules.pattern import Pattern, compile_pattern

TEXTS = st.text(alphabet="ab-\n.", max_size=6)
PATTERNS = st.text(alphabet="ab-.|*+?()[]{1}^$\\", max_size=9)


@given(PATTERNS, TEXTS)
@example("a|b", "b")
@example("a.*", "a\nb")
@example("a?b", "b")
@example("a{0}b", "b")
@example("ab|b", "b")
@example("a(b|)", "a")
@example("ab[|]|b", "b")
@example("ab(\\(|a)|b", "b")
@example("", "")
@example("|a", "")
@example(".*", "\n")
def test_shortcuts_say_what_the_engine_says(pattern: str, text: str) -> None:
    compiled = compile_pattern(pattern)
    assume(isinstance(compiled, Pattern))
    assert isinstance(compiled, Pattern)
    assert compiled.matches(text) is (re2.fullmatch(pattern, text) is not None)
    assert compiled.matches(text) is (re2.search(f"^(?:{pattern})$", text) is not None)
    if compiled.literals is not None:
        assert compiled.matches(text) is (text in compiled.literals)


def test_patterns_that_hang_other_engines_end_here() -> None:
    # `re` needs hours for either; the test's own time limit is the assertion.
    for pattern in ("(a+)+b", "(a|a)*b", "(.*a){20}b"):
        compiled = compile_pattern(pattern)
        assert isinstance(compiled, Pattern)
        assert not compiled.matches("a" * 100_000 + "c")
        assert compiled.matches("a" * 100 + "b")


def test_a_wrong_pattern_writes_nothing_to_stderr(capfd) -> None:
    assert isinstance(compile_pattern("a(b"), str)
    assert capfd.readouterr() == ("", "")
