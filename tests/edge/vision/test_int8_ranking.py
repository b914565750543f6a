"""The figures that engines in bfloat16 and int8 are proven by, against scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from edge.vision.ranking import auroc, average_precision


@pytest.mark.parametrize("decimals", [1, 7])
def test_int8_figures_are_scikit_learns_with_and_without_equal_values(decimals: int) -> None:
    random = np.random.default_rng(0)
    truth = random.random(500) < 0.3
    values = (random.random(500) + 0.3 * truth).round(decimals).astype(np.float32)
    assert auroc(truth, values) == pytest.approx(roc_auc_score(truth, values))
    assert average_precision(truth, values) == pytest.approx(average_precision_score(truth, values))


def test_int8_figures_need_both_kinds() -> None:
    values = np.zeros(3, np.float32)
    with pytest.raises(ValueError, match="anomalous and good"):
        auroc(np.ones(3, bool), values)
    with pytest.raises(ValueError, match="something anomalous"):
        average_precision(np.zeros(3, bool), values)
