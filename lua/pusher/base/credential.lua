--- What keys and secrets are, wherever they come from: options, a URL, the environment, files, extra tokens. Pure.
--
-- None is shown in a message.

local ascii = require "pusher.base.ascii"
local core = require "pusher.core"

local credential = {}

-- Besides those of ASCII: controls, the no-break space and the soft hyphen, spaces and marks (U+2000 to U+206F,
-- U+3000), and the byte order mark with which some editors begin a file.
local INVISIBLE = {
  "\194[\128-\160\173]", "\226\128[\128-\143\168-\175]", "\226\129[\159-\175]", "\227\128\128", "\239\187\191",
}

local function has_invisible(text)
  for _, pattern in ipairs(INVISIBLE) do
    if text:find(pattern) then
      return true
    end
  end
  return false
end

--- What is wrong with a key or a secret. One that was read from a file often ends in a line break, which the server's
-- does not have.
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
  elseif has_invisible(text) then
    return "must not contain invisible characters, such as a byte order mark"
  end
end

return credential
