--- Runs inside nginx: carries requests of a spec by `pusher.transport.ngx`, and its outcomes back, as JSON.
-- `{ id =, options =, request =, close = }`; transports are kept by their id, so several requests may use one.
-- `requests` instead of `request` are sent all at once; their outcomes come as a list.

local cjson = require "cjson"
local contract = require "spec.helpers.transport_contract"
local transport = require "pusher.transport.ngx"

local carrier = {}

local kept = {}

local function read_order()
  ngx.req.read_body()
  local path = ngx.req.get_body_file()
  if not path then
    return cjson.decode(ngx.req.get_body_data())
  end
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return cjson.decode(text)
end

local function send(carried_by, request)
  local result, message, details = carried_by:send(request, contract.parse)
  return { result = result, message = message, details = details }
end

local function send_together(carried_by, requests)
  local threads, outcomes = {}, {}
  for index, request in ipairs(requests) do
    threads[index] = ngx.thread.spawn(send, carried_by, request)
  end
  for index, thread in ipairs(threads) do
    outcomes[index] = select(2, ngx.thread.wait(thread))
  end
  return outcomes
end

--- A location's content: obeys one order.
function carrier.serve()
  local order = read_order()
  local id = order.id
  local outcome = {}
  if not kept[id] then
    kept[id], outcome.message, outcome.details = transport.new(order.options)
  end
  if order.close and kept[id] then
    kept[id]:close()
  end
  if order.requests then
    outcome = send_together(kept[id], order.requests)
  elseif order.request and kept[id] then
    outcome = send(kept[id], order.request)
  end
  ngx.print(cjson.encode(outcome))
end

return carrier
