--- The inputs that all sides share, and our client of the server under test.

local cjson = require "cjson"
local pusher = require "pusher"
local text_file = require "tools.text_file"

local ours = {}

--- Reads inputs.json.
function ours.inputs(path)
  return cjson.decode(text_file.read(path))
end

--- A client of the server under test.
-- @tparam table inputs
-- @tparam number port
-- @tparam[opt] table other options to add or replace
function ours.client(inputs, port, other)
  local options = {
    app_id = inputs.app_id, key = inputs.key, secret = inputs.secret,
    host = "127.0.0.1", port = port, secure = false,
    encryption_master_key_base64 = inputs.master_key_base64,
  }
  for name, value in pairs(other or {}) do
    options[name] = value
  end
  return assert(pusher.new(options))
end

return ours
