-- docs/testing.md: its busted files pass under busted, and fail when what they test is broken; its commands work on the
-- local server, and are all there are.

local local_server = require "tools.local_server"
local pusher = require "pusher"
local readme = require "spec.helpers.readme"
local source = require "spec.helpers.source"
local terminal = require "tools.terminal"
local text_file = require "tools.text_file"

local PAGE = "docs/testing.md"

local function blocks(language, host)
  local found = {}
  for _, block in ipairs(readme.blocks(PAGE, language)) do
    found[#found + 1] = readme.host(block) == host and block.text or nil
  end
  return found
end

describe(PAGE .. ": busted", function()
  local folder, files

  setup(function()
    folder, files = terminal.output_of("mktemp -d"):match("%S+"), {}
    for _, text in ipairs(blocks("lua", "busted")) do
      files[text:match("^%-%- ([%w_]+%.lua)\n")] = text .. "\n"
    end
  end)

  teardown(function()
    os.execute("rm -rf " .. folder)
  end)

  -- What busted says about a file; `changed` replaces others.
  local function run(name, changed)
    for file, text in pairs(files) do
      text_file.write(folder .. "/" .. file, changed and changed[file] or text)
    end
    local root = terminal.output_of("pwd"):match("[^\n]+")
    local lua = os.getenv("PUSHER_LUA"):gsub("^build/", root .. "/build/") -- a folder's, or the PATH's
    return terminal.output_of(([[cd %s && LUA_PATH="%s/lua/?.lua;./?.lua;;" LUA_CPATH="%s/%s/?.so;;" %s \
      "$(command -v busted)" --output=plainTerminal ./%s </dev/null 2>&1; echo "status $?"]]):format(folder, root, root,
      os.getenv("PUSHER_BUILD"), lua, name))
  end

  for name, count in pairs { ["scores_spec.lua"] = 3, ["publisher_spec.lua"] = 2, ["tick_spec.lua"] = 1 } do
    it("passes " .. name, function()
      local text = run(name)
      assert.matches(("%d success%%l* / 0 failures / 0 errors"):format(count), text)
      assert.matches("status 0\n$", text)
    end)
  end

  it("fails when the module is wrong", function()
    local text = run("scores_spec.lua", { ["scores.lua"] = text_file.replace(files["scores.lua"], '"changed"', '"chanced"') })
    assert.matches("2 successes / 1 failure / 0 errors", text)
    assert.matches("status 1\n$", text)
  end)
end)

describe(PAGE .. ": the local server", function()
  local server, client

  setup(function()
    server = local_server.start()
    client = assert(pusher.new { app_id = server.app_id, key = server.key, secret = server.secret, host = server.host,
      port = server.port, secure = false })
  end)

  teardown(function()
    client:close()
    server:stop()
  end)

  -- The first line, which names the server, and the commands.
  local function lines()
    local found = {}
    for line in blocks("sh", "curl")[1]:gmatch("[^\n]+") do
      found[#found + 1] = line:sub(1, 1) ~= "#" and line or nil
    end
    return table.remove(found, 1), found
  end

  -- What must hold after a command, by its name.
  local checks = {
    events = function(text) assert.matches('"said"', text, 1, true) end,
    requests = function(text) assert.matches("/apps/app-id/events", text:gsub("\\/", "/"), 1, true) end,
    wait = function(text) assert.matches('"reached":true', text, 1, true) end,
    behave = function() assert.is_table(client:channels()) end,
    answer = function() assert.same({ channels = { lobby = {} } }, client:channels()) end,
    set = function()
      local params = { idempotency_key = "k" }
      assert(client:trigger("lobby", "said", "", params) and client:trigger("lobby", "said", "", params))
      assert.equal(1, server:inspect().repetitions)
    end,
    reset = function() assert.equal(0, server:inspect().events) end,
  }

  it("takes each command as it is written", function()
    assert(client:trigger("lobby", "said", "hello"))
    local first, commands = lines()
    first = text_file.replace(first, "127.0.0.1:6001", "127.0.0.1:" .. server.port)
    for _, line in ipairs(commands) do
      local command = line:match("%$S/([%a_]+)$")
      local text = terminal.output_of(first .. "\n" .. line)
      assert.matches('^{"result":', text, line)
      if command == "misbehave" and line:find("503", 1, true) then
        assert.equal(503, select(3, client:channels()).status)
      elseif checks[command] then
        checks[command](text)
      end
    end
  end)

  it("has no other command", function()
    local _, commands = lines()
    local named, wrong = table.concat(commands, "\n") .. "\n", {}
    for name in source.read("tools/local_server/channels/control.lua"):gmatch("\n    ([%a_]+) = function") do
      wrong[#wrong + 1] = not named:find("$S/" .. name .. "\n", 1, true) and name or nil
    end
    assert.equal("", table.concat(wrong, " "))
  end)
end)
