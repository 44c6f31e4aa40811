"""Tokens become a tree for each template that the text defines, the text itself among them under the name "".

What is wrong raises `UsageError`, in Go's words and with the line of the token that was read last.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass

from buildctl.errors import UsageError
from buildctl.model.quote import quote
from buildctl.template import nodes
from buildctl.template.constants import parse_character, parse_number, unquote
from buildctl.template.lex import T, Token, lex

MAX_NESTING = 100
"""How deep parentheses and control structures may nest. Go's limit, for parentheses alone, is 10000."""

_OPERANDS = frozenset(
    (
        T.BOOL,
        T.CHARACTER,
        T.DOT,
        T.FIELD,
        T.IDENTIFIER,
        T.NUMBER,
        T.NIL,
        T.RAW_STRING,
        T.STRING,
        T.VARIABLE,
        T.OPEN,
    )
)
_CONSTANTS = (nodes.Bool, nodes.Dot, nodes.Nil, nodes.NumberConstant, nodes.StringConstant)


@dataclass(slots=True)
class _Stop:
    """`{{end}}` or `{{else}}`, which end a list of nodes."""

    keyword: str

    def __str__(self) -> str:
        return f"{{{{{self.keyword}}}}}"


def parse_trees(text: str, functions: Container[str]) -> dict[str, list[nodes.Node]]:
    """Each template by its name. Raises `UsageError`."""
    trees: dict[str, list[nodes.Node]] = {}
    _Tree("", lex(text), functions, trees).whole_text()
    return trees


