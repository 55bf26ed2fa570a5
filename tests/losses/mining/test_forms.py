"""The forms of a strategy that are derived from its statistics function."""

import doctest
import inspect
import pickle
import re
import sys

import pytest
import tensorflow as tf

from tests.helpers.losses_under_test import FUNCTIONS, STATISTICS
from triplet_train.config import LossConfig
from triplet_train.losses.mining.strategy import make_strategy, warmed_up
from triplet_train.registry import STRATEGIES

LABELS, POINTS = [0, 0, 1, 1], tf.constant([[0.0], [1.0], [3.0], [1.5]])
SEED = tf.constant([0, 0])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_loss_form_looks_like_a_function_that_is_written_by_hand(name):
    loss, statistics = FUNCTIONS[name], STATISTICS[name]
    assert inspect.signature(loss).parameters == inspect.signature(statistics).parameters
    assert inspect.signature(loss).return_annotation is tf.Tensor
    assert pickle.loads(pickle.dumps(loss)) is loss
    for function in (loss, statistics):
        sections = inspect.getdoc(function).split("\nArgs:\n")[1]
        arguments, returns = sections.split("\nReturns:\n")
        described = re.findall(r"^ {4}(\w+): ", arguments, re.M)
        assert sorted(described) == sorted(inspect.signature(function).parameters)
        assert "\nRaises:\n" in returns
    (examples,) = doctest.DocTestFinder().find(loss, globs=vars(sys.modules[loss.__module__]))
    assert examples.examples and doctest.DocTestRunner().run(examples).failed == 0


@pytest.mark.parametrize("first", STRATEGIES)
def test_a_warm_up_uses_another_strategy_in_the_first_steps(first):
    strategies = [make_strategy(LossConfig(strategy=name)) for name in (first, "hard")]
    both = tf.function(warmed_up(*strategies, steps=2), autograph=False)
    for step in range(4):
        given = LABELS, POINTS, SEED, tf.constant(step)
        assert both(*given) == strategies[step >= 2](*given)
