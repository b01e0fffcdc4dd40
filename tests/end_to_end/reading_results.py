"""Runs the examples of docs/reading-results.md in one language on a real database, and holds the means that
they print against the table's. Skipped, saying why, where the language or a library is not installed.

Usage: reading_results.py PROGRAMS sh|sqlite3|python|r
"""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from sweeps import OCCAM, PROGRAMS, Folder, expect, finish, run

LANGUAGE = sys.argv[2]
DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "reading-results.md"


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


def python_with_pandas():
    for program in ("/usr/bin/python3", sys.executable):
        if pathlib.Path(program).exists() and run([program, "-c", "import pandas"]).returncode == 0:
            return program
    skip("no python3 has pandas; install python3-pandas")


def command(code):
    if LANGUAGE == "sh":
        return ["sh", "-e", "-c", code]
    if LANGUAGE == "sqlite3":
        return ["sqlite3", "-readonly", "occam.db", code] if shutil.which("sqlite3") else skip(
            "no sqlite3 on the path; install sqlite3")
    if LANGUAGE == "python":
        return [python_with_pandas(), "-c", code]
    if not shutil.which("Rscript"):
        skip("no Rscript on the path; install r-base-core")
    if run(["Rscript", "-e", "stopifnot(requireNamespace('RSQLite', quietly = TRUE))"]).returncode:
        skip("R has no RSQLite; install r-cran-rsqlite")
    return ["Rscript", "-e", code]


folder = Folder()
made = run([str(PROGRAMS / "sample_store"), folder.db])
expect(made.returncode == 0, f"the sample is made: {made.stderr}")
before = pathlib.Path(folder.db).read_bytes()
environment = dict(os.environ, PATH=f"{PROGRAMS}:{os.environ['PATH']}")
blocks = re.findall(rf"^```{LANGUAGE}\n(.*?)^```", DOCUMENT.read_text(), re.M | re.S)
expect(blocks, f"the document has examples for {LANGUAGE}")
for code in blocks:
    result = subprocess.run(command(code), capture_output=True, text=True, cwd=folder.path, env=environment,
                            timeout=300)
    expect(result.returncode == 0, f"runs: {result.stderr.strip()[-2000:]}")
    print(result.stdout[:3000])
    if LANGUAGE == "sh":
        rows = sum(1 for _ in open(folder.path / "results.csv")) - 1
        expect(rows == 360 * 8, f"results.csv has every evaluation: {rows}")
        curves = [json.loads(line) for line in open(folder.path / "curves.jsonl")]
        expect(len(curves) == 360 * 20, f"curves.jsonl has every epoch: {len(curves)}")
        expect(all(isinstance(row["epoch"], int) and isinstance(row["train_loss"], float)
                   and isinstance(row["trial"], str) for row in curves), "values keep their types")
        continue
    table = json.loads(run([OCCAM, "table", folder.db, "--rows", "batch_size", "--columns", "loss", "--where",
                            "features=pool", "--where", "classifier=kde", "--format", "json"]).stdout)
    expect(len(table) == 12, "the table has 12 cells")
    for cell in table:
        line = next((line for line in result.stdout.splitlines()
                     if re.search(rf"(?<!\d){cell['batch_size']}\b.*\b{cell['loss']}\b", line)
                     or (cell["loss"] in line and re.search(rf"^{cell['batch_size']}\b", line))), None)
        if line is None:  # pandas prints a repeated index value once
            lines = result.stdout.splitlines()
            at = next(i for i, text in enumerate(lines) if re.match(rf"{cell['batch_size']}\b", text))
            line = next(text for text in lines[at:] if cell["loss"] in text)
        numbers = [float(number) for number in re.findall(r"\d\.\d+", line)]
        expect(any(abs(number - cell["mean"]) < 6e-5 for number in numbers),
               f"{cell['batch_size']} {cell['loss']}: {numbers} has the table's {cell['mean']:.6f}")
expect(pathlib.Path(folder.db).read_bytes() == before, "the database stays as it was")
finish()
