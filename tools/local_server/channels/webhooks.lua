--- Webhooks: signed, sent in order, repeated until the receiver responds with 2xx.

local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local http_request = require "http.request"
local json = require "tools.local_server.channels.json"
local signature = require "tools.local_server.channels.signature"

local webhooks = {}
local methods = {}
local metatable = { __index = methods }

-- One attempt may take this long; the first pause between two, in seconds.
local ATTEMPT, FIRST_PAUSE = 5, 0.1

-- In the order in which pusher.com writes them.
local MEMBERS = { "name", "channel", "event", "data", "socket_id", "user_id" }

--- Makes the sender.
-- @tparam table app
-- @tparam table record
function webhooks.new(app, record)
  return setmetatable({
    app = app,
    record = record,
    waiting = {},
    arrived = condition.new(),
    -- Milliseconds from a clock that counts in fractions, on top of the time of day.
    time_at_zero = os.time() - cqueues.monotime(),
  }, metatable)
end

--- Queues an event: `name`, `channel` and the other members of its kind.
function methods:add(event)
  local parts = {}
  for _, name in ipairs(MEMBERS) do
    if event[name] then
      parts[#parts + 1] = ('"%s":%s'):format(name, json.encode(event[name]))
    end
  end
  if event.subscription_count then
    parts[#parts + 1] = ('"subscription_count":%d'):format(event.subscription_count)
  end
  self.waiting[#self.waiting + 1] = "{" .. table.concat(parts, ",") .. "}"
  self.arrived:signal()
end

local function post(url, hook)
  local request = http_request.new_from_uri(url)
  request.follow_redirects = false
  request.version = 1.1
  request.headers:upsert(":method", "POST")
  request.headers:upsert("content-type", "application/json")
  request.headers:upsert("user-agent", "pusher-webhooks-local")
  request.headers:upsert("x-pusher-key", hook.key)
  request.headers:upsert("x-pusher-signature", hook.signature)
  request:set_body(hook.body)
  request.headers:delete("expect")
  local headers, stream = request:go(ATTEMPT)
  if not headers then
    return 0
  end
  stream:get_body_as_string(ATTEMPT)
  stream:shutdown()
  return tonumber(headers:get(":status"))
end

local function deliver(self, url, hook)
  local deadline, pause = cqueues.monotime() + self.app.webhook_retry_seconds, FIRST_PAUSE
  repeat
    hook.attempts = hook.attempts + 1
    local ok, status = pcall(post, url, hook)
    hook.status = ok and status or 0
    local done = hook.status >= 200 and hook.status < 300
    if not done then
      cqueues.sleep(pause)
      pause = pause * 2
    end
  until done or cqueues.monotime() > deadline or self.app.webhook_url ~= url
end

local function take(self)
  if self.app.webhook_batch then
    local all = self.waiting
    self.waiting = {}
    return all
  end
  return { table.remove(self.waiting, 1) }
end

--- Sends the queue, for ever; to be run in a coroutine.
function methods:run()
  while true do
    while #self.waiting == 0 do
      self.arrived:wait()
    end
    local time_ms = math.floor((cqueues.monotime() + self.time_at_zero) * 1000)
    local body = ('{"time_ms":%.0f,"events":%s}'):format(time_ms, json.array(take(self)))
    local hook = {
      body = body,
      key = self.app.key,
      signature = signature.sign(self.app.secret, body),
      attempts = 0,
    }
    local url = self.app.webhook_url
    if url ~= "" then
      deliver(self, url, hook)
    end
    self.record:add_webhook(hook)
  end
end

return webhooks
