"""Checks of single settings, whose errors name the setting and what it may be."""


def among(key: str, value: object, choices: tuple[object, ...]) -> None:
    """Raise ValueError unless the value is one of the choices."""
    if value not in choices:
        raise ValueError(f"{key} must be one of {', '.join(map(str, choices))}, got {value!r}")


def at_least(key: str, value: int, least: int) -> None:
    """Raise ValueError for a value below the least."""
    if value < least:
        raise ValueError(f"{key} must be at least {least}, got {value}")


def share(key: str, value: float) -> None:
    """Raise ValueError unless the value is a share of one."""
    if not 0 <= value <= 1:
        raise ValueError(f"{key} must be between 0 and 1, got {value}")
