#!/usr/bin/env python3
"""Steps that write a report: pages, Markdown and workbooks of queries, charts and rejects, read back by others' eyes; and
the page about a run."""
import html.parser
import json
import pathlib
import re
import sqlite3
import sys
import unittest
import xml.etree.ElementTree
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

SALES = "store,qty,price\nBerlin,2,10.50\nParis,1,3.25\nBerlin,1000000,1.00\nOslo,many,2.00\n"
HOSTILE = """SELECT '</script><script>alert(1)</script>' AS "<b>name</b>", '=1+1' AS formula, '@SUM(A1)' AS at, 'a|b' AS pipe,
          NULL AS nothing, '' AS empty, 'x' || chr(7) || 'y' AS bell, 'two' || chr(10) || 'lines' AS lines, 7 AS "__proto__\""""
LOAD = """  - name: load
    read: { csv: sales.csv, columns: { store: varchar, qty: integer, price: "decimal(8,2)" } }
    on_error: { max_rejects: 10 }
    write: { parquet: sales, mode: replace }
"""


def job_text(sections, report="out/report.html", more="", steps=LOAD):
    return f"""job: reported
params: {{ day: {{ type: date, default: 2026-01-31 }} }}
steps:
{steps}
  - name: report
    report: {report}
    title: Sales of ${{day}}
{more}
    sections:
{sections}
"""


REVENUE = """      - title: Revenue by store
        text: What **each** store took.
        query: SELECT store, sum(qty * price) AS revenue, $day AS day FROM 'sales/*.parquet' GROUP BY store ORDER BY store
        chart: { type: bar, x: store, y: revenue }
"""
REJECTS = """      - title: Refused
        rejects: load
"""


class PageReader(html.parser.HTMLParser):
    """What a page holds: tables, data of charts, scripts, and all elements by name."""

    def __init__(self, path):
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.open = []
        self.elements = []
        self.tables = []
        self.data = {}
        self.scripts = []
        self.policy = ""
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.elements.append((tag, attributes))
        if tag == "meta":
            if attributes.get("http-equiv") == "Content-Security-Policy":
                self.policy = attributes["content"]
            return
        self.open.append((tag, attributes))
        if tag == "table":
            self.tables.append({"caption": "", "head": [], "rows": []})
        elif tag == "tr" and ("tbody", {}) in self.open:
            self.tables[-1]["rows"].append([])
        elif tag == "th":
            self.tables[-1]["head"].append("")
        elif tag == "td":
            self.tables[-1]["rows"][-1].append("")
        elif tag == "script" and attributes.get("type") != "application/json":
            self.scripts.append("")

    def handle_endtag(self, tag):
        if (tag, ) not in [(one, ) for one, _ in self.open]:
            raise ValueError(f"</{tag}> ends nothing")
        if self.open[-1][0] != tag:
            raise ValueError(f"</{tag}> ends <{self.open[-1][0]}>")
        self.open.pop()

    def handle_data(self, data):
        tags = [tag for tag, _ in self.open]
        if "script" in tags:
            attributes = self.open[-1][1]
            if attributes.get("type") == "application/json":
                self.data[attributes["id"]] = json.loads(data)
            else:
                self.scripts[-1] += data
        elif "caption" in tags:
            self.tables[-1]["caption"] += data
        elif "th" in tags:
            self.tables[-1]["head"][-1] += data
        elif "td" in tags:
            self.tables[-1]["rows"][-1][-1] += data


