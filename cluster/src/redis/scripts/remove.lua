-- KEYS: room, its checkpoint. ARGV: node, epoch.
-- Returns 1 if Redis holds neither, 0 if the room belongs to a later claim or was handed over.

local entry = redis.call('HMGET', KEYS[1], 'owner', 'epoch')
local owner, known, epoch = entry[1], tonumber(entry[2]), tonumber(ARGV[2])
if known and (known > epoch or (known == epoch and owner ~= ARGV[1])) then
  return 0
end
redis.call('DEL', KEYS[1], KEYS[2])
return 1
