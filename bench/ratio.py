"""Compares a process with its baseline, in turn, by throughput and by CPU time."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

from bench import load
from bench.stack import Stack


@dataclass(frozen=True)
class Contestant:
    """A process of the stack, and what plays a round of requests to it."""

    process: str
    play: Callable[[int], load.Result]


def compare(
    running: Stack, ours: Contestant, bare: Contestant, *, wanted: float, rounds: int
) -> None:
    """Print each round after the first, and the median ratios: of what both answered in a second,
    and of the CPU time that each of them spent on an answer, which other work on the machine
    changes less."""
    rates, times = [], []
    for number in range(rounds + 1):
        first, our_time = played(running, ours, number)
        second, bare_time = played(running, bare, number)
        if number == 0:
            continue
        rates.append(first.rate / second.rate)
        times.append(bare_time / our_time)
        print(f"{ours.process:8} {first.words()}   {our_time:4.0f} us of CPU")
        print(
            f"{bare.process:8} {second.words()}   {bare_time:4.0f} us of CPU   ratio"
            f" {rates[-1]:.2f}, of CPU time {times[-1]:.2f}"
        )
    print(
        f"median ratio {statistics.median(rates):.2f} (wanted: at least {wanted:.2f}), of CPU time"
        f" {statistics.median(times):.2f}"
    )


def played(running: Stack, one: Contestant, number: int) -> tuple[load.Result, float]:
    """Play a round; also returns the microseconds of CPU time that the process spent on each
    answer."""
    before = running.cpu()[one.process]
    result = one.play(number)
    return result, (running.cpu()[one.process] - before) / result.count * 1e6
