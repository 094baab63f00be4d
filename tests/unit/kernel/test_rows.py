"""Rows made by the thousand are what their class would have made."""

from typing import NamedTuple

from chathooks.kernel.rows import row_maker


class Place(NamedTuple):
    street: str
    number: int


def test_a_made_row_is_one_of_its_class() -> None:
    made = row_maker(Place)(("Main Street", 7))
    assert type(made) is Place
    assert made == Place("Main Street", 7)
    assert (made.street, made.number) == ("Main Street", 7)
    assert made._replace(number=8) == Place("Main Street", 8)
