"""Configurations as text: `--set a.b=v` overrides, and JSON both ways."""

import dataclasses
import types
import typing
from collections.abc import Iterator

from jtss.configs import Config, ConfigError


def override(config: Config, assignments: list[str]) -> Config:
    """`config` with "a.b=value" assignments applied.

    Raises:
        ConfigError: an assignment without "=", a field that does not exist (lists the valid ones), a value of another
            type, or settings that contradict each other.
    """
    values = to_dict(config)
    for assignment in assignments:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise ConfigError(f"--set {assignment}: expected field=value")
        _assign(values, Config, path.strip(), text.strip())
    return from_dict(values)


def _assign(values: dict, cls: type, path: str, text: str) -> None:
    *parents, leaf = path.split(".")
    for name in parents:
        cls, values = _field_type(cls, name, path), values[name]
        if not dataclasses.is_dataclass(cls):
            raise ConfigError(f"--set {path}: {name} has no fields")
    kind = _field_type(cls, leaf, path)
    if dataclasses.is_dataclass(kind):
        names = ", ".join(f"{leaf}.{item.name}" for item in dataclasses.fields(kind))
        raise ConfigError(f"--set {path}: {leaf} is a group; valid: {names}")
    values[leaf] = _parse(kind, text, path)


def _field_type(cls: type, name: str, path: str) -> type:
    valid = {item.name: item.type for item in dataclasses.fields(cls)}
    if name not in valid:
        raise ConfigError(f"--set {path}: no field {name!r}; valid: {', '.join(valid)}")
    return valid[name]


def _parse(kind: type, text: str, path: str):
    try:
        if isinstance(kind, types.GenericAlias):
            (item, _) = typing.get_args(kind)
            return [item(part) for part in text.strip("()[]").split(",") if part.strip()]
        return kind(text)
    except ValueError:
        raise ConfigError(f"--set {path}={text}: expected {getattr(kind, '__name__', kind)}") from None


def differences(one: dict, other: dict, sides: tuple[str, str]) -> list[str]:
    """Where two nested dicts of settings differ: "temporal.kernel: checkpoint 3, config.json 2".

    Args:
        one, other: as `to_dict` makes them. What a config says of its origin is no setting and may differ.
        sides: what to call them.
    """
    one, other = dict(_flat(one)), dict(_flat(other))
    names = [name for name in {**one, **other} if name not in ("origin", "paper_accuracy")]
    return [
        f"{name}: {sides[0]} {_shown(one, name)}, {sides[1]} {_shown(other, name)}"
        for name in names
        if name not in one or name not in other or one[name] != other[name]
    ]


def _flat(values: dict, path: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{path}{name}.")
        else:
            yield path + name, list(value) if isinstance(value, tuple) else value


def _shown(values: dict, name: str) -> str:
    if name not in values:
        return "has none"
    value = values[name]
    return f"({', '.join(map(str, value))})" if isinstance(value, list) else str(value)


def to_dict(config: Config) -> dict:
    """Plain values, ready for JSON."""
    return dataclasses.asdict(config)


def from_dict(values: dict) -> Config:
    """The inverse of `to_dict`.

    Raises:
        ConfigError: an unknown or a missing field, or settings that contradict each other.
    """
    return _build(Config, values)


def _build(cls: type, values: dict):
    arguments = {}
    for item in dataclasses.fields(cls):
        if item.name not in values:
            raise ConfigError(f"{cls.__name__}: field {item.name!r} is missing")
        value = values[item.name]
        if dataclasses.is_dataclass(item.type):
            value = _build(item.type, value)
        arguments[item.name] = tuple(value) if isinstance(value, list) else value
    unknown = sorted(set(values) - set(arguments))
    if unknown:
        raise ConfigError(f"{cls.__name__}: unknown fields {unknown}; valid: {', '.join(arguments)}")
    return cls(**arguments)
