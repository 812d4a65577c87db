--- The cases without a network: what a call costs up to the request and from the response.

local null_transport = require "bench.null_transport"
local sample = require "bench.sample"

return function(bench, cases)
  local inputs = bench.inputs
  -- Encrypted, 9 KiB of data have 12 KiB.
  local client = bench.client { transport = null_transport, max_payload_kb = 16 }
  local channel = "private-encrypted-foobar"

  local function trigger(name, data)
    return function()
      local result, message = client:trigger(name, inputs.event, data)
      return result and "ok", message
    end
  end

  cases.encrypted_1k = trigger(channel, sample.table_of(1024))
  cases.encrypted_9k = trigger(channel, sample.table_of(9 * 1024))
  cases.table_1k = trigger(inputs.channel, sample.table_of(1024))
  cases.table_9k = trigger(inputs.channel, sample.table_of(9 * 1024))
  cases.string_1k = trigger(inputs.channel, ("x"):rep(1024))
  cases.string_9k = trigger(inputs.channel, ("x"):rep(9 * 1024))

  local events = {}
  for i = 1, 10 do
    events[i] = { channel = channel, name = inputs.event, data = sample.table_of(1024) }
  end

  function cases.encrypted_batch()
    local result, message = client:trigger_batch(events)
    return result and "ok", message
  end

  local body = '{"name":"say-hello","channels":["greetings"],"data":"{}"}'

  function cases.build_request()
    local request, message = client:build_request("POST", "/events", nil, body)
    return request and request.method, message
  end
end
