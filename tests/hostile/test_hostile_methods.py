"""Hostile calls of the methods, figures and claims."""

from hostile_run import FIGURES, METHODS, attacks_on, group

KEYS = group(METHODS + FIGURES)

test_a_result_or_a_clear_error, test_enough_calls_were_made = attacks_on(KEYS, 35_000)