class Sheets:
    """The cells of a workbook, as (type, value), by sheet."""

    NAMES = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}

    def __init__(self, path):
        self.cells = {}
        self.formats = {}
        self.widths = {}
        with zipfile.ZipFile(path) as archive:
            self.names = archive.namelist()
            texts = []
            if "xl/sharedStrings.xml" in self.names:
                texts = ["".join(item.itertext()) for item in self.root(archive, "xl/sharedStrings.xml")]
            styles = self.root(archive, "xl/styles.xml")
            numbers = {one.get("numFmtId"): one.get("formatCode") for one in styles.iterfind(".//m:numFmt", self.NAMES)}
            styles = [numbers.get(one.get("numFmtId"), one.get("numFmtId")) for one in styles.find("m:cellXfs", self.NAMES)]
            book = self.root(archive, "xl/workbook.xml")
            for number, sheet in enumerate(book.iterfind("m:sheets/m:sheet", self.NAMES), 1):
                name = sheet.get("name")
                root = self.root(archive, f"xl/worksheets/sheet{number}.xml")
                self.widths[name] = [float(one.get("width")) for one in root.iterfind(".//m:cols/m:col", self.NAMES)]
                for cell in root.iterfind(".//m:c", self.NAMES):
                    value = cell.find("m:v", self.NAMES)
                    kind = cell.get("t", "n")
                    if kind == "s":
                        kind, value = "text", texts[int(value.text)]
                    elif kind == "inlineStr":
                        kind, value = "text", "".join(cell.find("m:is", self.NAMES).itertext())
                    elif value is not None:
                        value = value.text
                    else:
                        continue
                    if cell.find("m:f", self.NAMES) is not None:
                        kind = "formula"
                    self.cells[name, cell.get("r")] = (kind, value)
                    self.formats[name, cell.get("r")] = styles[int(cell.get("s", 0))]

    def root(self, archive, name):
        return xml.etree.ElementTree.fromstring(archive.read(name))


