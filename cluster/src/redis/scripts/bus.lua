-- Begins every script of the bus, after the marker's part.

-- The bus's head: 'epoch' (the marker under which it began), 'base' (the last number before the epoch) and 'seq' (the newest number). A new
-- marker begins a new epoch, whose numbers are larger than any of an epoch that Redis may have forgotten: they begin at the time in µs.
local function bus_head(marker, head_key, stream_key)
  local head = redis.call('HMGET', head_key, 'epoch', 'base', 'seq')
  if head[1] == marker and head[2] and head[3] then
    return head[2], head[3]
  end
  if not head[3] then
    redis.call('DEL', stream_key)
  end
  local base = string.format('%.0f', math.max(tonumber(head[3] or 0), now_us))
  redis.call('HSET', head_key, 'epoch', marker, 'base', base, 'seq', base)
  return base, base
end
