-- What makes a file of an older version into one of the next. A section is named after the version it
-- leads to; opening a file runs those above its own version, all in one transaction. schema.sql is always
-- the newest version, whole.

-- 2: the head remembers its last change, so that it is known when it comes again; the listing has an index.
-- Blobs belong to an execution now: each goes to all whose journal or mailbox names its digest.

-- name: 2
ALTER TABLE execution ADD COLUMN token TEXT NOT NULL DEFAULT '';
CREATE INDEX execution_created ON execution (created);
ALTER TABLE blob RENAME TO blob_of_all;
CREATE TABLE blob (no INTEGER NOT NULL, digest TEXT NOT NULL, bytes BLOB NOT NULL, UNIQUE (no, digest));
INSERT INTO blob (no, digest, bytes)
SELECT DISTINCT named.no, blob_of_all.digest, blob_of_all.bytes
FROM (SELECT id >> 28 AS no, body FROM journal WHERE instr(body, '"blob":')
      UNION ALL SELECT id >> 28, body FROM mail WHERE instr(body, '"blob":')) AS named
JOIN blob_of_all ON instr(named.body, blob_of_all.digest);
DROP TABLE blob_of_all;

-- 3: how many owners have died holding an execution is counted.

-- name: 3
ALTER TABLE execution ADD COLUMN deaths INTEGER NOT NULL DEFAULT 0;

-- 4: the control lane is found without walking through what else waits.

-- name: 4
CREATE INDEX mail_control ON mail (id) WHERE lane = 0;

-- 5: executions with a call in doubt are found as failed ones are.

-- name: 5
DROP INDEX execution_rare;
CREATE INDEX execution_rare ON execution (status)
    WHERE status IN ('in-doubt', 'failed', 'stuck', 'paused', 'cancelled', 'terminated');

-- 6: executions of a status are found in order unless nearly all have it, those of a function always, and how many
-- there are of each status is kept.

-- name: 6
DROP INDEX execution_rare;
CREATE INDEX execution_function ON execution (function, created);
CREATE INDEX execution_status ON execution (status, created) WHERE status NOT IN ('completed', 'idle');
CREATE TABLE tally (status TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER tally_come AFTER INSERT ON execution BEGIN
    INSERT INTO tally (status, number) VALUES (new.status, 1) ON CONFLICT (status) DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER tally_change AFTER UPDATE OF status ON execution WHEN new.status <> old.status BEGIN
    UPDATE tally SET number = number - 1 WHERE status = old.status;
    INSERT INTO tally (status, number) VALUES (new.status, 1) ON CONFLICT (status) DO UPDATE SET number = number + 1;
END;
CREATE TRIGGER tally_go AFTER DELETE ON execution BEGIN
    UPDATE tally SET number = number - 1 WHERE status = old.status;
END;
INSERT INTO tally (status, number) SELECT status, count(*) FROM execution GROUP BY status;
