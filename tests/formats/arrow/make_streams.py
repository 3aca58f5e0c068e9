#!/usr/bin/env python3
"""Writes streams of another hand for tests/formats/arrow_stream_test.cpp. Needs pyarrow; what is here was written by
pyarrow 26.0.1.
"""
import datetime
import decimal
import pathlib

import pyarrow as pa

HERE = pathlib.Path(__file__).resolve().parent


def write(name, table, **options):
    with pa.OSFile(str(HERE / name), "wb") as file, pa.ipc.new_stream(file, table.schema, **options) as stream:
        stream.write_table(table)


day = datetime.datetime(2026, 1, 31, 12, 0, 0, 5)
types = pa.table({
    "yes": pa.array([True, None, False]),
    "small": pa.array([-128, None, 127], pa.int8()),
    "big": pa.array([2**64 - 1, None, 0], pa.uint64()),
    "half": pa.array([0.5, None, -2.25], pa.float32()),
    "price": pa.array([decimal.Decimal("-12.50"), None, decimal.Decimal("0.01")], pa.decimal128(12, 2)),
    "day": pa.array([day.date(), None, day.date()]),
    "at": pa.array([day, None, day], pa.timestamp("ns")),
    "at_utc": pa.array([day, None, day], pa.timestamp("ms", "UTC"), safe=False),
    "clock": pa.array([day.time(), None, day.time()], pa.time64("us")),
    "text": pa.array(["short", None, "more than twelve bytes: ä"]),
    "long": pa.array(["", None, "more than twelve bytes"], pa.large_string()),
    "bytes": pa.array([b"\x00\xff", None, b""]),
    "list": pa.array([["a", None], None, []], pa.list_(pa.string())),
    "struct": pa.array([{"p": 1, "q": [1.5]}, None, {"p": None, "q": []}],
                       pa.struct([("p", pa.int32()), ("q", pa.list_(pa.float64()))])),
    "nothing": pa.nulls(3),
})
write("types.arrows", types)
write("compressed.arrows", types.select(["text"]), options=pa.ipc.IpcWriteOptions(compression="lz4"))
write("dictionary.arrows", pa.table({"text": pa.array(["a", "a"]).dictionary_encode()}))
