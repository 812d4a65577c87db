-- The README is correct: its Lua runs, its names exist, and no public name is missing. The Lua of docs/*.md runs, too,
-- except what spec/system/hosts/ runs in its host: `<!-- run: host NAME -->`.
--
-- Each ```lua block runs against a local Channels server. `<!-- run: NAME -->` before a block picks one of the
-- set-ups below, which make the names that the block uses; the default is "client". `require "pusher"` returns the real
-- module, except that its clients talk to the local server.

local readme = require("spec.helpers.readme")
local source = require("spec.helpers.source")

local TEXT = readme.text()

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

-- The options of the README have to be valid as written; the client then gets the local server's.
local function make(options)
  local pusher = require("pusher")
  local tried = assert(pusher.new(options))
  if type(options.transport) ~= "table" then -- closing must not touch the block's transport
    tried:close()
  end
  return keep(pusher.new(local_options(options)))
end

local function url()
  return ("http://%s:%s@%s:%d/apps/%s"):format(server.key, server.secret, server.host, server.port, server.app_id)
end

local local_pusher = {
  new = make,
  from_url = function(given, options)
    local pusher = require("pusher")
    assert(pusher.from_url(given, options)):close()
    return keep(pusher.from_url(url(), options))
  end,
  from_env = function(_, options)
    return keep(require("pusher").from_url(url(), options))
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

describe("README", function()
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

describe("docs/hosts.md", function()
  local MAX_LINES = 15

  it("has short examples, each of which a check runs in its host", function()
    local checks = {}
    for _, path in ipairs(source.files("spec/system/hosts", "lua")) do
      checks[#checks + 1] = path:find("_check%.lua$") and source.read(path)
    end
    local text, count, wrong = table.concat(checks, "\n"), 0, {}
    for _, language in ipairs { "lua", "nginx" } do
      for _, block in ipairs(readme.blocks("docs/hosts.md", language)) do
        local name, lines = readme.host(block), #block
        count = count + 1
        if not name or not text:find('"' .. name .. '"', 1, true) then
          wrong[#wrong + 1] = ("line %d: no check runs %s"):format(block.line, name or "it")
        elseif lines > MAX_LINES then
          wrong[#wrong + 1] = ("line %d: %d lines"):format(block.line, lines)
        end
      end
    end
    assert.equal("", table.concat(wrong, "\n"))
    assert.is_true(count >= 11)
  end)
end)

describe("the README's reference", function()
  local REFERENCE = readme.section(TEXT, "^Reference")

  local function has_default(row, field, default)
    local text = type(default) == "number" and ("%.14g"):format(default) or tostring(default)
    text = text:gsub("%p", "%%%0")
    return row:find(field and "%f[%w_]" .. field .. " = " .. text .. "%f[^%w.]" or "| " .. text .. " |")
  end

  it("has the declared defaults, and types that are allowed", function()
    local wrong = {}
    for title, module in pairs { ["^Options"] = "pusher.channels.settings", ["^Publisher"] = "pusher.publisher.settings" } do
      local section = readme.section(TEXT, title)
      for name, rule in pairs(require(module).DECLARED) do
        local row = (section:match("\n|%s*(`" .. name .. "`[^\n]*)") or ""):gsub('[`"]', "")
        for field, declared in pairs(rule.fields or { [false] = rule }) do
          local default = declared.default
          if default ~= nil and type(default) ~= "function" and not has_default(row, field, default) then
            wrong[#wrong + 1] = ("%s: the default is %s, not as in %q"):format(field or name, tostring(default), row)
          end
        end
        for kind in (title == "^Options" and row:match("|%s*([^|]*)") or ""):gmatch("%a+") do
          if kind ~= "or" and not (" " .. table.concat(rule, " ") .. " "):find(" " .. kind .. " ", 1, true) then
            wrong[#wrong + 1] = name .. " is documented as a " .. kind
          end
        end
      end
    end
    table.sort(wrong)
    assert.equal("", table.concat(wrong, "\n"))
  end)

  it("has a row for each option, and no other", function()
    local known = require("pusher.channels.settings").DECLARED
    local section = readme.section(TEXT, "^Options")
    local documented, wrong = {}, {}
    for name in section:gmatch("\n|%s*`([%w_]+)`") do
      documented[name] = true
      if not known[name] then
        wrong[#wrong + 1] = name .. " is documented, and unknown"
      end
    end
    for name in pairs(known) do
      if not documented[name] then
        wrong[#wrong + 1] = name .. " is an option, and not documented"
      end
    end
    table.sort(wrong)
    assert.equal("", table.concat(wrong, "\n"))
  end)

  it("has a row for each option of a publisher, and names all its methods", function()
    local known = require("pusher.publisher.settings").DECLARED
    local client = assert(require("pusher").new { app_id = "1", key = "key", secret = "secret", cluster = "eu" })
    local publisher = client:publisher()
    local section, documented, wrong = readme.section(TEXT, "^Publisher"), {}, {}
    for row in section:gmatch("\n|([^|]+)|") do
      for name in row:gmatch("`([%w_]+)`") do
        documented[name] = true
      end
    end
    for name in pairs(known) do
      wrong[#wrong + 1] = not documented[name] and name .. " is an option, and not documented" or nil
    end
    for name, value in pairs(getmetatable(publisher).__index) do
      if type(value) == "function" and not TEXT:find("publisher:" .. name, 1, true) then
        wrong[#wrong + 1] = "publisher has " .. name .. ", which the README does not name"
      end
    end
    table.sort(wrong)
    assert.equal("", table.concat(wrong, "\n"))
  end)

  -- Objects of the API, by their name in the README.
  local function objects()
    local pusher, push = require("pusher"), require("pusher.push")
    local options = { app_id = "1", key = "key", secret = "secret", host = "127.0.0.1", port = 1, transport = "async" }
    local client = assert(pusher.new(options))
    local call = client:trigger("c", "e", "d")
    call:cancel()
    return {
      pusher = pusher,
      client = client,
      publisher = assert(client:publisher {}),
      pending = call,
      transport = client.transport,
      push = push,
      registry = assert(push.new()),
      service = assert(require("pusher.beams").new { instance_id = "1", secret_key = "k" }),
    }
  end

  -- What a transport offers to its pendings only.
  local FOR_PENDINGS = { abandon = true, drive = true, fail = true }

  local function public_names(object)
    local names = {}
    local metatable = getmetatable(object)
    local members = metatable and type(metatable.__index) == "table" and metatable.__index or object
    for name, value in pairs(members) do
      if type(name) == "string" and type(value) == "function" and not FOR_PENDINGS[name] and not name:find("^_") then
        names[name] = true
      end
    end
    return names
  end

  it("names only what exists, and all of it", function()
    local wrong = {}
    for label, object in pairs(objects()) do
      local public = public_names(object)
      for name in TEXT:gmatch('%f[%w_."]' .. label .. "[:.]([%a_][%w_]*)%s*[({\"]") do
        if not public[name] then
          wrong[#wrong + 1] = label .. " has no " .. name
        end
      end
      for name in pairs(public) do
        local where = label == "client" and REFERENCE or TEXT
        if not where:find("%f[%w_.]" .. label .. "[:.]" .. name .. "%f[^%w_]") then
          wrong[#wrong + 1] = label .. " has " .. name .. ", which the README does not name"
        end
      end
      if object.close then
        object:close()
      end
    end
    table.sort(wrong)
    assert.equal("", table.concat(wrong, "\n"))
  end)

  it("lists every error code, and whether it is retryable", function()
    local section, wrong = readme.section(TEXT, "^Errors"), {}
    for code, retryable in pairs(require("pusher.base.errors").CODES) do
      local cell = section:match("| `" .. code .. "` |[^\n]*|([^|\n]*)|\n")
      if not cell or (cell == " yes ") ~= retryable then
        wrong[#wrong + 1] = code
      end
    end
    table.sort(wrong)
    assert.equal("", table.concat(wrong, ", "))
  end)
end)
