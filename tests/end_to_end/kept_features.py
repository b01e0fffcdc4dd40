"""New classifiers and parameters are scored on kept features, without training, and with the same numbers."""

import copy
import csv
import json
import pathlib
import shutil

from sweeps import OCCAM, SMALL, Folder, count, expect, finish, run

SPEC = copy.deepcopy(SMALL)
SPEC["grid"] = {"loss": ["contrastive", "rotation"], "class": [0]}
SPEC["trial"]["batch_size"] = 8
SPEC["trial"]["validation"] = True
SPEC.pop("tables", None)  # it shows one set of parameters alone
folder = Folder(SPEC)
expect(run(folder.command("--workers", "1")).returncode == 0, "the sweep ends with 0")
first = {row[:5]: row for row in folder.evaluations()}
kept = pathlib.Path(folder.db + ".kept")
expect(len(list(kept.glob("*/kept.json"))) == 2, "each trial keeps its features")
expect({row[1] for row in first} == {"test", "validation"}, "both splits are scored")

more = copy.deepcopy(SPEC)
more["evaluate"]["classifiers"] += ["gde", {"name": "nearest", "k": 5}, {"name": "oc-svm-rbf", "nu": 0.1}]
more["evaluate"]["features"].append("pixels")
folder.write("spec.json", json.dumps(more))
result = run([OCCAM, "evaluate", folder.spec, "--db", folder.db, "--device", "cpu", "--keep", "features,scores"])
expect(result.returncode == 0, f"occam evaluate ends with 0 {result.stderr[-300:] if result.returncode else ''}")
second = {row[:5]: row for row in folder.evaluations()}
expect(len(second) > len(first) and all(second[key] == row for key, row in first.items()),
       f"{len(second) - len(first)} scores are new and the {len(first)} old ones are the same")

fresh = Folder(more)
expect(run(fresh.command("--workers", "1", "--keep", "none")).returncode == 0, "a sweep that trains for all of them ends with 0")
expect(fresh.evaluations() == folder.evaluations(), "and brings the same numbers")
expect(not pathlib.Path(fresh.db + ".kept").exists(), "--keep none keeps nothing")

scores = list(csv.DictReader(next(kept.glob("*/scores.csv")).open()))
expect(len({row["row"] for row in scores if row["split"] == "test"}) == 300, "scores.csv has every scored test image once")
expect("pool nearest {'k':5,'test_limit':300}" in scores[0], "and a column for each classifier")

more["grid"]["class"] = [0, 1]
folder.write("spec.json", json.dumps(more))
result = run([OCCAM, "evaluate", folder.spec, "--db", folder.db, "--device", "cpu"])
expect(result.returncode == 3 and "2 of its trials have no kept features" in result.stderr,
       "trials that would need training are counted, and nothing is trained")
expect(folder.outcomes() == 2, "no outcome came of that")

more["grid"]["class"] = [0]
more["evaluate"]["classifiers"].append({"name": "kde", "gamma_scale": 1})
folder.write("spec.json", json.dumps(more))
damaged = next(kept.glob("*/test.pool.npy"))
with damaged.open("r+b") as file:
    file.seek(200)
    file.write(b"xxxx")
evaluate = lambda: run([OCCAM, "evaluate", folder.spec, "--db", folder.db, "--device", "cpu"])
result = evaluate()
failed = "attempt WHERE state = 'failed'"
expect(result.returncode == 3 and result.stderr.count("test.pool.npy: is damaged") == 1 and result.stderr.endswith(
           "1 of its trials could not be scored by their kept features; where those are at fault, "
           f"`occam run {folder.spec} --db {folder.db}` trains them again\n")
       and "occam retry" not in result.stderr,
       f"a damaged feature file is named, once, and what helps: {result.returncode} {result.stderr.strip()[-300:]}")
for _ in range(2):
    result = run([OCCAM, "evaluate", folder.spec, "--db", folder.db, "--device", "cpu", "-q"])
expect(result.returncode == 3 and "test.pool.npy: is damaged" in result.stderr and "trains them again" in result.stderr,
       f"also where it is asked to be quiet: {result.returncode} {result.stderr.strip()[-300:]}")
copied = Folder(more)
shutil.copy(folder.db, copied.db)
shutil.copytree(kept, copied.db + ".kept")
shutil.rmtree(pathlib.Path(copied.db + ".kept", damaged.parent.name))
trained_again = lambda of: run([OCCAM, "run", of.spec, "--db", of.db, "--device", "cpu"])
for of, said in (folder, 1), (copied, 0):
    result = trained_again(of)
    expect(result.returncode == 0 and "2/2 trials done" in result.stderr and count(of.db, failed) == 0
           and result.stderr.count("and is trained again now") == said and "attempt 1" not in result.stderr,
           f"occam run trains that trial again, all its attempts left: {result.returncode} {result.stderr.strip()[-400:]}")

