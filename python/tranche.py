"""Makes a Python function the business logic of a Tranche job: three lines are a program.

    import tranche

    @tranche.record
    def score(record):
        return {"score": record["qty"] * 2}

The function takes a record as a dict and returns what it adds: a dict, None to filter the record,
or a list of dicts. With @tranche.batch it takes a list of dicts, as many as are there but no more
than `size`, and returns an answer for each, in the same order. Raising rejects the record; raising
in a batch has its records tried one by one.

The decorator runs the program when its file is what was started, so the function stands last in
it; imported by another file, a test for instance, it changes nothing. print() goes to standard
error, which Tranche keeps in the run's log. Needs the standard library only.
"""

import json
import os
import sys
import time

_READ_BYTES = 1 << 20
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=str).encode
_HOLD_SECONDS = 0.05  # how long an answer waits for others that go with it


def record(function):
    """Has the program answer every record with what the function returns for it."""
    return _work(function, lambda records: _each(function, records), 1000)


def batch(function=None, *, size=1000):
    """Has the program answer the records that are there, at most `size` at once."""
    if function is None:
        return lambda given: batch(given, size=size)
    return _work(function, lambda records: _all(function, records), size)


def _work(function, answers_of, size):
    if function.__module__ == "__main__":
        _serve(answers_of, size)
    return function


def _each(function, records):
    for one in records:
        try:
            yield function(one)
        except Exception as problem:
            yield problem


def _all(function, records):
    try:
        answers = list(function(records))
        if len(answers) != len(records):
            raise ValueError(f"{len(answers)} answers were returned for {len(records)} records")
        return answers
    except Exception as problem:
        if len(records) == 1:
            return [problem]
    return [answer for one in records for answer in _all(function, [one])]


def _line(number, answer):
    """The answer to the record of this number as a line."""
    if isinstance(answer, Exception):
        answer = {"_id": number, "_error": f"{type(answer).__name__}: {answer}"}
    elif answer is None:
        answer = {"_id": number, "_rows": []}
    elif isinstance(answer, dict):
        answer = {**answer, "_id": number}
    else:
        answer = {"_id": number, "_rows": [dict(row) for row in answer]}
    return _encode(answer)


def _safe_line(number, answer):
    try:
        return _line(number, answer)
    except Exception as problem:  # what was returned can't be written as JSON
        return _line(number, problem)


def _serve(answers_of, size):
    output = os.dup(1)
    os.dup2(2, 1)  # what the function prints is no answer
    pending = b""
    while True:
        block = os.read(0, _READ_BYTES)
        pending += block
        whole, newline, pending = pending.rpartition(b"\n")
        lines = whole.split(b"\n") if newline else []
        if not block and pending:
            lines.append(pending)
        _answer(lines, answers_of, size, output)
        if not block:
            break
    sys.exit(0)


def _answer(lines, answers_of, size, output):
    held = []
    since = time.monotonic()
    for first in range(0, len(lines), size):
        # All lines as one array, since each call of the decoder costs more than a record does.
        records = json.loads(b"[" + b",".join(lines[first:first + size]) + b"]")
        numbers = [one["_id"] for one in records]
        for number, answer in zip(numbers, answers_of(records)):
            held.append(_safe_line(number, answer))
            now = time.monotonic()
            if now - since > _HOLD_SECONDS:
                _write(output, held)
                held = []
                since = now
    _write(output, held)


def _write(output, lines):
    if not lines:
        return
    data = memoryview(("\n".join(lines) + "\n").encode())
    while data:
        data = data[os.write(output, data):]
