-- Mirroring and holding for HAProxy 2.6 and later, written by `migrator rollout config`.
-- What is to be done is read from maps that `migrator rollout` replaces through the admin socket.

local HOLD_MAP = "{hold_map}"
local hold = HOLD_MAP ~= "" and Map.new(HOLD_MAP, Map._str)

local CAP = 30 -- seconds that no request waits longer than, whatever the map says
local TIMEOUT = 2000 -- milliseconds that a copy may take

local holding, held, longest = 0, 0, 0 -- moment that the newest hold ends at; its requests; milliseconds of the longest

-- Count a request that goes on, where whoever has asked for the hold can read it.
local function count(begun, now)
  held = held + 1
  longest = math.max(longest, (now.sec - begun.sec) * 1000 + (now.usec - begun.usec) // 1000)
  core.set_map(HOLD_MAP, "held", tostring(held))
  core.set_map(HOLD_MAP, "longest", tostring(longest))
end

-- Let a request wait until the moment that the map names, in milliseconds since 1970.
core.register_action("migrator_hold", { "http-req" }, function(txn)
  if not hold then return end
  local begun = core.now()
  local ends = tonumber(hold:lookup("until") or "0") or 0
  if ends ~= holding and ends > 0 then holding, held, longest = ends, 0, 0 end
  while true do
    local now = core.now()
    local limit = tonumber(hold:lookup("until") or "0") or 0
    if now.sec * 1000 + now.usec / 1000 >= limit or now.sec - begun.sec >= CAP then return count(begun, now) end
    core.msleep(20)
  end
end, 0)

-- A server of a pool that is up, or nil.
local function server_of(pool)
  local backend = core.backends[pool]
  local found = {}
  for _, server in pairs(backend and backend.servers or {}) do
    if string.sub(server:get_stats()["status"], 1, 2) == "UP" then found[#found + 1] = server end
  end
  return #found > 0 and found[math.random(#found)] or nil
end

-- The body of a request that writes, or nil where it is longer than what HAProxy keeps of one.
local function body_of(txn)
  local body = txn.sf:req_body() or ""
  local length = tonumber(txn.sf:req_hdr("content-length") or "")
  if length and #body < length then return nil end
  return body
end

-- Send a copy to a server of the pool that txn.mirror_pool names, beside the request, and forget the answer.
core.register_action("migrator_mirror", { "http-req" }, function(txn)
  local server = server_of(txn:get_var("txn.mirror_pool"))
  if not server then return end
  local method = string.lower(txn.sf:method())
  local body = nil
  if method ~= "get" and method ~= "head" then
    body = body_of(txn)
    if not body then return end
  end
  local url = "http://" .. server:get_addr() .. txn.sf:pathq()
  local headers = {}
  for name, values in pairs(txn.http:req_get_headers()) do
    if name ~= "connection" and name ~= "content-length" and name ~= "transfer-encoding" then
      headers[name] = {}
      for _, value in pairs(values) do table.insert(headers[name], value) end
    end
  end
  headers["x-migrator-mirror"] = { "1" }
  core.register_task(function()
    local client = core.httpclient()
    local request = { url = url, headers = headers, body = body, timeout = TIMEOUT }
    if client[method] then client[method](client, request) end
  end)
end, 0)
