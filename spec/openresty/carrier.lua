--- Runs inside nginx: carries requests of a spec by `pusher.transport.ngx`, and its outcomes back, as JSON.
-- `{ id =, options =, request =, close = }`; transports are kept by their id, so several requests may use one.

local cjson = require "cjson"
local contract = require "spec.support.transport_contract"
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
  if order.request and kept[id] then
    ngx.update_time()
    local start = ngx.now()
    outcome.result, outcome.message, outcome.details = kept[id]:send(order.request, contract.parse)
    ngx.update_time()
    outcome.seconds = ngx.now() - start
  end
  ngx.print(cjson.encode(outcome))
end

return carrier
