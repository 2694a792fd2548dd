-- Counts the executions of one partition by status, and compares (Store.verify). Changes nothing. It looks at all
-- heads at once, about a million in a second, because the counters must not move meanwhile.
--
-- KEYS  1 created  2 counts
-- ARGV  1 beginning of the names of heads
--
-- Answers status, how many there are, how many are counted, for each status that differs.

local found, counted, wrong = {}, {}, {}
local stored = redis.call('HGETALL', KEYS[2])
for i = 1, #stored, 2 do
  counted[stored[i]] = tonumber(stored[i + 1])
  found[stored[i]] = 0
end
local first = 0
while true do
  local members = redis.call('ZRANGE', KEYS[1], first, first + 999)
  for _, member in ipairs(members) do
    local status = redis.pcall('HGET', ARGV[1] .. string.sub(member, 17), 'status')
    if type(status) == 'table' then return {} end -- a cluster is moving it, so nobody can count now
    if status then found[status] = (found[status] or 0) + 1 end
  end
  if #members < 1000 then break end
  first = first + 1000
end
for status, number in pairs(found) do
  if number ~= (counted[status] or 0) then
    wrong[#wrong + 1] = status
    wrong[#wrong + 1] = number
    wrong[#wrong + 1] = counted[status] or 0
  end
end
return wrong
