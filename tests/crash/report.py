"""What every report of a long proof says: the machine, the commit, the seed."""
import datetime
import os
import pathlib
import platform
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import scene as scenes


# All of it (`make torture`), or a part that the seed draws, so that the crash tests take three minutes of `make test`.
IS_WHOLE = bool(os.environ.get("WHOLE"))


def take_seed():
    """TRANCHE_SEED or one by chance; printed either way."""
    seed = os.environ.get("TRANCHE_SEED") or str(random.SystemRandom().randrange(1 << 32))
    print(f"seed {seed}", flush=True)
    return seed


def machine():
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
    return f"{os.cpu_count()} x {model}, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}"


def commit():
    done = subprocess.run(["git", "-C", str(scenes.SOURCE), "rev-parse", "--short", "HEAD"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return done.stdout.strip() or "unknown"


def head(title, text, seed, replay, seconds):
    return f"""# {title}: {datetime.date.today()}

{text}

- machine: {machine()}
- commit: {commit()}
- seed: {seed} (`TRANCHE_SEED={seed} {replay}`)
- time: {seconds / 60:.1f} minutes
"""


def keep(text, path):
    """Prints a report, and writes it where that is wanted."""
    print(text)
    if path:
        pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
        pathlib.Path(path).write_text(text, encoding="utf-8")
