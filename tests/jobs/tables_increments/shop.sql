CREATE TABLE sales (id INTEGER PRIMARY KEY, sold_at TIMESTAMP, item TEXT);
CREATE INDEX sales_by_time ON sales (sold_at);
INSERT INTO sales VALUES (1, '2026-03-28 23:30:00', 'tea'), (2, '2026-03-29 09:00:00', 'jam'),
  (3, '2026-03-29 18:00:00.250', 'tea'), (4, NULL, 'rye'), (5, '2026-03-31 12:00:00', 'oat');
