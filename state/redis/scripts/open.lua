-- What this partition says of the store, written if nothing is said yet.
--
-- KEYS  1 meta
-- ARGV  1 schema version  2 number of partitions; empty: only look  3 an identity for one that has none
--
-- Answers {schema, partitions, identity}, each false when nothing is said.

if ARGV[2] ~= '' then
  if redis.call('EXISTS', KEYS[1]) == 0 then
    redis.call('HSET', KEYS[1], 'schema', ARGV[1], 'partitions', ARGV[2])
  end
  redis.call('HSETNX', KEYS[1], 'identity', ARGV[3])
end
return redis.call('HMGET', KEYS[1], 'schema', 'partitions', 'identity')
