"""A folder of one's own images: checked, prepared, planned, trained; the ids hold what they are, not where they lie."""

import csv
import io
import json
import pathlib
import struct
import zlib

from sweeps import OCCAM, Folder, expect, finish, run


def png(side, pixel):
    """A PNG by hand: pixel(y, x) is a gray."""
    rows = b"".join(b"\0" + bytes(pixel(y, x) & 255 for x in range(side)) for y in range(side))
    chunk = lambda kind, data: (struct.pack(">I", len(data)) + kind + data
                                + struct.pack(">I", zlib.crc32(kind + data)))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


SPEC = {
    "name": "screws",
    "trial": {"dataset": "folder", "source": "screws", "class": "good", "width": 0.125, "head_layers": 1, "steps": 3,
              "batch_size": 8, "loss": "rotation"},
    "evaluate": {"features": ["pool", "pixels"], "classifiers": ["kde"]},
}
folder = Folder(SPEC)
data = folder.path / "data"


def write(name, image):
    file = data / "screws" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(image)


for i in range(12):
    write(f"train/good/{i}.png", png(40, lambda y, x: 10 * i + 3 * y))
for i in range(4):
    write(f"test/good/{i}.png", png(40, lambda y, x: 10 * i + 3 * y + 5))
    write(f"test/bent/{i}.png", png(40, lambda y, x: 10 * i + 3 * x))

occam = lambda *words: run([OCCAM, *words, "--data", str(data)])
result = occam("run", folder.spec, "--db", folder.db, "--device", "cpu")
expect(result.returncode == 1 and f"run: occam data prepare screws --data {data}" in result.stderr,
       f"a run before the images are prepared says how: {result.stderr.strip()[-150:]}")
expect(not pathlib.Path(folder.db).exists(), "and leaves no database")
write("train/good/broken.png", b"\x89PNG no more")
result = occam("data", "prepare", "screws")
expect(result.returncode == 1 and "train/good/broken.png" in result.stderr, "a broken image is named")
(data / "screws/train/good/broken.png").unlink()
result = occam("data", "prepare", "screws")
expect(result.returncode == 0 and "12 train and 8 test images of 64 x 64" in result.stdout, result.stdout.strip())
result = occam("data", "check", "screws")
expect(result.returncode == 0 and "bent" in result.stdout and "digest" in result.stdout, "the check names its kinds")

result = occam("run", folder.spec, "--db", folder.db, "--device", "cpu", "--keep", "scores")
expect(result.returncode == 0, f"the sweep ends with 0 {result.stderr[-300:] if result.returncode else ''}")
scores = folder.evaluations()
expect(len(scores) == 2 and all(0 <= row[5] <= 1 for row in scores), "both scores are there")
found = run([OCCAM, "query", folder.db, "SELECT source || ' ' || class_name FROM results", "--format", "csv"]).stdout
expect("screws good" in found, "results name the source and the class")

rows = list(csv.DictReader(io.StringIO(occam("data", "rows", "screws").stdout)))
expect([row["split"] for row in rows] == ["train"] * 12 + ["test"] * 8, "the rows of the decoded images are told")
expect(all((data / "screws" / row["path"]).is_file() and row["label"] == pathlib.Path(row["path"]).parent.name
           for row in rows), "each with its file and kind")
kinds = {row["row"]: row["label"] for row in rows if row["split"] == "test"}
scored = list(csv.DictReader(next(pathlib.Path(f"{folder.db}.kept").glob("*/scores.csv")).open()))
expect(len(scored) == 8 and all((kinds[one["row"]] != "good") == (one["is_outlier"] == "1") for one in scored),
       "by which the scores of images are joined to them")
refused = occam("data", "rows", "fashion-mnist")
expect(refused.returncode == 2 and "rows are those of its own files" in refused.stderr, refused.stderr.strip())

trial = json.loads(occam("expand", folder.spec).stdout)
(data / "screws").rename(data / "nails")
SPEC["trial"]["source"] = "nails"
folder.write("spec.json", json.dumps(SPEC))
renamed = json.loads(occam("expand", folder.spec).stdout)
expect(renamed["id"] == trial["id"], "a folder of another name has the same trials")
again = occam("run", folder.spec, "--db", folder.db, "--device", "cpu")
expect(again.returncode == 0 and "0 to run" in again.stderr, "whose results are there already")

write("../nails/test/bent/9.png", png(40, lambda y, x: 7 * x))
result = occam("data", "check", "nails")
expect(result.returncode == 1 and "have changed since they were decoded" in result.stderr, "a new image is noticed")
again = occam("run", folder.spec, "--db", folder.db, "--device", "cpu")
expect(again.returncode == 0 and f"warning: nails: its files have changed since they were decoded (it has 12 train and 9 test "
       f"images, where 12 and 8 were decoded), and trials see them as they were; run: occam data prepare nails --data {data}\n"
       in again.stderr, f"also by run: {again.stderr}")
expect(occam("data", "prepare", "nails").returncode == 0, "and prepared")
expect(json.loads(occam("expand", folder.spec).stdout)["id"] != trial["id"], "other images are other trials")
finish()
