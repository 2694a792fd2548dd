-- Every statement of the SqliteStore, by name. The columns mean what schema.sql says; parameters are
-- numbered in the order in which commands.py and queries.py give them.

-- Heads: the columns of records.Head in its order, then no and waiting.

-- name: find
SELECT id, function, kind, status, version, length, base, arrivals, owner, wake, parent, created, updated,
       awaits, note, state, deaths, no, waiting
FROM execution WHERE id = ?

-- name: create
INSERT INTO execution (id, function, kind, parent, created, updated, status, owner, wake, arrivals, waiting,
                       version, length, base, awaits, note, state)
VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?7, ?8, ?9, ?9, 0, 0, 1, '', '', '')

-- name: arrive
UPDATE execution SET arrivals = arrivals + 1, waiting = waiting + 1, updated = ? WHERE no = ?

-- name: queue
UPDATE execution SET arrivals = ?, waiting = ?, wake = ?, updated = ? WHERE no = ?

-- name: lease
UPDATE execution SET arrivals = ?, waiting = ?, owner = ?, status = ?, updated = ?, deaths = ? WHERE no = ?

-- The fence, read inside of the transaction that then writes. Read and written by number costs less than one UPDATE
-- with RETURNING, which builds a table of its own for its one row.

-- name: fence
SELECT no, version, owner, status, wake, token, length, arrivals, waiting, deaths FROM execution WHERE id = ?

-- The same of many by one statement, as a JSON array of arrays.

-- name: fences
SELECT json_group_array(
    json_array(no, version, owner, status, wake, token, length, arrivals, waiting, deaths, execution.id)
)
FROM json_each(?) AS wanted CROSS JOIN execution ON execution.id = wanted.value

-- This form touches no indexed column, so it costs the fewest pages. It serves when status, wake time and lease stay.

-- name: advance
UPDATE execution
SET version = ?, length = ?, waiting = ?, deaths = ?, base = ?, awaits = ?, note = ?, state = ?, updated = ?, token = ?
WHERE no = ?

-- name: move
UPDATE execution
SET version = ?, length = ?, waiting = ?, deaths = ?, base = ?, awaits = ?, note = ?, state = ?, updated = ?, token = ?,
    status = ?, wake = ?, owner = ?
WHERE no = ?

-- name: recount
UPDATE execution SET waiting = (SELECT count(*) FROM mail WHERE mail.id BETWEEN ?2 AND ?3) WHERE no = ?1

-- Journal and mailbox.

-- name: write
INSERT INTO journal (id, body) VALUES (?, ?)

-- name: read
SELECT body FROM journal WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?

-- name: read_numbered
SELECT id & 0xfffffff, CAST(body AS BLOB) FROM journal WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?

-- name: deliver
INSERT INTO mail (id, lane, at, body) VALUES (?, ?, ?, ?)

-- name: consume
DELETE FROM mail WHERE id = ?

-- The first of a mailbox. Each lane is read in its own order, as far as is needed: the control lane by its index.

-- name: mailbox
SELECT seq, lane, at, body FROM (
    SELECT id & 0xfffffff AS seq, lane, at, body FROM mail WHERE id BETWEEN ?1 AND ?2 AND lane = 0 ORDER BY id LIMIT ?3)
UNION ALL
SELECT seq, lane, at, body FROM (
    SELECT id & 0xfffffff AS seq, lane, at, body FROM mail WHERE id BETWEEN ?1 AND ?2 AND lane > 0 ORDER BY id LIMIT ?3)
LIMIT ?3

-- name: control
SELECT id & 0xfffffff, lane, at, body FROM mail WHERE id BETWEEN ? AND ? AND lane = 0 ORDER BY id LIMIT ?

-- name: ordinary
SELECT id & 0xfffffff, lane, at, body FROM mail WHERE id BETWEEN ? AND ? AND lane > 0 ORDER BY id LIMIT ?

-- Deduplication.

-- name: see
INSERT OR IGNORE INTO seen (bucket, no, key) VALUES (?, ?, ?)

-- name: saw
WITH RECURSIVE searched (bucket) AS (VALUES (?1) UNION ALL SELECT bucket + 1 FROM searched WHERE bucket < ?2)
SELECT 1 FROM searched CROSS JOIN seen USING (bucket) WHERE seen.no = ?3 AND seen.key = ?4 LIMIT 1

-- name: forget
DELETE FROM seen WHERE (bucket, no, key) IN (SELECT bucket, no, key FROM seen WHERE bucket < ? LIMIT ?)

-- Owners.

