CREATE TABLE titles (id INTEGER PRIMARY KEY, title TEXT);
INSERT INTO titles VALUES (0, 'nobody'), (1, 'Dr'), (2, 'Prof');
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT COLLATE NOCASE, score NUMERIC, born DATE, title INT);
CREATE INDEX people_by_name ON people (name);
INSERT INTO people VALUES (1, 'Ann', 1.5, '1990-01-31', 1), (2, 'ann', 2, NULL, 2), (3, 'ANN', 3.25, '1991-02-28', 1),
  (4, 'Bob', 'many', '1992-03-01', NULL), (5, NULL, 5, '1993-04-01', 1), (6, 'bob', 6.125, '1994-05-01', 2),
  (7, 'Cid', 7, '1994-02-30', 1), (8, 'Dan', 8.1, 19950101, 2), (9, 'Eve', 99999, '1996-07-08', 1), (10, NULL, NULL, NULL, NULL),
  (11, CAST(x'ff41' AS TEXT), 1, NULL, NULL), (12, x'4142', 1, NULL, NULL), (13, 'Zoë', 1, '2001-01-01', 0), (-5, 'Ann', -5, '1980-01-01', 1);
CREATE TABLE pairs (a INT, b INT, c, PRIMARY KEY (a, b)) WITHOUT ROWID;
INSERT INTO pairs VALUES (1, 1, 'x'), (1, 2, 'y');
