-- KEYS: rooms. ARGV: node, then the epoch of each room.
-- Returns the indices, from 1, of the rooms that belong to somebody else by now.

local lost = {}
for index, key in ipairs(KEYS) do
  local entry = redis.call('HMGET', key, 'owner', 'epoch')
  local owner, known, epoch = entry[1], tonumber(entry[2]), tonumber(ARGV[index + 1])
  if not known or known < epoch then
    redis.call('HSET', key, 'owner', ARGV[1], 'epoch', ARGV[index + 1])
    redis.call('HDEL', key, 'save')
    redis.call('EXPIRE', key, 90000)
  elseif known > epoch or owner ~= ARGV[1] then
    lost[#lost + 1] = index
  end
end
return lost
