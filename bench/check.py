"""Looks at results: what is right and what is wrong in each, ours and the peers'. Nothing here is measured."""
import csv
import decimal
import hashlib
import json
import re
import subprocess

import data as sales

DUCKDB_COLUMNS = "{" + ", ".join(f"'{name}': '{kind.upper()}'" for name, kind in sales.COLUMNS.items()) + "}"
# The line that parse_sales prints, of a table with typed columns.
SUMS = ("count(*), 0, sum(id), epoch_us(max(sold_at)), sum(store), sum(strlen(sku)), sum(qty), "
        "(sum(unit_price::DECIMAL(12,2)) * 100)::HUGEINT, sum(strlen(currency)), sum(strlen(customer)), count(note), "
        "coalesce(sum(strlen(note)), 0)")


class Finding:
    """`right` decides whether ours has passed; `text` is for the table."""

    def __init__(self, right, text):
        self.right = right
        self.text = text


def read_csv_sql(path):
    return f"read_csv('{path}', header = true, columns = {DUCKDB_COLUMNS})"


class Judge:
    """Asks DuckDB where Python would take too long, and to read Parquet."""

    def __init__(self, programs):
        self.programs = programs
        self.known = {}

    def ask(self, *statements):
        done = subprocess.run([str(self.programs / "duckdb_peer"), "2", *statements], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            first = done.stderr.strip().splitlines()[0].removeprefix("duckdb_peer: ")
            raise ValueError(re.sub(r"/\S*/", "", first)[:160])   # no folders of this machine
        return done.stdout.strip()

    def expected_sums(self, data):
        if data.has_reference():
            return data.sums(), "Python's"
        if data.records not in self.known:
            self.known[data.records] = self.ask(f"SELECT {SUMS} FROM {read_csv_sql(data.clean())}")
        return self.known[data.records], "DuckDB's"

    # --- one function for each kind of result

    def sums_line(self, data, line):
        expected, whose = self.expected_sums(data)
        if line.strip() == expected:
            return Finding(True, f"{data.records:,} rows, all sums equal to {whose}")
        return Finding(False, f"sums differ from {whose}")

    def parquet(self, data, glob):
        try:
            return self._parquet(data, glob)
        except ValueError as why:
            return Finding(False, f"DuckDB can't read it: {why}")

    def _parquet(self, data, glob):
        found = self.sums_line(data, self.ask(f"SELECT {SUMS} FROM '{glob}'"))
        notes = [found.text]
        if data.has_reference():
            table = f"SELECT {', '.join(sales.COLUMNS)} FROM '{glob}'"
            exact = f"SELECT * FROM {read_csv_sql(data.clean())}"
            differing = int(self.ask(f"SELECT count(*) FROM (({table}) EXCEPT ALL ({exact}))"))
            if differing:
                found.right = False
                notes.append(f"{differing:,} rows differ")
        types = dict(line.split("|")[:2] for line in self.ask(f"DESCRIBE SELECT * FROM '{glob}'").splitlines())
        wrong = [f"{name} is {types.get(name, 'missing')}" for name, kind in sales.COLUMNS.items()
                 if not types.get(name, "").startswith(kind.upper())]
        found.right = found.right and not wrong
        return Finding(found.right, ", ".join(notes + wrong))

    def totals(self, data, path):
        if not path.exists():
            return Finding(False, "no output")
        if data.has_reference():
            return compare_totals(data.totals(), path)
        return self._total_sums(data, path)

    def _total_sums(self, data, path):
        sums = ("count(*), sum(id::BIGINT), sum(total::DECIMAL(38,12)), sum(strlen(sku)), sum(strlen(customer)), "
                "max(sold_at::TIMESTAMP)")
        key = ("totals", data.records)
        if key not in self.known:
            expected = f"SELECT *, qty * unit_price AS total FROM {read_csv_sql(data.clean())} WHERE qty > 0"
            self.known[key] = self.ask(f"SELECT {sums} FROM ({expected})")
        try:
            found = self.ask(f"SELECT {sums} FROM read_csv('{path}', header = true, all_varchar = true, "
                             "delim = ',', quote = '\"', escape = '\"')")
        except ValueError as why:
            return Finding(False, f"no valid CSV: {why}")
        names = ["rows", "sum of id", "sum of total", "bytes of sku", "bytes of customer", "latest sold_at"]
        pairs = zip(names, self.known[key].split("|"), found.split("|"))
        wrong = [f"{name}: {got} for {expected}" for name, expected, got in pairs if expected != got]
        if wrong:
            return Finding(False, ", ".join(wrong))
        return Finding(True, f"{int(found.split('|')[0]):,} rows, sums equal to DuckDB's")


def plain_time(text):
    date, _, fraction = text.replace("T", " ").removesuffix("Z").partition(".")
    return f"{date}.{fraction.rstrip('0')}" if fraction.rstrip("0") else date


def equal_cells(expected, found):
    """One flag a column. How a time is spelled is nobody's mistake, and neither is a zero behind a total's point."""
    try:
        total = decimal.Decimal(found[3]) == decimal.Decimal(expected[3])
    except decimal.InvalidOperation:
        total = False
    return (expected[0] == found[0], plain_time(expected[1]) == plain_time(found[1]), expected[2] == found[2], total,
            expected[4] == found[4], expected[5] == found[5])


def compare_totals(expected_path, path):
    """Record by record, in order; from the first record that does not belong there on, they are compared by id."""
    with open(expected_path, newline="", encoding="utf-8") as file:
        expected = {row[0]: row for row in list(csv.reader(file))[1:]}
    names = ("id", "sold_at", "sku", "total", "currency", "customer")
    wrong = dict.fromkeys(names, 0)
    rows = strangers = 0
    seen = set()
    in_order = iter(expected)
    ordered = True
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.reader(file)
        next(reader, None)
        for row in reader:
            rows += 1
            if len(row) != 6 or row[0] not in expected or row[0] in seen:
                strangers += 1
                continue
            seen.add(row[0])
            ordered = ordered and next(in_order, None) == row[0]
            for name, equal in zip(names, equal_cells(expected[row[0]], row)):
                wrong[name] += not equal
    texts = [f"{rows:,} rows"]
    if rows != len(expected):
        texts[0] += f" for {len(expected):,}"
    texts += [f"{strangers:,} that are no record"] * (strangers > 0)
    texts += [f"{count:,} wrong cells of {name}" for name, count in wrong.items() if count]
    missing = len(expected) - len(seen)
    texts += [f"{missing:,} records missing"] * (missing > 0)
    right = len(texts) == 1 and rows == len(expected)
    if right and not ordered:
        texts.append("not in order")
    return Finding(right and ordered, texts[0] + (", all equal to Python's" if right and ordered else "")
                   + "".join(f", {text}" for text in texts[1:]))


def rejects(data, command, folder):
    """Every broken record, with its record number, line, offset, kind and column, and no other."""
    done = subprocess.run([str(word) for word in command], cwd=folder, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        return Finding(False, f"rejects can't be read: {done.stderr.strip()[-160:]}")
    found = []
    for line in done.stdout.splitlines():
        reject = json.loads(line)
        error = reject["error"]
        column = error.split('"')[1] if error.startswith("Column ") else ""
        kind = "date" if error.endswith("is not a timestamp.") else "number"
        if not column:
            kind = "too_few_columns" if error.endswith(f"found {len(sales.COLUMNS) - 1}.") else "too_many_columns"
        found.append((reject["record"], reject["line"], reject["offset"], kind, column))
    truth = data.broken()
    if found == truth:
        return Finding(True, f"all {len(truth):,} broken records found, with line, offset and column")
    missed, invented = set(truth) - set(found), set(found) - set(truth)
    return Finding(False, f"{len(missed):,} broken records missed, {len(invented):,} rejects that are not of the truth")


def digest(path):
    made = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            made.update(block)
    return made.hexdigest()
