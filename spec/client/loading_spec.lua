-- What is loaded when, in processes of their own: docs/install.md, "What is loaded when".

local calls = require "spec.helpers.calls"
local local_server = require "tools.local_server"
local source = require "spec.helpers.source"

-- Runs the text as a program, which has OPTIONS for a client, and `loaded()`: the library's modules but for base and
-- channels, which every client needs. Returns what it printed.
local function run(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write([[
    OPTIONS = { app_id = "3", key = "k", secret = "s", host = "127.0.0.1", port = 1, secure = false, timeout = 30 }
    function loaded()
      local names = {}
      for name in pairs(package.loaded) do
        local short = name:match("^pusher%.(.*)")
        if short and not short:find("^base%.") and not short:find("^channels%.") then
          names[#names + 1] = short
        end
      end
      table.sort(names)
      return table.concat(names, " ")
    end
    function new(name, value)
      if name then
        OPTIONS[name] = value
      end
      return require("pusher").new(OPTIONS)
    end
    function show(value, message, details)
      print(details and details.code or tostring(value), message or "")
    end
    local real_require, real_path, real_cpath = require, package.path, package.cpath
    function hide() -- as in a Luanti mod, or after chroot
      require, package.path, package.cpath = nil, "", ""
    end
    function reveal()
      require, package.path, package.cpath = real_require, real_path, real_cpath
    end
  ]] .. text)
  file:close()
  local printed = calls.run(path)
  os.remove(path)
  return printed
end

local SIGNING = "client core transport transport.late"
local PUBLISHER = "driver.blocking driver.choose driver.stepped publisher publisher.batch publisher.delivery "
  .. "publisher.fallback publisher.heads publisher.lane publisher.leak_guard publisher.outcomes publisher.queue "
  .. "publisher.retries publisher.settings"
local CURL = "curl transport.curl"
local ASYNC = "curl pending transport.async transport.async.retries"
local NGINX = "driver.nginx transport.ngx transport.ngx.certificate transport.ngx.connect transport.ngx.connection "
  .. "transport.ngx.readable transport.ngx.response transport.ngx.route transport.ngx.timeouts transport.ngx.wire"

-- One line of the names in all lists.
local function line(...)
  local names = {}
  for name in table.concat({ ... }, " "):gmatch("%S+") do
    names[#names + 1] = name
  end
  table.sort(names)
  return table.concat(names, " ") .. "\n"
end

describe("loading", function()
  it("needs no io, os, package or debug, which a sandbox may hide", function()
    local names = {}
    for index, path in ipairs(source.files("lua", "lua")) do
      names[index] = ("%q"):format(source.module_name(path))
    end
    assert.is_true(#names > 100)
    assert.equal("all are loaded\n", run(("local NAMES = { %s }"):format(table.concat(names, ", ")) .. [[

      local require, loaded, print = require, package.loaded, print
      io, os, package, debug = nil, nil, nil, nil
      for _, name in ipairs(NAMES) do
        for other in pairs(loaded) do
          if other:find("^pusher%f[.%z]") then
            loaded[other] = nil
          end
        end
        local ok, message = pcall(require, name)
        if not ok then
          print(name, message)
        end
      end
      print "all are loaded"
    ]]))
  end)

  it("loads only what signs, until a call is sent", function()
    assert.equal(line(SIGNING) .. line(SIGNING), run [[
      local client = assert(new("encryption_master_key", ("k"):rep(32)))
      print(loaded())
      hide()
      assert(client:authorize_channel("socket_id=1.2&channel_name=presence-a", { user_id = "u" }))
      assert(client:authorize_channel({ socket_id = "1.2", channel_name = "private-encrypted-a" }))
      assert(client:authenticate_user("socket_id=1.2", { id = "u" }))
      assert(client:read_form('{"a":"b"}', "application/json").a == "b")
      assert(client:read_form("--x\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n--x--\r\n",
        "multipart/form-data; boundary=x").a == "b")
      local body = '{"time_ms":1,"events":[]}'
      assert(client:webhook({ ["X-Pusher-Key"] = "k",
        ["X-Pusher-Signature"] = package.loaded["pusher.core"].mac("s"):hex(body) }, body))
      assert(client:build_request("POST", "/events", nil, { name = "e" }))
      assert(client:parse_response(200, "{}"))
      client:close()
      print(loaded())
    ]])
  end)

  it("loads libcurl with the first call, and the publisher with the first publisher", function()
    assert.equal("network\n" .. line(SIGNING, CURL) .. line(SIGNING, CURL, PUBLISHER), run [[
      local client = assert(new())
      local _, _, details = client:trigger("a", "e", "x")
      print(details.code)
      print(loaded())
      assert(client:publisher()):close()
      print(loaded())
    ]])
  end)

  it("loads all at the start where a transport is named, and nothing later", function()
    for name, own in pairs { curl = CURL, async = ASYNC } do
      local expected = line(SIGNING, PUBLISHER, own)
      assert.equal(expected .. expected, run(([[
        OPTIONS.log = function() end
        local client = assert(new("transport", %q))
        print(loaded())
        hide()
        local publisher = assert(client:publisher { retry = { attempts = 1 } })
        assert(publisher:trigger("a", "e", "x"))
        publisher:flush(30)
        local call, _, details = client:trigger("a", "e", "x")
        if call then
          call, _, details = call:wait(30)
        end
        assert(details.code == "network", details.code)
        publisher:close(0)
        client:close()
        print(loaded())
      ]]):format(name)))
    end
  end)

  it("loads all at the start in nginx, and never libcurl", function()
    assert.equal(line(SIGNING, PUBLISHER, NGINX), run [[
      ngx = { socket = { tcp = function() end }, timer = {}, config = { subsystem = "http" } }
      assert(new())
      print(loaded())
    ]])
  end)

  it("loads all but libcurl over a transport of the caller's own", function()
    assert.equal(line(SIGNING, PUBLISHER), run [[
      assert(new("transport", { send = function() end }))
      print(loaded())
    ]])
  end)

  it("loads libcurl at once where an option is given that it checks", function()
    for _, option in ipairs { '"proxy", "http://127.0.0.1:1"', '"no_proxy", "a"', '"ca_file", "/ca.pem"' } do
      assert.equal(line(SIGNING, PUBLISHER, CURL), run(("assert(new(%s)) print(loaded())"):format(option)))
    end
    for _, option in ipairs { '"proxy", "pigeon://x"', '"ca_file", "a\\n"', '"timeout", -1' } do
      assert.matches('^config\toption "[%w_]+" must', run(("show(new(%s))"):format(option)))
    end
  end)

  it("reports missing files, and loads them once they are back", function()
    local printed = run [[
      local client = assert(new())
      hide()
      local _, message, details = client:trigger("a", "e", "x")
      print(message, details.code, details.field, details.sent, details.retryable)
      _, message, details = client:publisher()
      print(message, details.code)
      reveal()
      _, message, details = client:trigger("a", "e", "x")
      print(details.code, details.field)
      assert(client:publisher())
    ]]
    local first, second, third = printed:match("^([^\n]*)\n([^\n]*)\n([^\n]*)\n$")
    assert.matches('^the transport "curl" cannot be loaded: .*\tconfig\ttransport\tfalse\tfalse$', first, nil, printed)
    assert.matches("^the publisher cannot be loaded: .*\tconfig$", second)
    assert.equal("network\tnil", third)
  end)

  it("reports that libcurl is missing: from `new` where it is named, else from the first call", function()
    local missing = [[package.preload["pusher.curl"] = function() error("libcurl.so.4: cannot open", 0) end
    ]]
    assert.matches('^config\tthe transport "curl" cannot be loaded: .*libcurl.so.4: cannot open',
      run(missing .. 'show(new("transport", "curl"))'))
    assert.matches('^config\tthe transport "async" cannot be loaded: .*libcurl.so.4: cannot open',
      run(missing .. 'show(new("transport", "async"))'))
    assert.matches("libcurl.so.4: cannot open", run(missing .. 'require "pusher.transport.curl"'))
    assert.matches('^config\tthe transport "curl" cannot be loaded: .*libcurl.so.4: cannot open',
      run(missing .. 'show(assert(new()):trigger("a", "e"))'))
    assert.matches("^true", run(missing .. 'print(assert(new()):authorize_channel("socket_id=1.2&channel_name=private-a") ~= nil)'))
  end)

  it("loads in a forked child what that needs, whatever its parent has loaded", function()
    local server = local_server.start()
    finally(function()
      server:stop()
    end)
    assert.equal("0 0 true\n", run(([[
      local process = require "pusher_test.process"
      OPTIONS = { app_id = %q, key = %q, secret = %q, host = %q, port = %d, secure = false, timeout = 30 }
      local client = assert(new())
      local function trigger()
        assert(client:trigger("a", "e", "x"))
        client:close()
      end
      local before = process.run(trigger, 60)
      local own = client:trigger("a", "e", "x") ~= nil
      print(before .. " " .. process.run(trigger, 60) .. " " .. tostring(own and client:trigger("a", "e", "x") ~= nil))
    ]]):format(server.app_id, server.key, server.secret, server.host, server.port)))
    assert.equal(4, server:inspect().events)
  end)
end)
