"""Names that every format would take for something else, from the spec to tables, pictures and the report: nothing is
lost, and LaTeX, CSV, JSON, XML and HTML can be read.
"""

import csv
import html.parser
import io
import json
import re
import shutil
import xml.etree.ElementTree

from sweeps import OCCAM, PROGRAMS, Folder, expect, finish, run

VARIANTS = {
    "no_jitter & 50 % {x} #1": {"augmentations": "cnr0.5+hflip"},
    "batch → 256, λ ≥ 2 ± 1 *bold* `code`": {"batch_size": 256},
    "a|b, \"q\" \\n 'x' </td><script>alert(1)</script>": {"temperature": 0.5},
    "-- $m_i^2$ ~ größer als " + "sehr " * 12 + "lang": {"width": 0.5},
}
NAMES = ["baseline", *VARIANTS]
folder = Folder({
    "name": "größe_1 & \"50 %\" \\alpha {x} #1 <b>模型</b>",
    "trial": {"dataset": "synthetic", "steps": 4, "batch_size": 16},
    "grid": {"seed": [1, 2, 3], "class": "all"},
    "ablate": {"baseline": {}, "variants": VARIANTS},
    "evaluate": {"classifiers": ["kde", "gde"]},
    "tables": {"main_1 & x": {"rows": "variant", "columns": "classifier", "baseline": {"variant": "baseline"},
                              "labels": {"classifier": {"kde": "K_D & E"}}, "caption": "50 % of \\alpha: $x$ {y} _z_"}},
    "figures": {"bars & ü": {"x": "variant", "by": "classifier", "caption": "a & b % _"}},
})
done = run(folder.command("--worker", str(PROGRAMS / "fake-worker"), "--workers", "2"))
expect(done.returncode == 0, f"the sweep runs: {done.stderr[-500:]}")


def occam(*words):
    result = run([OCCAM, *words])
    expect(result.returncode == 0, f"{' '.join(words)[:70]}: {result.stderr.strip()[-300:]}")
    return result.stdout


def variants(rows):
    return list(dict.fromkeys(row["variant"] for row in rows))


expect(variants(csv.DictReader(io.StringIO(occam("table", folder.db, "--format", "csv")))) == NAMES, "CSV keeps the names")
expect(variants(json.loads(occam("table", folder.db, "--format", "json"))) == NAMES, "and so does JSON")
exported = csv.DictReader(io.StringIO(occam("export", folder.db)))
expect(sorted(variants(exported)) == sorted(NAMES), "and an export")
lines = [line for line in occam("table", folder.db, "--format", "md").splitlines() if line.startswith("|")]
expect(len(lines) == 7 and {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {4}, "Markdown has its three columns")
expect("<script>" not in "".join(lines), "without a script in them")
text = occam("table", folder.db)
expect(all(name in text for name in NAMES), "text shows them as they are")
for name in NAMES:
    one = "variant=" + name.replace(",", "\\,")
    rows = json.loads(occam("query", folder.db, "--where", one, "--format", "json") or "[]")
    expect(len(rows) == 24 and variants(rows) == [name], f"rows are found by a name: {len(rows)}")

occam("paper", folder.db, "-o", str(folder.path / "paper"))
if shutil.which("pdflatex") and not run(["kpsewhich", "booktabs.sty"]).returncode:
    made = run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"], cwd=folder.path / "paper")
    expect(made.returncode == 0, f"LaTeX sets all of it: {made.stdout[-800:]}")
picture = xml.etree.ElementTree.parse(next((folder.path / "paper").glob("bars*.svg")))
drawn = " ".join("".join(one.itertext()) for one in picture.iter("{http://www.w3.org/2000/svg}text"))
expect("no_jitter & 50 % {x} #1" in drawn and "λ ≥ 2" in drawn and "</td><script>" in drawn, "the picture has the names")


class Texts(html.parser.HTMLParser):
    """The texts of a page outside its scripts and styles."""

    def __init__(self, page):
        super().__init__()
        self.inside, self.texts = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.inside.append(tag)

    def handle_data(self, data):
        if self.inside[-1:] not in (["script"], ["style"]):
            self.texts += data + "\n"


occam("report", folder.db, "-o", str(folder.path / "report.html"))
page = (folder.path / "report.html").read_text()
texts = Texts(page).texts
expect(all(name in texts for name in NAMES), "the report shows them as they are")
expect("alert(1)</script>" not in page, "and runs none of them")
finish()
