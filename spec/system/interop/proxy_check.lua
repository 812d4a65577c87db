-- nginx before soketi, as many run it: TLS, HTTP/2, and a new connection after each 1000 requests.

local async = require "pusher.transport.async"
local calls = require "spec.system.interop.calls"
local node = require "spec.system.interop.node"
local proxy = require "tools.nginx.proxy"

local TRIGGERS, IN_FLIGHT = 3000, 64

describe("nginx with TLS and HTTP/2 before soketi", function()
  local soketi, web, subscriber

  setup(function()
    soketi = node.start("soketi.js")
    subscriber = node.subscriber(soketi)
    web = proxy.start(soketi.port, 1000)
  end)

  teardown(function()
    web:stop()
    node.stop(subscriber, soketi)
  end)

  local function new_client(transport)
    return calls.client(web, soketi, { secure = true, ca_file = web.ca_file, transport = transport })
  end

  it("gets all triggers of a sequence, in order, though it ends the connection twice", function()
    local client = new_client("curl")
    calls.subscribe(client, subscriber, "public-1")
    for number = 1, TRIGGERS do
      assert(client:trigger("public-1", "count", number))
    end
    client:close()
    for number, arrived in ipairs(calls.next_events(subscriber, "public-1", "count", TRIGGERS)) do
      assert.equal(number, arrived)
    end
    local _, connections = proxy.requests(web)
    assert.equal(TRIGGERS / 1000, connections)
  end)

  it("gets all triggers of many in flight, once each", function()
    local transport = assert(async.new { ca_file = web.ca_file })
    local client = new_client(transport)
    calls.subscribe(client, subscriber, "public-2")
    local begun, done, failures = 0, 0, {}
    while done < TRIGGERS do
      while begun < TRIGGERS and begun - done < IN_FLIGHT do
        begun = begun + 1
        client:trigger("public-2", "count", begun):on_done(function(result, message)
          done = done + 1
          failures[#failures + 1] = not result and message or nil
        end)
      end
      transport:step(0.1)
    end
    client:close()
    transport:close()
    assert.same({}, failures)
    local arrived = calls.next_events(subscriber, "public-2", "count", TRIGGERS)
    table.sort(arrived)
    for number = 1, TRIGGERS do
      assert.equal(number, arrived[number])
    end
    local protocols, connections = proxy.requests(web)
    assert.same({ ["HTTP/2.0"] = TRIGGERS }, protocols)
    assert.is_true(connections >= TRIGGERS / 1000)
  end)
end)
