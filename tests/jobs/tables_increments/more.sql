INSERT INTO sales VALUES (6, '2026-04-01 08:00:00', 'jam'), (7, '2026-03-28 07:00:00', 'rye');
