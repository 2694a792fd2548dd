-- What this partition says of the store, written if nothing is said yet.
--
-- KEYS  1 meta
-- ARGV  1 schema version  2 number of partitions; empty: only look
--
-- Answers {schema, partitions}, both false when nothing is said.

if ARGV[2] ~= '' and redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('HSET', KEYS[1], 'schema', ARGV[1], 'partitions', ARGV[2])
end
return redis.call('HMGET', KEYS[1], 'schema', 'partitions')
