-- Begins every script that must know whether Redis may have forgotten something.

local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
local now_ms = math.floor(now_us / 1000)

-- The cluster's marker, 'RUN:SINCE': which run of Redis this is, and when a node first saw it, in milliseconds. A marker that is missing or of
-- another run is replaced. So it changes whenever Redis has restarted (with or without data), was emptied, or another server has taken over.
-- The uptime would not do: it counts the time in which Redis loads its data and answers nobody.
local function current_marker(key)
  local info = redis.pcall('INFO', 'server')
  local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or 'unknown'
  run = string.sub(run, 1, 16) .. ':'
  local known = redis.call('GET', key)
  if known and string.sub(known, 1, #run) == run then
    local since = tonumber(string.sub(known, #run + 1))
    if since and since <= now_ms then
      return known, since
    end
  end
  local marker = run .. string.format('%.0f', now_ms)
  redis.call('SET', key, marker)
  return marker, now_ms
end
