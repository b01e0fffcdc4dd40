"""`occam report` on finished and unfinished sweeps, opened in a headless Chromium: no error on its console, no
request, tables that sort, trials that open, text that can be read. Without a browser the parts that need none
are tested, and the test counts as skipped.
"""
import html
import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

from sweeps import OCCAM, PROGRAMS, Folder, expect, failures, finish, run

folder = Folder()
LARGE = {
    "name": "large <b>&amp; \"quoted\"</b>",
    "trial": {"dataset": "fashion-mnist", "epochs": 200},
    "grid": {"seed": [1, 2, 3], "class": "all", "batch_size": [8, 16, 32, 64, 128, 256],
             "temperature": [0.1, 0.2, 0.5, 1.0]},
    "evaluate": {"features": ["pool", "embed", "pixels"], "classifiers": ["oc-svm-rbf", "kde", "gde", "nearest"]},
    "tables": {"main": {"rows": "batch_size", "columns": "temperature,classifier", "where": {"features": "pool"},
                        "caption": "</script><script>document.title = 'broken'</script>"}},
}


def sample(name, *words):
    path = str(folder.path / name)
    made = run([str(PROGRAMS / "sample_store"), path, *words])
    expect(made.returncode == 0, f"{name} is made: {made.stderr}")
    return path


def report(name, database, **options):
    path = folder.path / name
    result = run([OCCAM, "report", database, "-o", str(path)], **options)
    expect(result.returncode == 0, f"{name}: made: {result.stderr}")
    return path


class Reader(html.parser.HTMLParser):
    """Everything that a page could ask somebody else for, and whether its elements close."""

    VOID = {"meta", "link", "img", "input", "br"}

    def __init__(self, text):
        super().__init__()
        self.open, self.wrong, self.links = [], [], []
        self.feed(text)
        self.wrong += self.open

    def handle_starttag(self, tag, attributes):
        self.links += [value for name, value in attributes if name in ("src", "href", "srcset", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


whole = sample("whole.db")
part = sample("part.db", "--seeds", "1,3")
large = sample("large.db", folder.write("large.json", json.dumps(LARGE)))
pages = {"whole": report("whole.html", whole), "part": report("part.html", part),
         "large": report("large.html", large)}
for name, path in pages.items():
    text = path.read_text()
    reader = Reader(text)
    expect(not reader.wrong, f"{name}: every element closes: {reader.wrong[:3]}")
    expect(all(link.startswith(("#", "data:")) for link in reader.links), f"{name}: asks nobody for anything")
    embedded = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])
    expect(len(embedded["trials"]) == (360 if name != "large" else 720), f"{name}: has every trial")
size = pages["large"].stat().st_size
scores = sum(len(trial["scores"]) for trial in json.loads(
    re.search(r'id="data">(.*?)</script>', pages["large"].read_text(), re.S)[1])["trials"])
expect(scores == 720 * 12 and size < 5e6, f"720 trials x 12 evaluations x 200 epochs take {size / 1e6:.2f} MB")
text = pages["whole"].read_text()
cells = [float(cell) for cell in re.findall(r'<td data-v="(0\.\d+)">', text)]
table = json.loads(run([OCCAM, "table", whole, "--format", "json"]).stdout)
expect(sorted(cells) == sorted(round(cell["mean"], 6) for cell in table), "the table's cells are those of occam table")
expect("… <small>(" in pages["part"].read_text(), "a cell that lacks a seed has no mean")
bare = report("bare.html", whole, env=dict(os.environ, PATH="/nowhere"))
expect("not drawn. pictures are drawn by gnuplot" in bare.read_text(), "without gnuplot the page says so")
refused = run([OCCAM, "report", whole])
expect(refused.returncode == 2 and "-o report.html" in refused.stderr, "no file is named")

browser = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"))), None)
if not browser:
    print("skipped: no chromium on the path, so the page was not opened; install chromium-headless-shell to test that too")
    sys.exit(1 if failures else 77)

