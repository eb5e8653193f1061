"""Which terms one group of texts has more of than another: weighted log-odds with an informative Dirichlet prior. Pure.

Monroe, Colaresi and Quinn: Fightin' Words, Political Analysis 16 (2008), section 3.5. The prior is both groups
together, which pulls rare terms towards no difference: a term that two posts have and none before is no finding.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The prior's weight as a share of what was counted. Chosen, not measured: with it and :data:`NOTABLE`, a term of one
#: side alone is told from twelve texts on, when both sides are alike in size.
PRIOR_SHARE: Final = 0.1
#: From here on a term is told. It ranks, and proves nothing: with thousands of terms some reach it by chance. Chosen on
#: real posts: with two standard errors, every third finding was a word that a few posts happened to share.
NOTABLE: Final = 2.5


def log_odds(after: Mapping[str, int], before: Mapping[str, int], least: int = 1) -> dict[str, float]:
    """Return each term's log-odds, after against before, in standard errors: above 0 where ``after`` has more of it.

    Terms that neither group has ``least`` times are part of the totals, and not told.
    """
    prior_total = PRIOR_SHARE * (sum(after.values()) + sum(before.values()))
    totals = sum(after.values()) + prior_total, sum(before.values()) + prior_total
    told = {term for group in (after, before) for term, count in group.items() if count >= least}
    return {term: _weight(after.get(term, 0), before.get(term, 0), *totals) for term in told}


def _weight(after: int, before: int, after_total: float, before_total: float) -> float:
    prior = PRIOR_SHARE * (after + before)
    left, right = after + prior, before + prior
    if left >= after_total or right >= before_total:  # the only term that there is, or one of nothing
        return 0.0
    left_rest, right_rest = after_total - left, before_total - right
    # With the rests (their equation 18), not without (19): short texts about one thing make terms that are no rarities.
    variance = 1 / left + 1 / left_rest + 1 / right + 1 / right_rest
    return (math.log(left / left_rest) - math.log(right / right_rest)) / math.sqrt(variance)
