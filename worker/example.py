#!/usr/bin/env python3
"""A worker for `occam run --worker`: Fashion-MNIST's inliers in PCA's coordinates, by scikit-learn. See README.md."""
import gzip, json, os, pathlib, sys, threading, time
import numpy
from sklearn import decomposition, metrics, mixture, neighbors

FOLDER = pathlib.Path(os.environ.get("OCCAM_DATA", "/usr/share/datasets"), "fashion-mnist")

writing = threading.Lock()

def say(type, **members):
    with writing:
        print(json.dumps({"type": type, **members}, allow_nan=False), flush=True)

def read(name, offset):
    with gzip.open(FOLDER / (name + "-ubyte.gz")) as file:
        return numpy.frombuffer(file.read(), numpy.uint8, offset=offset)

def score(classifier, train, test):
    if classifier == "gde":
        return -mixture.GaussianMixture(1).fit(train).score_samples(test)
    return neighbors.NearestNeighbors(n_neighbors=1).fit(train).kneighbors(test)[0][:, 0]

def run(start):
    config, began, evaluations = start["config"], time.time(), []
    if config["dataset"] != "fashion-mnist" or any(
            wanted["classifier"] not in ("gde", "nearest") or "split" in wanted for wanted in start["evaluations"]):
        return say("outcome", trial=start["trial"], lease=start["lease"], status="failed",
                   error="this worker scores Fashion-MNIST's test set by gde and nearest alone")
    pixels = {part: read(part + "-images-idx3", 16).reshape(-1, 784) / 255.0 for part in ("train", "t10k")}
    inliers = pixels["train"][read("train-labels-idx1", 8) == config["class"]][: config["train_limit"] or None]
    pca = decomposition.PCA(config["extra"]["components"], random_state=config["seed"]).fit(inliers)
    is_outlier = read("t10k-labels-idx1", 8) != config["class"]
    for wanted in start["evaluations"]:
        scores = score(wanted["classifier"], pca.transform(inliers), pca.transform(pixels["t10k"]))
        false, true, _ = metrics.roc_curve(is_outlier, scores)
        evaluations.append({**wanted, "auroc": metrics.auc(false, true), "fpr95": false[numpy.argmax(true >= 0.95)],
                            "average_precision": metrics.average_precision_score(is_outlier, scores),
                            "outliers": int(is_outlier.sum()), "inliers": int((~is_outlier).sum()), "seconds": 0})
    say("outcome", trial=start["trial"], lease=start["lease"], status="completed", evaluations=evaluations,
        train_seconds=time.time() - began)

say("ready", device="cpu", slots=1, build="example-1", deterministic=True)
threading.Thread(target=lambda: [(say("alive", slots=[]), time.sleep(2)) for _ in iter(int, 1)], daemon=True).start()
for message in map(json.loads, sys.stdin):
    if message["type"] == "start":
        run(message)
    elif message["type"] == "exit":
        break
