"""The house: who may include whom, and how long, wide and well named things are.

The rooms, their floors and their packages are read from cmake/rooms.cmake. The checker is tried on a made-up tree with
one violation of every kind first: a checker that finds nothing proves nothing.
"""

import os
import pathlib
import re
import sys
import tempfile
import unittest

ROOT = pathlib.Path(os.environ.get("TRANCHE_SOURCE_DIR", pathlib.Path(__file__).parents[2]))

LINES_WARN, LINES_MAX, FUNCTION_MAX, COLUMNS_MAX = 600, 800, 70, 100
CPP = (".h", ".cpp")
JUDGED = ("include", "src")                                          # for includes
TIDY = ("include", "src", "tests", "examples", "bench", "fuzz")      # for shape and names
WORDED = TIDY + ("cmake", "tools", "docs")                           # for left-over words
SKIPPED = {"results", "node_modules", "__pycache__", "expected", "golden"}
BANNED_NAMES = ("utils", "util", "helpers", "helper", "common", "manager")
LEFT_OVER = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b")
FRONT_DOORS = {"tranche.h": "cli", "plugin.h": "core", "plugin_function.h": "transforms"}  # and their rooms
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
STANDARD = set("""
algorithm any array atomic barrier bit bitset cassert cctype cerrno cfenv cfloat charconv chrono cinttypes climits clocale
cmath codecvt compare complex concepts condition_variable coroutine csetjmp csignal cstdarg cstddef cstdint cstdio cstdlib
cstring ctime cuchar cwchar cwctype cxxabi.h deque exception execution filesystem format forward_list fstream functional
future initializer_list iomanip ios iosfwd iostream istream iterator latch limits list locale map memory memory_resource
mutex new numbers numeric optional ostream queue random ranges ratio regex scoped_allocator semaphore set shared_mutex
source_location span sstream stack stdexcept stop_token streambuf string string_view system_error thread tuple type_traits
typeindex typeinfo unordered_map unordered_set utility valarray variant vector version
""".split())
SYSTEM = re.compile(
    r"^(sys|linux|arpa|net|netinet|asm)/.*\.h$|^(aio|alloca|assert|cpuid|ctype|dirent|dlfcn|elf|endian|errno|execinfo|fcntl|"
    r"fnmatch|ftw|getopt|glob|grp|inttypes|langinfo|libgen|limits|link|locale|malloc|math|netdb|poll|pthread|pwd|sched|"
    r"semaphore|setjmp|signal|spawn|stdarg|stdbool|stddef|stdint|stdio|stdlib|string|strings|syscall|sysexits|syslog|"
    r"termios|time|ucontext|unistd|unwind|utime|wordexp)\.h$|^\w*intrin\.h$")


class House:
    """cmake/rooms.cmake, as tables."""

    def __init__(self, text):
        self.floors, self.packages_of, self.packages = {}, {}, {}
        for room, floor, packages in self._rows(text, "TRANCHE_ROOMS"):
            self.floors[room] = int(floor)
            self.packages_of[room] = set(packages.split()) | {"fmt"}
        for package, headers, only in self._rows(text, "TRANCHE_THIRD_PARTY"):
            self.packages[package] = (headers.split(), only)
        self.pure = set(self._words(text, "TRANCHE_PURE_ROOMS"))
        self.impure = self._words(text, "TRANCHE_IMPURE_HEADERS")
        self.banned = self._words(text, "TRANCHE_BANNED_HEADERS")

    @staticmethod
    def _body(text, name):
        found = re.search(r"^set\(" + name + r"\b(.*?)\)$", text, re.S | re.M)
        if not found:
            raise ValueError(f"cmake/rooms.cmake has no {name}")
        return found.group(1)

    @classmethod
    def _rows(cls, text, name):
        for row in re.findall(r'^\s*"(.*)"', cls._body(text, name), re.M):
            yield [cell.strip() for cell in row.split("|")]

    @classmethod
    def _words(cls, text, name):
        return cls._body(text, name).split()

    def package_of(self, header):
        for package, (prefixes, only) in self.packages.items():
            if matches(header, prefixes):
                return package, only
        return None, None


def matches(header, names):
    return any(header.startswith(n) if n.endswith("/") else header == n for n in names)


