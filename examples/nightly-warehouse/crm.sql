-- The customers, as a CRM has them: psql "$CRM_URL" -f crm.sql
CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, country text NOT NULL);
INSERT INTO customers SELECT i, 'Customer ' || i, (ARRAY['DE', 'FR', 'PL'])[1 + i % 3] FROM generate_series(1, 40) i;
