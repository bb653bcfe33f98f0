"""One way to check that a call is refused: by type, by sentence, and by fields."""

import pytest

from kmeans_np.checks import ArgumentError


def refused(error, sentence, function, *args, **kwargs):
    """Check that a call is refused in exactly these words, and return the error."""
    with pytest.raises(error) as caught:
        function(*args, **kwargs)
    refusal = caught.value
    assert str(refusal) == sentence
    assert isinstance(refusal, ArgumentError)
    argument, _, rest = sentence.partition(" must ")
    rest, _, remedy = rest.rpartition("; ")
    rule, _, came = rest.partition(", got ")
    came_with = refusal.found.startswith(":")
    assert (refusal.argument, refusal.rule, refusal.remedy) == (argument, rule, remedy)
    between = "" if came_with else ", "
    assert between.join(filter(None, (refusal.got, refusal.found))) == came
    return refusal