def files_below(root, tops, suffixes):
    for top in tops:
        for folder, folders, names in os.walk(root / top):
            folders[:] = sorted(f for f in folders if f not in SKIPPED and not f.startswith("."))
            for name in sorted(names):
                if suffixes is None or name.endswith(suffixes):
                    yield (pathlib.Path(folder) / name).relative_to(root)


def place_of(path):
    """(room, is_public) of a file; room is None for a file outside every room."""
    parts = path.parts
    if parts[0] == "src":
        return (parts[1], False) if len(parts) > 2 else (None, False)
    if parts[:2] == ("include", "tranche") and parts[2:] and parts[2] in FRONT_DOORS:
        return FRONT_DOORS[parts[2]], True
    return (parts[2], True) if parts[:2] == ("include", "tranche") and len(parts) > 3 else (None, True)


def target_of(house, header, quoted):
    """(room, is_public) of what an #include names, None where it is none of ours."""
    if header.startswith("tranche/"):
        return place_of(pathlib.PurePath("include") / header)
    first = header.split("/")[0]
    if quoted and "/" in header and first in house.floors:
        return first, False
    return None


def judge_ours(house, room, public, target_room, target_public, header):
    if target_room not in house.floors:
        return f"includes {header}, which is in no room"
    if public and not target_public:
        return f"is public and includes the private header {header}"
    if target_room == room:
        return None
    mine, theirs = house.floors[room], house.floors[target_room]
    if theirs > mine:
        return f"goes up from floor {mine} to {theirs}: {header}"
    if theirs == mine:
        return f"goes sideways on floor {mine}, from {room} to {target_room}: {header}"
    return None


def judge_foreign(house, path, room, public, header, users):
    if matches(header, house.banned):
        return f"includes <{header}>, which nobody may"
    if room in house.pure and matches(header, house.impure):
        return f"is in the pure room {room} and includes <{header}>"
    package, only = house.package_of(header)
    if package is None:
        if header in STANDARD or SYSTEM.match(header):
            return None
        return f"includes <{header}>, which is neither standard nor in cmake/rooms.cmake"
    if package not in house.packages_of[room]:
        return f"includes <{header}> of {package}, which is not for {room}"
    if public:
        return f"is public and includes <{header}>: whoever uses the library would need {package}"
    if only == "one file":
        users.setdefault(package, set()).add(str(path))
        if len(users[package]) > 1:
            return f"is the second file that includes {package}: {', '.join(sorted(users[package]))}"
    elif only != "-" and str(path) != only:
        return f"includes <{header}>, which is for {only} only"
    return None


def include_violations(root, house):
    users = {}
    for path in files_below(root, JUDGED, CPP):
        room, public = place_of(path)
        if room not in house.floors:
            yield f"{path}: is in no room that cmake/rooms.cmake knows"
            continue
        for number, line in enumerate((root / path).read_text().splitlines(), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            quoted, header = found.group(1) == '"', found.group(2)
            target = target_of(house, header, quoted)
            if target:
                fault = judge_ours(house, room, public, *target, header)
            elif quoted:
                fault = f'includes "{header}": write our headers as "room/file.h" or <tranche/room/file.h>, others in <>'
            else:
                fault = judge_foreign(house, path, room, public, header, users)
            if fault:
                yield f"{path}:{number}: {fault}"


LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^()\\ \n]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Za-z_])\'(?:\\.|[^\'\\\n])+\'', re.S)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)
NOT_A_FUNCTION = re.compile(r"^\s*(?:namespace|class|struct|union|enum|extern)\b|\b(?:class|struct|union)\s+\w+[^()]*$")


def without_literals(text):
    """The same text with comments, literals and directives blanked, line by line as before."""
    def blank(found):
        return re.sub(r"[^\n]", " ", found.group(0))
    return DIRECTIVE.sub(blank, LITERAL.sub(blank, text))


