CREATE TABLE sales (id INTEGER PRIMARY KEY, sold_on DATE, sold_at TIMESTAMP, sku TEXT, qty INTEGER, price DECIMAL(12,2),
  weight REAL, picture BLOB, is_gift BOOLEAN);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
INSERT INTO sales SELECT i * 3, date('2026-01-01', (i % 365) || ' days'),
  strftime('%Y-%m-%d %H:%M:%S', '2026-01-01', (i * 977) || ' seconds'),
  CASE WHEN i % 11 = 0 THEN NULL ELSE 'a long sku with a number, ' || i END, i - 500, i / 4.0, i * 0.1,
  CASE WHEN i % 7 = 0 THEN NULL ELSE CAST('x' || i AS BLOB) END, i % 2 FROM n;
INSERT INTO sales (id, qty) VALUES (-9223372036854775808, 9223372036854775807), (9223372036854775807, NULL);
