"""What each process of a benchmark is given. Spawned processes read this before Django is set up."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServiceShare:
    """Plans, one for each place in the same order for all. In each round whoever did not get a place asks for it
    `passes` times; each round but the last gives back what was won."""

    plans: tuple[int, ...]
    rounds: int
    passes: int


@dataclass(frozen=True, slots=True)
class WebShare:
    """Plans to book over HTTP, one for each place in the same order for all."""

    url: str
    token: str
    plans: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UnguardedShare:
    """Places of a table without any constraint."""

    database: str
    table: str
    places: int
    taker: int