class _Tree:
    """The parser of one template: its variables and how far it has looked ahead."""

    def __init__(
        self,
        name: str,
        tokens: Iterator[Token],
        functions: Container[str],
        trees: dict[str, list[nodes.Node]],
        nesting: int = 0,
    ) -> None:
        self._name = name
        self._tokens = tokens
        self._functions = functions
        self._trees = trees
        self._ahead: list[Token] = []
        self._line = 0
        self._action_line = 0
        self._variables = ["$"]
        self._ranges = 0
        self._nesting = nesting

    def whole_text(self) -> None:
        """The top level, the only place where templates may be defined."""
        body: list[nodes.Node] = []
        while self._peek().type is not T.EOF:
            if self._peek().type is T.LEFT:
                left = self._next()
                if (token := self._next_word()).type is T.DEFINE:
                    tree = _Tree("definition", self._tokens, self._functions, self._trees, self._nesting)
                    tree._definition()
                    continue
                self._back(token, left)
            node = self._text_or_action()
            if isinstance(node, _Stop):
                raise self._failure(f"unexpected {node}")
            body.append(node)
        self._add(body)

    def _definition(self) -> None:
        context = "define clause"
        name = self._next_word()
        if name.type not in (T.STRING, T.RAW_STRING):
            raise self._unexpected(name, context)
        self._name = self._unquoted(name)
        self._expect(T.RIGHT, context)
        body, stop = self._list()
        if stop.keyword != "end":
            raise self._failure(f"unexpected {stop} in {context}")
        self._add(body)

    def _add(self, body: list[nodes.Node]) -> None:
        """Enter the template. One that says something replaces an empty one; two such cannot be."""
        known = self._trees.get(self._name)
        if known is None or _is_empty(known):
            self._trees[self._name] = body
        elif not _is_empty(body):
            raise self._failure(f"template: multiple definition of template {quote(self._name)}")

    def _list(self) -> tuple[list[nodes.Node], _Stop]:
        """Nodes up to `{{end}}` or `{{else}}`."""
        body: list[nodes.Node] = []
        while self._peek_word().type is not T.EOF:
            node = self._text_or_action()
            if isinstance(node, _Stop):
                return body, node
            body.append(node)
        raise self._failure("unexpected EOF")

    def _text_or_action(self) -> nodes.Node | _Stop:
        token = self._next_word()
        if token.type is T.TEXT:
            return nodes.Text(token.position, token.text)
        if token.type is not T.LEFT:
            raise self._unexpected(token, "input")
        self._action_line = token.line
        node = self._action()
        self._action_line = 0
        return node

    def _action(self) -> nodes.Node | _Stop:
        token = self._next_word()
        match token.type:
            case T.BLOCK:
                return self._block()
            case T.BREAK | T.CONTINUE:
                return self._jump(token)
            case T.ELSE:
                if self._peek_word().type not in (T.IF, T.WITH):
                    self._expect(T.RIGHT, "else")
                return _Stop("else")
            case T.END:
                self._expect(T.RIGHT, "end")
                return _Stop("end")
            case T.IF | T.RANGE | T.WITH:
                return self._branch(token.text)
            case T.TEMPLATE:
                return self._invocation()
        self._back(token)
        return nodes.Action(self._peek().position, self._pipeline("command", T.RIGHT))

    def _jump(self, token: Token) -> nodes.Jump:
        name = f"{{{{{token.text}}}}}"
        following = self._next_word()
        if following.type is not T.RIGHT:
            raise self._unexpected(following, name)
        if not self._ranges:
            raise self._failure(f"{name} outside {{{{range}}}}")
        return nodes.Jump(token.position, token.text)

    def _branch(self, keyword: str) -> nodes.Branch:
        """`if`, `range` or `with`, whose keyword was read; `else if` is an `if` inside the else."""
        self._nest()
        known = len(self._variables)
        pipeline = self._pipeline(keyword, T.RIGHT)
        self._ranges += keyword == "range"
        body, stop = self._list()
        self._ranges -= keyword == "range"
        otherwise: list[nodes.Node] | None = None
        if stop.keyword == "else":
            following = self._peek()
            if keyword in ("if", "with") and following.text == keyword and following.type.is_keyword:
                self._next()
                otherwise = [self._branch(keyword)]
            else:
                otherwise, stop = self._list()
                if stop.keyword != "end":
                    raise self._failure(f"expected end; found {stop}")
        del self._variables[known:]
        self._nesting -= 1
        return nodes.Branch(pipeline.position, keyword, pipeline, body, otherwise)

    def _block(self) -> nodes.Invocation:
        """`{{block "name" pipeline}} … {{end}}` defines a template and invokes it."""
        context = "block clause"
        token, name = self._template_name(context)
        pipeline = self._pipeline(context, T.RIGHT)
        self._nest()
        tree = _Tree(name, self._tokens, self._functions, self._trees, self._nesting)
        body, stop = tree._list()
        self._nesting -= 1
        if stop.keyword != "end":
            raise self._failure(f"unexpected {stop} in {context}")
        tree._add(body)
        return nodes.Invocation(token.position, name, pipeline)

    def _invocation(self) -> nodes.Invocation:
        context = "template clause"
        token, name = self._template_name(context)
        following = self._next_word()
        if following.type is T.RIGHT:
            return nodes.Invocation(token.position, name, None)
        self._back(following)
        return nodes.Invocation(token.position, name, self._pipeline(context, T.RIGHT))

    def _template_name(self, context: str) -> tuple[Token, str]:
        token = self._next_word()
        if token.type not in (T.STRING, T.RAW_STRING):
            raise self._unexpected(token, context)
        return token, self._unquoted(token)

    def _pipeline(self, context: str, end: T) -> nodes.Pipeline:
        pipeline = nodes.Pipeline(self._peek_word().position)
        self._declarations(pipeline, context)
        while (token := self._next_word()).type is not end:
            if token.type not in _OPERANDS:
                raise self._unexpected(token, context)
            self._back(token)
            pipeline.commands.append(self._command())
        if not pipeline.commands:
            raise self._failure(f"missing value for {context}")
        for stage, command in enumerate(pipeline.commands[1:], start=2):
            if isinstance(command.operands[0], _CONSTANTS):
                raise self._failure(f"non executable command in pipeline stage {stage}")
        return pipeline

    def _declarations(self, pipeline: nodes.Pipeline, context: str) -> None:
        """`$x :=`, `$x =`, or after range `$i, $x :=`; what else begins with a variable is put back."""
        while (variable := self._peek_word()).type is T.VARIABLE:
            self._next()
            after = self._peek()
            token = self._peek_word()
            comma = token.type is T.CHAR and token.text == ","
            if token.type not in (T.ASSIGN, T.DECLARE) and not comma:
                self._back(*((after, variable) if after.type is T.SPACE else (variable,)))
                return
            self._next_word()
            name, *fields = variable.text.split(".")
            pipeline.variables.append(nodes.Variable(variable.position, name, fields))
            self._variables.append(variable.text)
            if not comma:
                pipeline.assigns = token.type is T.ASSIGN
                return
            if context != "range" or len(pipeline.variables) > 1:
                raise self._failure(f"too many declarations in {context}")
            if self._peek_word().type not in (T.VARIABLE, T.RIGHT, T.CLOSE):
                raise self._failure("range can only initialize variables")

    def _command(self) -> nodes.Command:
        command = nodes.Command(self._peek_word().position)
        while True:
            self._peek_word()
            operand = self._operand()
            if operand is not None:
                command.operands.append(operand)
            token = self._next()
            if token.type is T.SPACE:
                continue
            if token.type in (T.RIGHT, T.CLOSE):
                self._back(token)
            elif token.type is not T.PIPE:
                raise self._unexpected(token, "operand")
            break
        if not command.operands:
            raise self._failure("empty command")
        return command

    def _operand(self) -> nodes.Operand | None:
        """A term and the fields that follow it directly; None if something else comes."""
        term = self._term()
        if term is None or self._peek().type is not T.FIELD:
            return term
        position = self._peek().position
        names: list[str] = []
        while self._peek().type is T.FIELD:
            names.append(self._next().text[1:])
        if isinstance(term, nodes.FieldPath):
            return nodes.FieldPath(position, term.names + names)
        if isinstance(term, nodes.Variable):
            return nodes.Variable(position, term.variable, term.names + names)
        if isinstance(term, _CONSTANTS):
            raise self._failure(f"unexpected . after term {quote(str(term))}")
        return nodes.Chain(position, term, names)

    def _term(self) -> nodes.Operand | None:
        token = self._next_word()
        text, position = token.text, token.position
        match token.type:
            case T.IDENTIFIER:
                if text not in self._functions:
                    raise self._failure(f"function {quote(text)} not defined")
                return nodes.Identifier(position, text)
            case T.DOT:
                return nodes.Dot(position)
            case T.NIL:
                return nodes.Nil(position)
            case T.VARIABLE:
                if text not in self._variables:
                    raise self._failure(f"undefined variable {quote(text)}")
                return nodes.Variable(position, text, [])
            case T.FIELD:
                return nodes.FieldPath(position, [text[1:]])
            case T.BOOL:
                return nodes.Bool(position, text == "true")
            case T.CHARACTER | T.NUMBER:
                read = parse_number if token.type is T.NUMBER else parse_character
                try:
                    return nodes.NumberConstant(position, read(text))
                except ValueError as error:
                    raise self._failure(str(error)) from None
            case T.OPEN:
                self._nest()
                pipeline = self._pipeline("parenthesized pipeline", T.CLOSE)
                self._nesting -= 1
                return pipeline
            case T.STRING | T.RAW_STRING:
                return nodes.StringConstant(position, text, self._unquoted(token))
        self._back(token)
        return None

    def _nest(self) -> None:
        if self._nesting >= MAX_NESTING:
            raise self._failure("max expression depth exceeded")
        self._nesting += 1

    def _unquoted(self, token: Token) -> str:
        try:
            return unquote(token.text)
        except ValueError as error:
            raise self._failure(str(error)) from None

    def _next(self) -> Token:
        if self._ahead:
            return self._ahead.pop()
        token = next(self._tokens)
        self._line = token.line
        return token

    def _back(self, *tokens: Token) -> None:
        """Put tokens back, the last one to come first."""
        self._ahead.extend(tokens)

    def _peek(self) -> Token:
        token = self._next()
        self._back(token)
        return token

    def _next_word(self) -> Token:
        """The next token that is not space."""
        while (token := self._next()).type is T.SPACE:
            pass
        return token

    def _peek_word(self) -> Token:
        token = self._next_word()
        self._back(token)
        return token

    def _expect(self, wanted: T, context: str) -> None:
        token = self._next_word()
        if token.type is not wanted:
            raise self._unexpected(token, context)

    def _unexpected(self, token: Token, context: str) -> UsageError:
        if token.type is not T.ERROR:
            return self._failure(f"unexpected {token} in {context}")
        place = ""
        if self._action_line not in (0, token.line):
            action = "" if token.text.endswith(" action") else " in action"
            place = f"{action} started at :{self._action_line}"
        return self._failure(f"{token}{place}")

    def _failure(self, message: str) -> UsageError:
        return UsageError(f"template: :{self._line}: {message}")


def _is_empty(body: list[nodes.Node]) -> bool:
    """Whether a template is nothing but space."""
    return all(isinstance(node, nodes.Text) and not node.text.strip() for node in body)
