-- Take a subscription's consumer groups away, when nobody has it and nothing has come since that was looked at.
--
-- KEYS[1]  PREFIX:readers:SUBSCRIPTION, the processes that read for it, by when they were last heard of (ms)
-- KEYS[2]  PREFIX:stores:SUBSCRIPTION, the stores on which it is announced
-- KEYS[3…] PREFIX:events:N, the streams on which it has a group
-- ARGV[1]  SUBSCRIPTION, the name of the groups
-- ARGV[2]  when a process must have been heard of to count (ms)
-- ARGV[3]  the store that has it no more
-- ARGV[4…] for each stream: the id that was delivered last, as it was looked at, and the id of the last entry
--
-- 1: they are gone. 0: something has changed; look again. -1: a process reads for it. -2: another store has it.

if redis.call('ZCOUNT', KEYS[1], ARGV[2], '+inf') > 0 then
  return -1
end
redis.call('SREM', KEYS[2], ARGV[3])
if redis.call('SCARD', KEYS[2]) > 0 then
  return -2
end
for number = 3, #KEYS do
  local stream, delivered, last = KEYS[number], ARGV[number * 2 - 2], ARGV[number * 2 - 1]
  local found = false
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local told = {}
    for field = 1, #group, 2 do
      told[group[field]] = group[field + 1]
    end
    if told['name'] == ARGV[1] then
      found = true
      if told['last-delivered-id'] ~= delivered then
        return 0
      end
    end
  end
  local newest = redis.call('XREVRANGE', stream, '+', '-', 'COUNT', 1)
  if not found or (newest[1] and newest[1][1] or '') ~= last then
    return 0
  end
end
for number = 3, #KEYS do
  redis.call('XGROUP', 'DESTROY', KEYS[number], ARGV[1])
end
return 1