-- name: beat
INSERT INTO owner (id, machine, lock, expires) VALUES (?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET machine = excluded.machine, lock = excluded.lock, expires = excluded.expires

-- name: informed
SELECT id, arrivals FROM execution WHERE owner = ? AND waiting > 0

-- name: owner
SELECT machine, lock, expires FROM owner WHERE id = ?

-- name: owners
SELECT id, machine, lock, expires FROM owner

-- name: holds
SELECT 1 FROM execution WHERE owner = ? LIMIT 1

-- name: held
SELECT owner, count(*) FROM execution WHERE owner IS NOT NULL GROUP BY owner

-- name: retire
DELETE FROM owner WHERE id = ?

-- What is due. Owners that hold leases are found one seek each, however many leases they hold.

-- name: due
SELECT wake, no, id FROM execution WHERE owner IS NULL AND wake IS NOT NULL AND wake <= ? ORDER BY wake, no LIMIT ?

-- name: holders
WITH RECURSIVE holder (id) AS (
    SELECT min(owner) FROM execution WHERE owner IS NOT NULL
    UNION ALL
    SELECT (SELECT min(owner) FROM execution WHERE owner > holder.id) FROM holder WHERE holder.id IS NOT NULL
)
SELECT holder.id, owner.machine, owner.lock, owner.expires
FROM holder LEFT JOIN owner USING (id) WHERE holder.id IS NOT NULL

-- name: orphans
SELECT coalesce(wake, 0), no, id FROM execution WHERE owner = ? ORDER BY 1, 2 LIMIT ?

-- name: next
SELECT min(wake) FROM execution WHERE owner IS NULL AND wake IS NOT NULL

-- For people.

-- name: counts
SELECT status, number FROM tally WHERE number > 0

-- name: counted
SELECT status, count(*) FROM execution GROUP BY status

-- name: number
SELECT no, waiting, length FROM execution WHERE id = ?

-- name: drop_execution
DELETE FROM execution WHERE no = ?

-- name: drop_journal
DELETE FROM journal WHERE id BETWEEN ? AND ?

-- name: drop_mail
DELETE FROM mail WHERE id BETWEEN ? AND ?

-- name: drop_seen
WITH RECURSIVE held (bucket) AS (
    SELECT min(bucket) FROM seen
    UNION ALL
    SELECT (SELECT min(bucket) FROM seen WHERE bucket > held.bucket) FROM held WHERE held.bucket IS NOT NULL
)
DELETE FROM seen WHERE no = ? AND bucket IN (SELECT bucket FROM held WHERE bucket IS NOT NULL)

-- name: drop_values
DELETE FROM value WHERE scope = ?

-- name: drop_blobs
DELETE FROM blob WHERE no = ?

-- Whole executions, as dump and restore have them.

-- name: restore
INSERT INTO execution (id, function, kind, status, version, length, base, arrivals, owner, wake, parent, created,
                       updated, awaits, note, state, deaths, waiting)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: all_seen
WITH RECURSIVE held (bucket) AS (
    SELECT min(bucket) FROM seen
    UNION ALL
    SELECT (SELECT min(bucket) FROM seen WHERE bucket > held.bucket) FROM held WHERE held.bucket IS NOT NULL
)
SELECT lower(hex(seen.key)), seen.bucket FROM held CROSS JOIN seen USING (bucket) WHERE seen.no = ? ORDER BY bucket

-- name: all_blobs
SELECT digest, bytes FROM blob WHERE no = ?

-- Key-value and blobs.

-- name: get
SELECT value, etag FROM value WHERE scope = ? AND key = ?

-- name: put
INSERT INTO value (scope, key, value, etag) VALUES (?, ?, ?, lower(hex(randomblob(8))))
ON CONFLICT (scope, key) DO UPDATE SET value = excluded.value, etag = excluded.etag
RETURNING etag

-- name: remove
DELETE FROM value WHERE scope = ? AND key = ?

-- name: keys
SELECT key FROM value WHERE scope = ?1 AND key >= ?2 AND (?3 = '' OR key < ?3) ORDER BY key LIMIT ?4

-- name: values
SELECT key, value, etag FROM value
WHERE scope = ?1 AND key >= ?2 AND (?3 = '' OR key < ?3) AND (?4 = '' OR key > ?4) ORDER BY key LIMIT ?5

-- name: scopes
SELECT DISTINCT scope FROM value WHERE scope > ? ORDER BY scope LIMIT ?

-- name: keep
INSERT OR IGNORE INTO blob (no, digest, bytes) VALUES (?, ?, ?)

-- name: blob
SELECT bytes FROM blob WHERE no = (SELECT no FROM execution WHERE id = ?) AND digest = ?
