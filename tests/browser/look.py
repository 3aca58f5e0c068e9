#!/usr/bin/env python3
"""Looks at reports in a browser: as people see them, wide and narrow, light and dark, and as print; asks axe-core whether
everybody can read them; compares what charts show with what their queries say; measures how fast a page opens.

  tests/browser/look.py [--shots FOLDER] [--report FILE]

`make look` calls it. It needs Debian's package `chromium`, and says so.
"""
import argparse
import collections
import datetime
import decimal
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import chromium
import scene as scenes

AXE = scenes.SOURCE / ".deps" / "axe" / "axe.min.js"
STORES = ["Berlin", "Hamburg", "Köln", "Leipzig", "München", "Dresden", "Bremen"]
SIZES = [("wide", 1280, False, ""), ("narrow", 390, False, ""), ("wide-dark", 1280, True, ""), ("narrow-dark", 390, True, ""),
         ("print", 794, True, "print")]
BATCHES = 10_000

SALES_JOB = """job: sales
steps:
  - name: load
    read: { csv: sales.csv, columns: { id: bigint, sold_at: timestamp, store: varchar, sku: varchar, qty: integer, unit_price: "decimal(12,2)" } }
    process:
      - sql: SELECT *, qty * unit_price AS total FROM batch
    on_error: { max_rejects: 1000 }
    write: { parquet: sales, mode: replace }
  - name: report
    report: out/report.html
    title: Sales of the first quarter
    text: |
      What the seven stores sold in the **first quarter**. Figures are in euros; see
      [the notes](https://example.org/sales) for what counts as a sale.

      - Returns are not taken off.
      - Records that could not be read are at the end.
    sections:
      - title: Revenue by store
        text: Each store's revenue, and how many pieces that were.
        query: SELECT store, sum(total) AS revenue, sum(qty) AS pieces FROM 'sales/*.parquet' GROUP BY store ORDER BY revenue DESC
        chart: { type: bar, x: store, y: revenue }
      - title: Revenue by day
        query: SELECT CAST(sold_at AS DATE) AS day, store, sum(total) AS revenue FROM 'sales/*.parquet' WHERE store IN ('Berlin', 'Köln') GROUP BY ALL ORDER BY ALL
        chart: { type: line, x: day, y: revenue, color: store }
        rows: 10
      - title: Shares
        query: SELECT store, sum(total) AS revenue FROM 'sales/*.parquet' GROUP BY store ORDER BY revenue DESC
        chart: { type: pie, x: store, y: revenue }
      - title: Prices and pieces
        query: SELECT sku, avg(unit_price) AS price, sum(qty) AS pieces FROM 'sales/*.parquet' GROUP BY sku ORDER BY sku
        chart: { type: point, x: price, y: pieces }
        rows: 10
      - title: The ten best days
        query: SELECT CAST(sold_at AS DATE) AS day, sum(total) AS revenue FROM 'sales/*.parquet' GROUP BY ALL ORDER BY revenue DESC LIMIT 10
        chart: { type: horizontal_bar, x: day, y: revenue }
      - title: Two stores by month
        query: SELECT month(sold_at) AS month, sum(total) FILTER (store = 'Berlin') AS berlin, sum(total) FILTER (store = 'Bremen') AS bremen FROM 'sales/*.parquet' GROUP BY ALL ORDER BY ALL
        chart: { type: bar, x: month, y: [berlin, bremen] }
      - title: Over time
        query: SELECT CAST(date_trunc('week', sold_at) AS DATE) AS week, sum(total) AS revenue FROM 'sales/*.parquet' GROUP BY ALL ORDER BY ALL
        chart: { type: area, x: week, y: revenue }
      - title: A chart of one's own
        query: SELECT store, month(sold_at) AS month, sum(total) AS revenue FROM 'sales/*.parquet' GROUP BY ALL ORDER BY ALL
        chart: { vega_lite: { mark: rect, encoding: { x: { field: month, type: ordinal }, y: { field: store, type: nominal }, color: { field: revenue, type: quantitative } } } }
      - title: Nothing
        query: SELECT store, sku FROM 'sales/*.parquet' WHERE qty < 0
      - title: Strange names
        query: |
          SELECT '</script><script>alert(1)</script>' AS "<b>name</b>", 'a|b' AS pipe, NULL AS nothing, 'x' || chr(7) || 'y' AS bell,
          123456789012345678 AS big, 0.1::DOUBLE + 0.2 AS float, repeat('long words ', 30) AS text, repeat('w', 120) AS word
      - title: Refused
        rejects: load
"""
BATCHES_JOB = """job: batches
steps:
  - name: load
    read: { csv: in.csv, columns: { id: bigint, n: integer } }
    batch: { rows: 20 }
    on_error: { max_rejects: 1000 }
    write: { csv: out.csv }
"""


