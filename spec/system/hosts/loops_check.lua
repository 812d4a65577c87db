-- The examples of docs/hosts.md for event loops, each in its loop, on every Lua that has the loop.

local cqueues = require "cqueues"
local nginx = require "tools.nginx"
local nginx_http = require "tools.nginx.http"
local page = require "spec.system.hosts.page"
local program = require "spec.system.hosts.program"
local text_file = require "tools.text_file"
local time_scale = require "spec.helpers.time_scale"

local ALL_LUAS = { "5.1", "5.2", "5.3", "5.4", "jit" }
local LUAS = { luv = ALL_LUAS, cqueues = ALL_LUAS, copas = { "5.1", "5.2", "jit" } } -- Debian has Copas for no other

-- How long the server waits with a response, while the loop must do other things.
local RESPONSE_SECONDS = time_scale

-- With the examples' own names. `close` would send what the loop has not.
local BEFORE_CLOSE = 'assert(publisher:step() == 0, "the loop ended too early")\n'
local REPORT = 'local stats = publisher:stats()\nprint(stats.sent, stats.retried)\n'

describe("in its event loop", function()
  local beside = program.beside(setup, teardown, before_each)

  local function start(build, text)
    local main, lua = beside.folder .. "/main.lua", build == "jit" and "luajit" or "lua" .. build
    text_file.write(main, text)
    return program.start(beside.server, build, lua .. " " .. main)
  end

  local function outcome(host, lua)
    local text, found = page.example(host):gsub("publisher:close", BEFORE_CLOSE .. "%0")
    assert.equal(1, found)
    return program.finish(start(lua, text .. REPORT))
  end

  local function names()
    return beside.events("channel", "name")
  end

  -- The first response comes when nothing but the descriptor wakes the loop, and the second call is due when nothing but
  -- the clock does. An example that ignores either hangs.
  for _, host in ipairs { "luv", "cqueues", "copas" } do
    for _, lua in ipairs(LUAS[host]) do
      it(("%s sends an event when the descriptor and the clock say so, on %s"):format(host, lua), function()
        beside.server:misbehave { mode = "delay", ms = 300, path = "/apps/", times = 1 }
        assert.equal("1\t0\n", outcome(host, lua))
        beside.server:misbehave { mode = "status", status = 503, path = "/apps/", times = 1 }
        assert.equal("1\t1\n", outcome(host, lua))
        assert.same({ "my-channel my-event", "my-channel my-event" }, names())
      end)
    end
  end

  it("lua_http responds while an event waits for the server, and sends it", function()
    local port = nginx.free_port()
    local text, found = page.example("lua_http"):gsub("8080", tostring(port))
    assert.equal(1, found)
    beside.server:misbehave { mode = "delay", ms = RESPONSE_SECONDS * 1000, path = "/apps/", times = 1 }
    local function is_served(path)
      return nginx_http.request { host = "127.0.0.1", port = port, path = path }.status == 204
    end
    program.watch(start("jit", text), function()
      program.wait_for(function() return is_served("/first") end)
      program.wait_for(function() return #names() == 1 end) -- the response to it comes later
      local start_time = cqueues.monotime()
      assert.is_true(is_served("/second"))
      assert.is_true(cqueues.monotime() - start_time < RESPONSE_SECONDS)
      program.wait_for(function() return #names() == 2 end)
      assert.same({ "my-channel requested", "my-channel requested" }, names())
    end)
  end)
end)
