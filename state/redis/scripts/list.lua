-- Heads of one partition that match a filter, newest or oldest first (Store.executions). Changes nothing.
--
-- KEYS  1 created, children or rare
-- ARGV  1 where to begin in it, and 2 where to end, as ZREVRANGEBYLEX (ZRANGEBYLEX) wants them
--       3 how many members to look at, at the most  4 how many heads to find
--       5 where in a member the time begins; 16 digits later the id does
--       6 beginning of the names of heads
--       7 function  8 prefix of the id  9 parent  10 prefix of awaits  11 updated before, "0": any time
--      12 kind  13 created at or after, and 14 before, "0": any time
--      15 "oldest": they come first; else the newest do
--      16 … statuses; none: any. Empty fields match everything.
--
-- Answers {last member that was looked at, or false when none is left; id, head, id, head …}, a head as a list of
-- its fields in the order of records.Head without the id; false for a head that is not here: a cluster is moving
-- it, so it must be asked for by its own name.

local first, last, steps, wanted, offset, heads = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]),
  tonumber(ARGV[5]), ARGV[6]
local fn, prefix, parent, awaits, before = ARGV[7], ARGV[8], ARGV[9], ARGV[10], tonumber(ARGV[11])
local kind, since, till = ARGV[12], tonumber(ARGV[13]), tonumber(ARGV[14])
local statuses = {}
for i = 16, #ARGV do statuses[ARGV[i]] = true end

local function matches(h)
  return (#ARGV < 16 or statuses[h[3]])
    and (fn == '' or h[1] == fn)
    and (parent == '' or h[10] == parent)
    and string.sub(h[13], 1, #awaits) == awaits
    and (before == 0 or tonumber(h[12]) < before)
    and (kind == '' or h[2] == kind)
    and tonumber(h[11]) >= since
    and (till == 0 or tonumber(h[11]) < till)
end

local answer = {false}
local members = redis.call(ARGV[15] == 'oldest' and 'ZRANGEBYLEX' or 'ZREVRANGEBYLEX', KEYS[1], first, last, 'LIMIT', 0, steps)
for i, member in ipairs(members) do
  local id = string.sub(member, offset + 17)
  if string.sub(id, 1, #prefix) == prefix then
    local h = redis.pcall('HMGET', heads .. id, 'function', 'kind', 'status', 'version', 'length', 'base', 'arrivals',
      'owner', 'wake', 'parent', 'created', 'updated', 'awaits', 'note', 'state', 'deaths')
    local here = not h.err and h[3]
    if not here or matches(h) then
      answer[#answer + 1] = id
      answer[#answer + 1] = here and h
    end
  end
  if (#answer - 1) / 2 >= wanted or i == steps then
    answer[1] = member
    break
  end
end
return answer
