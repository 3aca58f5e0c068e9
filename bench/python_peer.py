#!/usr/bin/env python3
"""Python's csv as a peer in measurements: the filter and the exact arithmetic of "CSV to CSV", by the row.

    python_peer.py INPUT OUTPUT

Its output is also what the totals of all others are compared with: nothing of it is ours.
"""
import csv
import decimal
import sys


def main():
    source, target = sys.argv[1:]
    with open(source, newline="", encoding="utf-8") as records, open(target, "w", newline="", encoding="utf-8") as out:
        reader = csv.reader(records)
        writer = csv.writer(out, lineterminator="\n")
        next(reader)
        writer.writerow(["id", "sold_at", "sku", "total", "currency", "customer"])
        for number, sold_at, _, sku, qty, unit_price, currency, customer, _ in reader:
            if int(qty) > 0:
                writer.writerow([number, sold_at, sku, int(qty) * decimal.Decimal(unit_price), currency, customer])


if __name__ == "__main__":
    main()
