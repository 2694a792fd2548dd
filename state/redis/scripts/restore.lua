-- with indexes
-- Makes an execution of what was put aside before, whole or not at all (Store.restore).
--
-- KEYS  1 due  2 leased  3 counts  4 created  5 children  6 rare
--       7 head  8 journal  9 mail  10 seen  11 blobs  12 … 15 the same four, put aside
-- ARGV  1 id  2 token of this call; a repetition brings the same
--       3 … 6 how many of each were put aside
--       7 status  8 created  9 parent, empty: none  10 wake time, empty: none
--      11 … names and values of the head's other fields, in turn
--
-- Answers 1 when it is there now, 0 when the id is taken, -1 when something that was put aside is gone.

local due, leased, counts, created, children, rare, head = unpack(KEYS, 1, 7)
local id, token = ARGV[1], ARGV[2]
local status, since, parent, wake = ARGV[7], ARGV[8], ARGV[9] ~= '' and ARGV[9], ARGV[10] ~= '' and ARGV[10]

if redis.call('EXISTS', head) == 1 then
  if redis.call('HGET', head, 'grant') == token then return 1 end
  redis.call('UNLINK', unpack(KEYS, 12, 15))
  return 0
end
for i, count in ipairs({'LLEN', 'ZCARD', 'ZCARD', 'HLEN'}) do
  if redis.call(count, KEYS[11 + i]) ~= tonumber(ARGV[2 + i]) then return -1 end
end

redis.call('HSET', head, 'status', status, 'created', since, 'grant', token, unpack(ARGV, 11))
if parent then redis.call('HSET', head, 'parent', parent) end
if wake then redis.call('HSET', head, 'wake', wake) end
for i = 8, 11 do
  if redis.call('EXISTS', KEYS[i + 4]) == 1 then
    redis.call('RENAME', KEYS[i + 4], KEYS[i])
    redis.call('PERSIST', KEYS[i])
  end
end
enlist(created, children, id, since, parent)
place(due, leased, id, false, false, false, wake)
rank(counts, rare, id, since, false, status)
return 1
