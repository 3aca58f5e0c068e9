-- A small shop, as it grew in SQLite: make shop.db of it with: sqlite3 shop.db < shop.sql
CREATE TABLE customers (
  id INTEGER PRIMARY KEY,
  email TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  since DATE NOT NULL
);
CREATE TABLE orders (
  id INTEGER PRIMARY KEY,
  customer INTEGER NOT NULL REFERENCES customers (id),
  placed TIMESTAMP NOT NULL,
  total DECIMAL(10,2) NOT NULL CHECK (total >= 0),
  note TEXT
);
CREATE INDEX orders_of_customer ON orders (customer);

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO customers SELECT i, 'customer' || i || '@example.org', 'Customer ' || i, date('2024-01-01', '+' || (i % 600) || ' days') FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO orders SELECT i, i * 7919 % 500 + 1, datetime('2025-01-01', '+' || (i * 13) || ' minutes'), round(i * 7919 % 100000 / 100.0, 2),
  CASE WHEN i % 10 = 0 THEN 'by the back door; it''s open' END FROM n;
