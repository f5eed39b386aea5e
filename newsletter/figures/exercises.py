"""All exercises that have a picture."""

from __future__ import annotations

from newsletter.figures.exercise import Exercise
from newsletter.figures.moves import back, core, hips, upper

EXERCISES: dict[str, Exercise] = {ex.key: ex for ex in (*back.MOVES, *upper.MOVES, *core.MOVES, *hips.MOVES)}
