--- What keys and secrets are, wherever they come from: options, a URL, the environment, files, extra tokens. Pure.
--
-- None is shown in a message.

local ascii = require "pusher.base.ascii"
local core = require "pusher.core"

local credential = {}

--- What is wrong with a key or a secret. What was read from a file often ends in a line break, which no server's has.
-- @param text
-- @treturn string|nil nil when nothing is wrong; else the end of a sentence, such as "is missing"
function credential.fault(text)
  if text == nil or text == "" then
    return "is missing"
  elseif type(text) ~= "string" then
    return "must be a string, got " .. type(text)
  elseif text:find(ascii.CONTROL_OR_SPACE) then
    return "must not contain spaces or control characters"
  elseif not core.utf8_valid(text) then
    return "must be UTF-8"
  end
end

return credential
