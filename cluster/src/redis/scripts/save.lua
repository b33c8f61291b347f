-- KEYS: room, its checkpoint. ARGV: node, epoch, checkpoint, '1' if the room is handed over, number of this save.
-- Returns 1 if Redis holds it, 0 if the room belongs to a later claim or was handed over.

local is_hand_over = ARGV[4] == '1'
local entry = redis.call('HMGET', KEYS[1], 'owner', 'epoch', 'save')
local owner, known, epoch = entry[1], tonumber(entry[2]), tonumber(ARGV[2])
if known and known >= epoch then
  -- Only the hand over itself may be repeated once it is done: its answer may have been lost.
  local is_ours = owner == ARGV[1] or (owner == '' and is_hand_over)
  if known > epoch or not is_ours then
    return 0
  end
  -- A save that was stuck in a connection that was given up must not replace a newer one. Nobody waits for its answer.
  if entry[3] and tonumber(entry[3]) >= tonumber(ARGV[5]) then
    return 1
  end
end
redis.call('HSET', KEYS[1], 'owner', is_hand_over and '' or ARGV[1], 'epoch', ARGV[2], 'save', ARGV[5])
redis.call('SET', KEYS[2], ARGV[3])
-- Longer than any session waits for its player: a room that nobody comes to any more is forgotten at last.
redis.call('EXPIRE', KEYS[1], 90000)
redis.call('EXPIRE', KEYS[2], 90000)
return 1
