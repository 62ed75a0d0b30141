-- Tables with texts of mixed lengths are filled, indexed, joined, grouped and thinned out. :n rows.
CREATE TABLE item (id INTEGER PRIMARY KEY, kind INTEGER, label TEXT);
WITH RECURSIVE counter(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM counter WHERE i < :n)
INSERT INTO item SELECT i, (i * 7919) % 1009, substr(hex(zeroblob(200)), 1, (i * 31) % 300) || i FROM counter;
CREATE INDEX item_by_kind ON item (kind, label);
CREATE TABLE total AS SELECT kind, count(*) AS items, max(label) AS longest FROM item GROUP BY kind;
DELETE FROM item WHERE id % 3 = 0;
SELECT count(*), sum(length(label)) FROM item JOIN total USING (kind) WHERE items > 1 AND label <= longest;
SELECT count(DISTINCT label) FROM item;
