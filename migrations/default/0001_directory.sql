-- The directory of keyspaces with `function: directory`: where single keys are, or all that begin alike.
-- `key` holds values of the key's first columns (or of all of them) in their text form.
CREATE SCHEMA IF NOT EXISTS trunkline;
CREATE TABLE IF NOT EXISTS trunkline.directory (
    keyspace text NOT NULL,
    key text[] NOT NULL,
    logical_shard integer NOT NULL,
    PRIMARY KEY (keyspace, key)
);
