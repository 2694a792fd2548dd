-- The file of a SqliteStore, version 6 (PRAGMA user_version). Times are milliseconds since the epoch.
--
-- execution   the heads: one small row for each execution, the one source of its status
--   no        number of the row; journal, mail and blobs are clustered by it
--   id, function, kind, parent, created     as in records.Head
--   version   grows by one with every append; the fence
--   length    sequence number of the last journal entry
--   base      first journal entry that is needed to go on
--   arrivals  how many mails ever arrived
--   waiting   how many mails are in the mailbox now
--   owner     process incarnation that holds the lease, or null
--   wake      when it must next be looked at, or null
--   status, updated, awaits, note, state    as in records.Head
--   token     of the last change
--   deaths    as in records.Head
--
-- tally       how many executions of each status there are, kept by triggers
--
-- journal     the transitions, only ever appended
--   id        execution.no << 28 | sequence number from 1: one execution's entries lie side by side
--   body      JSON text
--
-- mail        events accepted and not consumed
--   id        execution.no << 28 | sequence number of arrival from 1
--   lane      0 control, 1 ordinary
--   at        when the event was accepted
--   body      JSON text
--
-- seen        deduplication keys, in buckets of time so that forgetting is deleting a range
--   bucket    time of acceptance / bucket length
--   no        execution.no
--   key       first 16 bytes of the SHA-256 of the mail's key
--
-- owner       process incarnations that beat; one without a row is dead. Who retires has none, who dies keeps it
--             until nothing that it held is left
--   id        as in execution.owner
--   machine   boot of the machine it runs on; empty when its death can't be seen from outside
--   lock      name of the file, in the folder beside this one, that it holds locked while it lives
--   expires   when another machine may take it for dead
--
-- value       the key-value interface
--   scope, key, value    as given
--   etag      changes with every write
--
-- blob        bytes too big for the journal
--   no        execution.no
--   digest    "sha256:<hex>"
--   bytes     as given

CREATE TABLE execution (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    function TEXT NOT NULL,
    kind TEXT NOT NULL,
    parent TEXT,
    created INTEGER NOT NULL,
    version INTEGER NOT NULL,
    length INTEGER NOT NULL,
    base INTEGER NOT NULL,
    arrivals INTEGER NOT NULL,
    waiting INTEGER NOT NULL,
    owner TEXT,
    wake INTEGER,
    status TEXT NOT NULL,
    updated INTEGER NOT NULL,
    awaits TEXT NOT NULL,
    note TEXT NOT NULL,
    state TEXT NOT NULL,
    token TEXT NOT NULL DEFAULT '',
    deaths INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX execution_created ON execution (created);
CREATE INDEX execution_due ON execution (wake) WHERE owner IS NULL AND wake IS NOT NULL;
CREATE INDEX execution_owner ON execution (owner) WHERE owner IS NOT NULL;
CREATE INDEX execution_parent ON execution (parent) WHERE parent IS NOT NULL;
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

CREATE TABLE journal (id INTEGER PRIMARY KEY, body TEXT NOT NULL);

CREATE TABLE mail (
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    at INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX mail_control ON mail (id) WHERE lane = 0;

CREATE TABLE seen (
    bucket INTEGER NOT NULL,
    no INTEGER NOT NULL,
    key BLOB NOT NULL,
    PRIMARY KEY (bucket, no, key)
) WITHOUT ROWID;

CREATE TABLE owner (
    id TEXT PRIMARY KEY,
    machine TEXT NOT NULL,
    lock TEXT NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE value (
    scope TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    etag TEXT NOT NULL,
    UNIQUE (scope, key)
);

CREATE TABLE blob (no INTEGER NOT NULL, digest TEXT NOT NULL, bytes BLOB NOT NULL, UNIQUE (no, digest));
