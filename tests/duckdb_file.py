"""The tables of a DuckDB file, as DuckDB's own library reads them: there is no client of it here, and Tranche should
not be its own judge."""
import ctypes
import os
import pathlib

from ctypes import POINTER, byref, c_char_p, c_int, c_uint64, c_void_p


class Result(ctypes.Structure):
    """duckdb_result; what it holds is DuckDB's."""
    _fields_ = [("opaque", c_uint64 * 6)]


_loaded = None


def _library():
    global _loaded
    if _loaded is None:
        source = os.environ.get("TRANCHE_SOURCE_DIR") or pathlib.Path(__file__).resolve().parent.parent
        library = ctypes.CDLL(str(pathlib.Path(source) / ".deps" / "duckdb" / "lib" / "libduckdb.so"))
        for name, result, *arguments in (
                ("open", c_int, c_char_p, POINTER(c_void_p)), ("connect", c_int, c_void_p, POINTER(c_void_p)),
                ("query", c_int, c_void_p, c_char_p, POINTER(Result)), ("result_error", c_char_p, POINTER(Result)),
                ("row_count", c_uint64, POINTER(Result)), ("column_count", c_uint64, POINTER(Result)),
                ("value_varchar", c_void_p, POINTER(Result), c_uint64, c_uint64), ("free", None, c_void_p),
                ("destroy_result", None, POINTER(Result)), ("disconnect", None, POINTER(c_void_p)),
                ("close", None, POINTER(c_void_p))):
            function = getattr(library, f"duckdb_{name}")
            function.restype, function.argtypes = result, arguments
        _loaded = library
    return _loaded


class File:
    def __init__(self, path):
        self.database, self.connection = c_void_p(), c_void_p()
        if _library().duckdb_open(os.fsencode(path), byref(self.database)) != 0:
            raise AssertionError(f"DuckDB can't open {path}")
        _library().duckdb_connect(self.database, byref(self.connection))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _library().duckdb_disconnect(byref(self.connection))
        _library().duckdb_close(byref(self.database))

    def rows(self, query):
        """All values as text, None for NULL."""
        duckdb, result = _library(), Result()
        try:
            if duckdb.duckdb_query(self.connection, query.encode(), byref(result)) != 0:
                raise AssertionError(f"{query}: {duckdb.duckdb_result_error(byref(result)).decode()}")
            columns = range(duckdb.duckdb_column_count(byref(result)))
            return [tuple(self._value(result, column, row) for column in columns)
                    for row in range(duckdb.duckdb_row_count(byref(result)))]
        finally:
            duckdb.duckdb_destroy_result(byref(result))

    def _value(self, result, column, row):
        text = _library().duckdb_value_varchar(byref(result), column, row)
        if text is None:
            return None
        try:
            return ctypes.string_at(text).decode()
        finally:
            _library().duckdb_free(text)


def table_names(path):
    with File(path) as file:
        return _names(file)


def _names(file):
    return [name for name, in file.rows("SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()")]


def read_tables(path):
    """Number and digests of the rows of every table; of the table of commits only what does not differ from run to run.
    The rows have no order of their own. DuckDB makes the digests: of their texts, and of their values, which tell NULL
    from 'NULL'."""
    tables = {}
    with File(path) as file:
        for name in _names(file):
            columns = "step, batch, rows, bytes, digest" if name.endswith("_commits") else "*"
            (rows, text, values), = file.rows(
                "SELECT count(*), md5(string_agg(text, chr(10) ORDER BY text)), sum(hash(text, number)) FROM "
                "(SELECT CAST(row AS VARCHAR) AS text, hash(row) AS number FROM "
                f'(SELECT {columns} FROM "{name}") AS row)')
            tables[name] = f"{rows} rows, {text}, {values}"
    return tables