def functions_in(text):
    """(first line, number of lines) of each outermost function body."""
    text = re.sub(r"template\s*<[^;{}()]*>", lambda m: re.sub(r"[^\n]", " ", m.group(0)), without_literals(text))
    scopes, intro, line, opened = [], "", 1, None
    for char in text:
        if char == "\n":
            line += 1
        if char == "{":
            outer = all(scope == "scope" for scope in scopes)
            is_scope = outer and (NOT_A_FUNCTION.search(intro) or ("(" not in intro and intro.strip(" \n,")))
            scopes.append("scope" if is_scope else "body")
            if outer and not is_scope:
                opened = line
            intro = ""
        elif char == "}":
            kind = scopes.pop() if scopes else "scope"
            if kind == "body" and all(scope == "scope" for scope in scopes):
                yield opened, line - opened + 1
            intro = ""
        elif char == ";":
            intro = ""
        else:
            intro += char


def shape_violations(root, warnings):
    for path in files_below(root, TIDY, CPP):
        text = (root / path).read_text()
        lines = text.splitlines()
        if len(lines) > LINES_MAX:
            yield f"{path}: has {len(lines)} lines, over {LINES_MAX}"
        elif len(lines) > LINES_WARN:
            warnings.append(f"{path}: has {len(lines)} lines, over {LINES_WARN}")
        for number, line in enumerate(lines, 1):
            if len(line) > COLUMNS_MAX:
                yield f"{path}:{number}: has {len(line)} columns, over {COLUMNS_MAX}"
        for number, length in functions_in(text) if path.parts[0] in JUDGED else ():
            if length > FUNCTION_MAX:
                yield f"{path}:{number}: a function of {length} lines, over {FUNCTION_MAX}"


def word_violations(root):
    for path in files_below(root, TIDY, None):
        if re.search(r"(?:^|[_.-])(?:" + "|".join(BANNED_NAMES) + r")(?:[_.-]|$)", path.name):
            yield f"{path}: says nothing by its name"
    for path in files_below(root, WORDED, None):
        try:
            lines = (root / path).read_text().splitlines()
        except UnicodeDecodeError:
            continue
        for number, line in enumerate(lines, 1):
            if LEFT_OVER.search(line) and path.suffix not in (".csv", ".jsonl", ".json"):
                yield f"{path}:{number}: leaves work behind: {line.strip()[:80]}"


def rooms_table(root):
    return House((root / "cmake/rooms.cmake").read_text())


class TheHouse(unittest.TestCase):
    def setUp(self):
        self.house = rooms_table(ROOT)

    def expect_none(self, violations):
        found = list(violations)
        if found:
            self.fail(f"{len(found)} faults\n" + "\n".join(found))

    def test_includes_go_down(self):
        self.expect_none(include_violations(ROOT, self.house))

    def test_shape(self):
        warnings = []
        violations = list(shape_violations(ROOT, warnings))
        for warning in warnings:
            print("warning:", warning, file=sys.stderr)
        self.expect_none(violations)

    def test_names_and_left_overs(self):
        self.expect_none(word_violations(ROOT))

    def test_the_table_is_whole(self):
        self.assertEqual(0, self.house.floors["base"])
        self.assertEqual(8, self.house.floors["cli"])
        for room, packages in self.house.packages_of.items():
            self.assertLessEqual(packages, set(self.house.packages), room)


