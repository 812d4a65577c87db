--- Runs inside nginx: sends the requests of a spec over `pusher.transport.ngx` and returns the outcomes, as JSON.
-- A command is `{ id =, options =, request =, close = }`; transports are kept by their id, so several requests may use
-- one. `requests` instead of `request` are sent all at once; their outcomes are a list. With `busy` = a path the worker
-- does nothing else before it sends, from when it has made the file PATH.begun until there is a file PATH.ended;
-- with `busy_seconds`, for so long. `kill`
-- instead of `request` is sent in a light thread that is killed while it waits. With `count_reads` the outcome has
-- `early_reads`: how often a connection was read before anything was sent on it.

local cjson = require "cjson"
local contract = require "spec.helpers.transport_contract"
local core = require "pusher.core"
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

local BUSY_LIMIT = 20 -- seconds

local function is_there(path)
  local file = io.open(path)
  return file and file:close()
end

-- Keeps the worker busy until has_ended() holds.
local function be_busy(has_ended)
  local start = core.now()
  repeat
    assert(core.now() - start < BUSY_LIMIT, "nobody ended the wait")
  until has_ended(core.now() - start)
end

-- Counts in outcome.early_reads; returns what ends the counting.
local function count_early_reads(outcome)
  local tcp = ngx.socket.tcp
  outcome.early_reads = 0
  rawset(ngx.socket, "tcp", function()
    local socket = tcp()
    local send_bytes, receive, sent = socket.send, socket.receiveany, false
    function socket.send(...)
      sent = true
      return send_bytes(...)
    end
    function socket.receiveany(...)
      outcome.early_reads = outcome.early_reads + (sent and 0 or 1)
      return receive(...)
    end
    return socket
  end)
  return function()
    rawset(ngx.socket, "tcp", tcp)
  end
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
    assert(io.open(command.busy .. ".begun", "w")):close()
    be_busy(function() return is_there(command.busy .. ".ended") end)
  elseif command.busy_seconds then
    be_busy(function(seconds) return seconds >= command.busy_seconds end)
  end
  if command.close and kept[id] then
    kept[id]:close()
  end
  if command.kill then
    ngx.thread.kill(ngx.thread.spawn(send, kept[id], command.kill))
  elseif command.requests then
    outcome = send_together(kept[id], command.requests)
  elseif command.request and kept[id] then
    local counted = {}
    local stop = command.count_reads and count_early_reads(counted)
    outcome = send(kept[id], command.request)
    outcome.early_reads = counted.early_reads
    if stop then
      stop()
    end
  end
  ngx.print(cjson.encode(outcome))
end

return sending
