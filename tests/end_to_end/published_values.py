"""A sweep of the methods in print whose worker brings the values in print, class by class: `occam table` gives the
printed means and deviations back, and `--against published` finds no difference from them.
"""

import json
import pathlib
import sys

from sweeps import OCCAM, Folder, expect, finish, run

published = json.loads((pathlib.Path(__file__).resolve().parents[2] / "results" / "published.json").read_text())
ROUNDING = 0.1001  # means and deviations in print are rounded to 0.1, and so are the values that they are made of
NAMES = {"cifar10": "airplane automobile bird cat deer dog frog horse ship truck".split(), "cats-vs-dogs": ["cat", "dog"]}
DATASETS = ["cifar10", "cifar20", "fashion-mnist", "cats-vs-dogs"]  # CelebA's class sizes lie in its own files
CLASSIFIERS = {"RotNet": ["kde", "rotation"], "Rotation Prediction": ["kde", "oc-svm-rbf"],
               "Contrastive": ["kde", "oc-svm-rbf"], "Contrastive (DA)": ["kde", "oc-svm-rbf"]}
FIELDS = ["loss", "head_layers", "distribution_augmentation"]  # tell the methods apart
methods = {name: {"loss": "contrastive", "head_layers": 8, "distribution_augmentation": "none",
                  **published["methods"][name]} for name in CLASSIFIERS}

# By method, classifier, data set and class: mean and deviation in percent, of the tables by class.
in_print = {}
for one in published["records"]:
    key = (one["method"], published["classifiers"].get(one["classifier"]), published["datasets"].get(one["dataset"]))
    names = NAMES.get(key[2], [])
    place = str(names.index(one["class"])) if one["class"] in names else one["class"]
    if one["table"] in ("Table 8", "Table 9", "Table 10", "Table 11"):
        in_print[(*key, place)] = (one["mean"], one["std"])

# Five seeds with exactly the printed mean m and sample deviation s: m - s, m - s, m, m + s, m + s.
WORKER = """#!%s
import json, sys, threading, time
methods, fields, in_print = (%r, %r, %r)
def say(type, **members):
    print(json.dumps({"type": type, **members}), flush=True)
def auroc(config, classifier):
    method = next(name for name in methods if all(config[field] == methods[name][field] for field in fields))
    mean, deviation = in_print[method, classifier, config["dataset"], str(config["class"])]
    return (mean + (-1, -1, 0, 1, 1)[config["seed"] - 1] * deviation) / 100
say("ready", device="none", slots=8, build="print", deterministic=True)
threading.Thread(target=lambda: [(say("alive", slots=[]), time.sleep(2)) for _ in iter(int, 1)], daemon=True).start()
for message in map(json.loads, sys.stdin):
    if message["type"] == "start":
        evaluations = [{**one, "auroc": auroc(message["config"], one["classifier"]), "average_precision": 0.5,
                        "fpr95": 0.5, "outliers": 1, "inliers": 1, "seconds": 0} for one in message["evaluations"]]
        say("outcome", trial=message["trial"], lease=message["lease"], status="completed", evaluations=evaluations)
    elif message["type"] == "exit":
        break
""" % (sys.executable, methods, FIELDS, in_print)

columns = [*FIELDS, "classifier"]
folder = Folder({
    "name": "print",
    "blocks": [{"trial": published["methods"][name], "evaluate": {"classifiers": classifiers},
                "grid": {"dataset": DATASETS, "class": "all", "seed": [1, 2, 3, 4, 5]}}
               for name, classifiers in CLASSIFIERS.items()],
    "tables": {"datasets": {"rows": "dataset", "columns": columns, "spread": "paper", "mean": True}},
})
worker = pathlib.Path(folder.write("worker", WORKER))
worker.chmod(0o755)
result = run(folder.command("--worker", str(worker), "--workers", "2"))
expect(result.returncode == 0, f"the sweep runs: {result.stderr[-1000:]}")


def table(*words):
    made = run([OCCAM, "table", folder.db, "--format", "json", *words])
    expect(made.returncode == 0, f"table {' '.join(words)}: {made.stderr}")
    return json.loads(made.stdout or "[]")


def method_of(cell):
    return next(name for name in methods if all(cell[field] == methods[name][field] for field in FIELDS))


compared = 0
for cell in table():
    if cell["dataset"] == "mean":
        expect(cell["classes"] == 42, f"the mean over all data sets is of {cell['classes']} tasks")
        continue
    mean, deviation = in_print[method_of(cell), cell["classifier"], cell["dataset"], "mean"]
    what = f"{method_of(cell)}, {cell['classifier']} on {cell['dataset']}"
    expect(abs(100 * cell["mean"] - mean) < ROUNDING and abs(100 * cell["paper_std"] - deviation) < ROUNDING,
           f"{what}: {100 * cell['mean']:.2f} ± {100 * cell['paper_std']:.2f}, in print {mean} ± {deviation}")
    compared += 1
expect(compared == 32, f"{compared} means and deviations compared")

for cell in table("--against", "published"):
    if cell["dataset"] == "mean":
        continue
    what = f"{method_of(cell)}, {cell['classifier']} on {cell['dataset']}"
    low, high = 100 * cell["published_difference_low"], 100 * cell["published_difference_high"]
    expect(cell["budget"] == "2048 of 2048 epochs" and low < 0 < high and high - low < 4,
           f"{what}: differs by {100 * cell['published_difference']:+.2f} [{low:+.2f}, {high:+.2f}], {cell['budget']}")
text = run([OCCAM, "table", folder.db, "--against", "published"]).stdout
expect("as in print" in text and "no reproduction" not in text, "the budgets are those in print, and the table says so")
finish()