# Runs in the page, after its own script; answers in the last element of the document.
PROBE = """<script>
"use strict";
addEventListener("load", () => setTimeout(() => {
  const answer = {};
  const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((one) => one / 255)
    .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)
    .reduce((sum, one, i) => sum + one * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = rgb(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const contrasts = () => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
    while (walker.nextNode()) {
      const node = walker.currentNode.parentElement;
      if (!walker.currentNode.textContent.trim() || !node.checkVisibility()) continue;
      const style = getComputedStyle(node);
      const ink = rgb(node.namespaceURI.endsWith("svg") ? style.fill : style.color);
      const [a, b] = [light(ink), light(behind(node))].sort((x, y) => y - x);
      found.push([(a + 0.05) / (b + 0.05), walker.currentNode.textContent.trim().slice(0, 40)]);
    }
    return found.sort((x, y) => x[0] - y[0]);
  };
  answer.title = document.title;
  answer.contrast = contrasts()[0];
  answer.pictures = [...document.images].map((one) => one.complete && one.naturalWidth > 100);
  const all = document.getElementById("all"), heads = [...all.tHead.rows[0].cells];
  const column = (name) => heads.findIndex((head) => head.textContent === name);
  const values = (at) => [...all.tBodies[0].rows].map((row) => row.cells[at].textContent);
  const click = (at) => heads[at].querySelector("button").click();
  answer.sorted = {};
  for (const name of ["batch_size", "pool kde"]) {
    click(column(name));
    answer.sorted[name + " up"] = [heads[column(name)].ariaSort, values(column(name))];
    click(column(name));
    answer.sorted[name + " down"] = [heads[column(name)].ariaSort, values(column(name))];
  }
  const main = document.querySelector("#tables table"), first = main.tHead.rows[0].cells[1];
  first.querySelector("button").click();
  answer.main = [...main.tBodies[0].rows].map((row) => row.cells[1].dataset.v);
  const filter = document.getElementById("filter");
  filter.value = "loss=rotation 64";
  filter.dispatchEvent(new Event("input"));
  answer.filtered = document.getElementById("shown").textContent;
  filter.value = "";
  filter.dispatchEvent(new Event("input"));
  const link = all.querySelector("tbody a");
  link.click();
  setTimeout(() => {
    const page = document.getElementById("trial");
    answer.trial = {id: link.textContent, hidden: page.hidden, main: document.getElementById("main").hidden,
      text: page.textContent, curves: page.querySelectorAll("svg polyline").length,
      scores: page.querySelector("table").tBodies[0].rows.length, title: document.title};
    answer.trialContrast = contrasts()[0];
    document.querySelector(".back a").click();
    setTimeout(() => {
      answer.back = !document.getElementById("main").hidden && page.hidden;
      const out = document.createElement("pre");
      out.id = "answer";
      out.textContent = JSON.stringify(answer);
      document.body.append(out);
    }, 50);
  }, 50);
}, 50));
</script>"""


def chromium(*words):
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run([browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                               f"--user-data-dir={profile}", "--enable-logging=stderr", "--v=0",
                               "--host-resolver-rules=MAP * ~NOTFOUND", *words],
                              capture_output=True, text=True, timeout=300)


for name, path in pages.items():
    probed = folder.path / f"{name}-probed.html"
    probed.write_text(path.read_text().replace("</body>", PROBE + "</body>"))
    result = chromium("--virtual-time-budget=20000", "--dump-dom", f"file://{probed}")
    said = [line for line in result.stderr.splitlines() if "CONSOLE" in line]
    expect(not said, f"{name}: no word on the console: {said[:3]}")
    found = re.search(r'<pre id="answer">(.*?)</pre>', result.stdout, re.S)
    expect(found, f"{name}: the page's script ran to its end: {result.stderr[-500:] if not found else ''}")
    if not found:
        continue
    answer = json.loads(html.unescape(found[1]))
    spec_name = LARGE["name"] if name == "large" else "batch-size"
    expect(answer["title"] == f"{spec_name} – occam", f"{name}: is called {answer['title']}")
    expect(answer["contrast"][0] >= 4.5, f"{name}: the palest text has contrast {answer['contrast']}")
    expect(answer["trialContrast"][0] >= 4.5, f"{name}: on a trial's page {answer['trialContrast']}")
    if shutil.which("gnuplot"):
        expect(len(answer["pictures"]) >= 2 and all(answer["pictures"]), f"{name}: shows {len(answer['pictures'])} figures")
    for order, (state, texts) in answer["sorted"].items():
        down = order.endswith("down")
        numbers = [float(text) for text in texts if text != "–"]
        expect(state == ("descending" if down else "ascending") and numbers == sorted(numbers, reverse=down)
               and texts[len(numbers):] == ["–"] * (len(texts) - len(numbers)) and len(set(numbers)) > 2,
               f"{name}: sorts by {order}")
    values = [float(value) for value in answer["main"] if value]
    expect(values == sorted(values), f"{name}: the ablation table sorts")
    if name == "whole":
        expect(answer["filtered"] == "30 of 360", f"{name}: the filter leaves {answer['filtered']}")
    trial = answer["trial"]
    expect(not trial["hidden"] and trial["main"] and trial["id"] in trial["title"], f"{name}: a trial has its page")
    expect(trial["curves"] == 2 and trial["scores"] == (12 if name == "large" else 8), f"{name}: with curves and scores")
    for word in ("weight_decay", "0.0003", "sample-build", "sample-data", "torch 2.11.0", "node", "0123456789ab"):
        expect(word in trial["text"], f"{name}: it says {word}")
    expect(answer["back"], f"{name}: and a way back")

printed = folder.path / "whole.pdf"
chromium(f"--print-to-pdf={printed}", "--no-pdf-header-footer", f"file://{pages['whole']}")
expect(printed.exists() and printed.read_bytes().startswith(b"%PDF-"), "prints")
if shutil.which("pdftotext"):
    sheets = run(["pdftotext", "-layout", str(printed), "-"]).stdout.split("\f")
    of_trials = [sheet for sheet in sheets if len(re.findall(r"^ *[0-9a-f]{16} ", sheet, re.M)) > 1]
    expect(len(of_trials) > 3 and all("class_name" in sheet for sheet in of_trials),
           f"on paper the {len(of_trials)} sheets of trials have their heads")
    expect("weight_decay 0.0003" in " ".join(sheets[0].split()), "and what is folded up on the screen can be read")
    expect("A heading sorts" not in sheets[0], "and nothing says to click")
finish()
