-- The Lua of README.md and docs/*.md runs, except what other specs and checks run in its host:
-- `<!-- run: host NAME -->`. What the pages say is compared with the code by spec/docs_spec.lua.
--
-- Each ```lua block runs against a local Channels server. `<!-- run: NAME -->` before a block picks one of the
-- set-ups below, which make the names that the block uses; the default is "client". `require "pusher"` returns the real
-- module, except that its clients talk to the local server.

local readme = require("spec.helpers.readme")
local source = require("spec.helpers.source")

local server
local clients

-- The given options, changed so that the client reaches the local server.
local function local_options(given)
  local options = {}
  for name, value in pairs(given or {}) do
    options[name] = value
  end
  options.app_id, options.key, options.secret = server.app_id, server.key, server.secret
  options.cluster, options.proxy, options.path_prefix = nil, nil, nil
  options.host, options.port, options.secure = server.host, server.port, false
  options.push_notification_host = ("%s:%d"):format(server.host, server.port)
  return options
end

local function keep(client, message)
  assert(client, message)
  clients[#clients + 1] = client
  return client
end

-- The options of a page have to be valid as written; the client then gets the local server's.
local function make(options)
  local pusher = require("pusher")
  local tried = assert(pusher.new(options))
  if type(options.transport) ~= "table" then -- closing must not touch the block's transport
    tried:close()
  end
  return keep(pusher.new(local_options(options)))
end

local local_pusher = {
  new = make,
  from_url = function(given, options)
    local pusher = require("pusher")
    assert(pusher.from_url(given, options)):close()
    return keep(pusher.from_url(server:url(), options))
  end,
  from_env = function(_, options)
    return keep(require("pusher").from_url(server:url(), options))
  end,
}
setmetatable(local_pusher, { __index = function(_, name)
  return require("pusher")[name]
end })

local function local_require(name)
  return name == "pusher" and local_pusher or require(name)
end

local setups = {}

--- A client, and what a web framework provides.
function setups.client()
  return {
    pusher = local_pusher,
    client = make {
      app_id = "1", key = "key", secret = "secret", cluster = "eu",
      encryption_master_key_base64 = server.master_key_base64,
    },
    require = local_require,
  }
end

--- The same for a game, whose ticks follow each other at once.
function setups.game()
  local names = setups.client()
  names.require = function(name)
    return name == "socket" and { sleep = function() end } or local_require(name)
  end
  return names, function()
    local events = server:events()
    assert.matches('"y":600', events[#events].data, 1, true)
  end
end

--- A request of the Channels server to a webhook endpoint.
function setups.webhook()
  local names = setups.client()
  names.body = '{"time_ms":' .. os.time() .. '000,"events":[{"name":"channel_occupied","channel":"lobby"}]}'
  names.headers = {
    ["X-Pusher-Key"] = server.key,
    ["X-Pusher-Signature"] = require("pusher.core").mac(server.secret):hex(names.body),
  }
  return names
end

--- A server that takes its time; what is written to standard error is kept.
function setups.slow_call()
  local names, written = setups.client(), {}
  server:reset()
  server:misbehave { mode = "delay", ms = 300, path = "/apps/", times = 1 }
  names.io = { stderr = { write = function(_, text) written[#written + 1] = text end } }
  return names, function()
    server:behave()
    assert.equal(1, #written)
    local path = ("/apps/%s/events"):format(server.app_id):gsub("%p", "%%%0")
    assert.is_truthy(written[1]:find("^slow call: POST " .. path .. ", status 200, code none, attempt 1, [%d.]+ s\n$"),
      written[1])
  end
end

-- What sockudo 5.0.1 sends, shortened: by method and path, in the order of the page's calls.
local SOCKUDO = {
  { "GET", "/channels/chat/history", '{"items":[{"serial":3,"event_name":"said","message":{"event":"said","data":"three"}},'
    .. '{"serial":2,"event_name":"said","message":{"event":"said","data":"two"}}],"has_more":true,"next_cursor":"b3BhcXVl"}' },
  { "GET", "/channels/chat/history", '{"items":[{"serial":1,"event_name":"said","message":{"event":"said","data":"one"}}],'
    .. '"has_more":false,"next_cursor":null}' },
  { "GET", "/channels/presence-lobby/presence/history", '{"items":[{"serial":1,"event":"member_added","cause":"join",'
    .. '"user_id":"user-7","published_at_ms":1700000000000}],"has_more":false,"next_cursor":null}' },
  { "GET", "/channels/presence-lobby/presence/history/snapshot", '{"members":[],"member_count":0}' },
  { "POST", "/channels/chat/messages/msg:1/update", '{"channel":"chat","message_serial":"msg:1","action":"update","accepted":true}' },
  { "GET", "/channels/chat/messages/msg:1/versions", '{"items":[{"action":"update","data":"edited"}],"has_more":false}' },
}

--- The same client, whose server has sockudo's endpoints; each must have been called.
function setups.sockudo()
  local prefix = "/apps/" .. server.app_id
  server:reset()
  for _, response in ipairs(SOCKUDO) do
    server:answer { method = response[1], path = prefix .. response[2] .. "?", body = response[3] }
  end
  return setups.client(), function()
    local called, expected = {}, {}
    for index, request in ipairs(server:requests()) do
      called[index] = request.method .. " " .. request.target:match("^[^?]*"):sub(#prefix + 1)
    end
    for index, response in ipairs(SOCKUDO) do
      expected[index] = response[1] .. " " .. response[2]
    end
    assert.same(expected, called)
    server:behave()
  end
end

for name, setup_block in pairs(require("spec.helpers.readme_push")) do
  setups[name] = setup_block
end

describe("the pages", function()
  setup(function()
    server = require("tools.local_server").start {}
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    clients = {}
  end)

  after_each(function()
    for _, client in ipairs(clients) do
      client:close()
    end
  end)

  local function run(block)
    local setup_block = assert(setups[block.setup], "no set-up of this name: " .. block.setup)
    local names, finish = setup_block()
    local printed = readme.run(block, names)
    for index, text in ipairs(block.expected) do
      local start = text:match("^(.*)…$") -- the page shortens a long line
      if start and printed[index] and printed[index]:sub(1, #start) == start then
        printed[index] = text
      end
    end
    if #block.expected > 0 then
      assert.same(block.expected, printed)
    end
    if finish then
      finish()
    end
  end

  for _, page in ipairs(readme.pages()) do
    for _, block in ipairs(readme.blocks(page)) do
      if not readme.host(block) then
        it(("%s:%d runs (%s)"):format(page, block.line, block.setup), function()
          run(block)
        end)
      end
    end
  end
end)

-- By page, the maximum of lines in an example that runs in its host.
local MAX_LINES = { ["docs/hosts.md"] = 15, ["docs/metrics.md"] = 60 }

for page, max_lines in pairs(MAX_LINES) do
  it(page .. " has short examples, each of which a check runs in its host", function()
    local checks = {}
    for _, path in ipairs(source.files("spec/system/hosts", "lua")) do
      checks[#checks + 1] = path:find("_check%.lua$") and source.read(path)
    end
    local text, count, wrong = table.concat(checks, "\n"), 0, {}
    for _, language in ipairs { "lua", "nginx" } do
      for _, block in ipairs(readme.blocks(page, language)) do
        local name, lines = readme.host(block), #block
        local runs_above = not name and language == "lua" and page ~= "docs/hosts.md"
        count = count + 1
        if not runs_above and not (name and text:find('"' .. name .. '"', 1, true)) then
          wrong[#wrong + 1] = ("line %d: no check runs %s"):format(block.line, name or "it")
        elseif lines > max_lines then
          wrong[#wrong + 1] = ("line %d: %d lines"):format(block.line, lines)
        end
      end
    end
    assert.equal("", table.concat(wrong, "\n"))
    assert.is_true(count >= 4)
  end)
end