class Report(scenes.Case):
    def scene(self, *words, **more):
        scene = scenes.Scene(job_text(*words, **more))
        self.addCleanup(scene.__exit__)
        scene.write("sales.csv", SALES)
        return scene

    def page(self, scene, name="report.html"):
        return PageReader(scene.out / name)

    def test_is_a_page_with_the_querys_values_in_table_and_chart(self):
        scene = self.scene(REVENUE + REJECTS, more="    text: Of ${steps.load.read} records none is missing.")
        done = self.expect(0, scene.run())
        self.assertIn("<p>Of 3 records none is missing.</p>", self.page(scene).text)
        self.assertEqual("completed", done.json["steps"][1]["state"])
        page = self.page(scene)
        revenue, refused = page.tables
        self.assertEqual("Revenue by store 2 rows", revenue["caption"])
        self.assertEqual(["store", "revenue", "day"], revenue["head"])
        self.assertEqual([["Berlin", "1,000,021.00", "2026-01-31"], ["Paris", "3.25", "2026-01-31"]], revenue["rows"])
        data = page.data["chart-1-data"]
        self.assertEqual(["store", "revenue", "day"], data["columns"])
        self.assertEqual([["Berlin", 1000021.00, "2026-01-31"], ["Paris", 3.25, "2026-01-31"]], data["rows"])
        self.assertEqual("revenue", data["spec"]["encoding"]["y"]["field"])
        self.assertIn("Sales of 2026-01-31</title>", page.text)
        self.assertIn("<p>What <strong>each</strong> store took.</p>", page.text)
        self.assertEqual(1, len(refused["rows"]))
        self.assertEqual(["3", "sales.csv", "5", "read"], refused["rows"][0][:4])
        self.assertEqual("Oslo,many,2.00", refused["rows"][0][5])
        self.expect(0, scene.type("verify", "last"))
        (scene.out / "report.html").write_text("changed")
        self.assertIn("is not the report that the run", self.expect(1, scene.type("verify", "last")).out)

    def test_asks_nothing_of_anybody_and_runs_no_script_but_its_own(self):
        scene = self.scene(REVENUE)
        self.expect(0, scene.run())
        page = self.page(scene)
        self.assertIn("default-src 'none'", page.policy)
        self.assertNotIn("unsafe", page.policy)
        for tag, attributes in page.elements:
            self.assertNotIn("src", attributes, tag)
            self.assertNotIn("style", attributes, tag)
            self.assertNotEqual("link", tag)
        self.assertEqual(page.policy.count("'sha256-"), len(page.scripts) + 1)
        scene.write_job(job_text(REVENUE.replace("        chart: { type: bar, x: store, y: revenue }\n", "")))
        self.expect(0, scene.run())
        self.assertEqual(1, len(self.page(scene).scripts), "only a page with a chart needs Vega")

    def test_says_for_everybody_what_is_what(self):
        scene = self.scene(REVENUE + REJECTS)
        self.expect(0, scene.run())
        page = self.page(scene)
        self.assertIn(("html", {"lang": "en"}), page.elements)
        heads = [attributes for tag, attributes in page.elements if tag == "th"]
        self.assertTrue(heads and all(one.get("scope") == "col" for one in heads))
        self.assertEqual(2, sum(tag == "caption" for tag, _ in page.elements))
        labels = [attributes["aria-label"] for _, attributes in page.elements if attributes.get("role") == "img"]
        self.assertEqual(["Bar chart of revenue by store. The figures are in the table below."], labels)

    def test_shows_hostile_values_as_what_they_are(self):
        scene = self.scene(f"      - title: '<i>Hostile</i>'\n        query: |\n          {HOSTILE}\n"
                           "        chart: { vega_lite: { mark: bar, encoding: { x: { field: pipe } } } }\n")
        self.expect(0, scene.run())
        page = self.page(scene)
        self.assertEqual("<b>name</b>", page.tables[0]["head"][0])
        self.assertEqual(["</script><script>alert(1)</script>", "=1+1", "@SUM(A1)", "a|b", "–", "", "x␇y", "two\nlines", "7"],
                         page.tables[0]["rows"][0])
        self.assertEqual("</script><script>alert(1)</script>", page.data["chart-1-data"]["rows"][0][0])
        self.assertFalse(any("alert(1)" in script for script in page.scripts))

    def test_of_nothing_says_so(self):
        for ending in ("html", "md", "xlsx"):
            with self.subTest(ending):
                scene = self.scene("      - title: None\n        query: SELECT store FROM 'sales/*.parquet' WHERE qty < 0\n"
                                   "        chart: { vega_lite: { mark: bar } }\n", report=f"out/report.{ending}")
                self.expect(0, scene.run())
                if ending == "html":
                    self.assertEqual([["There is nothing to show."]], self.page(scene).tables[0]["rows"])
                    self.assertIn("There is nothing to draw.", self.page(scene).text)
                elif ending == "md":
                    self.assertIn("| store |\n| --- |\n\nNo rows\n", (scene.out / "report.md").read_text())
                else:
                    self.assertEqual(("text", "store"), Sheets(scene.out / "report.xlsx").cells["None", "A1"])

    def test_shows_the_first_of_many_rows_and_says_how_many_there_are(self):
        many = "      - title: Many\n        query: SELECT range AS id, range % 7 AS n FROM range(1000000)\n"
        scene = self.scene(many + "        chart: { type: line, x: id, y: n }\n" + many + "        rows: 5\n", steps="")
        done = self.expect(0, scene.run())
        self.assertIn('The chart of section "Many" of report.html shows the first 5,000 of 1,000,000 rows.', done.json["warnings"])
        page = self.page(scene)
        self.assertEqual("Many The first 1,000 of 1,000,000 rows", page.tables[0]["caption"])
        self.assertEqual(1000, len(page.tables[0]["rows"]))
        self.assertEqual(["999", "5"], page.tables[0]["rows"][-1], "keys have no separators")
        self.assertEqual(5, len(page.tables[1]["rows"]))
        self.assertEqual(5000, len(page.data["chart-1-data"]["rows"]))
        self.assertIn("The chart shows the first 5,000 of 1,000,000 rows.", page.text)
        self.assertLess(len(page.text), 2_000_000)

    def test_writes_a_sheet_of_more_rows_than_its_memory_holds(self):
        long = "      - title: Long\n        query: SELECT range AS id, rpad('text ' || range, 2000, '.') AS text FROM range(50000)\n"
        scene = self.scene(long, steps="", report="out/report.xlsx")
        self.expect(0, scene.run())
        with zipfile.ZipFile(scene.out / "report.xlsx") as archive:
            names = [name for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]
            rows = [archive.read(name).count(b"<row ") for name in names]
        self.assertIn(50_001, rows)

    def test_is_markdown(self):
        scene = self.scene(REVENUE + f"      - title: Hostile\n        query: |\n          {HOSTILE}\n", report="out/report.md")
        self.expect(0, scene.run())
        text = (scene.out / "report.md").read_text()
        self.assertTrue(text.startswith("# Sales of 2026-01-31\n"))
        self.assertIn("\n## Revenue by store\n\nWhat **each** store took.\n", text)
        self.assertIn("| store | revenue | day |\n| --- | ---: | --- |\n| Berlin | 1,000,021.00 | 2026-01-31 |\n", text)
        self.assertIn("| &lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt; | =1+1 | @SUM(A1) | a\\|b |", text)
        self.assertIn("two<br>lines", text)

    def test_is_a_workbook_with_types_and_widths(self):
        scene = self.scene(f"""      - title: Types
        query: |
          SELECT 12345 AS n, 1234.50::DECIMAL(10,2) AS amount, 0.1::DOUBLE AS part, DATE '2026-01-31' AS day, TIMESTAMP '2026-01-31 12:00:00' AS at,
          true AS yes, 12345678901234567 AS big, 'a text that is rather long for a column' AS text, NULL AS nothing, DATE '1800-01-01' AS old,
          2026 AS year
      - title: 'Types'
        query: SELECT 1 AS one
      - title: 'Hostile: [a/b]?'
        query: |
          {HOSTILE}
""", report="out/report.xlsx")
        self.expect(0, scene.run())
        book = Sheets(scene.out / "report.xlsx")
        cell = lambda at, sheet="Types": book.cells.get((sheet, at))
        self.assertEqual([("n", 12345.0), ("n", 1234.5), ("n", 0.1), ("n", 46053.0), ("n", 46053.5)],
                         [(cell(at)[0], float(cell(at)[1])) for at in ("A2", "B2", "C2", "D2", "E2")])
        self.assertEqual(["#,##0", "#,##0.00", "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"],
                         [book.formats["Types", at] for at in ("A2", "B2", "D2", "E2")])
        self.assertEqual(("b", "1"), cell("F2"))
        self.assertEqual(("text", "12345678901234567"), cell("G2"), "a spreadsheet would round it")
        self.assertEqual(("text", "1800-01-01"), cell("J2"), "before the days of a spreadsheet")
        self.assertIsNone(cell("I2"))
        self.assertGreater(book.widths["Types"][7], 35)
        self.assertLess(book.widths["Types"][0], 15)
        self.assertEqual(("n", "1"), cell("A2", "Types 2"))
        self.assertEqual(("text", "=1+1"), cell("B2", "Hostile   a b"))
        self.assertNotIn("formula", [kind for kind, _ in book.cells.values()])
        self.assertEqual(("text", "Sales of 2026-01-31"), cell("A1", "Report"))
        before = (scene.out / "report.xlsx").read_bytes()
        self.expect(0, scene.run())
        self.assertEqual(before, (scene.out / "report.xlsx").read_bytes(), "equal reports are equal files")

    def test_that_was_killed_in_the_middle_is_made_whole(self):
        for point in ("report-written", "report-in-place"):
            with self.subTest(point):
                scene = self.scene(REVENUE)
                self.expect(0, scene.run())
                whole = (scene.out / "report.html").read_bytes()
                (scene.out / "report.html").write_text("the old one")
                scene.run(fault=f"kill:{point}")
                done = self.expect(0, scene.run())
                self.assertEqual(whole, (scene.out / "report.html").read_bytes())
                self.assertEqual(["report.html"], [one.name for one in scene.out.iterdir()])
                self.assertEqual("completed", done.json["steps"][1]["state"])

    def test_whose_query_fails_leaves_the_old_report_and_goes_on_when_it_is_mended(self):
        scene = self.scene("      - title: Broken\n        query: SELECT CAST(store AS INTEGER) AS n FROM 'sales/*.parquet'\n")
        scene.write("out/report.html", "the old one")
        self.assertIn("Could not convert string", self.expect(1, scene.run()).err)
        self.assertEqual("the old one", (scene.out / "report.html").read_text())
        self.assertEqual(["report.html"], [one.name for one in scene.out.iterdir()])
        scene.write_job(job_text(REVENUE))
        self.assertIn("The job of step \"report\" changed", self.expect(2, scene.run()).err)
        self.expect(0, scene.run("--accept", "job"))
        self.assertEqual(1, len(self.page(scene).tables))

    def test_that_is_wrong_is_found_before_the_start(self):
        wrong = "      - title: One\n        query: SELECT 1 AS one\n        chart: "
        for sections, more, why in (
            (wrong + "{ type: bar, x: on, y: one }\n", {"steps": ""}, 'which the query does not have (did you mean "one"?)'),
            (wrong + "{ type: bar, x: one }\n", {}, 'A chart needs "type", "x" and "y"'),
            (wrong + "{ type: bars, x: one, y: one }\n", {}, 'did you mean "bar"?'),
            (wrong + "{ vega_lite: { data: { url: x } } }\n", {}, 'leave "data" out'),
            ("      - title: One\n        rejects: lood\n", {}, 'did you mean "load"?'),
            (REJECTS, {"more": "    after: []"}, "that this one waits for"),
            ("      - title: One\n        querry: SELECT 1\n", {}, 'did you mean "query"?'),
            ("      - text: no title\n", {}, '"title"'),
            (REVENUE, {"report": "out/report.pdf"}, "ends in .html, .md or .xlsx"),
            ("      - title: One\n        query: SELECT nothing\n", {"steps": ""}, '"nothing" was not found'),
        ):
            with self.subTest(why):
                scene = self.scene(sections, **more)
                self.assertIn(why, self.expect(2, scene.run()).err)
                self.assertFalse((scene.root / "sales").exists())


