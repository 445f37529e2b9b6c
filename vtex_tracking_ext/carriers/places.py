"""Read the places that carriers write. Pure."""

from __future__ import annotations

#: Length of the code of a state of Brazil, such as PR.
_STATE_LENGTH = 2


def city_and_state(text: str, separator: str) -> tuple[str, str]:
    """Return the city and the state of a place such as ``Curitiba-PR``; a text without a state is a city.

    Args:
        text: The place.
        separator: The text between city and state, which can also be part of the name of a city.
    """
    city, _, state = (part.strip() for part in text.rpartition(separator))
    return (city, state) if city and len(state) == _STATE_LENGTH and state.isalpha() else (text, "")
