"""Phrases that readers do not understand do not occur in the package, the scripts and the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]

#: Phrase -> what to write instead. ``(s|ed)`` and the like stand for endings. The first letter may be a capital one.
PHRASES: Final = {
    "again after a refusal or with a date": "retried",
    "doorbell(s|)": "task",
    "given up, what waits": "stopped; pending events were not sent",
    "has PLUS SIGN": 'contains "+"',
    "in each other's way": "conflicted",
    "is none": "does not exist, is not valid",
    "knows of nothing": "has no history",
    "lets? itself be": "accepts, can be",
    "makes no crowd": "causes no burst",
    "mend(s|ed|ing|)": "fix, repair",
    "no matter": "idempotent, allowed, ignored",
    "no time for": "must be greater than 0",
    "nobody knows": "unknown",
    r"return when\.": "return the delay in seconds",
    "r(ing|ings|inging|ang|ung) for": "notify",
    "said twice": "repeated",
    "somebody else's": "another one's",
    "the end of it all": "connection loss",
    "the rooms": "package layout, modules",
    "thousand million": "billion",
    "told of": "notified of, reported",
    "tries the ground": "sends one probe request",
    "what becomes of": "outcome",
    "what became of": "outcome, delivery report",
    "what stands behind": "later events",
    "stands behind it": "later events",
    "where numbers end": "upper bound",
    "whoever": "the caller, the process, a thread that",
    "with a likelihood of": "with probability",
    "with mistakes": "invalid",
}

#: "path: phrase" -> why the phrase is right there.
EXCEPTIONS: Final[dict[str, str]] = {}


def texts() -> list[Path]:
    """Return the package's, the scripts' and the documentation's files."""
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    files += [file for end in ("py", "md", "html") for file in ROOT.glob(f"vtex_tracking_ext/**/*.{end}")]
    files += [file for file in ROOT.glob("scripts/**/*") if file.suffix in {"", ".py"} and file.is_file()]
    return sorted(files)


def pattern(phrase: str) -> re.Pattern[str]:
    """Return the pattern of a phrase, which may go on in the next line, also of a comment."""
    first, rest = phrase[0], phrase[1:].replace(" ", r"[\s#*]+")
    return re.compile(rf"(?<!\w)[{first.lower()}{first.upper()}]{rest}(?!\w)")


def occurrences(text: str, phrase: str) -> list[int]:
    """Return the numbers of the lines in which a phrase begins."""
    return [text.count("\n", 0, found.start()) + 1 for found in pattern(phrase).finditer(text)]


def test_no_text_contains_a_phrase_of_the_list() -> None:
    """Each occurrence is reported with its file and line, and with what to write instead."""
    found = []
    for file in texts():
        path, text = file.relative_to(ROOT).as_posix(), file.read_text(encoding="utf-8")
        for phrase, better in PHRASES.items():
            if f"{path}: {phrase}" not in EXCEPTIONS:
                found += [f"{path}:{line}: {phrase!r}, better: {better}" for line in occurrences(text, phrase)]
    assert found == [], "\n".join([f"{len(found)} occurrences:", *found])


def test_each_exception_is_needed() -> None:
    """An exception names a file in which its phrase occurs."""
    for exception in EXCEPTIONS:
        path, phrase = exception.split(": ", 1)
        assert occurrences((ROOT / path).read_text(encoding="utf-8"), phrase), exception


@pytest.mark.parametrize(
    ("text", "phrase", "lines"),
    [
        ("Mend it.\nIt is mended.", "mend(s|ed|ing|)", [1, 2]),
        ("We recommend amending it.", "mend(s|ed|ing|)", []),
        ("# it is no\n    # matter", "no matter", [1]),
        ("if account is None:", "is none", []),
        ("There is none.", "is none", [1]),
    ],
)
def test_phrases_are_found_as_words_across_lines(text: str, phrase: str, lines: list[int]) -> None:
    """Parts of other words and Python's None are not found; a phrase that goes on in the next comment line is."""
    assert occurrences(text, phrase) == lines
