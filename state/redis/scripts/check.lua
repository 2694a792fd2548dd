-- with indexes
-- What contradicts itself about one execution (Store.verify). Changes nothing.
--
-- KEYS  1 due  2 leased  3 owners  4 created  5 children  6 rare
--       7 head  8 journal  9 mail  10 seen  11 blobs
-- ARGV  1 id
--       2 … name of an index and a member of it that seems to mean this execution, in turn
--
-- Answers sentences without a subject.

local indexes = {due = KEYS[1], leased = KEYS[2], created = KEYS[4], children = KEYS[5], rare = KEYS[6]}
local owners, head, journal, mail = KEYS[3], KEYS[7], KEYS[8], KEYS[9]
local id = ARGV[1]
local wrong = {}
local function note(text) wrong[#wrong + 1] = text end

local h = redis.call('HMGET', head, 'status', 'owner', 'wake', 'created', 'parent', 'length', 'base', 'arrivals')
local status, owner, wake, since, parent, length, base, arrivals = unpack(h, 1, 8)
local expected = {}
if status then
  expected.created = digits(since) .. id
  if owner then expected.leased = lease_of(id, owner, wake) elseif wake then expected.due = id end
  if parent then expected.children = redis.sha1hex(parent) .. digits(since) .. id end
  if RARE[status] then expected.rare = status .. ':' .. digits(since) .. id end

  for name, member in pairs(expected) do
    local score = redis.call('ZSCORE', indexes[name], member)
    if not score then
      note('is missing from the index "' .. name .. '"')
    elseif name == 'due' and tonumber(score) ~= tonumber(wake) then
      note('is due at ' .. score .. ' in the index and at ' .. wake .. ' in its head')
    end
  end
  if owner and redis.call('HEXISTS', owners, owner) == 0 then note('is leased by ' .. owner .. ', whom nobody knows') end
  local written = redis.call('LLEN', journal)
  if written ~= tonumber(length) then note('has ' .. written .. ' entries and says ' .. length) end
  if tonumber(base) > tonumber(length) + 1 then note('needs entries from ' .. base .. ' on and has ' .. length) end
  if redis.call('ZCARD', mail) > tonumber(arrivals) then note('has more mail than ever arrived') end
else
  for i, name in ipairs({'journal', 'mail', 'deduplication keys', 'blobs'}) do
    if redis.call('EXISTS', KEYS[7 + i]) == 1 then note('is not there and has ' .. name) end
  end
end
for i = 2, #ARGV, 2 do
  local name, member = ARGV[i], ARGV[i + 1]
  if member ~= expected[name] and redis.call('ZSCORE', indexes[name], member) then
    note('is in the index "' .. name .. '" and should not be, or not so')
  end
end
return wrong
