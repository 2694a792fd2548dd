-- Puts a part of an execution aside that is being restored (Store.restore). Repeated, it changes nothing.
--
-- KEYS  1 where to
-- ARGV  1 "list", "zset" or "hash"
--       2 how many entries the list has before this part
--       3 … the entries, or score and member, or field and value, in turn

local key, kind, before = KEYS[1], ARGV[1], tonumber(ARGV[2])
for first = 3, #ARGV, 1000 do
  local last = math.min(first + 999, #ARGV)
  if kind == 'zset' then
    redis.call('ZADD', key, unpack(ARGV, first, last))
  elseif kind == 'hash' then
    redis.call('HSET', key, unpack(ARGV, first, last))
  elseif redis.call('LLEN', key) == before + first - 3 then
    redis.call('RPUSH', key, unpack(ARGV, first, last))
  end
end
redis.call('EXPIRE', key, 3600)
return 1
