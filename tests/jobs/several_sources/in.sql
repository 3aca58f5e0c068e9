CREATE TABLE sales (id INTEGER PRIMARY KEY, sold_on DATE, total DECIMAL(8,2), clerk TEXT, note TEXT);
INSERT INTO sales VALUES (21, '2025-01-01', 3.5, 'Ann', 'a note'), (22, '2025-01-02', 4, 'Bob', NULL), (23, '2025-02-30', 5, 'Cid', NULL);
