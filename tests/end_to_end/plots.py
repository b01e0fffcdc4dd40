"""`occam plot` on a finished sweep: every kind of picture in every format, and what it refuses."""

import shutil
import struct
import sys
import xml.etree.ElementTree

from sweeps import OCCAM, PROGRAMS, Folder, expect, finish, run

if not shutil.which("gnuplot"):
    print("skipped: gnuplot is not on the path; install gnuplot-nox")
    sys.exit(77)

folder = Folder()
made = run([str(PROGRAMS / "sample_store"), folder.db])
expect(made.returncode == 0, f"the sample is made: {made.stderr}")


def plot(name, *words):
    path = folder.path / name
    return path, run([OCCAM, "plot", folder.db, "-o", str(path), *words])


path, result = plot("bare.svg", "--bare")
expect("held fixed" in result.stderr and "held fixed" not in path.read_text(), "the small print is on stderr alone")
KINDS = {
    "table": [],
    "lines": ["--x", "batch_size", "--by", "loss,classifier", "--where", "features=pool"],
    "bars": ["--x", "class_name", "--by", "loss", "--where", "batch_size=32", "--where", "classifier=kde",
             "--where", "features=pool"],
    "heat": ["--x", "batch_size", "--y", "classifier", "--by", "loss", "--where", "features=embed"],
    "named": ["--figure", "classes"],
    "curves": ["--kind", "curves", "--y", "accuracy", "--by", "loss,batch_size"],
}
for kind, words in KINDS.items():
    path, result = plot(f"{kind}.svg", *words)
    expect(result.returncode == 0, f"{kind}: drawn: {result.stderr}")
    root = xml.etree.ElementTree.parse(path).getroot()
    text = " ".join("".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text"))
    expect("contrastive" in text and "rotation" in text, f"{kind}: names its series or panels")
    expect(result.stdout == "" and "mean over" in result.stderr, f"{kind}: says what a value is, on stderr")
    expect(not any("href" in name and not value.startswith("#") for one in root.iter()
                   for name, value in one.attrib.items()), f"{kind}: stands alone")
    path, result = plot(f"{kind}.pdf", *words)
    expect(result.returncode == 0 and path.read_bytes().startswith(b"%PDF-"), f"{kind}: is a PDF")
    path, result = plot(f"{kind}.png", *words)
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    expect(width in (1080, 2040) and 300 < height < 2000, f"{kind}: PNG of {width}x{height}, 300 dots an inch")
expect("held fixed: epochs 20" in plot("again.svg")[1].stderr, "a picture over batch sizes says what was held fixed")
for kind in ("lines", "heat"):
    expect((folder.path / f"{kind}.svg").read_bytes() == plot("again.svg", *KINDS[kind])[0].read_bytes(),
           f"{kind}: the same bytes again")


def refused(code, what, name, *words):
    path, result = plot(name, *words)
    expect(result.returncode == code and what in result.stderr, f"refused: {result.stderr.strip()}")
    expect(not path.exists(), "and leaves no file")


refused(2, ".svg, .pdf, .png", "a.gif")
refused(2, "did you mean 'batch_size'", "a.svg", "--x", "batchsize")
refused(2, "would mix", "a.svg", "--x", "batch_size", "--by", "loss", "--where", "features=pool")
refused(2, "no trial of the sweep has loss=moco", "a.svg", "--where", "loss=moco")
refused(2, "--kind", "a.svg", "--kind", "line")
refused(2, "did you mean 'classes'", "a.svg", "--figure", "class")
refused(2, "in the spec", "a.svg", "--figure", "classes", "--x", "seed")
refused(2, "did you mean 'batch-size'", "a.svg", "--sweep", "batch-sizes")
refused(1, "cannot write", "no/such/folder.svg")
finish()
