"""The one-class scores by scikit-learn, or by libsvm itself: python3 scores_oracle.py FOLDER [libsvm]

Reads train.pool.npy, test.pool.npy and test.is_outlier.npy, as `occam-worker train --keep` writes them, and
prints {"oc-svm-rbf": {"auroc": ..., "average_precision": ..., "fpr95": ...}, ...} as JSON. With a
scores.json (a list, one number a test row) in the folder, "given" rates those scores.

Formulas: google-research/deep_representation_one_class, train.py:522-582 at a36feaa.
"""

import json
import pathlib
import sys

import numpy
from scipy.special import logsumexp
from scipy.stats import multivariate_normal
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import normalize
from sklearn.svm import OneClassSVM


def one_class_scores(train, test):
    unit_train, unit_test = normalize(train), normalize(test)
    gamma = 10.0 / (unit_train.var() * unit_train.shape[1])

    neighbours = NearestNeighbors(n_neighbors=1, metric="cosine").fit(train)
    yield "nearest", neighbours.kneighbors(test)[0][:, 0]

    fifth = NearestNeighbors(n_neighbors=min(5, len(train)), metric="cosine").fit(train)
    yield "nearest, k 5", numpy.round(fifth.kneighbors(test)[0][:, -1], 5)

    cosines = unit_test @ unit_train.T
    yield "kde", -logsumexp(2 * gamma * cosines, axis=1) / gamma

    if len(train) > 1:
        gaussian = GaussianMixture(n_components=1, covariance_type="full").fit(unit_train)
        yield "gde", -gaussian.score_samples(unit_test)
    else:  # for which scikit-learn wants two rows; its floor of the covariance is all there is
        yield "gde", -multivariate_normal(unit_train[0], 1e-6).logpdf(unit_test)

    rbf = OneClassSVM(kernel="rbf", gamma=gamma).fit(unit_train)
    yield "oc-svm-rbf", -rbf.score_samples(unit_test)

    linear = OneClassSVM(kernel="linear").fit(train)
    yield "oc-svm-linear", -linear.score_samples(test)


def libsvm_scores(train, test):
    import svmutil  # Debian's python3-libsvm

    unit_train, unit_test = normalize(train), normalize(test)
    gamma = 10.0 / (unit_train.var() * unit_train.shape[1])
    for name, kernel, fitted, scored in (("oc-svm-rbf", f"-t 2 -g {gamma!r}", unit_train, unit_test),
                                         ("oc-svm-linear", "-t 0", train, test)):
        model = svmutil.svm_train([1.0] * len(fitted), fitted.tolist(), f"-s 2 -n 0.5 -e 1e-3 -m 200 -q {kernel}")
        decisions = svmutil.svm_predict([], scored.tolist(), model, "-q")[2]
        yield name, -numpy.array(decisions)[:, 0] - model.rho[0]


def rate(scores, is_outlier):
    # drop_intermediate leaves out thresholds, and with them the first to catch 95 %.
    false_positives, true_positives, _ = roc_curve(is_outlier, scores, drop_intermediate=False)
    return {
        "auroc": roc_auc_score(is_outlier, scores),
        "average_precision": average_precision_score(is_outlier, scores),
        "fpr95": false_positives[numpy.argmax(true_positives >= 0.95)],
    }


def main(folder, scores_of):
    train = numpy.load(folder / "train.pool.npy").astype(numpy.float64)
    test = numpy.load(folder / "test.pool.npy").astype(numpy.float64)
    is_outlier = numpy.load(folder / "test.is_outlier.npy")
    rates = {}
    for name, scores in scores_of(train, test):
        # Equal rows tie in exact arithmetic; rounding restores that.
        rates[name] = rate(numpy.round(scores, 10), is_outlier)
    if (folder / "scores.json").exists():
        rates["given"] = rate(json.loads((folder / "scores.json").read_text()), is_outlier)
    print(json.dumps(rates))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), libsvm_scores if "libsvm" in sys.argv[2:] else one_class_scores)
