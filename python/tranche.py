"""Makes a Python function the business logic of a Tranche job: three lines are a program.

    import tranche

    @tranche.record
    def score(record):
        return {"score": record["qty"] * 2}

The function takes a record as a dict and returns what it adds: a dict, None to filter the record,
or a list of dicts. With @tranche.batch it takes a list of dicts, as many as are there but no more
than `size`, and returns an answer for each, in the same order. Raising rejects the record; raising
in a batch has its records tried one by one.

With @tranche.arrow, and `format: arrow` in the job file, it takes a pyarrow.RecordBatch and returns
one: the same with columns added, or a filtered one; a dict of columns to add will do. Raising in a
batch has its records tried one by one, too.

The decorator runs the program when its file is what was started, so the function stands last in
it; imported by another file, a test for instance, it changes nothing. print() goes to standard
error, which Tranche keeps in the run's log. Needs the standard library only, @tranche.arrow pyarrow.
"""

import json
import os
import sys
import time

_READ_BYTES = 1 << 20
_HOLD_SECONDS = 0.05  # how long an answer waits for others that go with it


def _make_encode():
    """What writes a value as JSON. JSONEncoder.encode() makes an encoder in C anew in each call, which takes longer than
    an answer does; where there is none to be kept, that is what there is."""
    options = {"ensure_ascii": False, "allow_nan": False, "default": str}
    try:
        chunks = json.encoder.c_make_encoder(None, str, json.encoder.encode_basestring, None, ":", ",", False, False, False)
        if "".join(chunks({"a": [1, "é"]}, 0)) == '{"a":[1,"é"]}':
            return lambda value: "".join(chunks(value, 0))
    except (AttributeError, TypeError):
        pass
    return json.JSONEncoder(**options).encode


_encode = _make_encode()


def record(function):
    """Has the program answer every record with what the function returns for it."""
    def answers_of(records):
        for one in records:
            number = one["_id"]
            try:
                answer = function(one)
            except Exception as problem:
                answer = problem
            yield _line(number, answer)
    return _work(function, answers_of)


def batch(function=None, *, size=1000):
    """Has the program answer the records that are there, at most `size` at once."""
    if function is None:
        return lambda given: batch(given, size=size)

    def answers_of(records):
        for first in range(0, len(records), size):
            some = records[first:first + size]
            numbers = [one["_id"] for one in some]
            yield from map(_line, numbers, _all(function, some))
    return _work(function, answers_of)


def arrow(function):
    """Has the program answer each batch of Arrow with what the function returns for it."""
    if function.__module__ == "__main__":
        _serve_arrow(function)
    return function


def _work(function, answers_of):
    if function.__module__ == "__main__":
        _serve(answers_of)
    return function


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
    try:
        if answer.__class__ is dict and "_id" not in answer:
            text = _encode(answer)
            return f'{{"_id":"{number}",{text[1:]}' if answer else f'{{"_id":"{number}"}}'
        if isinstance(answer, dict):
            return _encode({**answer, "_id": number})
        if answer is None:
            return f'{{"_id":"{number}","_rows":[]}}'
        if not isinstance(answer, Exception):
            return _encode({"_id": number, "_rows": [dict(row) for row in answer]})
    except Exception as problem:  # what was returned can't be written as JSON
        answer = problem
    return _encode({"_id": number, "_error": f"{type(answer).__name__}: {answer}"})


def _serve(answers_of):
    output = os.dup(1)
    os.dup2(2, 1)  # what the function prints is no answer
    pending = b""
    while True:
        block = os.read(0, _READ_BYTES)
        pending += block
        lines, newline, pending = pending.rpartition(b"\n")
        if not block:
            lines = lines + newline + pending
        if lines:
            _answer(lines, answers_of, output)
        if not block:
            break
    sys.exit(0)


def _answer(lines, answers_of, output):
    # All lines as one array, since each call of the decoder costs more than a record does. A line feed stands behind
    # records only.
    records = json.loads(b"[" + lines.replace(b"\n", b",") + b"]")
    held = []
    since = time.monotonic()
    for line in answers_of(records):
        held.append(line)
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


def _serve_arrow(function):
    import pyarrow

    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the function prints is no answer
    writer, columns = None, None
    with pyarrow.ipc.open_stream(sys.stdin.buffer) as batches:
        for batch in batches:
            answer = _arrow_answer(pyarrow, function, batch)
            if writer is None or answer.schema != columns:  # a stream has one schema: then another stream
                if writer is not None:
                    writer.close()
                columns = answer.schema
                writer = pyarrow.ipc.new_stream(output, columns)
            writer.write_batch(answer)
            output.flush()
    if writer is not None:
        writer.close()
    output.close()
    sys.exit(0)


def _arrow_answer(pyarrow, function, batch):
    try:
        return _as_batch(pyarrow, batch, function(batch))
    except Exception as problem:
        if batch.num_rows == 1:
            error = pyarrow.array([f"{type(problem).__name__}: {problem}"], pyarrow.string())
            return pyarrow.record_batch([batch.column("_id"), error], names=["_id", "_error"])
    answers = [_arrow_answer(pyarrow, function, batch.slice(row, 1)) for row in range(batch.num_rows)]
    tables = [pyarrow.Table.from_batches([answer]) for answer in answers]
    return _one_batch(pyarrow, _joined(pyarrow, tables))


def _joined(pyarrow, tables):
    try:
        return pyarrow.concat_tables(tables, promote_options="default")
    except TypeError:  # pyarrow before 14
        return pyarrow.concat_tables(tables, promote=True)


def _as_batch(pyarrow, batch, answer):
    if isinstance(answer, dict):
        columns = {"_id": batch.column("_id"), **answer}
        return _one_batch(pyarrow, pyarrow.table(columns))
    if isinstance(answer, pyarrow.Table):
        answer = _one_batch(pyarrow, answer)
    if not isinstance(answer, pyarrow.RecordBatch):
        raise TypeError(f"a {type(answer).__name__} was returned, and no batch of Arrow")
    if "_id" not in answer.schema.names and answer.num_rows != batch.num_rows:
        raise ValueError(f"{answer.num_rows} rows for {batch.num_rows} records, and no _id says whose they are")
    return answer


def _one_batch(pyarrow, table):
    batches = table.combine_chunks().to_batches()
    if len(batches) == 1:
        return batches[0]
    return pyarrow.record_batch([pyarrow.array([], field.type) for field in table.schema], schema=table.schema)
