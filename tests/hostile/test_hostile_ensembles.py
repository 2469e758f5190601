"""Hostile calls of the ensembles."""

from hostile_run import ENSEMBLES, attacks_on, group

test_a_result_or_a_clear_error, test_enough_calls_were_made = attacks_on(group(ENSEMBLES), 13_000)