class RunReport(scenes.Case):
    def scene(self, job):
        scene = scenes.Scene(job)
        self.addCleanup(scene.__exit__)
        return scene

    def test_shows_batches_workers_rejects_and_what_was_chosen(self):
        scene = self.scene("""job: paged
steps:
  - name: load
    read: { csv: in.csv, columns: { id: bigint, n: integer } }
    batch: { rows: 1000 }
    on_error: { max_rejects: 100 }
    write: { csv: out.csv }
""")
        scene.write("in.csv", "id,n\n" + "".join(f"{i},{'x' + str(i) if i % 997 == 5 else i}\n" for i in range(20000)))
        self.expect(0, scene.run())
        self.expect(0, scene.type("report", "last", "-o", scene.root / "run.html"))
        page = PageReader(scene.root / "run.html")
        tables = {re.sub(" [0-9,]+ rows?$", "", table["caption"]): table for table in page.tables}
        self.assertEqual(["load", "completed", "19,979", "19,979", "21", "20", "0"], tables["Steps"]["rows"][0][:7])
        self.assertIn("threads", tables["Steps"]["rows"][0][8])
        self.assertEqual(10, len(tables["Slowest batches"]["rows"]))
        reason = tables["Rejects by reason"]["rows"][0]
        self.assertEqual(["load", "21", "read"], reason[:3])
        self.assertIn('"…" is not', reason[3])
        self.assertIn("Timeline of 20 batches", page.text)
        self.assertEqual(1, len(page.scripts))
        named = self.expect(0, scene.type("report"))
        self.assertTrue((scene.root / named.out.strip()).exists())

    def test_of_a_ledger_that_kept_no_workers_says_so(self):
        scene = self.scene("job: old\nsteps:\n  - name: load\n    read: { csv: in.csv, columns: { id: bigint } }\n    write: { csv: out.csv }\n")
        scene.write("in.csv", "id\n1\n2\n")
        self.expect(0, scene.run())
        with sqlite3.connect(scene.state / "ledger.db") as ledger:
            ledger.execute("ALTER TABLE commits DROP COLUMN work")
            ledger.execute("PRAGMA user_version = 7")
        self.expect(0, scene.type("report", "-o", "run.html"))
        self.assertIn("The ledger has not kept who worked", (scene.root / "run.html").read_text())


if __name__ == "__main__":
    unittest.main()
