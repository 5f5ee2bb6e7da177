"""A place in the tokens of a statement, and what stands there."""

from __future__ import annotations

from collections.abc import Sequence

from linters.mysql.tokens import Token
from linters.values import Name

END = Token("end", "", "", -1, -1)


class Unknown(ValueError):
    """Tokens that are not known to this linter."""


def plain(token: Token) -> str:
    """A name or string of a file, which is read as Latin-1, without its quotes."""
    return unquoted(token).encode("latin-1").decode("utf-8", errors="replace")


def unquoted(token: Token) -> str:
    """A name or string without its quotes."""
    text = token.text
    if token.kind == "quoted":
        return text[1:-1].replace("``", "`")
    if token.kind == "string":
        quote = text[0]
        text = text[1:-1].replace(quote * 2, quote)
        if "\\" in text:
            text = text.replace("\\" + quote, quote).replace("\\\\", "\\")
    return text


class Cursor:
    """Reads tokens one after another."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens, self.at = tokens, 0

    def peek(self, ahead: int = 0) -> Token:
        place = self.at + ahead
        return self.tokens[place] if place < len(self.tokens) else END

    @property
    def done(self) -> bool:
        return self.at >= len(self.tokens)

    def next(self) -> Token:
        found = self.peek()
        self.at += 1
        return found

    def looking_at(self, *words: str) -> bool:
        tokens, at = self.tokens, self.at
        if at + len(words) > len(tokens):
            return False
        for word in words:
            if tokens[at].upper != word:  # a name in quotes has them here
                return False
            at += 1
        return True

    def accept(self, *words: str) -> bool:
        """Go past these words, if they are next."""
        if self.looking_at(*words):
            self.at += len(words)
            return True
        return False

    def one_of(self, *words: str) -> str:
        """Go past one of these words; empty where none is next."""
        first = self.peek().upper
        for word in words:
            if word.startswith(first) and first and self.accept(*word.split()):
                return word
        return ""

    def expect(self, *words: str) -> None:
        if not self.accept(*words):
            raise Unknown(f"{' '.join(words)} is missing before {self.rest()}")

    def rest(self) -> str:
        return " ".join(plain(token) for token in self.tokens[self.at : self.at + 6]) or "its end"

    def identifier(self) -> str:
        token = self.next()
        if token.kind not in ("word", "quoted", "string", "number"):
            raise Unknown(f"a name is missing before {token.text or 'its end'}")
        return plain(token)

    def name(self) -> Name:
        first = self.identifier()
        if self.accept("."):
            return Name(first, self.identifier())
        return Name("", first)

    def group(self) -> list[Token]:
        """The tokens between a parenthesis and the one that closes it."""
        self.expect("(")
        start, depth = self.at, 1
        while depth:
            token = self.next()
            if token is END:
                raise Unknown("a parenthesis is not closed")
            depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "sign" else 0
        return list(self.tokens[start : self.at - 1])

    def items(self) -> list[list[Token]]:
        """The items of a list in parentheses."""
        return separated(self.group())

    def value(self) -> str:
        """The value of an option: after `=` or a blank."""
        self.accept("=")
        return self.identifier()

    def until(self, *words: str) -> list[Token]:
        """Tokens up to one of these words, or a comma, outside parentheses."""
        start, depth = self.at, 0
        while not self.done:
            token = self.peek()
            if depth == 0 and (token.text == "," or (token.kind == "word" and token.upper in words)):
                break
            depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "sign" else 0
            self.at += 1
        return list(self.tokens[start : self.at])


def separated(tokens: Sequence[Token]) -> list[list[Token]]:
    """Tokens between commas that stand in no parentheses."""
    found: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.kind == "sign":
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if token.text == "," and depth == 0:
                found.append([])
                continue
        found[-1].append(token)
    return found if found != [[]] else []


def written(tokens: Sequence[Token]) -> str:
    """Tokens as SQL again."""
    text = " ".join(token.text for token in tokens).encode("latin-1").decode("utf-8", errors="replace")
    return text.replace(" ( ", "(").replace(" )", ")").replace(" ,", ",").replace(" . ", ".")
