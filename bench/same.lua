--- Sides can only be compared when they did the same work: their results must be equal.

local cjson = require "cjson"

local same = {}

-- Members may come in any order; the signature of a presence channel covers that order, so it may differ then. Java's
-- library leaves out the padding of the shared secret.
local function flat(text)
  if text:sub(1, 1) ~= "{" then return text end
  local lines, value = {}, cjson.decode(text)
  for name, member in pairs(value) do
    if not (name == "auth" and value.channel_data) then
      local shown = flat((tostring(member):gsub("table: .*", "table")))
      lines[#lines + 1] = name .. "=" .. (name == "shared_secret" and shown:gsub("=+$", "") or shown)
    end
  end
  table.sort(lines)
  return table.concat(lines, "\n")
end

--- Raises when two sides have different results.
-- @tparam string case
-- @tparam table measured by side: a table with `text`, the result of one operation
function same.check(case, measured)
  local first, first_text
  for side, m in pairs(measured) do
    local text = m.text and flat(m.text)
    if text and not first then first, first_text = side, text end
    if text and text ~= first_text then
      error(("%s: '%s' and '%s' have different results:\n%s\n%s"):format(case, first, side, first_text, text), 0)
    end
  end
end

return same
