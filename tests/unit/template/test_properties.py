"""Any text is a template or a UsageError, and any template comes to an end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildctl.errors import UsageError
from buildctl.template import Template, parse
from buildctl.template import evaluate as evaluator
from buildctl.template import execute as executor
from buildctl.template.parser import MAX_NESTING
from buildctl.template.tojson import JSON
from buildctl.template.values import STRING, Value
from tests.support.godata import DATA

# What templates are made of, so that chance finds more than unclosed actions.
PIECES = tuple(
    """
    {{ }} {{-_ _-}} {{end}} {{else}} {{if_ {{range_ {{with_ {{break}} {{/* */}} {{define_"t"}}
    {{template_"t"_.}} {{block_"b"_.}} $x_:=_ $x $i,_$e_:=_ $ _|_ ( ) . .ID .CreatedAt .LastUsedAt.Year
    .Name .List .Nested .Ints .Parents .Month 1 -2 3.5 0x1f 1e9 'a' "s" `r` "%[2]*.[1]*d%v%q" true nil a
    _ é and_ or_ not_ len_ index_ slice_ print_ printf_ html_ js_ urlquery_ json_ call_ eq_ ne_ lt_ le_
    gt_ ge_ \\ "%x%_d%+v%#v%T%p%U%c%8.3e"
    """.replace("\n", " ").split()
)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=25).map(lambda pieces: "".join(pieces).replace("_", " "))


@given(text=TEXTS | st.text(max_size=40), data=st.sampled_from(sorted(DATA)))
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_template_that_ends_or_a_usage_error(text: str, data: str) -> None:
    try:
        template = parse(text, {"json": JSON})
        output = "".join(template.execute(DATA[data]))
    except UsageError as error:
        output = str(error)
        if not output.startswith("template: :"):
            raise
    output.encode("utf-8", "surrogateescape")


@given(text=st.text(alphabet="ab\n {}-é", max_size=60).filter(lambda text: "{{" not in text))
def test_text_without_actions_is_its_own_output(text: str) -> None:
    assert "".join(parse(text).execute(None)) == text


@given(text=st.text(alphabet=st.characters(codec="utf-8"), max_size=60))
def test_quoted_strings_come_back(text: str) -> None:
    quoted = "".join(parse("{{printf `%q` .}}").execute(Value(STRING, text)))
    assert "".join(parse(f"{{{{{quoted}}}}}").execute(None)) == text


def failure(template: Template) -> str:
    with pytest.raises(UsageError) as caught:
        list(template.execute(None))
    return str(caught.value)


def test_templates_that_invoke_themselves_end_in_go_s_words() -> None:
    template = parse('{{define "t"}}{{template "t"}}{{end}}{{template "t"}}')
    assert failure(template).endswith(f"exceeded maximum template depth ({executor.MAX_DEPTH})")


def test_recursion_inside_deep_control_structures_ends_too() -> None:
    body = "{{if 1}}" * 90 + '{{template "t"}}' + "{{end}}" * 90
    template = parse(f'{{{{define "t"}}}}{body}{{{{end}}}}{{{{template "t"}}}}')
    assert "exceeded maximum template depth" in failure(template)


@pytest.mark.parametrize(
    ("opening", "middle", "closing"),
    [("(", "1", ")"), ("{{if 1}}", "1", "{{end}}"), ("{{else if 1}}", "1", "")],
)
def test_nesting_has_a_limit(opening: str, middle: str, closing: str) -> None:
    def nested(depth: int) -> str:
        if opening == "(":
            return "{{" + opening * depth + middle + closing * depth + "}}"
        if closing:
            return opening * depth + middle + closing * depth
        return "{{if 0}}" + "{{else if 0}}" * (depth - 2) + opening + middle + "{{end}}"

    assert "".join(parse(nested(MAX_NESTING)).execute(None)) == "1"
    with pytest.raises(UsageError, match="max expression depth exceeded"):
        parse(nested(MAX_NESTING + 1))


def test_a_long_range_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "MAX_STEPS", 1000)
    assert "more than 1000 actions executed" in failure(parse("{{range 100000000}}{{end}}"))


def test_output_and_texts_have_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "MAX_OUTPUT", 1000)
    monkeypatch.setattr(evaluator, "MAX_TEXT", 1000)
    assert "more than 1000 characters written" in failure(parse("{{range 1000}}{{.}}{{end}}"))
    doubling = parse('{{$x := "x"}}{{range 30}}{{$x = print $x $x}}{{end}}')
    assert "a text of more than 1000 characters" in failure(doubling)


def test_what_came_before_an_error_is_written() -> None:
    parts = parse("before {{.x.y}}{{index nil 1}} after").execute(None)
    assert next(parts) == "before <no value>"
    with pytest.raises(UsageError, match="index of untyped nil"):
        next(parts)


@pytest.mark.parametrize(
    ("data", "hint"),
    [("record", "it has ID, Mutable, InUse"), ("usage", "this is a list: go through it")],
)
def test_a_field_that_is_not_there_is_answered_with_those_that_are(data: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        list(parse("{{.nosuch}}").execute(DATA[data]))
    assert caught.value.hint.startswith(hint)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("%[NINESd".replace("NINES", "9" * 5000 + "]"), "BADINDEX"),
        ("%[ZEROS1]d".replace("ZEROS", "0" * 5000), "1"),
        ("%NINESd".replace("NINES", "9" * 5000), "NOVERB"),
        ("%[00000000NINES]d".replace("NINES", "9" * 5000), "BADINDEX"),
    ],
)
def test_numbers_of_more_digits_than_python_reads(template: str, says: str) -> None:
    assert says in "".join(parse(f'{{{{printf "{template}" 1}}}}').execute(None))


def test_a_constant_of_more_digits_than_python_reads() -> None:
    with pytest.raises(UsageError, match="integer overflow"):
        parse("{{" + "9" * 5000 + "}}")