class TheChecker(unittest.TestCase):
    """Each kind of violation, planted in a made-up tree, is reported; the same tree without it is clean."""

    CLEAN = {
        "include/tranche/tranche.h": "#include <tranche/api/run.h>\n",
        "include/tranche/api/run.h": "#include <tranche/core/page.h>\n#include <string>\n",
        "include/tranche/core/page.h": "#include <tranche/base/result.h>\n#include <chrono>\n",
        "include/tranche/base/result.h": "#include <variant>\n",
        "src/base/json.cpp": "#include <nlohmann/json.hpp>\n#include <sys/stat.h>\n",
        "src/drivers/duckdb.cpp": '#include <duckdb.h>\n#include "base/file.h"\n#include "drivers/duckdb.h"\n',
        "src/cli/parse.cpp": "#include <CLI/CLI.hpp>\n#include <fmt/format.h>\n",
        "src/plan/cut.cpp": '#include "core/cut.h"\nnamespace tranche {\nint cut(int a) {\n' + "  a++;\n" * 60 + "}\n}\n",
    }

    def found(self, extra):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for path, text in {**self.CLEAN, **extra}.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            house = rooms_table(ROOT)
            warnings = []
            violations = [*include_violations(root, house), *shape_violations(root, warnings), *word_violations(root)]
            return violations, warnings

    def expect(self, path, text, words):
        violations, _ = self.found({path: text})
        self.assertEqual(1, len(violations), violations)
        self.assertIn(words, violations[0])

    def test_a_clean_tree_is_clean(self):
        self.assertEqual(([], []), self.found({}))

    def test_up(self):
        self.expect("src/base/a.cpp", "#include <tranche/core/page.h>\n", "goes up")
        self.expect("src/core/a.cpp", '#include "engine/loop.h"\n', "goes up")

    def test_the_umbrella_is_on_the_top_floor(self):
        self.expect("src/engine/a.cpp", "#include <tranche/tranche.h>\n", "goes up")

    def test_sideways(self):
        self.expect("src/ledger/a.cpp", '#include "engine/loop.h"\n', "goes sideways")

    def test_private_from_public(self):
        self.expect("include/tranche/engine/a.h", '#include "base/file.h"\n', "private header")

    def test_third_party_outside_its_room(self):
        for header in ("duckdb.h", "sqlite3.h", "libpq-fe.h", "curl/curl.h", "yaml-cpp/yaml.h", "CLI/CLI.hpp", "xxhash.h",
                       "fast_float/fast_float.h", "simdjson.h", "nlohmann/json.hpp"):
            self.expect("src/engine/a.cpp", f"#include <{header}>\n", "not for engine")

    def test_third_party_in_a_public_header(self):
        self.expect("include/tranche/drivers/a.h", "#include <duckdb.h>\n", "is public")
        self.expect("include/tranche/core/a.h", "#include <fmt/format.h>\n", "is public")

    def test_nlohmann_is_for_one_file(self):
        self.expect("src/base/text.cpp", "#include <nlohmann/json.hpp>\n", "only")

    def test_cli11_is_for_one_file(self):
        self.expect("src/cli/second.cpp", "#include <CLI/CLI.hpp>\n", "second file")

    def test_banned(self):
        self.expect("src/base/a.cpp", "#include <regex>\n", "nobody")
        self.expect("src/base/a.cpp", "#include <iostream>\n", "nobody")

    def test_pure_rooms(self):
        self.expect("src/core/a.cpp", "#include <thread>\n", "pure room")
        self.expect("src/plan/a.cpp", "#include <sys/stat.h>\n", "pure room")

    def test_unknown(self):
        self.expect("src/base/a.cpp", "#include <boost/any.hpp>\n", "neither standard")
        self.expect("src/base/a.cpp", '#include "file.h"\n', "write our headers as")
        self.expect("src/attic/a.cpp", "\n", "no room")
        self.expect("src/cli/a.cpp", "#include <tranche/attic/a.h>\n", "in no room")

    def test_long_files(self):
        self.expect("src/base/a.cpp", "\n" * 801, "801 lines")
        violations, warnings = self.found({"src/base/a.cpp": "\n" * 601})
        self.assertEqual(([], 1), (violations, len(warnings)))

    def test_wide_lines(self):
        self.expect("tests/base/a.cpp", "// " + "x" * 98 + "\n", "101 columns")

    def test_long_functions(self):
        body = "  f();\n" * 70
        for start in ("int f() {\n", "A::A(int a)\n    : a_{a}, b_{a} {\n", "template <class T>\nauto g(T t) -> int {\n",
                      "struct S {\n  void f() const {\n"):
            text = f'// a {{ brace\nnamespace tranche {{\nconst char* k = "{{";\n{start}{body}' + "}\n" * (1 + start.startswith("struct")) + "}\n"
            self.expect("src/base/a.cpp", text, "72 lines")

    def test_long_classes_are_no_functions(self):
        text = "class A : public B<int> {\n public:\n" + "  int f() { return 1; }\n" * 90 + "};\nenum class E {\n" + "a,\n" * 90 + "};\n"
        self.assertEqual([], self.found({"src/base/a.cpp": text})[0])

    def test_names(self):
        for name in ("utils.h", "file_helpers.h", "common.h", "run_manager.h"):
            self.expect(f"src/base/{name}", "\n", "says nothing")

    def test_left_overs(self):
        self.expect("src/base/a.cpp", "// TO" "DO: later\n", "leaves work behind")


if __name__ == "__main__":
    unittest.main()
