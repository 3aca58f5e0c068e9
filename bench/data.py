"""The data of the measurements, made once and kept: sales records, clean and broken, as CSV and JSON Lines, and what
an exact reader without anything of ours makes of them."""
import csv
import datetime
import decimal
import hashlib
import pathlib
import subprocess
import sys

COLUMNS = {"id": "bigint", "sold_at": "timestamp", "store": "integer", "sku": "varchar", "qty": "integer",
           "unit_price": "decimal(12,2)", "currency": "varchar", "customer": "varchar", "note": "varchar"}
# Beyond this, Python would take longer than all that is measured: then results are compared with DuckDB's.
REFERENCE_RECORDS_MAX = 2_000_000
EPOCH = datetime.datetime(1970, 1, 1)


class Data:
    """Files of one number of records, each made when it is first asked for."""

    def __init__(self, folder, programs, records):
        self.folder = folder
        self.programs = programs
        self.records = records
        generator = (programs / "generate_sales").read_bytes()
        self.edition = hashlib.sha256(generator).hexdigest()[:8]   # another generator, other data
        folder.mkdir(parents=True, exist_ok=True)

    def of(self, records):
        """The first ones of them, or more."""
        return Data(self.folder, self.programs, records)

    def has_reference(self):
        return self.records <= REFERENCE_RECORDS_MAX

    def _make(self, name, make):
        """A file is under its name when it is whole."""
        path = self.folder / f"{self.records}-{self.edition}-{name}"
        if not path.exists():
            for older in self.folder.glob(f"{self.records}-*-{name}"):
                older.unlink()
            print(f"bench: making {path.name}", file=sys.stderr, flush=True)
            unfinished = path.with_name("unfinished-" + path.name)  # its suffix says the format
            make(unfinished)
            unfinished.rename(path)
        return path

    def _generate(self, path, *more):
        generator = self.programs / "generate_sales"
        subprocess.run([str(generator), str(self.records), str(path), *map(str, more)], check=True)

    def clean(self):
        return self._make("sales.csv", self._generate)

    def dirty(self):
        return self._make("broken.csv", lambda path: self._generate(path, "--broken", "/dev/null"))

    def truth(self):
        return self._make("truth.csv", lambda path: self._generate("/dev/null", "--broken", path))

    def jsonl(self):
        return self._make("sales.jsonl", self._generate)

    def totals(self):
        """What the workload "CSV to CSV" must give, by Python's decimals."""
        peer = pathlib.Path(__file__).with_name("python_peer.py")
        return self._make("totals.csv", lambda path: subprocess.run(
            [sys.executable, str(peer), str(self.clean()), str(path)], check=True))

    def sums(self):
        """The line that parse_sales must print."""
        path = self._make("sums.txt", lambda path: path.write_text(sums_of(self.clean()), encoding="utf-8"))
        return path.read_text(encoding="utf-8")

    def broken(self):
        """(record, line, offset, kind, column) of each broken record."""
        with open(self.truth(), newline="", encoding="utf-8") as file:
            return [(int(row["record"]), int(row["line"]), int(row["offset"]), row["kind"], row["column"])
                    for row in csv.DictReader(file)]


def sums_of(path):
    rows = number = store = sku = qty = currency = customer = notes = note = 0
    latest, price = "", decimal.Decimal(0)
    with open(path, newline="", encoding="utf-8") as records:
        reader = csv.reader(records)
        next(reader)
        for row in reader:
            rows += 1
            number += int(row[0])
            latest = max(latest, row[1])
            store += int(row[2])
            sku += len(row[3].encode())
            qty += int(row[4])
            price += decimal.Decimal(row[5])
            currency += len(row[6].encode())
            customer += len(row[7].encode())
            notes += bool(row[8])
            note += len(row[8].encode())
    microseconds = (datetime.datetime.fromisoformat(latest) - EPOCH) // datetime.timedelta(microseconds=1)
    return (f"{rows}|0|{number}|{microseconds}|{store}|{sku}|{qty}|{int(price * 100)}|{currency}|{customer}|"
            f"{notes}|{note}")
