--- Runs inside nginx: sends the requests of a spec over `pusher.transport.ngx` and returns the outcomes, as JSON.
-- A command is `{ id =, options =, request =, close = }`; transports are kept by their id, so several requests may use
-- one. `requests` instead of `request` are sent all at once; their outcomes are a list. With `busy` = a path the worker
-- does nothing else before it sends, from when it has made the file PATH.begun until there is a file PATH.ended. `kill`
-- instead of `request` is sent in a light thread that is killed while it waits.

local cjson = require "cjson"
local contract = require "spec.helpers.transport_contract"
local transport = require "pusher.transport.ngx"

local sending = {}

local kept = {}

local function read_command()
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

local function send(over, request)
  local result, message, details = over:send(request, contract.parse)
  return { result = result, message = message, details = details }
end

local function send_together(over, requests)
  local threads, outcomes = {}, {}
  for index, request in ipairs(requests) do
    threads[index] = ngx.thread.spawn(send, over, request)
  end
  for index, thread in ipairs(threads) do
    outcomes[index] = select(2, ngx.thread.wait(thread))
  end
  return outcomes
end

local function be_busy(path)
  assert(io.open(path .. ".begun", "w")):close()
  local file
  repeat
    file = io.open(path .. ".ended")
  until file
  file:close()
end

--- A location's content: carries out one command.
function sending.serve()
  local command = read_command()
  local id = command.id
  local outcome = {}
  if not kept[id] then
    kept[id], outcome.message, outcome.details = transport.new(command.options)
  end
  if command.busy then
    be_busy(command.busy)
  end
  if command.close and kept[id] then
    kept[id]:close()
  end
  if command.kill then
    ngx.thread.kill(ngx.thread.spawn(send, kept[id], command.kill))
  elseif command.requests then
    outcome = send_together(kept[id], command.requests)
  elseif command.request and kept[id] then
    outcome = send(kept[id], command.request)
  end
  ngx.print(cjson.encode(outcome))
end

return sending