# ---- a file that is gone ----
next(kept.glob("*/train.embed.npy")).unlink()
more["evaluate"]["classifiers"].append({"name": "nearest", "k": 2})
folder.write("spec.json", json.dumps(more))
result = evaluate()
expect(result.returncode == 3 and f"1 of its trials have no kept features for these scores; `occam run {folder.spec} --db {folder.db}`" in
       result.stderr and count(folder.db, failed) == 0,
       f"a file that is gone counts as no features: {result.returncode} {result.stderr.strip()[-300:]}")

one = copy.deepcopy(SPEC)
one["grid"] = {"class": [0]}
one["evaluate"].update(features=["pool"], classifiers=["kde"])
alone = Folder(one)
run(alone.command("--workers", "1"))
next(pathlib.Path(alone.db + ".kept").glob("*/train.embed.npy")).unlink()
one["evaluate"]["classifiers"].append("gde")
alone.write("spec.json", json.dumps(one))
result = run([OCCAM, "evaluate", alone.spec, "--db", alone.db, "--device", "cpu"])
expect(result.returncode == 0 and "1/1 trials done" in result.stderr,
       f"and is not missed where no score needs it: {result.returncode} {result.stderr.strip()[-300:]}")
one["evaluate"]["classifiers"].append({"name": "nearest", "k": 1000})
alone.write("spec.json", json.dumps(one))
result = run([OCCAM, "evaluate", alone.spec, "--db", alone.db, "--device", "cpu"])
expect(result.returncode == 2 and "nearest with k 1000 has no such neighbour among the" in result.stderr,
       f"neighbours that no row is are refused: {result.returncode} {result.stderr.strip()[-300:]}")

# ---- each image's scores of what is done come with the next classifier, which is said ----
later = Folder(one := {**one, "evaluate": {**one["evaluate"], "classifiers": ["kde"]}})
run(later.command("--workers", "1"))
beside = pathlib.Path(later.db + ".kept")
asked = lambda: run([OCCAM, "evaluate", later.spec, "--db", later.db, "--device", "cpu", "--keep", "features,scores"])
result = asked()
expect(result.returncode == 0 and "0 to run" in result.stderr and "1 of its trials were done before without --keep scores"
       in result.stderr, f"nothing is done again for them: {result.stderr.strip()[-300:]}")
one["evaluate"]["classifiers"].append("oc-svm-rbf")
later.write("spec.json", json.dumps(one))
result = asked()
columns = next(beside.glob("*/scores.csv")).open().readline()
expect(result.returncode == 0 and "pool kde" in columns and "pool oc-svm-rbf" in columns and "done before" not in
       result.stderr, f"  {result.stderr.strip()[-200:]} {columns}")

# ---- what was kept is kept by another training, and taken along by a merge ----
for file in beside.glob("*/*.npy"):
    file.unlink()
one["evaluate"]["classifiers"].append("gde")
later.write("spec.json", json.dumps(one))
result = run([OCCAM, "run", later.spec, "--db", later.db, "--device", "cpu"])
expect(result.returncode == 0 and list(beside.glob("*/scores.csv")) and list(beside.glob("*/test.pool.npy")),
       f"trained again, it has both: {result.stderr.strip()[-200:]}")
merged = str(later.path / "merged.db")
result = run([OCCAM, "merge", merged, later.db])
expect("what is kept of 1 trial now lies in" in result.stdout
       and {file.name for file in pathlib.Path(merged + ".kept").glob("*/*")} == {file.name for file in beside.glob("*/*")},
       f"merged, it lies beside the new database: {result.stdout}{result.stderr}")
result = run([OCCAM, "merge", merged, later.db])
expect("what is kept" not in result.stdout, "once")
one["evaluate"]["classifiers"].append("nearest")
later.write("spec.json", json.dumps(one))
result = run([OCCAM, "evaluate", later.spec, "--db", merged, "--device", "cpu"])
expect(result.returncode == 0 and "1 scored by kept features for nearest" in result.stderr, "which goes on from it")

# ---- features of a build that was forgotten do not come back ----
build = folder.query("SELECT build FROM attempt ORDER BY lease DESC LIMIT 1")[0][0]
result = run([OCCAM, "forget", folder.db, "--build", build])
expect("outcomes retired" in result.stdout and not list(kept.glob("*/kept.json")),
       f"with a build's results its features are forgotten: {result.stdout}{result.stderr} {list(kept.glob('*'))}")
finish()
