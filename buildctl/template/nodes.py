"""A parsed template. `str()` of a node is its text as errors cite it; `position` is its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from buildctl.model.quote import quote
from buildctl.template.constants import Number


@dataclass(slots=True)
class Text:
    position: int
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True)
class Identifier:
    """A function's name."""

    position: int
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(slots=True)
class FieldPath:
    """`.A.B`"""

    position: int
    names: list[str]

    def __str__(self) -> str:
        return "".join(f".{name}" for name in self.names)


@dataclass(slots=True)
class Variable:
    """`$x`, or `$x.A.B`, whose fields are in `names`."""

    position: int
    variable: str
    names: list[str]

    def __str__(self) -> str:
        return ".".join((self.variable, *self.names))


@dataclass(slots=True)
class Chain:
    """`(pipeline).A.B`, or the same of a function's result."""

    position: int
    operand: Operand
    names: list[str]

    def __str__(self) -> str:
        return argument_text(self.operand) + "".join(f".{name}" for name in self.names)


@dataclass(slots=True)
class Dot:
    position: int

    def __str__(self) -> str:
        return "."


@dataclass(slots=True)
class Nil:
    position: int

    def __str__(self) -> str:
        return "nil"


@dataclass(slots=True)
class Bool:
    position: int
    value: bool

    def __str__(self) -> str:
        return "true" if self.value else "false"


@dataclass(slots=True)
class NumberConstant:
    position: int
    number: Number

    def __str__(self) -> str:
        return self.number.text


@dataclass(slots=True)
class StringConstant:
    position: int
    quoted: str
    text: str

    def __str__(self) -> str:
        return self.quoted


@dataclass(slots=True)
class Command:
    """An operand, or a function or method with its arguments."""

    position: int
    operands: list[Operand] = field(default_factory=list)

    def __str__(self) -> str:
        return " ".join(map(argument_text, self.operands))


@dataclass(slots=True)
class Pipeline:
    """Commands, each given the one before it as its last argument; the result may go into variables."""

    position: int
    variables: list[Variable] = field(default_factory=list)
    assigns: bool = False
    commands: list[Command] = field(default_factory=list)

    def __str__(self) -> str:
        commands = " | ".join(map(str, self.commands))
        if not self.variables:
            return commands
        return f"{', '.join(map(str, self.variables))} {'=' if self.assigns else ':='} {commands}"


@dataclass(slots=True)
class Action:
    position: int
    pipeline: Pipeline

    def __str__(self) -> str:
        return f"{{{{{self.pipeline}}}}}"


@dataclass(slots=True)
class Branch:
    """`if`, `with` or `range`, with what to do if there is something and if there is nothing."""

    position: int
    keyword: str
    pipeline: Pipeline
    body: list[Node]
    otherwise: list[Node] | None

    def __str__(self) -> str:
        otherwise = "" if self.otherwise is None else "{{else}}" + "".join(map(str, self.otherwise))
        return f"{{{{{self.keyword} {self.pipeline}}}}}{''.join(map(str, self.body))}{otherwise}{{{{end}}}}"


@dataclass(slots=True)
class Jump:
    """`break` or `continue`."""

    position: int
    keyword: str

    def __str__(self) -> str:
        return f"{{{{{self.keyword}}}}}"


@dataclass(slots=True)
class Invocation:
    """`{{template "name" pipeline}}`"""

    position: int
    name: str
    pipeline: Pipeline | None

    def __str__(self) -> str:
        pipeline = "" if self.pipeline is None else f" {self.pipeline}"
        return f"{{{{template {quote(self.name)}{pipeline}}}}}"


Operand: TypeAlias = (
    Identifier | FieldPath | Variable | Chain | Dot | Nil | Bool | NumberConstant | StringConstant | Pipeline
)
Node: TypeAlias = Text | Action | Branch | Jump | Invocation


def argument_text(operand: Operand) -> str:
    """An operand inside a command: a pipeline stands in parentheses there."""
    return f"({operand})" if isinstance(operand, Pipeline) else str(operand)
