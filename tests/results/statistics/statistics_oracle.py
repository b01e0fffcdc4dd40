"""Writes tests/golden/statistics.json: what SciPy and statsmodels make of the same numbers.

Usage: python3 tests/results/statistics/statistics_oracle.py > tests/golden/statistics.json
"""

import itertools
import json

import numpy
import scipy
from scipy import stats
import statsmodels
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

random = numpy.random.default_rng(7)


def rounded(values):
    return [round(float(value), 6) for value in values]


def t_case(differences):
    test = stats.ttest_1samp(differences, 0)
    low, high = stats.t.interval(0.95, len(differences) - 1, numpy.mean(differences), stats.sem(differences))
    return {"differences": differences, "statistic": test.statistic, "p": test.pvalue, "low": low, "high": high}


def every_flip(values):
    return numpy.array(list(itertools.product((-1, 1), repeat=len(values)))) * numpy.abs(values)


def rank_case(differences):
    """SciPy's exact test where it has one; with ties or zeros, every flip of SciPy's mean ranks."""
    values = numpy.array([one for one in differences if one != 0])
    ranks = stats.rankdata(numpy.abs(values))
    w = float(ranks[values > 0].sum())
    if len(set(numpy.abs(values))) == len(values) == len(differences):
        p = stats.wilcoxon(differences, mode="exact").pvalue
    else:
        sums = (every_flip(ranks) > 0) @ ranks
        p = min(1.0, 2 * min((sums <= w).mean(), (sums >= w).mean()))
    return {"differences": differences, "statistic": w, "p": p}


def rank_interval(differences):
    """The shifts that SciPy's exact test does not reject at 5 %, found by bisection on its p."""
    averages = numpy.sort([(a + b) / 2 for i, a in enumerate(differences) for b in differences[i:]])
    step = numpy.diff(averages).min() / 4

    def rejected(shift):
        return stats.wilcoxon(numpy.array(differences) - shift, mode="exact").pvalue <= 0.05

    low = next(one for one in averages if not rejected(one + step))
    high = next(one for one in averages[::-1] if not rejected(one - step))
    return {"differences": differences, "estimate": float(numpy.median(averages)), "low": low, "high": high}


def flip_case(differences):
    test = stats.permutation_test((numpy.array(differences),), numpy.mean, permutation_type="samples",
                                  n_resamples=numpy.inf, alternative="two-sided", vectorized=False)
    return {"differences": differences, "p": test.pvalue}


def friedman_case(scores):
    test = stats.friedmanchisquare(*numpy.array(scores).T)
    ranks = numpy.mean([stats.rankdata(row) for row in scores], axis=0)
    return {"scores": scores, "statistic": test.statistic, "p": test.pvalue, "mean_ranks": list(ranks)}


def seeds_case(deviation, half_width):
    seeds = next(n for n in itertools.count(2)
                 if stats.t.ppf(0.975, n - 1) * deviation / n**0.5 <= half_width)
    return {"deviation": deviation, "half_width": half_width, "seeds": seeds}


def welch_case(one, other):
    low, high = CompareMeans(DescrStatsW(one), DescrStatsW(other)).tconfint_diff(usevar="unequal")
    return {"one": one, "other": other, "low": low, "high": high}


samples = [rounded(random.normal(shift, 1, size)) for size in (2, 3, 5, 8, 10, 30) for shift in (0, 0.7, 2)]
tied = [[1, 1, 2, -1, 3], [0, 1, 2, 2, -2, 4], [0, 0, 5, -1], [1, 1, 1, 1, 1, 1], [0.5, -0.5, 0.5, 0.5, 1.5, 0]]
families = [[0.01], [0.01, 0.04, 0.03], [0.2, 0.001, 0.05, 0.05, 0.9], rounded(random.uniform(0, 0.2, 12))]
print(json.dumps({
    "written_with": f"SciPy {scipy.__version__}, statsmodels {statsmodels.__version__}",
    "paired_t": [t_case(one) for one in samples],
    "signed_rank": [rank_case(one) for one in samples + tied if len(one) > 1],
    "signed_rank_interval": [rank_interval(one) for one in samples if 6 <= len(one) <= 10],
    "sign_flips": [flip_case(one) for one in samples + tied if 1 < len(one) <= 10],
    "holm": [{"p": p, "corrected": list(multipletests(p, method="holm")[1])} for p in families],
    "friedman": [friedman_case([rounded(random.normal(0, 1, k)) for _ in range(n)]) for n, k in ((3, 3), (10, 4), (20, 5))] +
                [friedman_case([[1, 2, 2], [3, 1, 2], [2, 2, 2], [1, 3, 2]])],
    "welch": [welch_case(rounded(random.normal(0, s, n)), rounded(random.normal(1, 1, m)))
              for s, n, m in ((1, 5, 5), (3, 5, 3), (0.2, 2, 5), (1, 20, 8))],
    "seeds": [seeds_case(d, h) for d in (0.1, 0.5, 1.0, 2.5) for h in (0.25, 0.5, 1.0)],
}, indent=1, default=float))