def write_sales(path):
    chance = random.Random(4)
    revenue = collections.defaultdict(decimal.Decimal)
    with open(path, "w", encoding="utf-8") as file:
        print("id,sold_at,store,sku,qty,unit_price", file=file)
        for i in range(20_000):
            at = datetime.datetime(2026, 1, 1) + datetime.timedelta(minutes=chance.randrange(60 * 24 * 90))
            store, qty = chance.choice(STORES), chance.randrange(1, 9)
            price = decimal.Decimal(chance.randrange(100, 90000)) / 100
            if i % 997 == 0:
                qty = "many"
            else:
                revenue[store] += qty * price
            print(i, at.isoformat(), store, f"SKU-{chance.randrange(300):04d}", qty, price, sep=",", file=file)
    return {store: float(total) for store, total in revenue.items()}


class Looker:
    def __init__(self, browser, shots):
        self.browser = browser
        self.shots = shots
        self.faults = []
        self.lines = []

    def look(self, name, path):
        opened = []
        for size, width, dark, media in SIZES:
            page = self.browser.page(path, width=width, height=844 if width < 600 else 900, dark=dark, media=media)
            opened.append(page.seconds_painted)
            self.faults += [f"{name}, {size}: {complaint}" for complaint in page.complaints()]
            overflow = page.ask("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            if overflow > 0:
                self.faults.append(f"{name}, {size}: wider than the window by {overflow} px")
            if not media:
                self.ask_axe(page, f"{name}, {size}")
            page.shoot(self.shots / f"{name}-{size}.png")
            page.close()
        self.lines.append(f"| {name} | {path.stat().st_size:,} bytes | {min(opened):.2f} to {max(opened):.2f} s |")

    def ask_axe(self, page, where):
        page.ask(AXE.read_text(encoding="utf-8") + "; 1")
        found = page.ask("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => [v.impact, v.id, v.help, "
                         "v.nodes.slice(0, 3).map(n => n.html.slice(0, 160))]))")
        self.faults += [f"{where}: axe-core: {impact}: {rule}: {text} {nodes}" for impact, rule, text, nodes in found]

    def compare_chart(self, path, revenue):
        page = self.browser.page(path)
        drawn = page.ask("Array.from(document.querySelectorAll('#chart-1 .mark-rect path')).length")
        shown = page.ask("(() => { const view = document.getElementById('chart-1').view; const name = "
                         "Object.keys(view.getState({data: () => true}).data).find(n => n.startsWith('source')); "
                         "return view.data(name).map(row => [row.store, row.revenue]) })()")
        if dict(shown) != revenue or drawn != len(revenue):
            self.faults.append(f"the chart shows {shown} in {drawn} bars, the query's values are {revenue}")
        sorted_by = page.ask("(() => { const button = document.querySelectorAll('#table-1')[0].parentElement.querySelector('th button'); "
                             "button.focus(); button.click(); const cells = [...document.querySelector('table').tBodies[0].rows].map(r => r.cells[0].textContent); "
                             "return [document.querySelector('th').getAttribute('aria-sort'), cells] })()")
        if sorted_by != ["ascending", sorted(STORES)]:
            self.faults.append(f"the table sorts to {sorted_by}")
        page.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--shots", type=pathlib.Path, default=pathlib.Path("build/pages"))
    parser.add_argument("--report", type=pathlib.Path)
    arguments = parser.parse_args()
    if chromium.find() is None:
        sys.exit("look: needs a browser: apt-get install chromium")
    arguments.shots.mkdir(parents=True, exist_ok=True)
    with scenes.Scene(SALES_JOB) as sales, scenes.Scene(BATCHES_JOB) as batches, chromium.Chromium() as browser:
        revenue = write_sales(sales.root / "sales.csv")
        batches.write("in.csv", "id,n\n" + "".join(f"{i},{'bad' if i % 5003 == 7 else i}\n" for i in range(20 * BATCHES)))
        for scene in (sales, batches):
            done = scene.run()
            assert done.code == 0, done
        done = batches.type("report", "last", "-o", "run.html")
        assert done.code == 0, done
        looker = Looker(browser, arguments.shots)
        looker.look("report", sales.out / "report.html")
        looker.compare_chart(sales.out / "report.html", revenue)
        looker.look("run", batches.root / "run.html")
        version = browser.call("Browser.getVersion")["product"]
    text = "\n".join([f"# Pages in a browser ({datetime.date.today()})", "",
                      f"{version}, {len(SIZES)} sizes and modes, axe-core on each but print. The run has {BATCHES:,} batches.", "",
                      "| page | size | opens and is painted within |", "|---|---:|---:|", *looker.lines, "",
                      f"Findings: {len(looker.faults)}", *[f"- {fault}" for fault in looker.faults], ""])
    print(text)
    if arguments.report:
        arguments.report.write_text(text, encoding="utf-8")
    sys.exit(1 if looker.faults else 0)


if __name__ == "__main__":
    main()
