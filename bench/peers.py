"""What measurements are compared with: sets the peers up, and says which are here, in which version, or why not."""
import base64
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import postgres_server   # noqa: E402

POLARS = ROOT / ".deps" / "polars"


class Absent(Exception):
    """Why a peer can't be measured."""


def output_of(*command):
    """The first line that a command prints, for a version."""
    done = subprocess.run([str(word) for word in command], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    return (done.stdout.strip().splitlines() or ["unknown"])[0].strip()


def install(program, package):
    """A Debian package, when its program is missing."""
    if shutil.which(program):
        return
    privilege = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not shutil.which("apt-get") or (privilege and not shutil.which("sudo")):
        raise Absent(f"{program} is missing, and apt-get can't be used here")
    for words in (["update", "-q"], ["install", "-qy", "--no-install-recommends", package]):
        done = subprocess.run([*privilege, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", *words], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise Absent(f"apt-get {words[0]} {package} failed: {done.stdout.strip().splitlines()[-1]}")


def pins():
    lines = (ROOT / "bench" / "pins").read_text(encoding="utf-8").splitlines()
    return [line.split() for line in lines if line and not line.startswith("#")]


def fetch_polars():
    """Packs the pinned npm packages and unpacks them beside each other, which is all that node asks for. No package's
    script is run."""
    stamp = POLARS / "stamp"
    wanted = "\n".join(" ".join(pin) for pin in pins())
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return
    for program in ("npm", "node"):
        if not shutil.which(program):
            raise Absent(f"{program} is missing")
    POLARS.parent.mkdir(exist_ok=True)
    shutil.rmtree(POLARS, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="polars-", dir=POLARS.parent) as work:
        for name, version, digest in pins():
            packed = subprocess.run(["npm", "pack", f"{name}@{version}", "--silent", "--ignore-scripts",
                                     "--pack-destination", work], text=True, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd=work, check=False)
            if packed.returncode != 0:
                raise Absent(f"npm could not fetch {name}@{version}")
            file = pathlib.Path(work) / packed.stdout.strip().splitlines()[-1]
            if base64.b64encode(hashlib.sha512(file.read_bytes()).digest()).decode() != digest:
                raise Absent(f"{name}@{version} is not the file that bench/pins names: its sha512 differs")
            target = POLARS / name
            target.mkdir(parents=True)
            subprocess.run(["tar", "-xmzf", str(file), "-C", str(target), "--strip-components=1"], check=True)
    stamp.write_text(wanted, encoding="utf-8")


def polars_version():
    fetch_polars()
    return f"nodejs-polars {pins()[0][1]}, node {output_of('node', '--version')}"


def mawk_version():
    install("mawk", "mawk")
    return output_of("mawk", "-W", "version")


def miller_version():
    install("mlr", "miller")
    return output_of("mlr", "--version")


def psql_version():
    postgres_server.programs()
    return output_of(postgres_server.programs() / "psql", "--version")


def pgloader_version():
    if not shutil.which("pgloader"):
        raise Absent("pgloader is not installed")
    return output_of("pgloader", "--version")


class Peers:
    """`version` and `absent` by the peer's name; exactly one of them has it."""

    def __init__(self, programs):
        self.version = {}
        self.absent = {}
        for name, ask in (("DuckDB", lambda: output_of(programs / "duckdb_peer", "--version")),
                          ("Polars", polars_version), ("mawk", mawk_version), ("Miller", miller_version),
                          ("Python", lambda: output_of("python3", "--version")),
                          ("psql", psql_version), ("pgloader", pgloader_version)):
            try:
                self.version[name] = ask()
            except (Absent, AssertionError, OSError, subprocess.CalledProcessError) as why:
                self.absent[name] = str(why)
