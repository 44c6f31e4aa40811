"""Source policies as Go reads them from JSON."""

import pytest

from buildctl._pb import sourcepolicy_pb2
from buildctl.cli.flags.source_policy import parse_source_policy
from buildctl.errors import UsageError

Policy = sourcepolicy_pb2.Policy


def parse(text: str) -> Policy:
    return Policy.FromString(parse_source_policy(text.encode()))


def test_every_field() -> None:
    policy = parse(
        """{"version": 1, "rules": [{
            "action": "CONVERT",
            "selector": {"identifier": "docker-image://a", "match_type": "REGEX",
                         "constraints": [{"key": "k", "value": "v", "condition": "MATCHES"}]},
            "updates": {"identifier": "docker-image://b", "attrs": {"x": "y"}}}]}"""
    )
    rule = sourcepolicy_pb2.Rule(
        action=sourcepolicy_pb2.CONVERT,
        selector=sourcepolicy_pb2.Selector(
            identifier="docker-image://a",
            match_type=sourcepolicy_pb2.REGEX,
            constraints=[
                sourcepolicy_pb2.AttrConstraint(key="k", value="v", condition=sourcepolicy_pb2.MATCHES)
            ],
        ),
        updates=sourcepolicy_pb2.Update(identifier="docker-image://b", attrs={"x": "y"}),
    )
    assert policy == Policy(version=1, rules=[rule])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", Policy()),
        ("null", Policy()),
        ('{"Rules": [{"ACTION": 1}]}', Policy(rules=[sourcepolicy_pb2.Rule(action=sourcepolicy_pb2.DENY)])),
        ('{"unknown": {"a": [1]}, "version": null, "rules": null}', Policy()),
        ('{"rules": [null, {"action": null}]}', Policy(rules=[sourcepolicy_pb2.Rule()] * 2)),
        ('{"version": -3}', Policy(version=-3)),
    ],
)
def test_what_go_lets_pass(text: str, expected: Policy) -> None:
    assert parse(text) == expected


def test_an_empty_selector_is_sent() -> None:
    (rule,) = parse('{"rules": [{"selector": {}}]}').rules
    assert rule.HasField("selector")


def test_half_a_surrogate_pair_is_replaced() -> None:
    (rule,) = parse(r'{"rules": [{"updates": {"identifier": "\ud800"}}]}').rules
    assert rule.updates.identifier == "\ufffd"


_FIELD = "json: cannot unmarshal {} into Go struct field {} of type {}"
_PB = "moby_buildkit_v1_sourcepolicy"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "unexpected end of JSON input"),
        ("x", "invalid character 'x' looking for beginning of value"),
        ("[]", f"json: cannot unmarshal array into Go value of type {_PB}.Policy"),
        ('"a"', f"json: cannot unmarshal string into Go value of type {_PB}.Policy"),
        ("1", f"json: cannot unmarshal number into Go value of type {_PB}.Policy"),
        ('{"version": "1"}', _FIELD.format("string", "Policy.version", "int64")),
        ('{"version": true}', _FIELD.format("bool", "Policy.version", "int64")),
        ('{"version": 1.5}', _FIELD.format("number 1.5", "Policy.version", "int64")),
        ('{"version": 9223372036854775808}', "number 9223372036854775808 into"),
        ('{"rules": {}}', _FIELD.format("object", "Policy.rules", f"[]*{_PB}.Rule")),
        ('{"rules": [1]}', _FIELD.format("number", "Policy.rules", f"{_PB}.Rule")),
        ('{"rules": [{"selector": []}]}', _FIELD.format("array", "Rule.rules.selector", f"{_PB}.Selector")),
        (
            '{"rules": [{"selector": {"identifier": 5}}]}',
            _FIELD.format("number", "Selector.rules.selector.identifier", "string"),
        ),
        (
            '{"rules": [{"updates": {"attrs": []}}]}',
            _FIELD.format("array", "Update.rules.updates.attrs", "map[string]string"),
        ),
        (
            '{"rules": [{"updates": {"attrs": {"a": 1}}}]}',
            _FIELD.format("number", "Update.rules.updates.attrs", "string"),
        ),
        ('{"rules": [{"action": "FOO"}]}', 'unrecognized enum ALLOW value "FOO"'),
        ('{"rules": [{"selector": {"match_type": "x"}}]}', 'unrecognized enum WILDCARD value "x"'),
        ('{"rules": [{"action": true}]}', "cannot unmarshal `true` into enum ALLOW"),
        ('{"rules": [{"action": 1.5}]}', "cannot unmarshal `1.5` into enum ALLOW"),
        ('{"rules": [{"action": 9}]}', "invalid PolicyAction value: 9"),
        ("[" * 100_000 + "]" * 100_000, "exceeded max depth"),
    ],
)
def test_refuse(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert message in str(caught.value)
