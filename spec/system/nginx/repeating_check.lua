-- A client's calls that are repeated inside nginx: the worker serves other requests while one waits for its next
-- attempt, and a worker makes other idempotency keys than the master it was forked from.

local cjson = require "cjson"
local local_server = require "tools.local_server"
local nginx = require "tools.nginx"

local SERVER = [[
  location = /trigger {
    content_by_lua_block {
      local result, message, details = client:trigger("a", "e", "x")
      ngx.print(cjson.encode { result = result, message = message, details = details })
    }
  }
  location = /beside {
    content_by_lua_block {
      local done, rounds = false, 0
      local thread = ngx.thread.spawn(function()
        local result = client:trigger("a", "e", "x")
        done = true
        return result
      end)
      while not done do
        ngx.sleep(0.01)
        rounds = rounds + 1
      end
      local _, result = ngx.thread.wait(thread)
      ngx.print(cjson.encode { result = result, rounds = rounds })
    }
  }
  location = /observed {
    content_by_lua_block {
      local seen, given = {}, {}
      for name, value in pairs(options) do
        given[name] = value
      end
      function given.observe(call)
        ngx.sleep(0.001)
        seen[#seen + 1] = { call.attempt, call.status or 0, call.code or "ok", call.endpoint, type(call.reused) }
      end
      local observed = assert(require("pusher").new(given))
      observed:trigger("a", "e", "x")
      observed:close()
      ngx.print(cjson.encode(seen))
    }
  }
  location = /late {
    content_by_lua_block { ngx.print "hello" }
    log_by_lua_block {
      local result, message, details = client:trigger("a", "e", "x")
      ngx.log(ngx.NOTICE, "late: ", details.code, " after ", details.attempts)
    }
  }
  location = /keys { content_by_lua_block { ngx.print(cjson.encode { ngx.worker.pid(), of_master, key() }) } }
]]

local INIT = [[
  init_by_lua_block {
    cjson = require "cjson"
    options = { app_id = %q, key = %q, secret = %q, host = %q, port = %d, secure = false,
      retry = { attempts = 3, base = 0.01, max = 0.1 }, idempotency = true }
    client = assert(require("pusher").new(options))
    local sent
    local keeping = assert(require("pusher").new { app_id = "1", key = "k", secret = "s", idempotency = true,
      transport = { send = function(_, request) sent = request.body return {} end } })
    function key()
      keeping:trigger("a", "e", "x")
      return cjson.decode(sent).idempotency_key
    end
    of_master = key()
  }
]]

local function size(set)
  local count = 0
  for _ in pairs(set) do
    count = count + 1
  end
  return count
end

describe("a call that is repeated inside nginx", function()
  local server, web

  setup(function()
    server = local_server.start { key_seconds = 60 }
    web = nginx.start { workers = 2, log_level = "notice", server = SERVER,
      http = INIT:format(server.app_id, server.key, server.secret, server.host, server.port) }
  end)

  teardown(function()
    local failures = web:finish()
    server:stop()
    assert.equal("", failures)
  end)

  before_each(function()
    server:reset()
  end)

  it("ends with the result of a later attempt, published once", function()
    server:misbehave { mode = "cut", times = 1 }
    server:misbehave { mode = "status", status = 500, times = 1 }
    assert.same({ result = {} }, cjson.decode(web:request({ path = "/trigger" }).body))
    local seen = server:inspect()
    assert.same({ 3, 1, 1 }, { seen.requests, seen.events, seen.repetitions })
  end)

  it("shows each attempt to observe, which may yield", function()
    server:misbehave { mode = "status", status = 500, times = 1 }
    local seen = cjson.decode(web:request({ path = "/observed" }).body)
    assert.same({ { 1, 500, "server", "/events", "boolean" }, { 2, 200, "ok", "/events", "boolean" } }, seen)
  end)

  it("ends with the last failure", function()
    server:misbehave { mode = "status", status = 500 }
    local outcome = cjson.decode(web:request({ path = "/trigger" }).body)
    assert.same({ 500, 3 }, { outcome.details.status, outcome.details.attempts })
  end)

  it("lets the worker serve others while it waits", function()
    server:misbehave { mode = "status", status = 503, retry_after = 1, times = 1 }
    local outcome = cjson.decode(web:request({ path = "/beside" }).body)
    assert.same({}, outcome.result)
    assert.is_true(outcome.rounds > 10)
  end)

  it("has keys of its own in each worker", function()
    local bases, workers = {}, {}
    web:wait("key of each worker", function()
      local pid, of_master, of_worker = unpack(cjson.decode(web:request({ path = "/keys" }).body))
      bases[of_master:match("^(.+):1$")] = true
      if not workers[pid] then
        workers[pid] = true
        bases[of_worker:match("^(.+):1$")] = true
      end
      return size(workers) == 2
    end)
    assert.equal(3, size(bases))
  end)

  it("is refused where there is no network", function()
    assert.equal("hello", web:request({ path = "/late" }).body)
    assert.matches("late: config after 1[,%s]", web:wait_for_log("late: "))
    assert.equal(0, server:inspect().requests)
  end)
end)
