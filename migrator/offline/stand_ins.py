"""What stands in for modules that a revision imports and that are not installed here.

A name of such a module can be a type of a column, a constant, a function or a base
class. A type renders as the one it is known to be; anything whose value or effect
would matter is put down as not known.
"""

from __future__ import annotations

import builtins
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any

from migrator.offline.recording import Recorder

TYPES: Mapping[str, str] = {
    "AutoString": "VARCHAR{size}",
    "GUID": "UUID",
    "UUIDType": "UUID",
    "EmailType": "VARCHAR(255)",
    "URLType": "TEXT",
    "PasswordType": "BYTEA",
    "PhoneNumberType": "VARCHAR(20)",
    "TimezoneType": "VARCHAR(50)",
    "ChoiceType": "VARCHAR(255)",
    "CurrencyType": "VARCHAR(3)",
    "CountryType": "VARCHAR(2)",
    "LocaleType": "VARCHAR(10)",
    "IPAddressType": "VARCHAR(50)",
    "ColorType": "VARCHAR(20)",
    "JSONType": "JSON",
    "TSVectorType": "TSVECTOR",
    "LtreeType": "LTREE",
    "ArrowType": "TIMESTAMP",
    "DateTimeUTC": "TIMESTAMP WITH TIME ZONE",
    "UtcDateTime": "TIMESTAMP WITH TIME ZONE",
    "UTCDateTime": "TIMESTAMP WITH TIME ZONE",
    "TIMESTAMPAware": "TIMESTAMP WITH TIME ZONE",
    "EncryptedType": "TEXT",
    "StringEncryptedType": "TEXT",
    "EncryptedString": "TEXT",
    "Geometry": "GEOMETRY",
    "Geography": "GEOGRAPHY",
    "Raster": "RASTER",
    "Vector": "VECTOR{size}",
    "VECTOR": "VECTOR{size}",
    "HALFVEC": "HALFVEC{size}",
    "CIText": "CITEXT",
    "CITEXT": "CITEXT",
}
"""Types of public libraries, and what they are in the database."""


class Kind(type):
    """The class of a name that is not there: its attributes are not there either."""

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return stand_in(f"{cls.origin}.{name}", cls.recorder)()

    def __iter__(cls) -> Iterator[Any]:
        return iter(cls())


class Value:
    """A value of which only the name is known, and what it was made of."""

    origin = ""
    recorder: Recorder

    def __init__(self, *given: Any, **named: Any) -> None:
        self.given, self.named = given, named

    def get_col_spec(self, **options: Any) -> str:
        return column_type(self.origin.rpartition(".")[2], self.given, self.named)

    def adapt(self, cls: Any, **options: Any) -> Any:  # SQLAlchemy's own loses the arguments
        return type(self)(*self.given, **self.named)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return stand_in(f"{self.origin}.{name}", self.recorder)()

    def __call__(self, *given: Any, **named: Any) -> Any:
        # SQLAlchemy calls what it takes for the class of a type: that leaves it as it is.
        return stand_in(self.origin, self.recorder)(*given, **named) if given or named else self

    def __iter__(self) -> Iterator[Any]:
        self.recorder.problem(not_here(self.origin))
        return iter(())

    def __bool__(self) -> bool:
        self.recorder.problem(not_here(self.origin))
        return True

    def __str__(self) -> str:
        self.recorder.problem(not_here(self.origin))
        return name_of(self.origin)

    def __format__(self, form: str) -> str:
        return format(str(self), form)

    def __getitem__(self, key: object) -> Any:
        return stand_in(f"{self.origin}[{key!r}]", self.recorder)()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *problem: object) -> None:
        return None


@cache
def base() -> Any:
    """The class all stand-ins come from; made when it is first needed, since SQLAlchemy takes its time."""
    from sqlalchemy.types import UserDefinedType

    class Meta(Kind, type(UserDefinedType)):  # type: ignore[misc]
        pass

    class StandIn(Value, UserDefinedType, metaclass=Meta):  # type: ignore[type-arg]
        cache_ok = True

    return StandIn


def column_type(name: str, given: Sequence[Any], named: Mapping[str, Any]) -> str:
    """What a type of a public library is in the database; its own name for one that is not known."""
    sizes = [value for value in (*given, named.get("length"), named.get("dim")) if isinstance(value, int)]
    found = TYPES.get(name)
    return found.replace("{size}", f"({sizes[0]})" if sizes else "") if found else name_of(name).lower()


def name_of(origin: str) -> str:
    """The origin of a value as a name of SQL."""
    return "".join(letter if letter.isalnum() else "_" for letter in origin).strip("_")


def not_here(origin: str) -> str:
    return f"{origin} decides what is run, and its module is not here"


def stand_in(origin: str, recorder: Recorder) -> Any:
    """A class that stands in for `origin`, the dotted name of what is not there."""
    named = {"origin": origin, "recorder": recorder, "__module__": origin.rpartition(".")[0] or origin}
    return type(base())(name_of(origin.rpartition(".")[2]) or "StandIn", (base(),), named)


def is_stand_in(value: object) -> bool:
    return isinstance(value, base())


class Missing(ModuleType):
    """A module that is not there."""

    def __init__(self, name: str, recorder: Recorder) -> None:
        super().__init__(name)
        self.__path__: list[str] = []
        vars(self)["recorder"] = recorder

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return stand_in(f"{self.__name__}.{name}", vars(self)["recorder"])


class Partial(Missing):
    """A module of which some names are not there."""

    def __init__(self, module: ModuleType, recorder: Recorder) -> None:
        super().__init__(module.__name__, recorder)
        vars(self).update({name: value for name, value in vars(module).items() if not name.startswith("__")})


def importer(recorder: Recorder) -> Callable[..., Any]:
    """An `__import__` that never fails: what is not there is stood in for."""

    def bring(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
        try:
            found = builtins.__import__(name, globals, locals, fromlist, level)
        except (Exception, SystemExit):  # whatever a module of theirs does when it is imported
            return Missing(name if fromlist else name.partition(".")[0], recorder)
        absent = [part for part in fromlist or () if part != "*" and not there(found, part)]
        return Partial(found, recorder) if absent else found

    return bring


def there(module: ModuleType, name: str) -> bool:
    if hasattr(module, name):
        return True
    try:
        importlib.import_module(f"{module.__name__}.{name}")
    except (Exception, SystemExit):
        return False
    return True
